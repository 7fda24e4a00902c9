// SPDX-License-Identifier: Apache-2.0
//! ttl-controller: tells kubelets, by an annotation of their nodes, how long they may keep Secrets and ConfigMaps: longer,
//! the more nodes there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::cache::{Cache, Queue};
use crate::error::{Refusal as _, Result};
use crate::setup::Setup;

const TTL: &str = "node.alpha.kubernetes.io/ttl";

/// Fewest and most nodes of a step, which overlap so that it does not go to and fro, and its seconds.
const STEPS: [(usize, usize, u32); 5] = [
    (0, 100, 0),
    (90, 500, 15),
    (450, 1000, 30),
    (900, 2000, 60),
    (1800, usize::MAX, 300),
];

/// Starts ttl-controller.
pub(crate) fn start(setup: &mut Setup) {
    let nodes = setup.cache::<Node>();
    let queue = Queue::new();
    nodes.feed_own(&queue.0);
    let context = Context {
        client: setup.client(),
        nodes: nodes.clone(),
        step: AtomicUsize::new(0),
    };
    setup.controller("ttl-controller", queue, &nodes, context, reconcile);
}

struct Context {
    client: Client,
    nodes: Cache<Node>,
    step: AtomicUsize,
}

/// The step for so many nodes, coming from another.
fn step(mut step: usize, nodes: usize) -> usize {
    while step + 1 < STEPS.len() && nodes > STEPS[step].1 {
        step += 1;
    }
    while step > 0 && nodes < STEPS[step].0 {
        step -= 1;
    }
    step
}

async fn reconcile(node: Arc<Node>, cx: Arc<Context>) -> Result<Action> {
    let now = step(cx.step.load(Ordering::Relaxed), cx.nodes.store().len());
    cx.step.store(now, Ordering::Relaxed);
    let wanted = STEPS[now].2.to_string();
    if node.annotations().get(TTL) == Some(&wanted) {
        return Ok(Action::await_change());
    }
    let patch = Patch::Merge(json!({"metadata": {"annotations": {TTL: wanted}}}));
    let api: Api<Node> = Api::all(cx.client.clone());
    match api
        .patch(&node.name_any(), &PatchParams::default(), &patch)
        .await
    {
        Ok(written) => cx.nodes.caught_up(&written).await,
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Action::await_change())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_overlap() {
        for (from, nodes, expected) in [
            (0, 100, 0),
            (0, 101, 1),
            (1, 95, 1),
            (1, 89, 0),
            (0, 10_000, 4),
            (4, 1800, 4),
            (4, 1799, 3),
            (4, 0, 0),
        ] {
            assert_eq!(step(from, nodes), expected, "{from} {nodes}");
        }
    }
}
