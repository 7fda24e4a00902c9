// SPDX-License-Identifier: Apache-2.0
//! What a write does to an object of an own kind: what it may not change, and whether the result is right.

use serde_json::Value;

use super::validate::Checker;
use super::{Custom, embedded, list_type};
use crate::field::{Errors, Fault, show};
use crate::object::at;

/// Takes the status out of a new object where only `/status` may write it.
pub fn prepare_create(custom: &Custom, object: &mut Value) {
    if custom.has_status
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
}

/// Puts the status back where only `/status` may write it.
pub fn prepare_update(custom: &Custom, new: &mut Value, old: &Value) {
    if custom.has_status {
        put(new, "status", old.get("status"));
    }
}

/// Puts everything but the status back; of metadata only `managedFields` may change.
pub fn prepare_status(new: &mut Value, old: &Value) {
    let status = new.get("status").cloned();
    let managed = at(new, &["metadata", "managedFields"]).cloned();
    *new = old.clone();
    put(new, "status", status.as_ref());
    if let Some(managed) = managed {
        crate::object::set(new, &["metadata", "managedFields"], managed);
    }
}

fn put(object: &mut Value, key: &str, value: Option<&Value>) {
    if let Some(map) = object.as_object_mut() {
        match value {
            Some(value) => map.insert(key.to_owned(), value.clone()),
            None => map.remove(key),
        };
    }
}

/// Checks a new object beside its metadata.
pub fn validate(custom: &Custom, object: &Value, errors: &mut Errors) {
    Checker { base: "" }.check(custom.schema, object, None, "", errors);
    check_scale(custom, object, errors);
    embedded::check(custom.schema, object, "", errors);
    list_type::check(custom.schema, object, "", errors);
}

/// Checks a changed object beside its metadata: what changed must be right.
pub fn validate_update(custom: &Custom, new: &Value, old: &Value, errors: &mut Errors) {
    Checker { base: "" }.check(custom.schema, new, Some(old), "", errors);
    check_scale(custom, new, errors);
    embedded::check(custom.schema, new, "", errors);
    let mut before = Errors::new();
    list_type::check(custom.schema, old, "", &mut before);
    if before.is_empty() {
        list_type::check(custom.schema, new, "", errors);
    }
}

/// Checks a changed status.
pub fn validate_status(custom: &Custom, new: &Value, old: &Value, errors: &mut Errors) {
    if let (Some(schema), Some(status)) = (custom.schema.property("status"), new.get("status")) {
        let checker = Checker { base: "status" };
        checker.check(schema, status, old.get("status"), "", errors);
    }
    check_scale(custom, new, errors);
    list_type::check(custom.schema, new, "", errors);
}

/// Replicas are whole numbers that are not negative.
fn check_scale(custom: &Custom, object: &Value, errors: &mut Errors) {
    let Some(scale) = &custom.scale else { return };
    for keys in [&scale.spec_replicas, &scale.status_replicas] {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let path = format!(".{}", keys.join("."));
        match at(object, &keys) {
            None | Some(Value::Null) => {}
            Some(value) => match value.as_i64() {
                None => errors.invalid(path.trim_start_matches('.'), value, "must be an integer"),
                Some(n) if n < 0 => errors.push(
                    Fault::Invalid,
                    path,
                    format!(
                        "Invalid value: {}: should be a non-negative integer",
                        show(value)
                    ),
                ),
                Some(n) if n > i64::from(i32::MAX) => errors.push(
                    Fault::Invalid,
                    path,
                    format!(
                        "Invalid value: {}: should be less than or equal to {}",
                        show(value),
                        i32::MAX
                    ),
                ),
                Some(_) => {}
            },
        }
    }
}
