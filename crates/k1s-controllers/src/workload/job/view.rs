// SPDX-License-Identifier: Apache-2.0
//! What a Job's pods amount to: which count as failed, which indexes are done, how many pods are to run, which go. Pure
//! functions of the Job, its pods and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::failure_policy::{self, Outcome};
use super::indexes::{self, Indexes};
use crate::workload::pod;

/// Keeps a pod until the Job has counted it.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Annotation and label of a pod of an indexed Job.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often the index of a pod had failed before it.
pub(super) const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// How often it had failed in a way that does not count.
pub(super) const INDEX_IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// A Job and its pods at a time.
pub(super) struct View<'a> {
    pub(super) job: &'a Job,
    pub(super) spec: &'a JobSpec,
    pub(super) pods: &'a [Arc<Pod>],
    pub(super) now: Timestamp,
}

/// The condition of a type that is true.
pub(crate) fn true_condition<'a>(job: &'a Job, type_: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.iter().flatten();
    conditions
        .into_iter()
        .find(|c| c.type_ == type_ && c.status == "True")
}

/// It has completed or failed.
pub(crate) fn is_finished(job: &Job) -> bool {
    true_condition(job, "Complete")
        .or(true_condition(job, "Failed"))
        .is_some()
}

/// The pod is not yet counted.
pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.finalizers()
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
}

/// The index of a pod.
pub(super) fn index(pod: &Pod) -> Option<i32> {
    pod.annotations()
        .get(INDEX)?
        .parse()
        .ok()
        .filter(|index| *index >= 0)
}

