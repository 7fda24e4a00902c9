// SPDX-License-Identifier: Apache-2.0
//! A node as the scheduler sees it: what it has, and the pods that it has been given.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Taint};

use super::amounts::Amounts;
use super::pod::{Map, PodInfo};

/// A node with its pods.
#[derive(Clone, Debug)]
pub(super) struct NodeInfo {
    pub(super) node: Arc<Node>,
    pub(super) allocatable: Amounts,
    /// By uid.
    pub(super) pods: BTreeMap<String, Arc<PodInfo>>,
    pub(super) requested: Amounts,
    /// CPU and memory for comparing nodes.
    pub(super) assumed: (i64, i64),
}

/// Whether two states of a node are the same to pods that are to be placed.
pub(super) fn is_alike(one: &Node, other: &Node) -> bool {
    fn what(node: &Node) -> (Option<&str>, Option<&Map>, &[Taint], bool) {
        let spec = node.spec.as_ref();
        (
            node.metadata.uid.as_deref(),
            node.metadata.labels.as_ref(),
            spec.and_then(|s| s.taints.as_deref()).unwrap_or_default(),
            spec.and_then(|s| s.unschedulable).unwrap_or(false),
        )
    }
    let allocatable =
        |node: &Node| Amounts::read(node.status.as_ref().and_then(|s| s.allocatable.as_ref()));
    what(one) == what(other) && allocatable(one) == allocatable(other)
}

impl NodeInfo {
    pub(super) fn new(node: Arc<Node>) -> Self {
        let status = node.status.as_ref();
        Self {
            allocatable: Amounts::read(status.and_then(|s| s.allocatable.as_ref())),
            node,
            pods: BTreeMap::new(),
            requested: Amounts::default(),
            assumed: (0, 0),
        }
    }

    /// The node has changed; its pods have not.
    pub(super) fn renew(&mut self, node: Arc<Node>) {
        self.allocatable = Self::new(node.clone()).allocatable;
        self.node = node;
    }

    pub(super) fn name(&self) -> &str {
        self.node.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels()?.get(key).map(String::as_str)
    }

    pub(super) fn labels(&self) -> Option<&Map> {
        self.node.metadata.labels.as_ref()
    }

    pub(super) fn taints(&self) -> &[Taint] {
        let spec = self.node.spec.as_ref();
        spec.and_then(|s| s.taints.as_deref()).unwrap_or_default()
    }

    pub(super) fn is_unschedulable(&self) -> bool {
        self.node
            .spec
            .as_ref()
            .and_then(|s| s.unschedulable)
            .unwrap_or(false)
    }

    pub(super) fn add(&mut self, pod: Arc<PodInfo>) {
        self.remove(pod.uid());
        self.requested.add(&pod.requests);
        self.assumed.0 += pod.assumed.0;
        self.assumed.1 += pod.assumed.1;
        self.pods.insert(pod.uid().to_owned(), pod);
    }

    pub(super) fn remove(&mut self, uid: &str) -> Option<Arc<PodInfo>> {
        let pod = self.pods.remove(uid)?;
        self.requested.subtract(&pod.requests);
        self.assumed.0 -= pod.assumed.0;
        self.assumed.1 -= pod.assumed.1;
        Some(pod)
    }
}
