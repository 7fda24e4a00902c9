// SPDX-License-Identifier: Apache-2.0
//! Checks of numbers, and of fields that take a number or a percentage.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const POSITIVE: &str = "must be greater than 0";

/// `parent[key]`, zero where it is absent.
pub(in crate::rules) fn number(parent: &Value, key: &str) -> i64 {
    parent.get(key).and_then(Value::as_i64).unwrap_or_default()
}

/// `parent[key]` is at least 0; absent is fine.
pub(in crate::rules) fn not_negative(
    parent: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    at_least_zero(number(parent, key), path.child(key), errors);
}

/// A number is at least 0.
pub(in crate::rules) fn at_least_zero(value: i64, field: impl Display, errors: &mut Errors) {
    if value < 0 {
        errors.invalid(field, &json!(value), NOT_NEGATIVE);
    }
}

/// Each of `parent[keys]` is at least 0.
pub(in crate::rules) fn all_not_negative(
    parent: &Value,
    keys: &[&str],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for key in keys {
        not_negative(parent, key, path, errors);
    }
}

/// `parent[key]`, where it is given, is at least 1.
pub(in crate::rules) fn positive_if_given(
    parent: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(value) = parent.get(key).and_then(Value::as_i64)
        && value <= 0
    {
        errors.invalid(path.child(key), &json!(value), POSITIVE);
    }
}

/// `parent[key]` is a number that is not negative, or a percentage; absent counts as 0.
pub(in crate::rules) fn int_or_percent(
    parent: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    match parent.get(key) {
        Some(Value::String(text)) => {
            for complaint in name::percent(text) {
                errors.invalid_text(path.child(key), text, complaint);
            }
        }
        _ => not_negative(parent, key, path, errors),
    }
}

/// The number that a number or percentage holds: 25 for `25%`, 0 where it is absent or no number.
pub(in crate::rules) fn int_or_percent_value(value: Option<&Value>) -> i64 {
    match value {
        Some(Value::Number(number)) => number.as_i64().unwrap_or_default(),
        Some(Value::String(text)) if name::percent(text).is_empty() => {
            text.trim_end_matches('%').parse().unwrap_or(0)
        }
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        _ => 0,
    }
}

/// `parent[key]`, where it is a percentage, is no more than 100%.
pub(in crate::rules) fn at_most_100_percent(
    parent: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(Value::String(text)) = parent.get(key)
        && name::percent(text).is_empty()
        && int_or_percent_value(parent.get(key)) > 100
    {
        errors.invalid_text(path.child(key), text, "must not be greater than 100%");
    }
}
