// SPDX-License-Identifier: Apache-2.0
//! Pods go from nodes whose NoExecute taints they do not bear, at once or when their respite is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Of the events of the pods.
const REASON: &str = "TaintManagerEviction";

struct Context {
    client: Client,
    nodes: Cache<Node>,
    recorder: Recorder,
    respites: Arc<Respites>,
}

/// Since when the respites of pods run, by uid.
#[derive(Default)]
struct Respites(Mutex<HashMap<String, Instant>>);

impl Respites {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when that of a pod runs, which is now unless it does.
    fn since(&self, uid: &str) -> Instant {
        *self
            .all()
            .entry(uid.to_owned())
            .or_insert_with(Instant::now)
    }

    /// The pod's respite is over; whether it had one.
    fn end(&self, uid: &str) -> bool {
        self.all().remove(uid).is_some()
    }

    /// The pod will not go because its respite ends; that is told if it had one.
    fn cancel(&self, pod: &Pod, recorder: &Recorder) {
        if self.end(&pod.uid().unwrap_or_default()) {
            let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
            let note = format!("Cancelling deletion of Pod {namespace}/{name}");
            recorder.normal(pod, REASON, note);
        }
    }
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
        let taints = |node: Option<&Arc<Node>>| node.map(|node| no_execute(node));
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
    let recorder = setup.recorder("taint-eviction-controller");
    let respites = Arc::<Respites>::default();
    let (of_gone, tell) = (respites.clone(), recorder.clone());
    pods.on_change(move |change| {
        if let (None, Some(gone)) = (&change.new, &change.old) {
            of_gone.cancel(gone, &tell);
        }
    });
    let context = Context {
        client: setup.client(),
        nodes: nodes.clone(),
        recorder,
        respites,
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
    if pod.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let respites = &context.respites;
    match stay {
        Stay::ForEver => {
            respites.cancel(pod, &context.recorder);
            return Ok(Action::await_change());
        }
        Stay::For(respite) => {
            let left = respite.saturating_sub(respites.since(&uid).elapsed());
            if !left.is_zero() {
                return Ok(Action::requeue(left));
            }
        }
        Stay::NoLonger => respites.cancel(pod, &context.recorder),
    }
    evict(context, pod, &uid).await?;
    respites.end(&uid);
    Ok(Action::await_change())
}

async fn evict(context: &Context, pod: &Pod, uid: &str) -> Result {
    let namespace = pod.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let name = pod.name_any();
    let note = format!("Marking for deletion Pod {namespace}/{name}");
    context.recorder.normal(pod, REASON, note);
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
