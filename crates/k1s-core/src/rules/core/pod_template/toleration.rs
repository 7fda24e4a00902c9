// SPDX-License-Identifier: Apache-2.0
//! Validation of tolerations, and of the effects of taints.

use serde_json::{Value, json};

use super::check::{given, one_of};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::text;
use crate::rules::label_selector::validate_key;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const OPERATORS: [&str; 2] = ["Equal", "Exists"];
/// What the refusal of a comparison lists, although it refuses two of them.
const WITH_COMPARISONS: [&str; 4] = ["Equal", "Exists", "Lt", "Gt"];

/// Checks `tolerations`.
pub(in crate::rules) fn validate_tolerations(
    tolerations: &[Value],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (index, toleration) in tolerations.iter().enumerate() {
        validate_toleration(toleration, &path.index(index), errors);
    }
}

fn validate_toleration(toleration: &Value, path: &Path<'_>, errors: &mut Errors) {
    let [key, operator, value, effect] =
        ["key", "operator", "value", "effect"].map(|k| text(toleration, &[k]));
    let at_operator = path.child("operator");
    if !key.is_empty() {
        validate_key(key, &path.child("key"), errors);
    }
    if key.is_empty() && operator != "Exists" {
        errors.invalid_text(
            at_operator,
            operator,
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    if given(toleration, "tolerationSeconds") && effect != "NoExecute" {
        errors.invalid_text(
            path.child("effect"),
            effect,
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        );
    }
    match operator {
        "" | "Equal" => {
            let complaints = name::label_value(value);
            if !complaints.is_empty() {
                errors.invalid_text(at_operator, value, complaints.join(";"));
            }
        }
        "Exists" if !value.is_empty() => errors.invalid_text(
            at_operator,
            value,
            "value must be empty when `operator` is 'Exists'",
        ),
        "Exists" => {}
        "Lt" | "Gt" => errors.not_supported(at_operator, &json!(operator), &WITH_COMPARISONS),
        _ => errors.not_supported(at_operator, &json!(operator), &OPERATORS),
    }
    if !effect.is_empty() {
        validate_effect(toleration, path, errors);
    }
}

/// `parent.effect` is that of a taint.
pub(in crate::rules) fn validate_effect(parent: &Value, path: &Path<'_>, errors: &mut Errors) {
    one_of(parent, "effect", &EFFECTS, path, errors);
}
