// SPDX-License-Identifier: Apache-2.0
//! A pod tolerates for five minutes that its node is not ready or not to be reached, unless it says otherwise.

use k1s_core::object::{list, set, text};
use serde_json::{Value, json};

const TAINTS: [&str; 2] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
];
const SECONDS: i64 = 300;

/// Adds the tolerations that a pod lacks.
pub(super) fn fill(pod: &mut Value) {
    let own = list(pod, &["spec", "tolerations"]).to_vec();
    let mut all = own.clone();
    for taint in TAINTS {
        let tolerated = own.iter().any(|toleration| {
            ["", taint].contains(&text(toleration, &["key"]))
                && ["", "NoExecute"].contains(&text(toleration, &["effect"]))
        });
        if !tolerated {
            all.push(json!({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}));
        }
    }
    if all.len() > own.len() {
        set(pod, &["spec", "tolerations"], all);
    }
}

/// The tolerations of two lists: those of the first that the second does not cover, then those of the second that remain.
pub(super) fn merge(first: &[Value], second: &[Value]) -> Vec<Value> {
    let all: Vec<&Value> = first.iter().chain(second).collect();
    let mut merged: Vec<&Value> = Vec::new();
    'next: for (index, toleration) in all.iter().enumerate() {
        if merged.iter().any(|other| covers(other, toleration)) {
            continue;
        }
        for other in &all[index + 1..] {
            if covers(other, toleration) && other != toleration {
                continue 'next;
            }
        }
        merged.push(toleration);
    }
    merged.into_iter().cloned().collect()
}

/// Whether whatever the second tolerates is tolerated by the first.
fn covers(first: &Value, second: &Value) -> bool {
    let word = |toleration: &Value, key: &str| text(toleration, &[key]).to_owned();
    if first == second {
        return true;
    }
    let [key, effect] = ["key", "effect"].map(|k| word(first, k));
    if !key.is_empty() && key != word(second, "key")
        || !effect.is_empty() && effect != word(second, "effect")
    {
        return false;
    }
    let seconds = |t: &Value| t.get("tolerationSeconds").and_then(Value::as_i64);
    let long_enough = match (seconds(first), seconds(second)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(first), Some(second)) => first.max(0) >= second.max(0),
    };
    if !long_enough {
        return false;
    }
    match word(first, "operator").as_str() {
        "Exists" => true,
        "" | "Equal" => {
            word(second, "operator") != "Exists" && word(first, "value") == word(second, "value")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    #[test]
    fn five_minutes_are_tolerated() {
        let check = |own: Value, expected: &[&str]| {
            let mut pod = json!({"spec": {"tolerations": own}});
            fill(&mut pod);
            let keys: Vec<&str> = list(&pod, &["spec", "tolerations"])
                .iter()
                .map(|t| text(t, &["key"]))
                .collect();
            assert_eq!(keys, expected);
        };
        check(json!([]), &TAINTS);
        check(
            json!([{"key": TAINTS[1], "operator": "Exists"}]),
            &[TAINTS[1], TAINTS[0]],
        );
        check(json!([{"operator": "Exists"}]), &[""]);
        check(
            json!([{"key": TAINTS[0], "effect": "NoSchedule"}]),
            &[TAINTS[0], TAINTS[0], TAINTS[1]],
        );
    }

    #[test]
    fn merging() {
        let all = json!({"operator": "Exists"});
        let one = json!({"key": "a", "operator": "Exists"});
        assert_eq!(merge(from_ref(&one), from_ref(&all)), from_ref(&all));
        assert_eq!(merge(from_ref(&all), from_ref(&one)), [all]);
        assert_eq!(merge(from_ref(&one), from_ref(&one)), [one]);
    }
}
