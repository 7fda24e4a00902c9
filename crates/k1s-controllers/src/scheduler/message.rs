// SPDX-License-Identifier: Apache-2.0
//! Why a pod was not placed, in kube-scheduler's words.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::filter::Refusal;

/// What is said when there are no nodes at all.
pub(super) const NO_NODES: &str = "no nodes available to schedule pods";

/// The message for a pod of which something was wrong before nodes were looked at. That kube-scheduler's search for a
/// preemption then finds nothing of what it expects stands in its message too.
pub(super) fn hopeless(nodes: usize, why: &str) -> String {
    format!("0/{nodes} nodes are available: {why}. not found")
}

/// The message for a pod that fits on none of `nodes` nodes: for each of them why not, and why no preemption helps.
pub(super) fn unschedulable<'a>(
    nodes: usize,
    refusals: impl Iterator<Item = &'a Refusal>,
    preemption: Option<&str>,
) -> String {
    let reasons = histogram(refusals.flat_map(|r| &r.reasons));
    let mut message = format!("0/{nodes} nodes are available:{reasons}");
    if let Some(why) = preemption.filter(|why| !why.is_empty()) {
        message.push_str(&format!(" no new claims to deallocate, preemption: {why}"));
    }
    message
}

/// The answer of a preemption that found nothing: how many nodes there are for each reason.
pub(super) fn no_preemption(
    nodes: usize,
    reasons: impl Iterator<Item = Cow<'static, str>>,
) -> String {
    let reasons: Vec<_> = reasons.collect();
    format!(
        "0/{nodes} nodes are available:{}",
        histogram(reasons.iter())
    )
}

fn histogram<'a>(reasons: impl Iterator<Item = &'a Cow<'static, str>>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut each: Vec<String> = counts
        .into_iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    each.sort();
    if each.is_empty() {
        String::new()
    } else {
        format!(" {}.", each.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let refusal = |reasons: &[&'static str]| Refusal {
            reasons: reasons.iter().map(|r| Cow::Borrowed(*r)).collect(),
            resolvable: true,
        };
        let all = [
            refusal(&["Insufficient cpu", "Insufficient memory"]),
            refusal(&["Insufficient cpu"]),
            refusal(&["node(s) were unschedulable"]),
        ];
        let nothing = no_preemption(
            3,
            [
                "No preemption victims found for incoming pod",
                "Preemption is not helpful for scheduling",
                "No preemption victims found for incoming pod",
            ]
            .map(Cow::Borrowed)
            .into_iter(),
        );
        assert_eq!(
            unschedulable(3, all.iter(), Some(&nothing)),
            "0/3 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable, 2 Insufficient cpu. \
             no new claims to deallocate, preemption: 0/3 nodes are available: \
             1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
        );
        assert_eq!(
            hopeless(1, "persistentvolumeclaim \"a\" not found"),
            "0/1 nodes are available: persistentvolumeclaim \"a\" not found. not found"
        );
    }
}
