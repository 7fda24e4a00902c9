// SPDX-License-Identifier: Apache-2.0
//! What the scheduler knows of the cluster: nodes with their pods, pods that it has placed itself, pods that wait for others to go.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::ResourceExt as _;

use super::affinity::Namespaces;
use super::node::{NodeInfo, is_alike};
use super::pod::PodInfo;

/// The cluster.
#[derive(Debug, Default)]
pub(super) struct State {
    nodes: BTreeMap<String, NodeInfo>,
    /// By uid: the node of each pod that has one, also where the node is not there.
    placed: HashMap<String, (String, Arc<PodInfo>)>,
    /// By uid: pods for which others are to go, with the node.
    nominated: HashMap<String, (String, Arc<PodInfo>)>,
    pub(super) namespaces: Namespaces,
}

impl State {
    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeInfo> + Clone {
        self.nodes.values()
    }

    pub(super) fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(name)
    }

    /// A node is there or has changed; tells whether that can make a difference to a pod that waits.
    pub(super) fn put_node(&mut self, node: Arc<Node>) -> bool {
        let name = node.name_any();
        if let Some(present) = self.nodes.get_mut(&name) {
            let matters = !is_alike(&present.node, &node);
            present.renew(node);
            return matters;
        }
        let mut info = NodeInfo::new(node);
        for (place, pod) in self.placed.values() {
            if *place == name {
                info.add(pod.clone());
            }
        }
        self.nodes.insert(name, info);
        true
    }

    pub(super) fn remove_node(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    /// A pod has a node, by whoever's hand.
    pub(super) fn place(&mut self, node: &str, pod: Arc<PodInfo>) {
        self.remove_pod(pod.uid());
        if let Some(info) = self.nodes.get_mut(node) {
            info.add(pod.clone());
        }
        self.placed
            .insert(pod.uid().to_owned(), (node.to_owned(), pod));
    }

    /// The node of a pod, if it has one.
    pub(super) fn place_of(&self, uid: &str) -> Option<&(String, Arc<PodInfo>)> {
        self.placed.get(uid)
    }

    /// A pod needs no room any more.
    pub(super) fn remove_pod(&mut self, uid: &str) {
        self.nominated.remove(uid);
        if let Some((node, _)) = self.placed.remove(uid)
            && let Some(info) = self.nodes.get_mut(&node)
        {
            info.remove(uid);
        }
    }

    /// A pod waits for others to go from a node, or for none.
    pub(super) fn nominate(&mut self, pod: Arc<PodInfo>, node: Option<&str>) {
        let uid = pod.uid().to_owned();
        match node {
            Some(node) => self.nominated.insert(uid, (node.to_owned(), pod)),
            None => self.nominated.remove(&uid),
        };
    }

    /// Pods that wait for room on a node and are no less important than `pod`.
    pub(super) fn rivals(&self, node: &str, pod: &PodInfo) -> Vec<Arc<PodInfo>> {
        self.waiting_for(node)
            .filter(|other| other.uid() != pod.uid() && other.priority() >= pod.priority())
            .cloned()
            .collect()
    }

    /// Pods that wait for room on a node.
    pub(super) fn waiting_for(&self, node: &str) -> impl Iterator<Item = &Arc<PodInfo>> {
        self.nominated
            .values()
            .filter(move |(place, _)| place == node)
            .map(|(_, pod)| pod)
    }

    pub(super) fn put_namespace(&mut self, namespace: &Namespace) {
        let labels = namespace.metadata.labels.clone().unwrap_or_default();
        self.namespaces.insert(namespace.name_any(), labels);
    }
}
