// SPDX-License-Identifier: Apache-2.0
//! Role and ClusterRole.

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name::NameRule;
use crate::object::{list, text};
use crate::rules::{Clock, Rules, cells, label_selector};
use crate::selector::LabelSelector;

pub(super) static ROLE: Rules = Rules {
    validate: |object, errors| validate_rules(object, true, errors),
    validate_update: |new, _, errors| validate_rules(new, true, errors),
    ..ANY_ROLE
};

pub(super) static CLUSTER_ROLE: Rules = Rules {
    validate: |object, errors| validate_cluster_role(object, errors),
    validate_update: |new, _, errors| validate_cluster_role(new, errors),
    ..ANY_ROLE
};

const ANY_ROLE: Rules = Rules {
    name: NameRule::PathSegment,
    create_on_update: true,
    cells: Some(row),
    ..Rules::NONE
};

fn validate_cluster_role(object: &Value, errors: &mut Errors) {
    validate_rules(object, false, errors);
    let Some(aggregation) = object.get("aggregationRule") else {
        return;
    };
    let path = Path::new("aggregationRule");
    let path = path.child("clusterRoleSelectors");
    let selectors = list(aggregation, &["clusterRoleSelectors"]);
    if selectors.is_empty() {
        errors.required(
            path,
            "at least one clusterRoleSelector required if aggregationRule is non-nil",
        );
    }
    for (index, selector) in selectors.iter().enumerate() {
        let path = path.index(index);
        label_selector::validate(Some(selector), &path, errors);
        if LabelSelector::from_object(Some(selector)).is_err() {
            errors.invalid(path, &Value::Null, "invalid label selector.");
        }
    }
}

fn validate_rules(object: &Value, namespaced: bool, errors: &mut Errors) {
    let path = Path::new("rules");
    for (index, rule) in list(object, &["rules"]).iter().enumerate() {
        validate_rule(rule, namespaced, &path.index(index), errors);
    }
}

fn validate_rule(rule: &Value, namespaced: bool, path: &Path<'_>, errors: &mut Errors) {
    let has = |key: &str| !list(rule, &[key]).is_empty();
    if !has("verbs") {
        errors.required(path.child("verbs"), "verbs must contain at least one value");
    }
    if has("nonResourceURLs") {
        let urls = json!(list(rule, &["nonResourceURLs"]));
        let path = path.child("nonResourceURLs");
        if namespaced {
            let detail = "namespaced rules cannot apply to non-resource URLs";
            errors.invalid(path, &urls, detail);
        }
        if has("apiGroups") || has("resources") || has("resourceNames") {
            let detail = "rules cannot apply to both regular resources and non-resource URLs";
            errors.invalid(path, &urls, detail);
        }
        return;
    }
    if !has("apiGroups") {
        errors.required(
            path.child("apiGroups"),
            "resource rules must supply at least one api group",
        );
    }
    if !has("resources") {
        errors.required(
            path.child("resources"),
            "resource rules must supply at least one resource",
        );
    }
}

fn row(object: &Value, _: &Clock) -> Vec<Value> {
    let created = text(object, &["metadata", "creationTimestamp"]);
    vec![cells::name(object), created.into()]
}
