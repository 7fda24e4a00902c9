// SPDX-License-Identifier: Apache-2.0
//! What a write may not change: put back silently, or refused.

use std::fmt::Display;

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::object;

/// Makes the value at a path what it was in the old object, absent if it was absent.
pub(in crate::rules) fn keep(new: &mut Value, old: &Value, path: &[&str]) {
    match object::at(old, path) {
        Some(value) => object::set(new, path, value.clone()),
        None => {
            object::remove(new, path);
        }
    }
}

/// Puts the status back: what most kinds do on an update by the main resource.
pub(in crate::rules) fn keep_status(new: &mut Value, old: &Value) {
    keep(new, old, &["status"]);
}

/// Puts the spec back: what most kinds do on an update of `/status`.
pub(in crate::rules) fn keep_spec(new: &mut Value, old: &Value) {
    keep(new, old, &["spec"]);
}

/// Drops what a client says of the status on create.
pub(in crate::rules) fn drop_status(object: &mut Value) {
    object::remove(object, &["status"]);
}

/// Refuses a change of `key`: `field is immutable`.
pub(in crate::rules) fn immutable(
    new: &Value,
    old: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    immutable_at(new, old, key, path.child(key), errors);
}

/// Refuses a change of `key` of the object itself.
pub(in crate::rules) fn immutable_root(new: &Value, old: &Value, key: &str, errors: &mut Errors) {
    immutable_at(new, old, key, key, errors);
}

/// Refuses a change of `key`; `field` is what the refusal calls it.
pub(in crate::rules) fn immutable_at(
    new: &Value,
    old: &Value,
    key: &str,
    field: impl Display,
    errors: &mut Errors,
) {
    if !same(new.get(key), old.get(key)) {
        let value = new.get(key).unwrap_or(&Value::Null);
        errors.invalid(field, value, "field is immutable");
    }
}

/// Whether two fields say the same; absent, null and empty do.
pub(in crate::rules) fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    a == b || (is_empty(a) && is_empty(b))
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(_) => false,
    }
}
