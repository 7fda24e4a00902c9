// SPDX-License-Identifier: Apache-2.0
//! What the workloads ask of their selector, their pod template and the numbers of their status.

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, at, map, map_mut, text};
use crate::rules::core::pod_template;
use crate::rules::label_selector;
use crate::rules::number::number;
use crate::selector::LabelSelector;

/// Fills in the defaults of `spec.template`.
pub(in crate::rules) fn default_template(object: &mut Value) {
    let template = map_mut(object, &["spec"]).entry("template");
    pod_template::default_template(template.or_insert(Value::Null));
}

/// Checks `spec.selector`: it is there, it is good, and it is not empty.
pub(in crate::rules) fn validate_selector(
    spec: &Value,
    path: &Path<'_>,
    of: &str,
    errors: &mut Errors,
) {
    let path = path.child("selector");
    let Some(selector) = spec.get("selector").filter(|s| s.is_object()) else {
        errors.required(path, "");
        return;
    };
    label_selector::validate(Some(selector), &path, errors);
    if label_selector::is_empty(selector) {
        let detail = format!("empty selector is invalid for {of}");
        label_selector::invalid(&path, Some(selector), &detail, errors);
    }
}

/// Checks `spec.template` and that the selector selects what it makes.
///
/// A selector that cannot be read is refused in the words of `unreadable`, and the template is not looked at.
pub(in crate::rules) fn validate_template(
    spec: &Value,
    path: &Path<'_>,
    unreadable: &str,
    kind: &str,
    errors: &mut Errors,
) {
    let selector = spec.get("selector");
    let Ok(read) = LabelSelector::from_object(selector) else {
        label_selector::invalid(&path.child("selector"), selector, unreadable, errors);
        return;
    };
    let template = spec.get("template").unwrap_or(&Value::Null);
    let path = path.child("template");
    let everything = selector.is_some_and(|s| s.is_object() && label_selector::is_empty(s));
    if !everything && !selects(&read, template) {
        mismatch(template, &path, errors);
    }
    pod_template::validate_template(template, &path, errors);
    validate_lasting(template, &path, kind, errors);
}

/// Whether a selector selects the pods of a template.
pub(in crate::rules) fn selects(selector: &LabelSelector, template: &Value) -> bool {
    selector.matches(&map(template, &["metadata", "labels"]))
}

/// The selector and the labels of the template differ.
pub(in crate::rules) fn mismatch(template: &Value, path: &Path<'_>, errors: &mut Errors) {
    let labels = at(template, &["metadata", "labels"]).unwrap_or(&Value::Null);
    errors.invalid(
        path.child("metadata").child("labels"),
        labels,
        "`selector` does not match template `labels`",
    );
}

/// Pods of workloads restart and have no deadline.
pub(in crate::rules) fn validate_lasting(
    template: &Value,
    path: &Path<'_>,
    kind: &str,
    errors: &mut Errors,
) {
    let path = path.child("spec");
    let policy = text(template, &["spec", "restartPolicy"]);
    if policy != "Always" {
        errors.not_supported(path.child("restartPolicy"), &json!(policy), &["Always"]);
    }
    if at(template, &["spec", "activeDeadlineSeconds"]).is_some() {
        errors.forbidden(
            path.child("activeDeadlineSeconds"),
            format!("activeDeadlineSeconds in {kind} is not Supported"),
        );
    }
}

/// Of the replicas that a status counts, none are more than all of them, and none that are available are not ready. `ready` is what the
/// message calls the number of the ready ones.
pub(in crate::rules) fn replicas_add_up(
    status: &Value,
    parts: &[&str],
    ready: &str,
    errors: &mut Errors,
) {
    let mut at_most = |key: &str, bound: &str, detail: &str| {
        let value = number(status, key);
        if value > number(status, bound) {
            errors.invalid(Path::new("status").child(key), &json!(value), detail);
        }
    };
    for key in parts {
        at_most(key, "replicas", "cannot be greater than status.replicas");
    }
    at_most(
        "availableReplicas",
        "readyReplicas",
        &format!("cannot be greater than {ready}"),
    );
}

/// `status.collisionCount` never gets less.
pub(in crate::rules) fn collisions_only_grow(new: &Value, old: &Value, errors: &mut Errors) {
    const PATH: [&str; 2] = ["status", "collisionCount"];
    let Some(before) = object::int(old, &PATH) else {
        return;
    };
    let after = object::int(new, &PATH);
    if after.is_none_or(|after| after < before) {
        errors.invalid(
            Path::new("status").child("collisionCount"),
            &json!(after.unwrap_or_default()),
            "cannot be decremented",
        );
    }
}

/// Warns of a name that makes pods with poor host names.
pub(in crate::rules) fn warn_of_pod_names(object: &Value, warnings: &mut Vec<String>) {
    let complaints = name::dns1123_label(object::name(object));
    if !complaints.is_empty() {
        warnings.push(format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is \
             recommended: [{}]",
            complaints.join(" ")
        ));
    }
}

/// Warns of what a pod template says, when it is new or something of the spec has changed.
pub(in crate::rules) fn warn_of_template(
    new: &Value,
    old: Option<&Value>,
    path: &[&str],
    warnings: &mut Vec<String>,
) {
    let generation = |object: &Value| object::int(object, &["metadata", "generation"]);
    if old.is_some_and(|old| generation(old) == generation(new)) {
        return;
    }
    if let Some(template) = at(new, path) {
        let shown = path.join(".");
        pod_template::warning::of_template(template, &Path::new(&shown), warnings);
    }
}
