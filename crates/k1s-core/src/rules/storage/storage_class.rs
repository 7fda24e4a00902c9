// SPDX-License-Identifier: Apache-2.0
//! StorageClass.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, annotation, is_true, list, make_map, map, text};
use crate::rules::address::report;
use crate::rules::keep::{immutable_root, same};
use crate::rules::{Clock, Rules, cells, label_selector};

pub(super) static RULES: Rules = Rules {
    default: |object| {
        let map = make_map(object);
        object::default_absent(map, "reclaimPolicy", "Delete");
        object::default_absent(map, "volumeBindingMode", "Immediate");
    },
    validate,
    validate_update,
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

fn validate(object: &Value, errors: &mut Errors) {
    let provisioner = text(object, &["provisioner"]);
    if provisioner.is_empty() {
        errors.required("provisioner", "");
    } else {
        let lower = provisioner.to_lowercase();
        let complaints = name::label_key(&lower);
        report(complaints, &lower, &Path::new("provisioner"), errors);
    }
    validate_parameters(object, errors);
    for (key, supported) in [
        ("reclaimPolicy", &RECLAIM_POLICIES),
        ("volumeBindingMode", &BINDING_MODES),
    ] {
        match text(object, &[key]) {
            "" => errors.required(key, ""),
            value if supported.contains(&value) => {}
            other => errors.not_supported(key, &json!(other), supported),
        }
    }
    validate_topologies(object, errors);
}

fn validate_parameters(object: &Value, errors: &mut Errors) {
    let Some(parameters) = map(object, &["parameters"]) else {
        return;
    };
    if parameters.len() > MOST_PARAMETERS {
        errors.too_long("provisioner.parameters", MOST_PARAMETERS);
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
}

fn validate_topologies(object: &Value, errors: &mut Errors) {
    let path = Path::new("allowedTopologies");
    let mut seen: Vec<BTreeMap<&str, Vec<&str>>> = Vec::new();
    for (index, term) in list(object, &["allowedTopologies"]).iter().enumerate() {
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
        if seen.contains(&keys) {
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

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    for key in ["parameters", "provisioner", "reclaimPolicy"] {
        if !same(new.get(key), old.get(key)) {
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
