// SPDX-License-Identifier: Apache-2.0
//! ConfigMap, and what it shares with Secret: keys, size, and that it may be made immutable.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::pod_template::check::complain;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{is_true, map};
use crate::rules::keep::same;
use crate::rules::{Clock, Rules, cells};

/// All values together.
pub(super) const DATA_MAX_BYTES: usize = 1024 * 1024;

pub(super) static RULES: Rules = Rules {
    validate,
    validate_update,
    cells: Some(cells),
    ..Rules::NONE
};

fn validate(config_map: &Value, errors: &mut Errors) {
    let path = Path::new("data");
    let binary = map(config_map, &["binaryData"]);
    let mut bytes = 0;
    for (key, value) in map(config_map, &["data"]).into_iter().flatten() {
        let at = path.key(key);
        complain(name::config_map_key(key), key, &at, errors);
        if binary.is_some_and(|b| b.contains_key(key)) {
            errors.invalid_text(at, key, "duplicate of key present in binaryData");
        }
        bytes += value.as_str().unwrap_or_default().len();
    }
    bytes += validate_bytes(config_map, "binaryData", errors);
    if bytes > DATA_MAX_BYTES {
        errors.too_long("", DATA_MAX_BYTES);
    }
}

/// Checks the keys of a map of bytes; gives how many bytes there are.
pub(super) fn validate_bytes(object: &Value, field: &str, errors: &mut Errors) -> usize {
    let path = Path::new(field);
    let mut bytes = 0;
    for (key, value) in map(object, &[field]).into_iter().flatten() {
        complain(name::config_map_key(key), key, &path.key(key), errors);
        bytes += decoded(value).len();
    }
    bytes
}

/// The bytes that a value stands for; it was decoded before, so it can be read.
pub(super) fn decoded(value: &Value) -> Vec<u8> {
    STANDARD
        .decode(value.as_str().unwrap_or_default())
        .unwrap_or_default()
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_immutable(new, old, &["data", "binaryData"], errors);
    validate(new, errors);
}

/// What says that it is immutable does not change, and does not stop saying so.
pub(super) fn validate_immutable(new: &Value, old: &Value, fields: &[&str], errors: &mut Errors) {
    const WHY: &str = "field is immutable when `immutable` is set";
    if !is_true(old, &["immutable"]) {
        return;
    }
    if !is_true(new, &["immutable"]) {
        errors.forbidden("immutable", WHY);
    }
    for field in fields {
        if !same(new.get(*field), old.get(*field)) {
            errors.forbidden(field, WHY);
        }
    }
}

fn cells(config_map: &Value, clock: &Clock) -> Vec<Value> {
    let count: usize = ["data", "binaryData"]
        .iter()
        .filter_map(|key| map(config_map, &[key]))
        .map(|m| m.len())
        .sum();
    vec![
        cells::name(config_map),
        count.into(),
        cells::age(config_map, clock),
    ]
}