fn annotated(pod: &Pod, key: &str) -> i32 {
    pod.annotations()
        .get(key)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

impl View<'_> {
    pub(super) fn status(&self) -> JobStatus {
        self.job.status.clone().unwrap_or_default()
    }

    pub(super) fn is_indexed(&self) -> bool {
        self.spec.completion_mode.as_deref() == Some("Indexed")
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    /// Pods that are on their way out are replaced only once they have ended.
    pub(super) fn replaces_only_failed(&self) -> bool {
        self.spec.pod_replacement_policy.as_deref() == Some("Failed")
    }

    pub(super) fn active(&self) -> Vec<Arc<Pod>> {
        self.pods
            .iter()
            .filter(|p| pod::is_active(p))
            .cloned()
            .collect()
    }

    /// Whether the pod has failed. A deleted one has, unless it gets the time to end.
    pub(super) fn has_failed(&self, pod: &Pod) -> bool {
        match pod::phase(pod) {
            "Failed" => true,
            "Succeeded" => false,
            _ => !self.replaces_only_failed() && pod::is_going(pod),
        }
    }

    /// The index of a pod of an indexed Job, if it is one that the Job has.
    pub(super) fn valid_index(&self, pod: &Pod) -> Option<i32> {
        index(pod).filter(|index| *index < self.spec.completions.unwrap_or(0))
    }

    fn is_valid(&self, pod: &Pod) -> bool {
        !self.is_indexed() || self.valid_index(pod).is_some()
    }

    /// Pods that have ended and that no status has mentioned yet: those that succeeded, and those that failed.
    pub(super) fn newly_ended(&self) -> (Vec<&Pod>, Vec<&Pod>) {
        let uncounted = self.status().uncounted_terminated_pods.unwrap_or_default();
        let mentioned: BTreeSet<String> = uncounted
            .succeeded
            .into_iter()
            .chain(uncounted.failed)
            .flatten()
            .collect();
        let new = self.pods.iter().map(AsRef::as_ref).filter(|pod: &&Pod| {
            is_tracked(pod)
                && self.is_valid(pod)
                && !pod.uid().is_some_and(|uid| mentioned.contains(&uid))
        });
        let (succeeded, rest): (Vec<_>, Vec<_>) =
            new.partition(|pod| pod::phase(pod) == "Succeeded");
        let failed = rest
            .into_iter()
            .filter(|pod| self.has_failed(pod))
            .collect();
        (succeeded, failed)
    }

    /// Indexes that were done when the status was last written, and those that are done now.
    pub(super) fn succeeded_indexes(&self) -> (Indexes, Indexes) {
        let completions = self.spec.completions.unwrap_or(0);
        let before = self.status().completed_indexes.unwrap_or_default();
        let before = indexes::parse(&before, completions);
        let mut now = before.clone();
        let succeeded = self
            .pods
            .iter()
            .filter(|p| is_tracked(p) && pod::phase(p) == "Succeeded");
        now.extend(succeeded.filter_map(|pod| self.valid_index(pod)));
        (before, now)
    }

    /// Indexes that have failed for good.
    pub(super) fn failed_indexes(&self) -> Indexes {
        let Some(limit) = self.spec.backoff_limit_per_index else {
            return Indexes::new();
        };
        let before = self.status().failed_indexes.unwrap_or_default();
        let mut failed = indexes::parse(&before, self.spec.completions.unwrap_or(0));
        for pod in self
            .pods
            .iter()
            .filter(|pod| is_tracked(pod) && self.has_failed(pod))
        {
            let for_good = match failure_policy::outcome(self.job, pod) {
                Outcome::FailsIndex => true,
                Outcome::Counts => annotated(pod, INDEX_FAILURES) >= limit,
                Outcome::Ignored | Outcome::FailsJob(_) => false,
            };
            failed.extend(self.valid_index(pod).filter(|_| for_good));
        }
        failed
    }

    /// The last failed pod of each index that is to be tried again and has no pod now: it keeps its finalizer until it is
    /// replaced, as it knows how often the index has failed.
    pub(super) fn to_retry(&self, done: &Indexes, failed: &Indexes) -> BTreeMap<i32, Arc<Pod>> {
        let mut last: BTreeMap<i32, Arc<Pod>> = BTreeMap::new();
        if self.spec.backoff_limit_per_index.is_none() {
            return last;
        }
        let active: BTreeSet<i32> = self.active().iter().filter_map(|pod| index(pod)).collect();
        for pod in self
            .pods
            .iter()
            .filter(|pod| is_tracked(pod) && self.has_failed(pod))
        {
            let Some(index) = self.valid_index(pod) else {
                continue;
            };
            if done.contains(&index) || failed.contains(&index) || active.contains(&index) {
                continue;
            }
            let tries = |pod: &Pod| annotated(pod, INDEX_FAILURES) + annotated(pod, INDEX_IGNORED);
            if last
                .get(&index)
                .is_none_or(|other| tries(other) < tries(pod))
            {
                last.insert(index, pod.clone());
            }
        }
        last
    }

    /// What a pod that replaces `failed` is told of its index' failures: those that count, and those that do not.
    pub(super) fn index_failures(&self, failed: Option<&Pod>) -> (i32, i32) {
        let Some(failed) = failed else { return (0, 0) };
        let (counted, ignored) = (
            annotated(failed, INDEX_FAILURES),
            annotated(failed, INDEX_IGNORED),
        );
        match failure_policy::outcome(self.job, failed) {
            Outcome::Ignored => (counted, ignored + 1),
            _ => (counted + 1, ignored),
        }
    }

    /// How many pods are to run, given how many have succeeded and run now.
    pub(super) fn wanted_active(&self, succeeded: i32, active: i32) -> i32 {
        let parallelism = self.spec.parallelism.unwrap_or(1);
        match self.spec.completions {
            // One has found the end of the work: the others finish theirs.
            None if succeeded > 0 => active,
            None => parallelism,
            Some(completions) => (completions - succeeded).clamp(0, parallelism),
        }
    }

    /// Active pods that go: second ones of an index, and then as many as are too many.
    pub(super) fn surplus(&self, active: &[Arc<Pod>], at_least: usize) -> Vec<Arc<Pod>> {
        let mut order: Vec<_> = active
            .iter()
            .map(|pod| pod::Candidate {
                pod: pod.clone(),
                neighbours: 0,
                now: &self.now,
            })
            .collect();
        pod::sort_by_dispensability(&mut order);
        let mut surplus = Vec::new();
        let mut rest: Vec<Arc<Pod>> = Vec::new();
        if self.is_indexed() {
            // The one that is missed most stays.
            let mut kept = BTreeSet::new();
            for candidate in order.into_iter().rev() {
                match self.valid_index(&candidate.pod) {
                    Some(index) if kept.insert(index) => rest.insert(0, candidate.pod),
                    _ => surplus.push(candidate.pod),
                }
            }
        } else {
            rest.extend(order.into_iter().map(|candidate| candidate.pod));
        }
        let missing = at_least.saturating_sub(surplus.len());
        surplus.extend(rest.into_iter().take(missing));
        surplus
    }

    /// The lowest indexes that have no pod and need one.
    pub(super) fn pending_indexes(
        &self,
        done: &Indexes,
        failed: &Indexes,
        count: usize,
    ) -> Vec<i32> {
        let mut taken: BTreeSet<i32> = self
            .active()
            .iter()
            .filter_map(|pod| self.valid_index(pod))
            .collect();
        if self.replaces_only_failed() {
            let going = self
                .pods
                .iter()
                .filter(|p| pod::is_going(p) && !pod::is_finished(p));
            taken.extend(going.filter_map(|pod| self.valid_index(pod)));
        }
        (0..self.spec.completions.unwrap_or(0))
            .filter(|index| {
                !taken.contains(index) && !done.contains(index) && !failed.contains(index)
            })
            .take(count)
            .collect()
    }
}

#[cfg(test)]
mod tests;
