// SPDX-License-Identifier: Apache-2.0
//! Affinity between pods: how many pods of each topology domain an incoming pod wants near it, or not, and which do not want it.

use std::collections::{BTreeMap, HashMap};

use super::node::NodeInfo;
use super::pod::{Map, PodInfo};

/// The labels of all namespaces.
pub(super) type Namespaces = BTreeMap<String, Map>;
type Domain = (String, String);
type Counts = HashMap<Domain, i64>;

/// Counts of pods by topology domain, as far as an incoming pod has to do with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Neighbours {
    /// Pods that do not want the incoming one in their domain.
    refusing: Counts,
    /// Pods that meet all of its required terms.
    wanted: Counts,
    /// Pods that meet one of its required anti-affinity terms.
    unwanted: Counts,
}

/// Why a node does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unneighbourly {
    /// The pods that it wants are not there.
    Affinity,
    /// Pods are there that it does not want.
    AntiAffinity,
    /// Pods are there that do not want it.
    Existing,
}

impl Neighbours {
    pub(super) fn count<'a>(
        pod: &PodInfo,
        nodes: impl Iterator<Item = &'a NodeInfo>,
        namespaces: &Namespaces,
    ) -> Self {
        let mut counts = Self::default();
        let asks = !pod.affinity.is_empty() || !pod.anti_affinity.is_empty();
        for node in nodes {
            for other in node.pods.values() {
                if asks || !other.anti_affinity.is_empty() {
                    counts.add(pod, other, node, namespaces, 1);
                }
            }
        }
        counts
    }

    /// Counts another pod on a node in (1) or out (-1).
    pub(super) fn add(
        &mut self,
        pod: &PodInfo,
        other: &PodInfo,
        node: &NodeInfo,
        namespaces: &Namespaces,
        by: i64,
    ) {
        let count = |counts: &mut Counts, key: &str| {
            if let Some(value) = node.label(key) {
                let domain = (key.to_owned(), value.to_owned());
                *counts.entry(domain).or_default() += by;
            }
        };
        for term in &other.anti_affinity {
            if term.speaks_of(&pod.pod, namespaces) {
                count(&mut self.refusing, &term.topology_key);
            }
        }
        let all = |term: &super::pod::Term| term.speaks_of(&other.pod, namespaces);
        if !pod.affinity.is_empty() && pod.affinity.iter().all(all) {
            for term in &pod.affinity {
                count(&mut self.wanted, &term.topology_key);
            }
        }
        for term in pod.anti_affinity.iter().filter(|term| all(term)) {
            count(&mut self.unwanted, &term.topology_key);
        }
    }

    /// Whether the pod may be on the node.
    pub(super) fn allow(
        &self,
        pod: &PodInfo,
        node: &NodeInfo,
        namespaces: &Namespaces,
    ) -> Result<(), Unneighbourly> {
        let there = |counts: &Counts, key: &str| {
            node.label(key).is_some_and(|value| {
                counts
                    .get(&(key.to_owned(), value.to_owned()))
                    .is_some_and(|n| *n > 0)
            })
        };
        if !self.finds_company(pod, node, namespaces, &there) {
            return Err(Unneighbourly::Affinity);
        }
        if pod
            .anti_affinity
            .iter()
            .any(|term| there(&self.unwanted, &term.topology_key))
        {
            return Err(Unneighbourly::AntiAffinity);
        }
        let refused = node.labels().into_iter().flatten().any(|(key, value)| {
            self.refusing
                .get(&(key.clone(), value.clone()))
                .is_some_and(|n| *n > 0)
        });
        if refused {
            return Err(Unneighbourly::Existing);
        }
        Ok(())
    }

    fn finds_company(
        &self,
        pod: &PodInfo,
        node: &NodeInfo,
        namespaces: &Namespaces,
        there: &impl Fn(&Counts, &str) -> bool,
    ) -> bool {
        if pod.affinity.is_empty() {
            return true;
        }
        if pod
            .affinity
            .iter()
            .any(|term| node.label(&term.topology_key).is_none())
        {
            return false;
        }
        if pod
            .affinity
            .iter()
            .all(|term| there(&self.wanted, &term.topology_key))
        {
            return true;
        }
        // The first of a group that wants to be together finds nobody: it is its own company.
        self.wanted.values().all(|n| *n <= 0)
            && pod
                .affinity
                .iter()
                .all(|term| term.speaks_of(&pod.pod, namespaces))
    }
}

/// How much each domain is liked: by the pod for the pods that are there, and by those for the pod.
pub(super) fn liking<'a>(
    pod: &PodInfo,
    nodes: impl Iterator<Item = &'a NodeInfo>,
    namespaces: &Namespaces,
) -> HashMap<Domain, i64> {
    let mut liking = HashMap::new();
    for node in nodes {
        for other in node.pods.values() {
            let own = pod
                .preferred
                .iter()
                .filter(|(_, term)| term.speaks_of(&other.pod, namespaces))
                .map(|(weight, term)| (i64::from(*weight), term));
            let theirs = other
                .preferred
                .iter()
                .filter(|(_, term)| term.speaks_of(&pod.pod, namespaces))
                .map(|(weight, term)| (i64::from(*weight), term));
            // Where a pod must have company, more of the same is liked a little.
            let required = other
                .affinity
                .iter()
                .filter(|term| term.speaks_of(&pod.pod, namespaces))
                .map(|term| (1, term));
            for (weight, term) in own.chain(theirs).chain(required) {
                if let Some(value) = node.label(&term.topology_key) {
                    *liking
                        .entry((term.topology_key.clone(), value.to_owned()))
                        .or_default() += weight;
                }
            }
        }
    }
    liking
}
