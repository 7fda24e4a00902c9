// SPDX-License-Identifier: Apache-2.0
//! Nodes that are not heard of: neither their lease nor their status has been renewed for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::cache::Cache;
use crate::error::Refusal as _;
use crate::recorder::Recorder;
use crate::setup::Setup;

const PERIOD: Duration = Duration::from_secs(5);
/// How long a node may be silent.
const GRACE: Duration = Duration::from_secs(50);
/// How long a node may take to be heard of for the first time.
const START_GRACE: Duration = Duration::from_secs(60);
const LEASES: &str = "kube-node-lease";
const CONDITIONS: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];

/// The last sign of life of a node: what it was, and when it was seen here. The node's own clock is not believed.
struct Heard {
    sign: String,
    at: Instant,
}

struct Watch {
    client: Client,
    nodes: Cache<Node>,
    leases: Cache<Lease>,
    pods: Cache<Pod>,
    recorder: Recorder,
    heard: HashMap<String, Heard>,
    /// The nodes that were there when they were last looked at, by name.
    known: HashMap<String, Arc<Node>>,
}

/// Registers the watch over nodes.
pub(super) fn start(setup: &mut Setup) {
    let mut watch = Watch {
        client: setup.client(),
        nodes: setup.cache(),
        leases: setup.cache(),
        pods: setup.cache(),
        recorder: setup.recorder("node-controller"),
        heard: HashMap::new(),
        known: HashMap::new(),
    };
    setup.task(async move {
        loop {
            watch.look(Instant::now()).await;
            tokio::time::sleep(PERIOD).await;
        }
    });
}

impl Watch {
    async fn look(&mut self, now: Instant) {
        let nodes = self.nodes.store().state();
        self.heard
            .retain(|name, _| nodes.iter().any(|node| node.name_any() == *name));
        self.tell_of_new(&nodes);
        for node in nodes {
            let name = node.name_any();
            let sign = sign_of_life(&node, self.leases.get(LEASES, &name).as_deref());
            let heard = self.heard.entry(name).or_insert_with(|| Heard {
                sign: sign.clone(),
                at: now,
            });
            if heard.sign != sign {
                *heard = Heard { sign, at: now };
            }
            let silent = now.duration_since(heard.at);
            let grace = if ready(&node).is_some() {
                GRACE
            } else {
                START_GRACE
            };
            if silent >= grace
                && let Some(conditions) = unknown(&node, Timestamp::now())
            {
                self.lose(&node, conditions).await;
            }
        }
    }

    /// Records which nodes have come and gone.
    fn tell_of_new(&mut self, nodes: &[Arc<Node>]) {
        let there: HashMap<String, Arc<Node>> = nodes
            .iter()
            .map(|node| (node.name_any(), node.clone()))
            .collect();
        for (name, node) in &there {
            if !self.known.contains_key(name) {
                let note = format!("Node {name} event: Registered Node {name} in Controller");
                self.recorder.normal(node.as_ref(), "RegisteredNode", note);
            }
        }
        for (name, node) in &self.known {
            if !there.contains_key(name) {
                let note = format!("Node {name} event: Removing Node {name} from Controller");
                self.recorder.normal(node.as_ref(), "RemovingNode", note);
            }
        }
        self.known = there;
    }

    /// Nobody knows how the node is: it says so, and its pods count as not ready.
    async fn lose(&self, node: &Node, conditions: Vec<Value>) {
        let was_ready = ready(node).is_some_and(|c| c.status == "True");
        let nodes: Api<Node> = Api::all(self.client.clone());
        let patch = json!({"metadata": {"uid": node.uid()}, "status": {"conditions": conditions}});
        let params = PatchParams::default();
        let patched = nodes
            .patch_status(&node.name_any(), &params, &Patch::Strategic(patch))
            .await;
        if let Err(error) = patched {
            if !error.is_not_found() {
                tracing::debug!(node = node.name_any(), %error, "status");
            }
            return;
        }
        if !was_ready {
            return;
        }
        let note = format!("Node {} status is now: NodeNotReady", node.name_any());
        self.recorder.normal(node, "NodeNotReady", note);
        let name = node.name_any();
        let on_it = |pod: &Pod| {
            pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) == Some(name.as_str())
        };
        for pod in self.pods.store().state_filter(on_it) {
            let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
            let ready = conditions
                .into_iter()
                .flatten()
                .any(|c| c.type_ == "Ready" && c.status == "True");
            if !ready {
                continue;
            }
            let pods: Api<Pod> =
                Api::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
            let condition = json!({
                "type": "Ready", "status": "False", "lastTransitionTime": Time(Timestamp::now()),
            });
            let patch =
                json!({"metadata": {"uid": pod.uid()}, "status": {"conditions": [condition]}});
            let marked = pods
                .patch_status(&pod.name_any(), &params, &Patch::Strategic(patch))
                .await;
            match marked {
                Ok(_) => self.recorder.warning(
                    pod.as_ref(),
                    "NodeNotReady",
                    "Node is not ready".to_owned(),
                ),
                Err(error) => tracing::debug!(pod = pod.name_any(), %error, "status"),
            }
        }
    }
}

fn ready(node: &Node) -> Option<&NodeCondition> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == "Ready")
}

/// Something that differs whenever the node has been heard of again.
fn sign_of_life(node: &Node, lease: Option<&Lease>) -> String {
    let renewed = lease
        .and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref())
        .map(|time| time.0.to_string());
    let beat = ready(node)
        // What was written here is no sign of life.
        .filter(|c| c.reason.as_deref() != Some("NodeStatusUnknown"))
        .and_then(|c| c.last_heartbeat_time.as_ref())
        .map(|time| time.0.to_string());
    format!("{renewed:?} {beat:?}")
}

/// The conditions of a node that is not heard of, unless it has them already.
fn unknown(node: &Node, now: Timestamp) -> Option<Vec<Value>> {
    let present = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let find = |type_: &str| present.into_iter().flatten().find(|c| c.type_ == type_);
    let conditions: Vec<Value> = CONDITIONS
        .into_iter()
        .filter(|type_| find(type_).is_none_or(|c| c.status != "Unknown"))
        .map(|type_| {
            let (reason, message) = match find(type_) {
                Some(_) => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
                None => (
                    "NodeStatusNeverUpdated",
                    "Kubelet never posted node status.",
                ),
            };
            let beat = find(type_)
                .and_then(|c| c.last_heartbeat_time.clone())
                .or_else(|| node.metadata.creation_timestamp.clone());
            json!({
                "type": type_, "status": "Unknown", "reason": reason, "message": message,
                "lastHeartbeatTime": beat, "lastTransitionTime": Time(now),
            })
        })
        .collect();
    (!conditions.is_empty()).then_some(conditions)
}
