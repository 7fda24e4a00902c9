// SPDX-License-Identifier: Apache-2.0
//! How fast an autoscaler scales: `spec.behavior`.

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::object::{self, int, list, text};
use crate::quantity::Quantity;
use crate::rules::number::number;

const SELECT: [&str; 3] = ["Disabled", "Max", "Min"];
const TYPES: [&str; 2] = ["Percent", "Pods"];
const MOST_WINDOW_SECONDS: i64 = 3600;
const MOST_PERIOD_SECONDS: i64 = 1800;

/// Fills in both directions.
pub(super) fn default(behavior: &mut Value) {
    let up = object::map_mut(behavior, &["scaleUp"]);
    object::default_absent(up, "stabilizationWindowSeconds", 0);
    object::default_absent(up, "selectPolicy", "Max");
    object::default_absent(
        up,
        "policies",
        json!([
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15}
        ]),
    );
    let down = object::map_mut(behavior, &["scaleDown"]);
    object::default_absent(down, "selectPolicy", "Max");
    object::default_absent(
        down,
        "policies",
        json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]),
    );
}

/// Checks both directions.
pub(super) fn validate(behavior: &Value, path: &Path<'_>, errors: &mut Errors) {
    for key in ["scaleUp", "scaleDown"] {
        if let Some(rules) = behavior.get(key) {
            validate_rules(rules, &path.child(key), errors);
        }
    }
}

fn validate_rules(rules: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(window) = int(rules, &["stabilizationWindowSeconds"]) {
        let path = path.child("stabilizationWindowSeconds");
        if window < 0 {
            errors.invalid(
                path,
                &json!(window),
                "must be greater than or equal to zero",
            );
        }
        if window > MOST_WINDOW_SECONDS {
            errors.invalid(
                path,
                &json!(window),
                format!("must be less than or equal to {MOST_WINDOW_SECONDS}"),
            );
        }
    }
    if let Some(select) = rules.get("selectPolicy")
        && !select.as_str().is_some_and(|s| SELECT.contains(&s))
    {
        errors.not_supported(path.child("selectPolicy"), select, &SELECT);
    }
    let policies = list(rules, &["policies"]);
    let policies_path = path.child("policies");
    if policies.is_empty() {
        errors.required(policies_path, "must specify at least one Policy");
    }
    for (index, policy) in policies.iter().enumerate() {
        validate_policy(policy, &policies_path.index(index), errors);
    }
    if let Some(tolerance) = rules.get("tolerance")
        && Quantity::from_json(tolerance).is_ok_and(|q| q < Quantity::zero())
    {
        errors.invalid(
            path.child("tolerance"),
            tolerance,
            "must be greater than or equal to 0",
        );
    }
}

fn validate_policy(policy: &Value, path: &Path<'_>, errors: &mut Errors) {
    const POSITIVE: &str = "must be greater than zero";
    let kind = text(policy, &["type"]);
    if !TYPES.contains(&kind) {
        errors.not_supported(path.child("type"), &json!(kind), &TYPES);
    }
    let value = number(policy, "value");
    if value <= 0 {
        errors.invalid(path.child("value"), &json!(value), POSITIVE);
    }
    let period = number(policy, "periodSeconds");
    if period <= 0 {
        errors.invalid(path.child("periodSeconds"), &json!(period), POSITIVE);
    }
    if period > MOST_PERIOD_SECONDS {
        errors.invalid(
            path.child("periodSeconds"),
            &json!(period),
            format!("must be less than or equal to {MOST_PERIOD_SECONDS}"),
        );
    }
}
