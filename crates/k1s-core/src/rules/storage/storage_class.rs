// SPDX-License-Identifier: Apache-2.0
//! StorageClass.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, annotation, is_true, list, make_map, map, text};
use crate::rules::address::report;
use crate::rules::core::pod_template::warning;
use crate::rules::keep::immutable_root;
use crate::rules::{Clock, Rules, cells, label_selector};

pub(super) static RULES: Rules = Rules {
    default: |object| {
        let map = make_map(object);
        object::default_absent(map, "reclaimPolicy", "Delete");
        object::default_absent(map, "volumeBindingMode", "Immediate");
    },
    validate,
    validate_update,
    warnings: |new, _, warnings| warn(new, warnings),
    cells: Some(row),
    ..Rules::NONE
};

const RECLAIM_POLICIES: [&str; 2] = ["Delete", "Retain"];
const BINDING_MODES: [&str; 2] = ["Immediate", "WaitForFirstConsumer"];
const MOST_PARAMETERS: usize = 512;
const PARAMETER_BYTES: usize = 256 * 1024;
/// Marks the class for claims that name none; the second is the older name.
const IS_DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// Whether a class is for claims that name none.
pub(in crate::rules) fn is_default(class: &Value) -> bool {
    IS_DEFAULT
        .iter()
        .any(|key| annotation(class, key) == Some("true"))
}

/// Checks the name of what provides the volumes.
pub(super) fn validate_provisioner(object: &Value, key: &str, errors: &mut Errors) {
    let provisioner = text(object, &[key]);
    if provisioner.is_empty() {
        errors.required(key, "");
    } else {
        let lower = provisioner.to_lowercase();
        report(name::label_key(&lower), &lower, &Path::new(key), errors);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    validate_provisioner(object, "provisioner", errors);
    validate_parameters(object, true, errors);
    let policy = text(object, &["reclaimPolicy"]);
    if !policy.is_empty() && !RECLAIM_POLICIES.contains(&policy) {
        errors.not_supported("reclaimPolicy", &json!(policy), &RECLAIM_POLICIES);
    }
    let mode = text(object, &["volumeBindingMode"]);
    if !BINDING_MODES.contains(&mode) {
        errors.not_supported("volumeBindingMode", &json!(mode), &BINDING_MODES);
    }
    validate_topologies(object, errors);
}

/// Checks the parameters of a class, which may have none.
pub(super) fn validate_parameters(object: &Value, may_be_empty: bool, errors: &mut Errors) {
    let nothing = serde_json::Map::new();
    let parameters = map(object, &["parameters"]).unwrap_or(&nothing);
    if parameters.len() > MOST_PARAMETERS {
        errors.too_long("parameters", MOST_PARAMETERS);
        return;
    }
    let mut bytes = 0;
    for (key, value) in parameters {
        if key.is_empty() {
            errors.invalid_text("parameters", key, "field can not be empty.");
        }
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > PARAMETER_BYTES {
        errors.too_long("parameters", PARAMETER_BYTES);
    }
    if !may_be_empty && parameters.is_empty() {
        errors.required("parameters", "must contain at least one key/value pair");
    }
}

fn validate_topologies(object: &Value, errors: &mut Errors) {
    let path = Path::new("allowedTopologies");
    let terms = list(object, &["allowedTopologies"]);
    // Kubernetes compares each with as many empty ones as there are
    let mut seen: Vec<BTreeMap<&str, Vec<&str>>> = vec![BTreeMap::new(); terms.len()];
    for (index, term) in terms.iter().enumerate() {
        let path = path.index(index);
        let path = path.child("matchLabelExpressions");
        let mut keys = BTreeMap::new();
        let requirements = list(term, &["matchLabelExpressions"]);
        for (index, requirement) in requirements.iter().enumerate() {
            let path = path.index(index);
            let key = text(requirement, &["key"]);
            let values = validate_values(requirement, &path, errors);
            label_selector::validate_key(key, &path.child("key"), errors);
            if keys.insert(key, values).is_some() {
                errors.duplicate(path.child("key"), &json!(key));
            }
        }
        for _ in seen.iter().filter(|other| **other == keys) {
            errors.duplicate(path, &json!(""));
        }
        seen.push(keys);
    }
}

/// The values of a requirement, sorted.
fn validate_values<'a>(
    requirement: &'a Value,
    path: &Path<'_>,
    errors: &mut Errors,
) -> Vec<&'a str> {
    let path = path.child("values");
    let values = list(requirement, &["values"]);
    if values.is_empty() {
        errors.required(path, "");
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, value) in values.iter().filter_map(Value::as_str).enumerate() {
        if seen.contains(&value) {
            errors.duplicate(path.index(index), &json!(value));
        } else {
            seen.push(value);
        }
    }
    seen.sort_unstable();
    seen
}

fn warn(object: &Value, warnings: &mut Vec<String>) {
    let path = Path::new("allowedTopologies");
    for (index, term) in list(object, &["allowedTopologies"]).iter().enumerate() {
        let path = path.index(index);
        let path = path.child("matchLabelExpressions");
        let requirements = list(term, &["matchLabelExpressions"]);
        for (index, requirement) in requirements.iter().enumerate() {
            if let Some(words) = warning::of_node_label(text(requirement, &["key"])) {
                warnings.push(format!("{}: {words}", path.index(index).child("key")));
            }
        }
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate(new, errors);
    for key in ["parameters", "provisioner", "reclaimPolicy"] {
        if new.get(key) != old.get(key) {
            errors.forbidden(key, format!("updates to {key} are forbidden."));
        }
    }
    immutable_root(new, old, "volumeBindingMode", errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let mut name = object::name(object).to_owned();
    if is_default(object) {
        name.push_str(" (default)");
    }
    vec![
        name.into(),
        text(object, &["provisioner"]).into(),
        text(object, &["reclaimPolicy"]).into(),
        text(object, &["volumeBindingMode"]).into(),
        is_true(object, &["allowVolumeExpansion"]).into(),
        cells::age(object, clock),
    ]
}
