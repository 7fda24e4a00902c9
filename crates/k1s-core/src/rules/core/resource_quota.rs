// SPDX-License-Identifier: Apache-2.0
//! ResourceQuota.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::resource_name::{self, amount, amounts, is_standard_for_quota};
use crate::field::{Errors, Path};
use crate::object::{at, at_mut, list, set, text};
use crate::quantity::Quantity;
use crate::rules::keep::{keep_spec, keep_status};
use crate::rules::{Clock, Request, Rules, cells};

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "VolumeAttributesClass",
    "CrossNamespacePodAffinity",
];
const OF_PODS: [&str; 7] = [
    "pods",
    "cpu",
    "memory",
    "limits.cpu",
    "limits.memory",
    "requests.cpu",
    "requests.memory",
];
const OF_CLAIMS: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];
const CONFLICTING: [[&str; 2]; 2] = [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
];
/// Scopes that a pod is in or not, without values.
const WITHOUT_VALUES: [&str; 5] = [
    "BestEffort",
    "NotBestEffort",
    "Terminating",
    "NotTerminating",
    "CrossNamespacePodAffinity",
];

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create,
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: validate_spec,
    validate_update,
    validate_status: |new, _, errors| {
        let path = Path::new("status");
        for key in ["hard", "used"] {
            validate_amounts(at(new, &["status", key]), &path.child(key), errors);
        }
    },
    warnings,
    cells: Some(cells),
    ..Rules::NONE
};

fn default(quota: &mut Value) {
    for path in [["spec", "hard"], ["status", "hard"], ["status", "used"]] {
        if let Some(list) = at_mut(quota, &path) {
            resource_name::round_up(list);
        }
    }
}

fn prepare_create(quota: &mut Value, _: &Request<'_>) {
    set(quota, &["status"], json!({}));
}

fn validate_spec(quota: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let hard = at(quota, &["spec", "hard"]);
    validate_amounts(hard, &path.child("hard"), errors);
    let counted: Vec<&str> = amounts(hard)
        .map(|(resource, _)| resource)
        .filter(|resource| is_standard_for_quota(resource))
        .collect();
    let scopes = list(quota, &["spec", "scopes"]);
    let names: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
    let at_scopes = path.child("scopes");
    for scope in &names {
        if !SCOPES.contains(scope) {
            errors.invalid(at_scopes, &json!(scopes), "unsupported scope");
        }
        for _ in counted.iter().filter(|resource| !covers(scope, resource)) {
            errors.invalid(
                at_scopes,
                &json!(scopes),
                "unsupported scope applied to resource",
            );
        }
    }
    validate_conflicts(&names, scopes, &at_scopes, errors);
    if let Some(selector) = at(quota, &["spec", "scopeSelector"]).filter(|v| !v.is_null()) {
        validate_selector(
            selector,
            scopes,
            &counted,
            &path.child("scopeSelector"),
            errors,
        );
    }
}

fn validate_amounts(list: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    for (resource, amount) in amounts(list) {
        let at = path.key(resource);
        resource_name::validate(resource, &at, errors);
        if !resource.contains('/') && !is_standard_for_quota(resource) {
            errors.invalid_text(at, resource, "must be a standard resource for quota");
        }
        resource_name::validate_amount(resource, &amount, &at, errors);
    }
}

/// Whether objects in a scope use a resource.
fn covers(scope: &str, resource: &str) -> bool {
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => OF_CLAIMS.contains(&resource),
        scope if SCOPES.contains(&scope) => OF_PODS.contains(&resource),
        _ => true,
    }
}

fn validate_conflicts(names: &[&str], scopes: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for pair in CONFLICTING {
        if pair.iter().all(|scope| names.contains(scope)) {
            errors.invalid(path, &json!(scopes), "conflicting scopes");
        }
    }
}

fn validate_selector(
    selector: &Value,
    scopes: &[Value],
    counted: &[&str],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let path = path.child("matchExpressions");
    let mut names = Vec::new();
    for expression in list(selector, &["matchExpressions"]) {
        let scope = text(expression, &["scopeName"]);
        names.push(scope);
        if !SCOPES.contains(&scope) {
            errors.invalid_text(path.child("scopeName"), scope, "unsupported scope");
        }
        for _ in counted.iter().filter(|resource| !covers(scope, resource)) {
            errors.invalid(path, selector, "unsupported scope applied to resource");
        }
        validate_operator(expression, scope, &path, errors);
    }
    validate_conflicts(&names, scopes, &path, errors);
}

fn validate_operator(expression: &Value, scope: &str, path: &Path<'_>, errors: &mut Errors) {
    let operator = text(expression, &["operator"]);
    let values = list(expression, &["values"]);
    if WITHOUT_VALUES.contains(&scope) && operator != "Exists" {
        errors.invalid_text(
            path.child("operator"),
            operator,
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        );
    }
    match operator {
        "In" | "NotIn" if values.is_empty() => errors.required(
            path.child("values"),
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ),
        "Exists" | "DoesNotExist" if !values.is_empty() => errors.invalid(
            path.child("values"),
            &json!(values),
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.invalid_text(
            path.child("operator"),
            operator,
            "not a valid selector operator",
        ),
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    fn scopes(quota: &Value) -> BTreeSet<&str> {
        list(quota, &["spec", "scopes"])
            .iter()
            .filter_map(Value::as_str)
            .collect()
    }
    validate_spec(new, errors);
    if scopes(new) != scopes(old) {
        errors.invalid(
            Path::new("spec").child("scopes"),
            &json!(list(new, &["spec", "scopes"])),
            "field is immutable",
        );
    }
}

/// Less may be used than asked for.
fn warnings(quota: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
    if old.is_some() {
        return;
    }
    let hard = at(quota, &["spec", "hard"]);
    for resource in ["cpu", "memory", "storage", "ephemeral-storage"] {
        let long = format!("requests.{resource}");
        let limits = format!("limits.{resource}");
        let short = ["cpu", "memory"].contains(&resource).then_some(resource);
        let request = amount(hard, &long)
            .map(|a| (long.as_str(), a))
            .or_else(|| short.and_then(|short| amount(hard, short).map(|a| (short, a))));
        if let (Some((name, request)), Some(limit)) = (request, amount(hard, &limits))
            && request > limit
        {
            warnings.push(format!(
                "ResourceQuota {name} ({request}) should be less than {limits} ({limit})"
            ));
        }
    }
}

/// Name, Request, Limit, Age.
fn cells(quota: &Value, clock: &Clock) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in amounts(at(quota, &["status", "hard"])) {
        let used = amount(at(quota, &["status", "used"]), resource).unwrap_or_else(Quantity::zero);
        let column = if resource.starts_with("limits.") {
            &mut limits
        } else {
            &mut requests
        };
        column.push(format!("{resource}: {used}/{hard}"));
    }
    vec![
        cells::name(quota),
        requests.join(", ").into(),
        limits.join(", ").into(),
        cells::age(quota, clock),
    ]
}
