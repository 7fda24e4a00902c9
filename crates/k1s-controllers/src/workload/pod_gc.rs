// SPDX-License-Identifier: Apache-2.0
//! pod-garbage-collector-controller: pods that nobody would delete any more.
//!
//! These are pods of nodes that are gone, deleted pods that were never bound, deleted pods of nodes that are declared out
//! of service, and finished pods when there are very many.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::pod;
use crate::cache::Cache;
use crate::error::{Refusal as _, Result};
use crate::setup::Setup;

/// The time between two rounds.
const ROUND: Duration = Duration::from_secs(20);
/// A node that has been gone for this long is gone; before, it may be a rename or a slow watch.
const QUARANTINE: Duration = Duration::from_secs(40);
/// Finished pods that are kept.
const FINISHED: usize = 12_500;
/// Whoever puts this taint on a node knows that nothing runs there any more.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Starts pod-garbage-collector-controller.
pub(crate) fn start(setup: &mut Setup) {
    let (pods, nodes) = (setup.cache::<Pod>(), setup.cache::<Node>());
    let client = setup.client();
    setup.task(async move {
        let mut missing = HashMap::new();
        loop {
            round(&client, &pods, &nodes, &mut missing).await;
            sleep(ROUND).await;
        }
    });
}

/// Why a pod is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// There are too many finished pods.
    Finished,
    /// It was deleted and never bound, so that no kubelet will end it.
    Unbound,
    /// It was deleted, and its node is out of service.
    OutOfService,
    /// Its node is gone.
    Orphan,
}

fn node(pod: &Pod) -> &str {
    pod.spec
        .as_ref()
        .and_then(|spec| spec.node_name.as_deref())
        .unwrap_or("")
}

fn is_out_of_service(node: &Node) -> bool {
    let ready = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let ready = ready
        .into_iter()
        .flatten()
        .any(|c| c.type_ == "Ready" && c.status == "True");
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    !ready
        && taints
            .into_iter()
            .flatten()
            .any(|taint| taint.key == OUT_OF_SERVICE)
}

/// What is to be collected, given which nodes are surely gone.
fn garbage(
    pods: &[Arc<Pod>],
    nodes: &[Arc<Node>],
    gone: &HashSet<String>,
    keep: usize,
) -> Vec<(Arc<Pod>, Why)> {
    let dead: HashSet<String> = nodes
        .iter()
        .filter(|node| is_out_of_service(node))
        .map(|node| node.name_any())
        .collect();
    let mut garbage: Vec<(Arc<Pod>, Why)> = Vec::new();
    let mut finished: Vec<&Arc<Pod>> = pods.iter().filter(|p| pod::is_finished(p)).collect();
    finished.sort_by_key(|pod| {
        (
            pod.metadata.creation_timestamp.as_ref().map(|at| at.0),
            pod.name_any(),
        )
    });
    let surplus = finished.len().saturating_sub(keep);
    garbage.extend(
        finished
            .into_iter()
            .take(surplus)
            .map(|pod| (pod.clone(), Why::Finished)),
    );
    for pod in pods {
        let why = match node(pod) {
            "" if pod::is_going(pod) => Why::Unbound,
            name if pod::is_going(pod) && dead.contains(name) => Why::OutOfService,
            name if gone.contains(name) => Why::Orphan,
            _ => continue,
        };
        if !garbage.iter().any(|(other, _)| other.uid() == pod.uid()) {
            garbage.push((pod.clone(), why));
        }
    }
    garbage
}

/// One round. `missing` remembers since when nodes are not there.
async fn round(
    client: &Client,
    pods: &Cache<Pod>,
    nodes: &Cache<Node>,
    missing: &mut HashMap<String, Instant>,
) {
    let (all, there) = (pods.store().state(), nodes.store().state());
    let known: HashSet<String> = there.iter().map(|node| node.name_any()).collect();
    let named: HashSet<String> = all
        .iter()
        .map(|pod| node(pod).to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    missing.retain(|name, _| named.contains(name) && !known.contains(name));
    for name in named.difference(&known) {
        missing.entry(name.clone()).or_insert_with(Instant::now);
    }
    let mut gone = HashSet::new();
    for (name, _) in missing
        .iter()
        .filter(|(_, since)| since.elapsed() >= QUARANTINE)
    {
        // The last word is the API's.
        let asked = Api::<Node>::all(client.clone()).get_opt(name).await;
        if matches!(asked, Ok(None)) {
            gone.insert(name.clone());
        }
    }
    for (pod, why) in garbage(&all, &there, &gone, FINISHED) {
        if let Err(error) = collect(client, &pod, why).await {
            tracing::debug!(%error, pod = pod.name_any(), "pod garbage collection");
        }
    }
}

async fn collect(client: &Client, pod: &Pod, why: Why) -> Result {
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let name = pod.name_any();
    if !pod::is_finished(pod) {
        let now = Time(Timestamp::now());
        let message = match why {
            Why::Orphan => Some("PodGC: node no longer exists"),
            _ => None,
        };
        let mut patch = match message {
            Some(message) => {
                let condition = json!({
                    "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
                    "message": message, "lastTransitionTime": now,
                    "observedGeneration": pod.metadata.generation,
                });
                pod::with_condition(pod, &condition)
            }
            None => json!({"metadata": {"uid": pod.uid()}}),
        };
        patch["status"]["phase"] = json!("Failed");
        patch["status"]["observedGeneration"] = json!(pod.metadata.generation);
        let patch = Patch::Strategic(patch);
        match api
            .patch_status(&name, &PatchParams::default(), &patch)
            .await
        {
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    match api
        .delete(&name, &DeleteParams::default().grace_period(0))
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_collected() {
        let pod = |name: &str, node: &str, phase: &str, going: bool| -> Arc<Pod> {
            let deleted = going.then_some("2026-01-01T00:00:00Z");
            let value = json!({
                "metadata": {"name": name, "uid": name, "deletionTimestamp": deleted},
                "spec": {"nodeName": node, "containers": []},
                "status": {"phase": phase},
            });
            Arc::new(serde_json::from_value(value).expect("a pod"))
        };
        let node = |name: &str, ready: &str, taint: &str| -> Arc<Node> {
            let value = json!({
                "metadata": {"name": name},
                "spec": {"taints": [{"key": taint, "effect": "NoExecute"}]},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            });
            Arc::new(serde_json::from_value(value).expect("a node"))
        };
        let nodes = [
            node("up", "True", OUT_OF_SERVICE),
            node("down", "Unknown", "x"),
            node("dead", "Unknown", OUT_OF_SERVICE),
        ];
        let gone = HashSet::from(["gone".to_owned()]);
        for (node, phase, going, expected) in [
            ("", "Pending", false, None),
            ("", "Pending", true, Some(Why::Unbound)),
            ("up", "Running", true, None),
            ("down", "Running", true, None),
            ("dead", "Running", true, Some(Why::OutOfService)),
            ("dead", "Running", false, None),
            ("gone", "Running", false, Some(Why::Orphan)),
            ("new", "Running", false, None),
            ("up", "Failed", false, None),
        ] {
            let found = garbage(&[pod("p", node, phase, going)], &nodes, &gone, 9);
            let why = found.first().map(|(_, why)| *why);
            assert_eq!(why, expected, "{node} {phase} {going}");
        }
        let ended = [
            pod("a", "up", "Failed", false),
            pod("b", "up", "Succeeded", false),
            pod("c", "up", "Running", false),
        ];
        let found = garbage(&ended, &nodes, &gone, 1);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].0.name_any(), found[0].1),
            ("a".into(), Why::Finished)
        );
    }
}
