// SPDX-License-Identifier: Apache-2.0
//! A hollow node itself: its registration, its status, and the lease by which it tells that it is there.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::Context;
use crate::error::{Refusal as _, Result};

/// The version of a kubelet that is none; it tells hollow nodes from others.
const VERSION: &str = "v1.35.4-hollow";
/// A node with this annotation and the value "true" is not heard of any more: its lease is not renewed.
const SILENT: &str = "hollow.k1s.dev/silent";
const LEASES: &str = "kube-node-lease";
const LEASE_SECONDS: i32 = 40;
/// How often the status says that it is still so.
const HEARTBEAT_SECONDS: i64 = 300;
/// The pause after a registration failed; it doubles, up to [`RENEWAL`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const RENEWAL: Duration = Duration::from_secs(10);
/// What a node has that does not say itself.
const CAPACITY: [(&str, &str); 4] = [
    ("cpu", "32"),
    ("memory", "256Gi"),
    ("ephemeral-storage", "100Gi"),
    ("pods", "110"),
];
/// Conditions of a node that has no trouble: type, reason, message.
const NO_TROUBLE: [(&str, &str, &str); 3] = [
    (
        "MemoryPressure",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    (
        "DiskPressure",
        "KubeletHasNoDiskPressure",
        "kubelet has no disk pressure",
    ),
    (
        "PIDPressure",
        "KubeletHasSufficientPID",
        "kubelet has sufficient PID available",
    ),
];

/// Makes the nodes that are missing: `hollow-0` and so on.
pub(super) async fn register(client: &Client, count: u32) {
    let nodes: Api<Node> = Api::all(client.clone());
    for number in 0..count {
        let name = format!("hollow-{number}");
        let mut pause = FIRST_PAUSE;
        loop {
            match nodes.create(&PostParams::default(), &new_node(&name)).await {
                Ok(_) => break,
                Err(error) if error.is_already_exists() => break,
                Err(error) => {
                    tracing::warn!(node = name, %error, "registration");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RENEWAL);
                }
            }
        }
    }
}

fn new_node(name: &str) -> Node {
    let labels = [
        ("beta.kubernetes.io/arch", ARCH),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", ARCH),
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
    ];
    let labels: BTreeMap<String, String> = labels
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Node {
        metadata: kube::core::ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            ..Default::default()
        },
        ..Node::default()
    }
}

const ARCH: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};

/// Whether a node is reported for from here.
pub(super) fn is_ours(node: &Node) -> bool {
    let info = node.status.as_ref().and_then(|s| s.node_info.as_ref());
    info.is_some_and(|info| info.kubelet_version == VERSION)
}

/// Whether nobody has ever reported for a node.
fn is_nobodys(node: &Node) -> bool {
    let status = node.status.as_ref();
    let info = status.and_then(|s| s.node_info.as_ref());
    let reported = status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten())
        .any(|c| c.type_ == "Ready" && c.last_heartbeat_time.is_some());
    info.is_none_or(|info| info.kubelet_version.is_empty()) && !reported
}

fn conditions(node: &Node) -> impl Iterator<Item = &NodeCondition> {
    let status = node.status.as_ref();
    status
        .into_iter()
        .flat_map(|s| s.conditions.iter().flatten())
}

/// Whether a condition says only that nothing was heard of the node.
fn is_given_up(condition: &NodeCondition) -> bool {
    let reason = condition.reason.as_deref();
    condition.status == "Unknown"
        && matches!(reason, Some("NodeStatusUnknown" | "NodeStatusNeverUpdated"))
}

/// The node's own address.
pub(super) fn address(node: &Node) -> Option<&str> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    let own = addresses.iter().find(|a| a.type_ == "InternalIP")?;
    Some(own.address.as_str())
}

