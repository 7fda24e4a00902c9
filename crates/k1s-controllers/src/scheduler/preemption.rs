// SPDX-License-Identifier: Apache-2.0
//! Preemption: on which node the fewest and least important pods would have to go so that a more important one fits.

use std::borrow::Cow;
use std::sync::Arc;

use k1s_core::selector::LabelSelector;
use k8s_openapi::jiff::Timestamp;

use super::filter::{Cycle, Refusal};
use super::node::NodeInfo;
use super::pod::PodInfo;

/// What no removal of pods can mend.
const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

/// A disruption budget, as far as a preemption respects it.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    pub(super) namespace: String,
    pub(super) selector: LabelSelector,
    /// How many pods may go.
    pub(super) allowed: i64,
    /// Pods that are counted as gone already, by name.
    pub(super) disrupted: Vec<String>,
}

/// A node, and the pods that have to go from it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) node: String,
    /// The most important first.
    pub(super) victims: Vec<Arc<PodInfo>>,
    violations: usize,
}

/// Finds the best node, or the reasons why there is none, one for each node.
pub(super) fn find<'a>(
    cycle: &Cycle<'_>,
    nodes: impl Iterator<Item = (&'a NodeInfo, Option<&'a Refusal>)>,
    budgets: &[Budget],
) -> Result<Candidate, Vec<Cow<'static, str>>> {
    let mut candidates = Vec::new();
    let mut reasons = Vec::new();
    for (node, refusal) in nodes {
        if !refusal.is_some_and(|refusal| refusal.resolvable) {
            reasons.push(NOT_HELPFUL.into());
            continue;
        }
        match victims(cycle, node, budgets) {
            Ok(candidate) => candidates.push(candidate),
            Err(mut why) => reasons.append(&mut why),
        }
    }
    best(candidates).ok_or(reasons)
}

/// The pods that would have to go from a node.
fn victims(
    cycle: &Cycle<'_>,
    node: &NodeInfo,
    budgets: &[Budget],
) -> Result<Candidate, Vec<Cow<'static, str>>> {
    let pod = cycle.pod;
    let (mut cycle, mut without) = (cycle.clone(), node.clone());
    let mut lower: Vec<Arc<PodInfo>> = node
        .pods
        .values()
        .filter(|other| other.priority() < pod.priority())
        .cloned()
        .collect();
    if lower.is_empty() {
        return Err(vec![NO_VICTIMS.into()]);
    }
    for other in &lower {
        cycle.remove(other, node);
        without.remove(other.uid());
    }
    cycle.check(&without).map_err(|refusal| refusal.reasons)?;
    lower.sort_by(|a, b| more_important(a, b));
    let (violating, rest) = split_by_budgets(lower, budgets);
    let mut victims: Vec<Arc<PodInfo>> = Vec::new();
    let mut violations = 0;
    for (others, violates) in [(violating, true), (rest, false)] {
        for other in others {
            without.add(other.clone());
            cycle.add(&other, node);
            if cycle.check(&without).is_err() {
                cycle.remove(&other, node);
                without.remove(other.uid());
                victims.push(other);
                violations += usize::from(violates);
            }
        }
    }
    victims.sort_by(|a, b| more_important(a, b));
    Ok(Candidate {
        node: node.name().to_owned(),
        victims,
        violations,
    })
}

fn more_important(a: &PodInfo, b: &PodInfo) -> std::cmp::Ordering {
    b.priority()
        .cmp(&a.priority())
        .then_with(|| started(a).cmp(&started(b)))
        .then_with(|| a.uid().cmp(b.uid()))
}

fn started(pod: &PodInfo) -> Timestamp {
    let time = pod.pod.status.as_ref().and_then(|s| s.start_time.as_ref());
    // A pod that has not started is as if it started now.
    time.map_or(Timestamp::MAX, |time| time.0)
}

/// Those whose going a budget does not allow, and the others; both keep their order.
fn split_by_budgets(
    pods: Vec<Arc<PodInfo>>,
    budgets: &[Budget],
) -> (Vec<Arc<PodInfo>>, Vec<Arc<PodInfo>>) {
    let mut left: Vec<i64> = budgets.iter().map(|budget| budget.allowed).collect();
    pods.into_iter().partition(|pod| {
        let mut violates = false;
        let labels = pod.pod.metadata.labels.as_ref();
        for (budget, left) in budgets.iter().zip(&mut left) {
            let about = budget.namespace == pod.namespace()
                && labels.is_some_and(|labels| !labels.is_empty())
                && budget.selector.matches(&labels)
                && !budget.disrupted.iter().any(|name| name == pod.name());
            if about {
                *left -= 1;
                violates |= *left < 0;
            }
        }
        violates
    })
}

/// The candidate that hurts least: fewest violated budgets, then the least important victim at the top, the smallest sum of
/// priorities, the fewest victims, and the most important ones started latest.
fn best(candidates: Vec<Candidate>) -> Option<Candidate> {
    candidates.into_iter().min_by_key(|candidate| {
        let victims = &candidate.victims;
        let highest = victims.first().map_or(i32::MIN, |pod| pod.priority());
        let sum: i64 = victims
            .iter()
            .map(|pod| i64::from(pod.priority()) + i64::from(i32::MAX) + 1)
            .sum();
        let earliest = victims
            .iter()
            .filter(|pod| pod.priority() == highest)
            .map(|pod| started(pod))
            .min();
        (
            candidate.violations,
            highest,
            sum,
            victims.len(),
            std::cmp::Reverse(earliest),
        )
    })
}
