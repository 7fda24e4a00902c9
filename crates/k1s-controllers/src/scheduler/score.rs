// SPDX-License-Identifier: Apache-2.0
//! Which of the nodes that a pod may be put on is the best, with kube-scheduler's default weights.
//!
//! Not scored: images that a node has already.

use k1s_core::selector::LabelSelector;

use super::affinity::{self, Namespaces};
use super::amounts::{CPU, MEMORY};
use super::matching;
use super::node::NodeInfo;
use super::pod::{PodInfo, Spread};
use super::spread;

const MOST: f64 = 100.0;
const TAINTS: i64 = 3;
const NODE_AFFINITY: i64 = 2;
const SPREAD: i64 = 2;
const POD_AFFINITY: i64 = 2;

/// The scores of nodes; the more the better.
pub(super) fn scores(
    pod: &PodInfo,
    nodes: &[&NodeInfo],
    all: &[&NodeInfo],
    namespaces: &Namespaces,
    siblings: Option<&LabelSelector>,
) -> Vec<i64> {
    let mut total = vec![0; nodes.len()];
    let mut add = |weight: i64, scores: Vec<i64>| {
        for (total, score) in total.iter_mut().zip(scores) {
            *total += weight * score;
        }
    };
    let disliked = nodes.iter().map(|node| soft_taints(pod, node)).collect();
    add(TAINTS, normalized(disliked, true));
    if pod.node_affinity().is_some() {
        let liked = nodes.iter().map(|node| node_liking(pod, node)).collect();
        add(NODE_AFFINITY, normalized(liked, false));
    }
    add(SPREAD, evenness(pod, nodes, all, siblings));
    add(POD_AFFINITY, company(pod, nodes, all, namespaces));
    add(1, nodes.iter().map(|node| free(pod, node)).collect());
    if !pod.requests.is_empty() {
        add(1, nodes.iter().map(|node| balance(pod, node)).collect());
    }
    total
}

/// Scores from 0 to 100, by the greatest.
fn normalized(scores: Vec<i64>, reverse: bool) -> Vec<i64> {
    let most = scores.iter().max().copied().unwrap_or(0);
    let scale = |score: i64| {
        if most == 0 {
            return if reverse { 100 } else { 0 };
        }
        let score = 100 * score / most;
        if reverse { 100 - score } else { score }
    };
    scores.into_iter().map(scale).collect()
}

fn soft_taints(pod: &PodInfo, node: &NodeInfo) -> i64 {
    let tolerations: Vec<_> = pod
        .tolerations()
        .iter()
        .filter(|t| matches!(t.effect.as_deref(), None | Some("" | "PreferNoSchedule")))
        .cloned()
        .collect();
    let count = node
        .taints()
        .iter()
        .filter(|taint| taint.effect == "PreferNoSchedule")
        .filter(|taint| !matching::any_tolerates(&tolerations, taint))
        .count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn node_liking(pod: &PodInfo, node: &NodeInfo) -> i64 {
    pod.node_affinity()
        .and_then(|a| {
            a.preferred_during_scheduling_ignored_during_execution
                .as_ref()
        })
        .into_iter()
        .flatten()
        .filter(|wish| matching::term_selects(&wish.preference, node.name(), node.labels()))
        .map(|wish| i64::from(wish.weight))
        .sum()
}

fn evenness(
    pod: &PodInfo,
    nodes: &[&NodeInfo],
    all: &[&NodeInfo],
    siblings: Option<&LabelSelector>,
) -> Vec<i64> {
    let mut wishes: Vec<Spread> = pod.spread.iter().filter(|c| !c.required).cloned().collect();
    if pod.spread.is_empty()
        && let Some(siblings) = siblings
    {
        for (key, max_skew) in [
            ("kubernetes.io/hostname", 3),
            ("topology.kubernetes.io/zone", 5),
        ] {
            // The cluster's own wish is dropped where nodes have no such domain.
            if nodes.iter().all(|node| node.label(key).is_some()) {
                wishes.push(Spread::of_cluster(key, max_skew, siblings.clone()));
            }
        }
    }
    if wishes.is_empty() {
        return vec![0; nodes.len()];
    }
    let crowding = spread::crowding(pod, &wishes, nodes, all);
    let known = || crowding.iter().flatten().copied();
    let most = known().fold(0.0, f64::max);
    let least = known().fold(f64::INFINITY, f64::min);
    crowding
        .iter()
        .map(|crowd| match crowd {
            None => 0,
            Some(_) if most == 0.0 => 100,
            Some(crowd) => whole(MOST * (most + least - crowd) / most),
        })
        .collect()
}

fn company(
    pod: &PodInfo,
    nodes: &[&NodeInfo],
    all: &[&NodeInfo],
    namespaces: &Namespaces,
) -> Vec<i64> {
    let liking = affinity::liking(pod, all.iter().copied(), namespaces);
    if liking.is_empty() {
        return vec![0; nodes.len()];
    }
    let sums: Vec<i64> = nodes
        .iter()
        .map(|node| {
            node.labels()
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| liking.get(&(key.clone(), value.clone())))
                .sum()
        })
        .collect();
    let most = sums.iter().max().copied().unwrap_or(0);
    let least = sums.iter().min().copied().unwrap_or(0);
    sums.into_iter()
        .map(|sum| {
            if most > least {
                whole(MOST * (sum - least) as f64 / (most - least) as f64)
            } else {
                0
            }
        })
        .collect()
}

/// How much of the node is free with the pod on it.
fn free(pod: &PodInfo, node: &NodeInfo) -> i64 {
    let of = |most: i64, used: i64| {
        if most <= 0 || used > most {
            0
        } else {
            (most - used) * 100 / most
        }
    };
    let cpu = of(node.allocatable.get(CPU), node.assumed.0 + pod.assumed.0);
    let memory = of(node.allocatable.get(MEMORY), node.assumed.1 + pod.assumed.1);
    i64::midpoint(cpu, memory)
}

/// How evenly CPU and memory of the node are used with the pod on it.
fn balance(pod: &PodInfo, node: &NodeInfo) -> i64 {
    let part = |name: &str| {
        let most = node.allocatable.get(name);
        let used = node.requested.get(name) + pod.requests.get(name);
        (most > 0).then(|| (used as f64 / most as f64).min(1.0))
    };
    match (part(CPU), part(MEMORY)) {
        (Some(cpu), Some(memory)) => whole((1.0 - ((cpu - memory) / 2.0).abs()) * MOST),
        _ => 100,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are between 0 and 100"
)]
fn whole(score: f64) -> i64 {
    score as i64
}