/// Reports the status of a node that is or becomes ours, and renews its lease.
pub(super) async fn report(context: &Context, node: &Node) -> Result<Action> {
    if node.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let ours = is_ours(node);
    if !ours && !is_nobodys(node) {
        return Ok(Action::await_change());
    }
    let silent = node.annotations().get(SILENT).is_some_and(|v| v == "true");
    // a node that was silent for too long says everything anew
    if !ours || !silent && conditions(node).any(is_given_up) {
        let nodes: Api<Node> = Api::all(context.client.clone());
        let own = address(node).map(str::to_owned);
        let status = status(
            node,
            own.or_else(|| context.hosts.take(&node.uid().unwrap_or_default())),
            Timestamp::now(),
        );
        let patch = Patch::Strategic(json!({"metadata": {"uid": node.uid()}, "status": status}));
        nodes
            .patch_status(&node.name_any(), &PatchParams::default(), &patch)
            .await?;
    }
    if silent {
        return Ok(Action::await_change());
    }
    if let Some(conditions) = beat(node, Timestamp::now()) {
        let nodes: Api<Node> = Api::all(context.client.clone());
        let patch = json!({"metadata": {"uid": node.uid()}, "status": {"conditions": conditions}});
        let params = PatchParams::default();
        nodes
            .patch_status(&node.name_any(), &params, &Patch::Strategic(patch))
            .await?;
    }
    renew(context, node).await?;
    Ok(Action::requeue(RENEWAL))
}

/// The conditions with a new time of their last heartbeat, when the last one was long ago. What they say stays.
fn beat(node: &Node, now: Timestamp) -> Option<Vec<Value>> {
    let present = node.status.as_ref()?.conditions.as_ref()?;
    let ready = present.iter().find(|c| c.type_ == "Ready")?;
    let last = ready.last_heartbeat_time.as_ref()?.0;
    if now.duration_since(last).as_secs() < HEARTBEAT_SECONDS {
        return None;
    }
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now);
    let beats = present
        .iter()
        .map(|c| json!({"type": c.type_, "status": c.status, "lastHeartbeatTime": now}));
    Some(beats.collect())
}

fn status(node: &Node, address: Option<String>, now: Timestamp) -> Value {
    let now = json!(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
    let condition = |type_: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    let present = |type_: &str| conditions(node).any(|c| c.type_ == type_ && !is_given_up(c));
    let mut told: Vec<Value> = NO_TROUBLE
        .into_iter()
        .filter(|(type_, ..)| !present(type_))
        .map(|(type_, reason, message)| condition(type_, "False", reason, message))
        .collect();
    told.push(condition(
        "Ready",
        "True",
        "KubeletReady",
        "kubelet is posting ready status",
    ));
    let mut addresses = vec![json!({"type": "Hostname", "address": node.name_any()})];
    if let Some(address) = address {
        addresses.push(json!({"type": "InternalIP", "address": address}));
    }
    let mut status = json!({
        "conditions": told,
        "addresses": addresses,
        "nodeInfo": {
            "architecture": ARCH, "operatingSystem": "linux", "kubeletVersion": VERSION,
            "kubeProxyVersion": "", "containerRuntimeVersion": "hollow://1", "osImage": "hollow",
            "kernelVersion": "hollow", "machineID": "", "systemUUID": "", "bootID": "",
        },
    });
    let own = node.status.as_ref();
    if own.is_none_or(|s| s.capacity.is_none() && s.allocatable.is_none()) {
        let capacity: BTreeMap<_, _> = CAPACITY.into_iter().collect();
        status["capacity"] = json!(capacity);
        status["allocatable"] = json!(capacity);
    }
    status
}

async fn renew(context: &Context, node: &Node) -> Result {
    let leases: Api<Lease> = Api::namespaced(context.client.clone(), LEASES);
    let name = node.name_any();
    let now = MicroTime(Timestamp::now());
    let renewal = Patch::Merge(json!({"spec": {"renewTime": now}}));
    match leases.patch(&name, &PatchParams::default(), &renewal).await {
        Ok(_) => return Ok(()),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    let lease = serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node.uid()}],
        },
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now},
    }))
    .map_err(|error| crate::error::Error::Object(error.to_string()))?;
    match leases.create(&PostParams::default(), &lease).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_already_exists() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_was_given_up_says_everything_anew() {
        let lost = |type_: &str| json!({"type": type_, "status": "Unknown", "reason": "NodeStatusUnknown"});
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": "hollow-0"},
            "status": {"conditions": [lost("MemoryPressure"), lost("Ready"),
                {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure"}]},
        }))
        .unwrap();
        assert!(conditions(&node).any(is_given_up));
        let told = status(&node, None, Timestamp::now());
        let of = |type_: &str| {
            let all = told["conditions"].as_array().unwrap();
            all.iter()
                .find(|c| c["type"] == type_)
                .map(|c| c["status"].clone())
        };
        assert_eq!(of("Ready"), Some(json!("True")));
        assert_eq!(of("MemoryPressure"), Some(json!("False")));
        // what somebody has set stays
        assert_eq!(of("DiskPressure"), None);
    }
}
