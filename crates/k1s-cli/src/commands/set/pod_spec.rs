// SPDX-License-Identifier: Apache-2.0
//! Where kinds keep the specification of their pods.

use serde_json::{Value, json};

/// The JSON pointer of a kind's pod specification, if it has one.
pub(super) fn pod_spec_path(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some("/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        "DaemonSet"
        | "Deployment"
        | "Job"
        | "ReplicaSet"
        | "ReplicationController"
        | "StatefulSet" => Some("/spec/template/spec"),
        _ => None,
    }
}

/// A part of a pod specification as a part of its object.
pub(super) fn wrapped(path: &str, patch: Value) -> Value {
    path.rsplit('/')
        .filter(|name| !name.is_empty())
        .fold(patch, |inner, name| json!({ name: inner }))
}
