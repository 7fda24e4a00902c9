// SPDX-License-Identifier: Apache-2.0
//! PodDisruptionBudget, the kind of policy.

use serde_json::{Value, json};

use super::keep::{drop_status, keep_spec, keep_status};
use super::number::{all_not_negative, at_most_100_percent, int_or_percent, number};
use super::{Clock, Generation, Rules, cells, condition, label_selector};
use crate::field::{Errors, Fault, Path};
use crate::name::NameRule;
use crate::object::{at, list};

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    (kind == "PodDisruptionBudget").then_some(&RULES)
}

static RULES: Rules = Rules {
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: |object, errors| validate(object, errors),
    validate_update: |new, _, errors| validate(new, errors),
    validate_status: |new, _, errors| validate_status(new, errors),
    name: NameRule::PathSegment,
    metadata_last: true,
    plain_finalizers: true,
    generation: Generation::Spec,
    unconditional_update: false,
    cells: Some(row),
    ..Rules::NONE
};

const AMOUNTS: [&str; 2] = ["minAvailable", "maxUnavailable"];
const EVICTION_POLICIES: [&str; 2] = ["AlwaysAllow", "IfHealthyBudget"];

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    if AMOUNTS.iter().all(|key| spec.get(key).is_some()) {
        errors.push(
            Fault::Invalid,
            path,
            format!(
                "Invalid value: {}: minAvailable and maxUnavailable cannot be both set",
                words(spec)
            ),
        );
    }
    for key in AMOUNTS {
        int_or_percent(spec, key, &path, errors);
        at_most_100_percent(spec, key, &path, errors);
    }
    label_selector::validate(spec.get("selector"), &path.child("selector"), errors);
    if let Some(policy) = spec.get("unhealthyPodEvictionPolicy")
        && !policy
            .as_str()
            .is_some_and(|p| EVICTION_POLICIES.contains(&p))
    {
        errors.not_supported(
            path.child("unhealthyPodEvictionPolicy"),
            policy,
            &EVICTION_POLICIES,
        );
    }
}

/// The spec as messages show it.
fn words(spec: &Value) -> String {
    let shown = |key: &str| spec.get(key).unwrap_or(&Value::Null).to_string();
    let selector = spec
        .get("selector")
        .map_or("null".to_owned(), label_selector::words);
    format!(
        "{{\"MinAvailable\":{},\"Selector\":{selector},\"MaxUnavailable\":{},\"UnhealthyPodEvictionPolicy\":{}}}",
        shown("minAvailable"),
        shown("maxUnavailable"),
        shown("unhealthyPodEvictionPolicy")
    )
}

fn validate_status(object: &Value, errors: &mut Errors) {
    const COUNTS: [&str; 4] = [
        "disruptionsAllowed",
        "currentHealthy",
        "desiredHealthy",
        "expectedPods",
    ];
    let path = Path::new("status");
    let conditions = list(object, &["status", "conditions"]);
    condition::validate_all(conditions, &path.child("conditions"), errors);
    all_not_negative(&object["status"], &COUNTS, &path, errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let amount = |key: &str| match at(object, &["spec", key]) {
        Some(Value::String(percent)) => percent.clone(),
        Some(number) if !number.is_null() => number.to_string(),
        _ => "N/A".to_owned(),
    };
    vec![
        cells::name(object),
        json!(amount("minAvailable")),
        json!(amount("maxUnavailable")),
        number(&object["status"], "disruptionsAllowed").into(),
        cells::age(object, clock),
    ]
}
