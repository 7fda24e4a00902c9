// SPDX-License-Identifier: Apache-2.0
//! The life of nodes: taints follow their conditions, nodes that are not heard of become unknown, and pods that do not bear
//! a NoExecute taint go.

mod eviction;
mod health;
mod taints;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::cache::Queue;
use crate::error::{Refusal as _, Result};
use crate::setup::Setup;

pub(crate) use eviction::start as start_eviction;

/// Registers the node life cycle.
pub(crate) fn start(setup: &mut Setup) {
    let nodes = setup.cache::<Node>();
    let (queue, keys) = Queue::<Node>::new();
    nodes.feed_own(&queue);
    let client = setup.client();
    setup.controller(
        "node-lifecycle",
        (queue, keys),
        &nodes,
        client,
        |node, client| async move { taint(&client, &node).await },
    );
    health::start(setup);
}

/// Gives a node the taints that its conditions ask for.
async fn taint(client: &Client, node: &Node) -> Result<Action> {
    let Some(taints) = taints::wanted(node, k8s_openapi::jiff::Timestamp::now()) else {
        return Ok(Action::await_change());
    };
    let nodes: Api<Node> = Api::all(client.clone());
    // The list is replaced as a whole: of the state that was seen.
    let patch = json!({
        "metadata": {"resourceVersion": node.resource_version(), "uid": node.uid()},
        "spec": {"taints": taints},
    });
    let params = PatchParams::default();
    match nodes
        .patch(&node.name_any(), &params, &Patch::Merge(patch))
        .await
    {
        Ok(_) => Ok(Action::await_change()),
        Err(error) if error.is_not_found() => Ok(Action::await_change()),
        // After a conflict again, with the newer state.
        Err(error) => Err(error.into()),
    }
}
