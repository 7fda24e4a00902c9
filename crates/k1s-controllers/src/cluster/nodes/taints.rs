// SPDX-License-Identifier: Apache-2.0
//! Which taints follow from the state of a node.

use k8s_openapi::api::core::v1::{Node, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const CORDONED: &str = "node.kubernetes.io/unschedulable";
/// Condition, its status, and the taint that follows.
const BY_CONDITION: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    (
        "MemoryPressure",
        "True",
        "node.kubernetes.io/memory-pressure",
    ),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    (
        "NetworkUnavailable",
        "True",
        "node.kubernetes.io/network-unavailable",
    ),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];
const NO_SCHEDULE: &str = "NoSchedule";
const NO_EXECUTE: &str = "NoExecute";

/// The taints that a node should have, if it has others: those that are nobody's business here first, as they are.
pub(super) fn wanted(node: &Node, now: Timestamp) -> Option<Vec<Taint>> {
    let spec = node.spec.as_ref();
    let present = spec.and_then(|s| s.taints.clone()).unwrap_or_default();
    let wanted = by_state(node);
    let mut taints: Vec<Taint> = present
        .iter()
        .filter(|taint| !is_ours(taint) || wanted.iter().any(|w| same(w, taint)))
        .cloned()
        .collect();
    for (key, effect) in &wanted {
        if !present.iter().any(|taint| same(&(*key, *effect), taint)) {
            taints.push(Taint {
                key: (*key).to_owned(),
                effect: (*effect).to_owned(),
                time_added: Some(Time(now)),
                value: None,
            });
        }
    }
    (taints != present).then_some(taints)
}

fn same(wanted: &(&str, &str), taint: &Taint) -> bool {
    taint.key == wanted.0 && taint.effect == wanted.1
}

/// Whether a taint is one of those that this decides about.
fn is_ours(taint: &Taint) -> bool {
    let known = |key: &str| key == CORDONED || BY_CONDITION.iter().any(|(.., of)| *of == key);
    match taint.effect.as_str() {
        NO_SCHEDULE => known(&taint.key),
        NO_EXECUTE => [NOT_READY, UNREACHABLE].contains(&taint.key.as_str()),
        _ => false,
    }
}

/// The taints that follow, in the order of the conditions.
fn by_state(node: &Node) -> Vec<(&'static str, &'static str)> {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let mut wanted = Vec::new();
    for condition in conditions.into_iter().flatten() {
        let follows = BY_CONDITION
            .iter()
            .find(|(type_, status, _)| condition.type_ == *type_ && condition.status == *status);
        if let Some(&(type_, _, key)) = follows {
            wanted.push((key, NO_SCHEDULE));
            if type_ == "Ready" {
                wanted.push((key, NO_EXECUTE));
            }
        }
    }
    if node.spec.as_ref().and_then(|s| s.unschedulable) == Some(true) {
        wanted.push((CORDONED, NO_SCHEDULE));
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn taints() {
        let check = |spec: Value, conditions: &[(&str, &str)], expected: Option<&[&str]>| {
            let conditions: Vec<Value> = conditions
                .iter()
                .map(|(type_, status)| json!({"type": type_, "status": status}))
                .collect();
            let node: Node =
                serde_json::from_value(json!({"spec": spec, "status": {"conditions": conditions}}))
                    .unwrap();
            let taints = wanted(&node, Timestamp::UNIX_EPOCH).map(|all| {
                all.iter()
                    .map(|t| {
                        format!(
                            "{}:{}",
                            t.key.trim_start_matches("node.kubernetes.io/"),
                            t.effect
                        )
                    })
                    .collect::<Vec<_>>()
            });
            let expected = expected.map(|all| all.iter().map(|t| (*t).to_owned()).collect());
            assert_eq!(taints, expected, "{node:?}");
        };
        let own = json!({"key": "pool", "effect": "NoSchedule"});
        let not_ready = json!({"key": NOT_READY, "effect": "NoSchedule"});
        check(json!({}), &[("Ready", "True")], None);
        check(
            json!({"taints": [not_ready, own]}),
            &[("Ready", "True")],
            Some(&["pool:NoSchedule"]),
        );
        check(
            json!({"taints": [own]}),
            &[("Ready", "False")],
            Some(&[
                "pool:NoSchedule",
                "not-ready:NoSchedule",
                "not-ready:NoExecute",
            ]),
        );
        check(
            json!({"taints": [not_ready]}),
            &[("Ready", "Unknown")],
            Some(&["unreachable:NoSchedule", "unreachable:NoExecute"]),
        );
        check(
            json!({"taints": [own], "unschedulable": true}),
            &[("Ready", "True"), ("MemoryPressure", "True")],
            Some(&[
                "pool:NoSchedule",
                "memory-pressure:NoSchedule",
                "unschedulable:NoSchedule",
            ]),
        );
        check(
            json!({}),
            &[
                ("PIDPressure", "True"),
                ("MemoryPressure", "False"),
                ("DiskPressure", "True"),
            ],
            Some(&["pid-pressure:NoSchedule", "disk-pressure:NoSchedule"]),
        );
        check(
            json!({"taints": [{"key": CORDONED, "effect": "NoExecute"}]}),
            &[("Ready", "True")],
            None,
        );
    }
}
