// SPDX-License-Identifier: Apache-2.0
//! Pods go from nodes whose NoExecute taints they do not bear, at once or when their respite is over.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::cache::{Cache, Queue};
use crate::error::{Refusal as _, Result};
use crate::recorder::Recorder;
use crate::scheduler::matching::tolerates;
use crate::setup::Setup;
use crate::workload::pod::with_condition;

struct Context {
    client: Client,
    nodes: Cache<Node>,
    recorder: Recorder,
    /// Since when the respite of a pod runs, by uid.
    since: Mutex<HashMap<String, Instant>>,
}

/// How long a pod may stay.
#[derive(Debug, PartialEq, Eq)]
enum Stay {
    ForEver,
    For(Duration),
    NoLonger,
}

/// Registers the eviction by taints.
pub(crate) fn start(setup: &mut Setup) {
    let (nodes, pods) = (setup.cache::<Node>(), setup.cache::<Pod>());
    let (queue, keys) = Queue::<Pod>::new();
    pods.feed(&queue, |change| {
        change
            .new
            .as_deref()
            .filter(|pod| pod.spec.as_ref().is_some_and(|s| s.node_name.is_some()))
            .map(ObjectRef::from_obj)
    });
    let all = pods.clone();
    nodes.feed(&queue, move |change| {
        let taints = |node: Option<&std::sync::Arc<Node>>| node.map(|node| no_execute(node));
        let (old, new) = (taints(change.old.as_ref()), taints(change.new.as_ref()));
        let Some(node) = change.new.as_ref().filter(|_| old != new) else {
            return Vec::new();
        };
        let name = node.name_any();
        let on_it = |pod: &Pod| {
            pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) == Some(name.as_str())
        };
        let pods = all.store().state_filter(on_it);
        pods.iter()
            .map(|pod| ObjectRef::from_obj(pod.as_ref()))
            .collect()
    });
    let context = Context {
        client: setup.client(),
        nodes: nodes.clone(),
        recorder: setup.recorder("taint-eviction-controller"),
        since: Mutex::default(),
    };
    setup.controller(
        "taint-eviction",
        (queue, keys),
        &pods,
        context,
        |pod, context| async move { look_at(&context, &pod).await },
    );
}

fn no_execute(node: &Node) -> Vec<Taint> {
    let taints = node.spec.as_ref().and_then(|s| s.taints.clone());
    let mut taints = taints.unwrap_or_default();
    taints.retain(|taint| taint.effect == "NoExecute");
    taints
}

/// How long a pod with these tolerations may stay on a node with these NoExecute taints.
fn stay(tolerations: &[Toleration], taints: &[Taint]) -> Stay {
    let mut shortest: Option<u64> = None;
    for taint in taints {
        let mut borne = tolerations
            .iter()
            .filter(|t| tolerates(t, taint))
            .peekable();
        if borne.peek().is_none() {
            return Stay::NoLonger;
        }
        for seconds in borne.filter_map(|t| t.toleration_seconds) {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            shortest = Some(shortest.map_or(seconds, |s| s.min(seconds)));
        }
    }
    match shortest {
        None => Stay::ForEver,
        Some(0) => Stay::NoLonger,
        Some(seconds) => Stay::For(Duration::from_secs(seconds)),
    }
}

async fn look_at(context: &Context, pod: &Pod) -> Result<Action> {
    let uid = pod.uid().unwrap_or_default();
    let spec = pod.spec.as_ref();
    let node = spec
        .and_then(|s| s.node_name.as_deref())
        .and_then(|name| context.nodes.get("", name));
    let taints = node.as_deref().map(no_execute).unwrap_or_default();
    let tolerations = spec
        .and_then(|s| s.tolerations.as_deref())
        .unwrap_or_default();
    let stay = stay(tolerations, &taints);
    let left = {
        let mut since = context.since.lock().unwrap_or_else(PoisonError::into_inner);
        if pod.metadata.deletion_timestamp.is_some() || stay == Stay::ForEver {
            since.remove(&uid);
            return Ok(Action::await_change());
        }
        let began = *since.entry(uid.clone()).or_insert_with(Instant::now);
        match stay {
            Stay::For(respite) => respite.saturating_sub(began.elapsed()),
            Stay::NoLonger | Stay::ForEver => Duration::ZERO,
        }
    };
    if !left.is_zero() {
        return Ok(Action::requeue(left));
    }
    evict(context, pod, &uid).await?;
    let mut since = context.since.lock().unwrap_or_else(PoisonError::into_inner);
    since.remove(&uid);
    Ok(Action::await_change())
}

async fn evict(context: &Context, pod: &Pod, uid: &str) -> Result {
    let namespace = pod.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let name = pod.name_any();
    let note = format!("Marking for deletion Pod {namespace}/{name}");
    context.recorder.normal(pod, "TaintManagerEviction", note);
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": Time(Timestamp::now()), "observedGeneration": pod.metadata.generation,
    });
    let patch = with_condition(pod, &condition);
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let marked = pods
        .patch_status(&name, &PatchParams::default(), &Patch::Strategic(patch))
        .await;
    let done = match marked {
        Ok(_) => pods.delete(&name, &params).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn stays() {
        let taint = |key: &str| json!({"key": key, "effect": "NoExecute"});
        let check = |tolerations: Value, taints: Value, expected: Stay| {
            let tolerations: Vec<Toleration> = serde_json::from_value(tolerations).unwrap();
            let taints: Vec<Taint> = serde_json::from_value(taints).unwrap();
            assert_eq!(
                stay(&tolerations, &taints),
                expected,
                "{tolerations:?} {taints:?}"
            );
        };
        let bears = |key: &str, seconds: Value| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds});
        check(json!([]), json!([]), Stay::ForEver);
        check(json!([]), json!([taint("a")]), Stay::NoLonger);
        check(
            json!([bears("a", Value::Null)]),
            json!([taint("a")]),
            Stay::ForEver,
        );
        check(
            json!([bears("a", 9.into())]),
            json!([taint("a")]),
            Stay::For(Duration::from_secs(9)),
        );
        check(
            json!([bears("a", 9.into()), bears("b", 3.into())]),
            json!([taint("a"), taint("b")]),
            Stay::For(Duration::from_secs(3)),
        );
        check(
            json!([bears("a", 9.into())]),
            json!([taint("a"), taint("b")]),
            Stay::NoLonger,
        );
        check(
            json!([bears("a", (-1).into())]),
            json!([taint("a")]),
            Stay::NoLonger,
        );
        check(
            json!([{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]),
            json!([taint("a")]),
            Stay::NoLonger,
        );
    }
}
