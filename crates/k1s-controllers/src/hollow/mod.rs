// SPDX-License-Identifier: Apache-2.0
//! Hollow nodes: nodes without a kubelet that take any pod and report it running, ready and, where asked, finished.
//!
//! A node is hollow when this made it, or when somebody made a Node and nobody stands behind it (it has no condition
//! Ready): it is then reported for from here. What becomes of a pod can be chosen by [`wishes::Wishes`], annotations of
//! the pod. Nothing runs: there are no logs, no exec, no probes.

mod addresses;
mod host;
mod life;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};

use crate::cache::{Cache, Change, Kind, Queue};
use crate::error::{Refusal as _, Result};
use crate::setup::Setup;
use addresses::Addresses;
use life::{Next, next};

/// The name under which hollow nodes write.
const KUBELET: &str = "kubelet";

struct Context {
    client: Client,
    nodes: Cache<Node>,
    pods: Addresses,
    hosts: Addresses,
}

/// Registers as many as the options ask for, and reports for them.
pub(crate) fn start(setup: &mut Setup) {
    let count = setup.options.hollow_nodes;
    if count == 0 {
        return;
    }
    let client = setup.client_of(KUBELET);
    let (nodes, pods) = (setup.cache::<Node>(), setup.cache::<Pod>());
    let context = Arc::new(Context {
        client: client.clone(),
        nodes: nodes.clone(),
        pods: Addresses::new([10, 244, 0, 0], 14),
        hosts: Addresses::new([10, 128, 0, 0], 16),
    });
    reserve(&context, &nodes, &pods);

    let (node_queue, node_keys) = Queue::<Node>::new();
    nodes.feed_own(&node_queue);
    let (pod_queue, pod_keys) = Queue::<Pod>::new();
    pods.feed_own(&pod_queue);
    // The pods of a node that has become ours.
    let (of_node, all) = (pod_queue.clone(), pods.clone());
    nodes.on_change(move |change| {
        let (Some(new), false) = (
            &change.new,
            change.old.as_deref().is_some_and(host::is_ours),
        ) else {
            return;
        };
        if host::is_ours(new) {
            let name = new.name_any();
            for pod in all.store().state_filter(|pod| node_of(pod) == Some(&name)) {
                of_node.add(ObjectRef::from_obj(pod.as_ref()));
            }
        }
    });
    setup.controller(
        "hollow-node",
        (node_queue, node_keys),
        &nodes,
        context.clone(),
        |node, context| async move { host::report(&context, &node).await },
    );
    setup.controller(
        "hollow-pod",
        (pod_queue, pod_keys),
        &pods,
        context,
        |pod, context| async move { report(&context, &pod).await },
    );
    setup.task(async move { host::register(&client, count).await });
}

/// Keeps the addresses that are in use out of the pool, and gives back those of what goes.
fn reserve(context: &Arc<Context>, nodes: &Cache<Node>, pods: &Cache<Pod>) {
    let of_pods = context.clone();
    pods.on_change(move |change| {
        follow(&of_pods.pods, change, |pod| {
            pod.status.as_ref()?.pod_ip.as_deref()
        });
    });
    let of_nodes = context.clone();
    nodes.on_change(move |change| follow(&of_nodes.hosts, change, host::address));
}

/// Another of the same name is another.
fn follow<K: Kind>(
    addresses: &Addresses,
    change: &Change<K>,
    address: impl Fn(&K) -> Option<&str>,
) {
    let uid = |object: &Arc<K>| object.uid().unwrap_or_default();
    let (old, new) = (change.old.as_ref().map(uid), change.new.as_ref().map(uid));
    if let Some(old) = old.filter(|old| Some(old) != new.as_ref()) {
        addresses.release(&old);
    }
    if let (Some(uid), Some(object)) = (new, &change.new) {
        addresses.reserve(&uid, address(object));
    }
}

fn node_of(pod: &Pod) -> Option<&String> {
    pod.spec.as_ref()?.node_name.as_ref()
}

/// Does the next thing in the life of a pod on a hollow node.
async fn report(context: &Context, pod: &Pod) -> Result<Action> {
    let Some(node) = node_of(pod).and_then(|name| context.nodes.get("", name)) else {
        return Ok(Action::await_change());
    };
    if !host::is_ours(&node) {
        return Ok(Action::await_change());
    }
    let namespace = pod.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let uid = pod.uid().unwrap_or_default();
    let address = || {
        if pod
            .spec
            .as_ref()
            .is_some_and(|s| s.host_network == Some(true))
        {
            host::address(&node).map(str::to_owned)
        } else {
            context.pods.take(&uid)
        }
    };
    match next(pod, host::address(&node), address, Timestamp::now()) {
        Next::Nothing => Ok(Action::await_change()),
        Next::Wait(pause) => Ok(Action::requeue(pause.max(Duration::from_millis(20)))),
        Next::Report(status) => {
            let patch = serde_json::json!({"metadata": {"uid": pod.uid()}, "status": *status});
            let patch = Patch::Strategic(patch);
            let params = PatchParams::default();
            let patched = pods.patch_status(&pod.name_any(), &params, &patch).await;
            match patched {
                Ok(_) => Ok(Action::await_change()),
                Err(error) if error.is_not_found() => {
                    // It is not there any more, whatever the cache said; what it was given goes back.
                    context.pods.release(&uid);
                    Ok(Action::await_change())
                }
                Err(error) => {
                    if error.is_conflict() {
                        // Another of this name is there.
                        context.pods.release(&uid);
                    }
                    Err(error.into())
                }
            }
        }
        Next::Delete => {
            let params = DeleteParams {
                grace_period_seconds: Some(0),
                preconditions: Some(Preconditions {
                    uid: pod.uid(),
                    resource_version: None,
                }),
                ..DeleteParams::default()
            };
            match pods.delete(&pod.name_any(), &params).await {
                Ok(_) => Ok(Action::await_change()),
                Err(error) if error.is_not_found() => Ok(Action::await_change()),
                Err(error) => Err(error.into()),
            }
        }
    }
}
