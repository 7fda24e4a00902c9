// SPDX-License-Identifier: Apache-2.0
//! The priority of a pod comes from its class; there is one default class at most.

use k1s_core::kinds::Kind;
use k1s_core::object::{at, int, is_true, name, set, text};
use k1s_core::status::Status;
use serde_json::{Value, json};

use super::lookup;
use super::pods::forbidden;
use crate::api::Api;

const GROUP: &str = "scheduling.k8s.io";
const PREEMPTION: [&str; 2] = ["spec", "preemptionPolicy"];

/// Sets the priority of a new pod.
pub(super) fn fill(api: &Api, kind: &'static Kind, pod: &mut Value) -> Result<(), Status> {
    let classes = lookup::kind(GROUP, "v1", "PriorityClass")?;
    let wanted = text(pod, &["spec", "priorityClassName"]).to_owned();
    let class = if wanted.is_empty() {
        default_class(api, classes)?
    } else {
        let class = lookup::one(api, classes, "", &wanted)?;
        if class.is_none() {
            let why = format!("no PriorityClass with name {wanted} was found");
            return Err(forbidden(kind, pod, why));
        }
        class
    };
    let (value, policy) = match &class {
        Some(class) => {
            set(pod, &["spec", "priorityClassName"], name(class));
            (
                int(class, &["value"]).unwrap_or_default(),
                text(class, &["preemptionPolicy"]),
            )
        }
        None => (0, "PreemptLowerPriority"),
    };
    if let Some(given) = int(pod, &["spec", "priority"]).filter(|given| *given != value) {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {value} from the given PriorityClass name"
        );
        return Err(forbidden(kind, pod, why));
    }
    set(pod, &["spec", "priority"], value);
    if policy.is_empty() {
        return Ok(());
    }
    if let Some(given) = at(pod, &PREEMPTION).filter(|given| **given != json!(policy)) {
        let why = format!(
            "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name",
            given.as_str().unwrap_or_default()
        );
        return Err(forbidden(kind, pod, why));
    }
    set(pod, &PREEMPTION, policy);
    Ok(())
}

/// Of several default classes, which a race can leave, the lowest.
fn default_class(api: &Api, classes: &'static Kind) -> Result<Option<Value>, Status> {
    Ok(lookup::all(api, classes, "")?
        .into_iter()
        .filter(|class| is_true(class, &["globalDefault"]))
        .min_by_key(|class| int(class, &["value"]).unwrap_or_default()))
}

/// Refuses a second default class. `is_new` says that the class is not stored yet.
pub(super) fn check_default(
    api: &Api,
    kind: &'static Kind,
    class: &Value,
    is_new: bool,
) -> Result<(), Status> {
    if !is_true(class, &["globalDefault"]) {
        return Ok(());
    }
    match default_class(api, kind)? {
        Some(other) if is_new || name(&other) != name(class) => {
            let why = format!(
                "PriorityClass {} is already marked as default. Only one default can exist",
                name(&other)
            );
            Err(forbidden(kind, class, why))
        }
        _ => Ok(()),
    }
}
