// SPDX-License-Identifier: Apache-2.0
//! Conditions of a status that follow the common form (`metav1.Condition`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::address::report;
use super::number::number;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::text;

const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
const REASON_BYTES: usize = 1024;
const MESSAGE_BYTES: usize = 32_768;

/// Checks a list of conditions.
pub(in crate::rules) fn validate_all(conditions: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        let path = path.index(index);
        let kind = text(condition, &["type"]);
        if !seen.insert(kind) {
            errors.duplicate(path.child("type"), &json!(kind));
        }
        validate(condition, &path, errors);
    }
}

fn validate(condition: &Value, path: &Path<'_>, errors: &mut Errors) {
    let kind = text(condition, &["type"]);
    report(name::label_key(kind), kind, &path.child("type"), errors);
    let status = text(condition, &["status"]);
    if !STATUSES.contains(&status) {
        errors.not_supported(path.child("status"), &json!(status), &STATUSES);
    }
    let generation = number(condition, "observedGeneration");
    if generation < 0 {
        errors.invalid(
            path.child("observedGeneration"),
            &json!(generation),
            "must be greater than or equal to zero",
        );
    }
    if text(condition, &["lastTransitionTime"]).is_empty() {
        errors.required(path.child("lastTransitionTime"), "must be set");
    }
    let reason = text(condition, &["reason"]);
    let reason_path = path.child("reason");
    if reason.is_empty() {
        errors.required(reason_path, "must be set");
    } else {
        if !is_reason(reason) {
            errors.invalid_text(reason_path, reason, reason_complaint());
        }
        if reason.len() > REASON_BYTES {
            errors.too_long(reason_path, REASON_BYTES);
        }
    }
    if text(condition, &["message"]).len() > MESSAGE_BYTES {
        errors.too_long(path.child("message"), MESSAGE_BYTES);
    }
}

fn is_reason(reason: &str) -> bool {
    let is_end = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = reason.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.last().is_some_and(|byte| is_end(*byte))
        && bytes
            .iter()
            .all(|byte| is_end(*byte) || matches!(byte, b',' | b':'))
}

fn reason_complaint() -> String {
    name::regex_mismatch(
        "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or \
         '_,:', and must end with an alphanumeric character or '_'",
        "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?",
        &[
            "my_name",
            "MY_NAME",
            "MyName",
            "ReasonA,ReasonB",
            "ReasonA:ReasonB",
        ],
    )
}
