// SPDX-License-Identifier: Apache-2.0
//! PriorityClass, the kind of scheduling.k8s.io.

use serde_json::{Value, json};

use super::keep::immutable_root;
use super::number::number;
use super::{Clock, Generation, Rules, cells};
use crate::field::{Errors, Path};
use crate::object::{self, is_true, make_map, text};

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    (kind == "PriorityClass").then_some(&RULES)
}

static RULES: Rules = Rules {
    default: |object| {
        object::default_absent(make_map(object), "preemptionPolicy", "PreemptLowerPriority");
    },
    validate,
    validate_update,
    // It starts at 1, and there is no spec that could make it grow.
    generation: Generation::Spec,
    cells: Some(row),
    ..Rules::NONE
};

/// The classes that are made at start, with their values.
const SYSTEM_CLASSES: [(&str, i64); 2] = [
    ("system-node-critical", 2_000_001_000),
    ("system-cluster-critical", 2_000_000_000),
];
/// The highest value of a class that is not the system's.
const HIGHEST: i64 = 1_000_000_000;
const PREEMPTION_POLICIES: [&str; 2] = ["PreemptLowerPriority", "Never"];

fn validate(object: &Value, errors: &mut Errors) {
    let name = object::name(object);
    if name.starts_with("system-") {
        if let Some(problem) = system_problem(object, name) {
            errors.forbidden(
                Path::new("metadata").child("name"),
                format!(
                    "priority class names with 'system-' prefix are reserved for system use only. error: {problem}"
                ),
            );
        }
    } else if number(object, "value") > HIGHEST {
        errors.forbidden(
            "value",
            format!("maximum allowed value of a user defined priority is {HIGHEST}"),
        );
    }
    match text(object, &["preemptionPolicy"]) {
        "" => errors.required("preemptionPolicy", ""),
        policy if PREEMPTION_POLICIES.contains(&policy) => {}
        other => errors.not_supported("preemptionPolicy", &json!(other), &PREEMPTION_POLICIES),
    }
}

/// Why a class is not one of the system's.
fn system_problem(object: &Value, name: &str) -> Option<String> {
    let Some((_, value)) = SYSTEM_CLASSES.iter().find(|(known, _)| *known == name) else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if number(object, "value") != *value {
        return Some(format!("value of {name} PriorityClass must be {value}"));
    }
    is_true(object, &["globalDefault"])
        .then(|| format!("globalDefault of {name} PriorityClass must be false"))
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    if number(new, "value") != number(old, "value") {
        errors.forbidden("value", "may not be changed in an update.");
    }
    immutable_root(new, old, "preemptionPolicy", errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        cells::name(object),
        number(object, "value").into(),
        is_true(object, &["globalDefault"]).into(),
        cells::age(object, clock),
        text(object, &["preemptionPolicy"]).into(),
    ]
}
