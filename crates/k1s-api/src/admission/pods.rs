// SPDX-License-Identifier: Apache-2.0
//! Admission of pods, in the order of Kubernetes' plug-ins.

use k1s_core::kinds::Kind;
use k1s_core::object::{self, text};
use k1s_core::status::Status;
use serde_json::Value;

use super::{
    limit_range, lookup, pod_security, priority_class, runtime_class, service_account, tolerations,
};
use crate::api::{Api, Exchange};

/// Labels of a node that the pods on it get.
const TOPOLOGY_LABELS: [&str; 2] = [
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// 403 about a pod, which may have no name yet.
pub(super) fn forbidden(kind: &Kind, pod: &Value, why: impl AsRef<str>) -> Status {
    let name = match object::name(pod) {
        "" => text(pod, &["metadata", "generateName"]),
        name => name,
    };
    Status::forbidden(kind, name, why.as_ref())
}

/// Fills in what a new pod gets from other objects.
pub(super) fn create(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    pod: &mut Value,
) -> Result<(), Status> {
    limit_range::fill(api, namespace, pod)?;
    service_account::fill(api, kind, namespace, pod)?;
    priority_class::fill(api, kind, pod)?;
    tolerations::fill(pod);
    runtime_class::fill(api, kind, pod)?;
    topology_labels(api, pod)
}

/// Looks at a new pod as a whole.
pub(super) fn check_create(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    pod: &Value,
    exchange: &mut Exchange,
) -> Result<(), Status> {
    limit_range::check_pod(api, kind, namespace, pod)?;
    pod_security::check_pod(api, kind, namespace, pod, None, exchange)?;
    runtime_class::check(api, kind, pod)
}

/// What the admission of the create has filled in stays.
pub(super) fn update(new: &mut Value, old: &Value) {
    for key in ["priority", "preemptionPolicy"] {
        let path = ["spec", key];
        if object::at(new, &path).is_none()
            && let Some(value) = object::at(old, &path)
        {
            object::set(new, &path, value.clone());
        }
    }
}

/// A pod that is put on a node tells where that node is.
fn topology_labels(api: &Api, pod: &mut Value) -> Result<(), Status> {
    let node = text(pod, &["spec", "nodeName"]).to_owned();
    let Some(node) = lookup::one(api, lookup::kind("", "v1", "Node")?, "", &node)? else {
        return Ok(());
    };
    for key in TOPOLOGY_LABELS {
        if let Some(value) = object::label(&node, key) {
            object::set(pod, &["metadata", "labels", key], value);
        }
    }
    Ok(())
}
