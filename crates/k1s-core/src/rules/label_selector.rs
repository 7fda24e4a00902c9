// SPDX-License-Identifier: Apache-2.0
//! Validation of label selectors and of labels inside specs.

use serde_json::Value;

use crate::field::{Errors, Fault, Path, quote, show};
use crate::name;
use crate::object::{list, map, text};

const NEEDS_VALUES: [&str; 2] = ["In", "NotIn"];
const TAKES_NO_VALUES: [&str; 2] = ["Exists", "DoesNotExist"];

/// Checks a `LabelSelector`; an absent one is fine.
pub(in crate::rules) fn validate(selector: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let Some(selector) = selector.filter(|s| s.is_object()) else {
        return;
    };
    validate_labels(
        selector.get("matchLabels"),
        &path.child("matchLabels"),
        errors,
    );
    let expressions = path.child("matchExpressions");
    for (index, expression) in list(selector, &["matchExpressions"]).iter().enumerate() {
        validate_requirement(expression, &expressions.index(index), errors);
    }
}

fn validate_requirement(expression: &Value, path: &Path<'_>, errors: &mut Errors) {
    let operator = text(expression, &["operator"]);
    let values = list(expression, &["values"]);
    let values_path = path.child("values");
    if NEEDS_VALUES.contains(&operator) {
        if values.is_empty() {
            errors.required(
                values_path,
                "must be specified when `operator` is 'In' or 'NotIn'",
            );
        }
    } else if TAKES_NO_VALUES.contains(&operator) {
        if !values.is_empty() {
            errors.forbidden(
                values_path,
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            );
        }
    } else {
        errors.invalid_text(
            path.child("operator"),
            operator,
            "not a valid selector operator",
        );
    }
    validate_key(text(expression, &["key"]), &path.child("key"), errors);
    for (index, value) in values.iter().filter_map(Value::as_str).enumerate() {
        for complaint in name::label_value(value) {
            errors.invalid_text(values_path.index(index), value, complaint);
        }
    }
}

/// Checks a label key.
pub(in crate::rules) fn validate_key(key: &str, path: &Path<'_>, errors: &mut Errors) {
    for complaint in name::label_key(key) {
        errors.invalid_text(path, key, complaint);
    }
}

/// Checks a map of labels.
pub(in crate::rules) fn validate_labels(
    labels: Option<&Value>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        validate_key(key, path, errors);
        let value = value.as_str().unwrap_or_default();
        for complaint in name::label_value(value) {
            errors.invalid_text(path, value, complaint);
        }
    }
}

/// Whether a selector is there and selects everything.
pub(in crate::rules) fn is_empty(selector: &Value) -> bool {
    map(selector, &["matchLabels"]).is_none_or(|m| m.is_empty())
        && list(selector, &["matchExpressions"]).is_empty()
}

/// `Invalid value` of a selector, shown in the order of its fields.
pub(in crate::rules) fn invalid(
    path: &Path<'_>,
    selector: Option<&Value>,
    detail: &str,
    errors: &mut Errors,
) {
    let mut message = format!(
        "Invalid value: {}",
        selector.map_or("null".to_owned(), words)
    );
    if !detail.is_empty() {
        message.push_str(": ");
        message.push_str(detail);
    }
    errors.push(Fault::Invalid, path, message);
}

/// A selector as messages show it.
pub(in crate::rules) fn words(selector: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(labels) = map(selector, &["matchLabels"]).filter(|m| !m.is_empty()) {
        parts.push(format!(
            "\"matchLabels\":{}",
            show(&Value::Object(labels.clone()))
        ));
    }
    let expressions = list(selector, &["matchExpressions"]);
    if !expressions.is_empty() {
        let all: Vec<String> = expressions.iter().map(expression_words).collect();
        parts.push(format!("\"matchExpressions\":[{}]", all.join(",")));
    }
    format!("{{{}}}", parts.join(","))
}

fn expression_words(expression: &Value) -> String {
    let mut words = format!(
        "{{\"key\":{},\"operator\":{}",
        quote(text(expression, &["key"])),
        quote(text(expression, &["operator"]))
    );
    let values = list(expression, &["values"]);
    if !values.is_empty() {
        let all: Vec<String> = values.iter().map(show).collect();
        words.push_str(&format!(",\"values\":[{}]", all.join(",")));
    }
    words.push('}');
    words
}
