// SPDX-License-Identifier: Apache-2.0
//! Topology spread: how many of the pods that belong together are in each domain.

use std::collections::BTreeMap;

use super::matching;
use super::node::NodeInfo;
use super::pod::{PodInfo, Spread};

/// The domains of one constraint with the pods in them.
#[derive(Clone, Debug)]
pub(super) struct Domains {
    constraint: Spread,
    pods: BTreeMap<String, i64>,
}

/// Why a node does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uneven {
    /// The node is in no domain.
    NoDomain,
    /// One pod more there would be too many.
    Skew,
}

/// Counts the domains of the constraints that must be met.
pub(super) fn required<'a>(
    pod: &PodInfo,
    nodes: impl Iterator<Item = &'a NodeInfo> + Clone,
) -> Vec<Domains> {
    let constraints: Vec<&Spread> = pod.spread.iter().filter(|c| c.required).collect();
    constraints
        .iter()
        .map(|constraint| {
            let mut domains = Domains {
                constraint: (*constraint).clone(),
                pods: BTreeMap::new(),
            };
            for node in nodes.clone() {
                let in_all = constraints
                    .iter()
                    .all(|c| node.label(&c.topology_key).is_some());
                if let Some(value) = node.label(&constraint.topology_key)
                    && in_all
                    && counts(constraint, pod, node)
                {
                    *domains.pods.entry(value.to_owned()).or_default() +=
                        members(constraint, pod, node);
                }
            }
            domains
        })
        .collect()
}

/// Whether the pods of a node count at all.
fn counts(constraint: &Spread, pod: &PodInfo, node: &NodeInfo) -> bool {
    (!constraint.honors_affinity || matching::wanted(pod, node))
        && (!constraint.honors_taints || matching::bears(pod, node))
}

/// The pods of a node that belong together.
fn members(constraint: &Spread, pod: &PodInfo, node: &NodeInfo) -> i64 {
    let members = node
        .pods
        .values()
        .filter(|other| belongs(constraint, pod, other))
        .count();
    i64::try_from(members).unwrap_or(i64::MAX)
}

fn belongs(constraint: &Spread, pod: &PodInfo, other: &PodInfo) -> bool {
    other.namespace() == pod.namespace() && !other.is_deleting() && constraint.selects(&other.pod)
}

impl Domains {
    /// Counts another pod on a node in (1) or out (-1).
    pub(super) fn add(&mut self, pod: &PodInfo, other: &PodInfo, node: &NodeInfo, by: i64) {
        if let Some(value) = node.label(&self.constraint.topology_key)
            && counts(&self.constraint, pod, node)
            && belongs(&self.constraint, pod, other)
        {
            *self.pods.entry(value.to_owned()).or_default() += by;
        }
    }

    /// Whether the pod may be on the node.
    pub(super) fn allow(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Uneven> {
        let constraint = &self.constraint;
        let Some(value) = node.label(&constraint.topology_key) else {
            return Err(Uneven::NoDomain);
        };
        let enough = i64::try_from(self.pods.len()).unwrap_or(i64::MAX) >= constraint.min_domains;
        let least = if enough {
            self.pods.values().min().copied().unwrap_or(0)
        } else {
            0
        };
        let own = i64::from(constraint.selects(&pod.pod));
        let there = self.pods.get(value).copied().unwrap_or(0);
        if there + own - least > constraint.max_skew {
            return Err(Uneven::Skew);
        }
        Ok(())
    }
}

/// For constraints that need not be met: how crowded each of the nodes is; less is better. None for a node without a domain.
pub(super) fn crowding(
    pod: &PodInfo,
    constraints: &[Spread],
    nodes: &[&NodeInfo],
    all: &[&NodeInfo],
) -> Vec<Option<f64>> {
    let mut crowding: Vec<Option<f64>> = nodes
        .iter()
        .map(|node| {
            constraints
                .iter()
                .all(|c| node.label(&c.topology_key).is_some())
                .then_some(0.0)
        })
        .collect();
    for constraint in constraints {
        let mut pods: BTreeMap<&str, i64> = BTreeMap::new();
        for node in all.iter().filter(|node| counts(constraint, pod, node)) {
            if let Some(value) = node.label(&constraint.topology_key) {
                *pods.entry(value).or_default() += members(constraint, pod, node);
            }
        }
        let domains: std::collections::BTreeSet<&str> = nodes
            .iter()
            .filter_map(|node| node.label(&constraint.topology_key))
            .collect();
        let weight = (domains.len() as f64 + 2.0).ln();
        for (node, crowd) in nodes.iter().zip(&mut crowding) {
            if let (Some(crowd), Some(value)) = (crowd, node.label(&constraint.topology_key)) {
                let there = pods.get(value).copied().unwrap_or(0) as f64;
                *crowd += there * weight + (constraint.max_skew - 1) as f64;
            }
        }
    }
    crowding
}
