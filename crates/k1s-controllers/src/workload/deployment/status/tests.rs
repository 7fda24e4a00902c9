// SPDX-License-Identifier: Apache-2.0
use serde_json::{Value, json};

use super::*;

fn deployment(status: Value) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "d", "generation": 2},
        "spec": {"replicas": 2, "selector": {}, "template": {}, "progressDeadlineSeconds": 60,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}},
        "status": status,
    }))
    .expect("a Deployment")
}

fn set(name: &str, size: i32, available: i32) -> ReplicaSet {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"replicas": size, "selector": {}},
        "status": {"replicas": size, "readyReplicas": available, "availableReplicas": available, "terminatingReplicas": 0},
    }))
    .expect("a ReplicaSet")
}

fn progressing(reason: &str, since: &str) -> Value {
    json!([{"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": since, "lastTransitionTime": since}])
}

#[test]
fn progress_has_names() {
    const BEFORE: &str = "2026-01-01T00:00:00Z";
    let now: Timestamp = "2026-01-01T00:01:01Z".parse().expect("a time");
    let at = |second: u32| format!("2026-01-01T00:00:{second:02}Z");
    // status before, new and old (size, available), expected reason of Progressing, of Available
    for (what, before, new, old, reason, available) in [
        (
            "a step",
            json!({"replicas": 2, "conditions": progressing("NewReplicaSetCreated", BEFORE)}),
            (1, 0),
            (2, 2),
            "ReplicaSetUpdated",
            "MinimumReplicasAvailable",
        ),
        (
            "the end",
            json!({"replicas": 3, "conditions": progressing("ReplicaSetUpdated", BEFORE)}),
            (2, 2),
            (0, 0),
            COMPLETE,
            "MinimumReplicasAvailable",
        ),
        (
            "too late",
            json!({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2, "conditions": progressing("ReplicaSetUpdated", BEFORE)}),
            (1, 0),
            (2, 2),
            TIMED_OUT,
            "MinimumReplicasAvailable",
        ),
        (
            "in time",
            json!({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2, "conditions": progressing("ReplicaSetUpdated", &at(2))}),
            (1, 0),
            (2, 2),
            "ReplicaSetUpdated",
            "MinimumReplicasAvailable",
        ),
        (
            "a lost pod is no rollout",
            json!({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2, "conditions": progressing(COMPLETE, BEFORE)}),
            (2, 1),
            (0, 0),
            COMPLETE,
            "MinimumReplicasUnavailable",
        ),
    ] {
        let d = deployment(before);
        let (new, old) = (set("n", new.0, new.1), set("o", old.0, old.1));
        let status = rollout(&d, Some(&new), &[old], now);
        let named = |type_| condition(&status, type_).and_then(|c| c.reason.as_deref());
        assert_eq!(named(PROGRESSING), Some(reason), "{what}");
        assert_eq!(named(AVAILABLE), Some(available), "{what}");
    }
}

#[test]
fn zeros_are_left_out() {
    let status = numbers(
        &deployment(json!({})),
        Some(&set("n", 0, 0)),
        &[],
        Timestamp::UNIX_EPOCH,
    );
    let status = serde_json::to_value(status).expect("a status");
    let keys: Vec<_> = status
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        keys,
        ["conditions", "observedGeneration", "terminatingReplicas"]
    );
}
