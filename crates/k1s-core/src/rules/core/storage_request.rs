// SPDX-License-Identifier: Apache-2.0
//! What claims and volumes have in common: access modes, classes, how they are shown.

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{annotation, at, list, text};
use crate::quantity::Quantity;
use crate::rules::address::report;
use crate::rules::cells;

/// Access modes and how tables shorten them, in the order of tables.
const SHORT: [(&str, &str); 4] = [
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
];
const ACCESS_MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];
/// The class of old, before there was a field.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Checks `accessModes`; `detail` says that one is required.
pub(super) fn validate_access_modes(
    spec: &Value,
    detail: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let path = path.child("accessModes");
    let modes = list(spec, &["accessModes"]);
    if modes.is_empty() {
        errors.required(path, detail);
    }
    for mode in modes {
        if !mode.as_str().is_some_and(|m| ACCESS_MODES.contains(&m)) {
            errors.not_supported(path, mode, &ACCESS_MODES);
        }
    }
    let alone = modes.iter().filter(|m| **m == "ReadWriteOncePod").count();
    if alone > 0 && alone < modes.len() {
        errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

/// Checks `volumeMode`.
pub(super) fn validate_mode(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(mode) = spec.get("volumeMode")
        && !mode.as_str().is_some_and(|m| VOLUME_MODES.contains(&m))
    {
        errors.not_supported(path.child("volumeMode"), mode, &VOLUME_MODES);
    }
}

/// Checks a field that names a class.
pub(super) fn validate_class(spec: &Value, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let class = text(spec, &[key]);
    if !class.is_empty() {
        report(
            name::dns1123_subdomain(class),
            class,
            &path.child(key),
            errors,
        );
    }
}

/// An amount is more than nothing.
pub(super) fn validate_positive(amount: &Value, path: &Path<'_>, errors: &mut Errors) {
    if Quantity::from_json(amount).is_ok_and(|amount| amount <= Quantity::zero()) {
        errors.invalid(path, &json!(amount), "must be greater than zero");
    }
}

/// Access modes for a table.
pub(super) fn mode_cell(modes: &[Value]) -> Value {
    let all: Vec<&str> = SHORT
        .iter()
        .filter(|(mode, _)| modes.iter().any(|m| m == mode))
        .map(|(_, short)| *short)
        .collect();
    all.join(",").into()
}

/// The storage class for a table.
pub(super) fn class_cell(object: &Value) -> Value {
    annotation(object, CLASS)
        .unwrap_or_else(|| text(object, &["spec", "storageClassName"]))
        .into()
}

/// A field of the spec for a table, `<unset>` where it is not given.
pub(super) fn unset_cell(object: &Value, key: &str) -> Value {
    match at(object, &["spec", key]) {
        Some(Value::String(value)) => value.as_str().into(),
        _ => cells::UNSET.into(),
    }
}
