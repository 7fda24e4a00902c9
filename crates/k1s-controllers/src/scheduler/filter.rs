// SPDX-License-Identifier: Apache-2.0
//! Which nodes a pod may be put on, and in kube-scheduler's words why not on the others.

use std::borrow::Cow;
use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Taint, Toleration};

use super::affinity::{Namespaces, Neighbours, Unneighbourly};
use super::amounts::Amounts;
use super::matching;
use super::node::NodeInfo;
use super::pod::PodInfo;
use super::spread::{self, Domains, Uneven};
use super::volumes::Volumes;

/// Why a node was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reasons: Vec<Cow<'static, str>>,
    /// Whether it could help if pods went from the node.
    pub(super) resolvable: bool,
}

impl Refusal {
    fn one(reason: &'static str, resolvable: bool) -> Self {
        Self {
            reasons: vec![reason.into()],
            resolvable,
        }
    }
}

/// What is known of a pod before nodes are looked at one by one.
#[derive(Clone)]
pub(super) struct Cycle<'a> {
    pub(super) pod: &'a PodInfo,
    pub(super) namespaces: &'a Namespaces,
    neighbours: Neighbours,
    spread: Vec<Domains>,
    volumes: &'a Volumes,
    /// How often others use claims that it must have for itself.
    disputes: i64,
    /// The only nodes that its affinity names, if it names any.
    named: Option<BTreeSet<&'a str>>,
}

impl<'a> Cycle<'a> {
    pub(super) fn new<'n>(
        pod: &'a PodInfo,
        nodes: impl Iterator<Item = &'n NodeInfo> + Clone,
        namespaces: &'a Namespaces,
        volumes: &'a Volumes,
    ) -> Self {
        let others = nodes.clone().flat_map(|node| node.pods.values());
        let disputes = others.map(|other| disputes(pod, other, volumes)).sum();
        Self {
            disputes,
            neighbours: Neighbours::count(pod, nodes.clone(), namespaces),
            spread: spread::required(pod, nodes),
            pod,
            namespaces,
            volumes,
            named: named_nodes(pod),
        }
    }

    /// Counts a pod on a node in.
    pub(super) fn add(&mut self, other: &PodInfo, node: &NodeInfo) {
        self.count(other, node, 1);
    }

    /// Counts a pod on a node out.
    pub(super) fn remove(&mut self, other: &PodInfo, node: &NodeInfo) {
        self.count(other, node, -1);
    }

    fn count(&mut self, other: &PodInfo, node: &NodeInfo, by: i64) {
        self.neighbours
            .add(self.pod, other, node, self.namespaces, by);
        for domains in &mut self.spread {
            domains.add(self.pod, other, node, by);
        }
        self.disputes += by * disputes(self.pod, other, self.volumes);
    }

    /// Whether the pod may be put on the node.
    pub(super) fn check(&self, node: &NodeInfo) -> Result<(), Refusal> {
        let pod = self.pod;
        if self
            .named
            .as_ref()
            .is_some_and(|names| !names.contains(node.name()))
        {
            return Err(Refusal::one(
                "node(s) didn't satisfy plugin(s) [NodeAffinity]",
                false,
            ));
        }
        if node.is_unschedulable() && !bears_cordon(pod.tolerations()) {
            return Err(Refusal::one("node(s) were unschedulable", false));
        }
        if !matching::bears(pod, node) {
            return Err(Refusal::one("node(s) had untolerated taint(s)", false));
        }
        if !matching::wanted(pod, node) {
            return Err(Refusal::one(
                "node(s) didn't match Pod's node affinity/selector",
                false,
            ));
        }
        let taken = node.pods.values().flat_map(|other| &other.ports);
        if taken
            .into_iter()
            .any(|port| pod.ports.iter().any(|own| own.collides(port)))
        {
            return Err(Refusal::one(
                "node(s) didn't have free ports for the requested pod ports",
                true,
            ));
        }
        room(&pod.requests, node)?;
        if self.disputes > 0 {
            return Err(Refusal::one(
                "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
                true,
            ));
        }
        self.volumes
            .check(node)
            .map_err(|(reason, resolvable)| Refusal::one(reason, resolvable))?;
        for domains in &self.spread {
            domains.allow(pod, node).map_err(|why| match why {
                Uneven::NoDomain => Refusal::one(
                    "node(s) didn't match pod topology spread constraints (missing required label)",
                    false,
                ),
                Uneven::Skew => {
                    Refusal::one("node(s) didn't match pod topology spread constraints", true)
                }
            })?;
        }
        self.neighbours
            .allow(pod, node, self.namespaces)
            .map_err(|why| match why {
                Unneighbourly::Affinity => {
                    Refusal::one("node(s) didn't match pod affinity rules", false)
                }
                Unneighbourly::AntiAffinity => {
                    Refusal::one("node(s) didn't match pod anti-affinity rules", true)
                }
                Unneighbourly::Existing => Refusal::one(
                    "node(s) didn't satisfy existing pods anti-affinity rules",
                    true,
                ),
            })
    }
}

/// How many claims that a pod must have for itself another one uses.
fn disputes(pod: &PodInfo, other: &PodInfo, volumes: &Volumes) -> i64 {
    if pod.namespace() == other.namespace() {
        volumes.disputes(&other.pod)
    } else {
        0
    }
}

/// A cordoned node is one with this taint.
fn bears_cordon(tolerations: &[Toleration]) -> bool {
    let cordon = Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        effect: "NoSchedule".into(),
        ..Taint::default()
    };
    matching::any_tolerates(tolerations, &cordon)
}

/// The node names that the affinity gives, when each of its terms gives some.
fn named_nodes(pod: &PodInfo) -> Option<BTreeSet<&str>> {
    let required = pod
        .node_affinity()?
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    let mut names = BTreeSet::new();
    for term in &required.node_selector_terms {
        let mut of_term: Option<BTreeSet<&str>> = None;
        for field in term.match_fields.iter().flatten() {
            if field.key == "metadata.name" && field.operator == "In" {
                let values = field.values.iter().flatten().map(String::as_str).collect();
                of_term = Some(match of_term {
                    Some(names) => names.intersection(&values).copied().collect(),
                    None => values,
                });
            }
        }
        names.extend(of_term?);
    }
    (!required.node_selector_terms.is_empty()).then_some(names)
}

/// Whether a node has room for what is asked.
fn room(requests: &Amounts, node: &NodeInfo) -> Result<(), Refusal> {
    let mut refusal = Refusal {
        reasons: Vec::new(),
        resolvable: true,
    };
    let pods = i64::try_from(node.pods.len()).unwrap_or(i64::MAX);
    if pods >= node.allocatable.get("pods") {
        refusal.reasons.push("Too many pods".into());
    }
    // CPU, memory and ephemeral storage come first, as in kube-scheduler's words.
    let standard = ["cpu", "memory", "ephemeral-storage"];
    let others = requests
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !standard.contains(name));
    for name in standard.into_iter().chain(others) {
        let asked = requests.get(name);
        let most = node.allocatable.get(name);
        if asked > 0 && asked > most - node.requested.get(name) {
            refusal.reasons.push(format!("Insufficient {name}").into());
            // No pod that goes makes a node greater than it is.
            refusal.resolvable &= asked <= most;
        }
    }
    if refusal.reasons.is_empty() {
        Ok(())
    } else {
        Err(refusal)
    }
}
