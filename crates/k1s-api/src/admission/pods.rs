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
    let name = if name.is_empty() { "Unknown" } else { name };
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
    tolerations::fill(new);
}

/// Looks at what the containers of a pod ask for and may use, when that has changed.
pub(super) fn check_resized(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    new: &Value,
    old: &Value,
) -> Result<(), Status> {
    let resources = |pod: &Value| -> Vec<Option<Value>> {
        ["containers", "initContainers"]
            .iter()
            .flat_map(|list| object::list(pod, &["spec", list]))
            .map(|container| container.get("resources").cloned())
            .collect()
    };
    if resources(new) == resources(old) {
        return Ok(());
    }
    limit_range::check_pod(api, kind, namespace, new)
}

/// A pod that is put on a node tells where that node is.
fn topology_labels(api: &Api, pod: &mut Value) -> Result<(), Status> {
    let node = text(pod, &["spec", "nodeName"]).to_owned();
    for (key, value) in labels_of_node(api, &node)? {
        object::set(pod, &["metadata", "labels", key], value);
    }
    Ok(())
}

/// The labels that say where a node is; none where there is no such node.
pub(crate) fn labels_of_node(api: &Api, node: &str) -> Result<Vec<(&'static str, String)>, Status> {
    let node = lookup::one(api, lookup::kind("", "v1", "Node")?, "", node)?;
    Ok(TOPOLOGY_LABELS
        .into_iter()
        .filter_map(|key| Some((key, object::label(node.as_ref()?, key)?.to_owned())))
        .collect())
}
