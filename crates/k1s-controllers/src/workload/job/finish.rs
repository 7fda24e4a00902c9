// SPDX-License-Identifier: Apache-2.0
//! What ends a Job: limits, policies, completions.

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::failure_policy::{self, Outcome};
use super::indexes::{self, Indexes};
use super::view::{View, true_condition};
use crate::workload::pod;

pub(super) const SUCCESS: &str = "SuccessCriteriaMet";
pub(super) const FAILURE: &str = "FailureTarget";

/// How a Job ends, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) success: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Verdict {
    fn failure(reason: &str, message: impl Into<String>) -> Self {
        Self {
            success: false,
            reason: reason.into(),
            message: message.into(),
        }
    }

    fn of(condition: &JobCondition, success: bool) -> Self {
        Self {
            success,
            reason: condition.reason.clone().unwrap_or_default(),
            message: condition.message.clone().unwrap_or_default(),
        }
    }

    /// All that was wanted is done.
    pub(super) fn completed() -> Self {
        Self {
            success: true,
            reason: "CompletionsReached".into(),
            message: "Reached expected number of succeeded pods".into(),
        }
    }

    /// The condition of this type that it is.
    pub(super) fn condition(&self, type_: &str, now: Timestamp) -> JobCondition {
        JobCondition {
            type_: type_.into(),
            status: "True".into(),
            reason: Some(self.reason.clone()),
            message: Some(self.message.clone()),
            last_probe_time: Some(Time(now)),
            last_transition_time: Some(Time(now)),
        }
    }
}

/// The verdict that was already reached, or that limits and policies reach now; `failed` pods have failed in all.
pub(super) fn verdict(
    view: &View<'_>,
    failed: i32,
    done: &Indexes,
    failed_indexes: &Indexes,
) -> Option<Verdict> {
    let (job, spec) = (view.job, view.spec);
    if let Some(met) = true_condition(job, SUCCESS) {
        return Some(Verdict::of(met, true));
    }
    if let Some(target) = true_condition(job, FAILURE) {
        return Some(Verdict::of(target, false));
    }
    if let Some(message) = failed_by_policy(view) {
        return Some(Verdict::failure("PodFailurePolicy", message));
    }
    if failed > spec.backoff_limit.unwrap_or(6) || restarted_too_often(view) {
        let message = "Job has reached the specified backoff limit";
        return Some(Verdict::failure("BackoffLimitExceeded", message));
    }
    if deadline(job).is_some_and(|deadline| deadline <= view.now) {
        let message = "Job was active longer than specified deadline";
        return Some(Verdict::failure("DeadlineExceeded", message));
    }
    if !view.is_indexed() {
        return None;
    }
    if spec.backoff_limit_per_index.is_some() && !failed_indexes.is_empty() {
        let count = |indexes: &Indexes| i32::try_from(indexes.len()).unwrap_or(i32::MAX);
        if spec
            .max_failed_indexes
            .is_some_and(|most| count(failed_indexes) > most)
        {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return Some(Verdict::failure("MaxFailedIndexesExceeded", message));
        }
        if count(failed_indexes) + count(done) >= spec.completions.unwrap_or(0) {
            return Some(Verdict::failure("FailedIndexes", "Job has failed indexes"));
        }
    }
    succeeded_by_policy(view, done)
}

fn failed_by_policy(view: &View<'_>) -> Option<String> {
    view.spec.pod_failure_policy.as_ref()?;
    let failed = view.pods.iter().filter(|pod| view.has_failed(pod));
    failed
        .into_iter()
        .find_map(|pod| match failure_policy::outcome(view.job, pod) {
            Outcome::FailsJob(message) => Some(message),
            _ => None,
        })
}

fn succeeded_by_policy(view: &View<'_>, done: &Indexes) -> Option<Verdict> {
    let rules = &view.spec.success_policy.as_ref()?.rules;
    let completions = view.spec.completions.unwrap_or(0);
    for (n, rule) in rules.iter().enumerate() {
        let named = rule.succeeded_indexes.as_deref();
        let named = named.map(|text| indexes::parse(text, completions));
        let met = match &named {
            Some(named) => named.intersection(done).count(),
            None => done.len(),
        };
        let wanted = match (rule.succeeded_count, &named) {
            (Some(count), _) => usize::try_from(count).unwrap_or(0),
            (None, Some(named)) => named.len(),
            (None, None) => continue,
        };
        if met >= wanted {
            return Some(Verdict {
                success: true,
                reason: "SuccessPolicy".into(),
                message: format!("Matched rules at index {n}"),
            });
        }
    }
    None
}

/// With `restartPolicy: OnFailure` restarts of containers count instead of failed pods.
fn restarted_too_often(view: &View<'_>) -> bool {
    let template = view.spec.template.spec.as_ref();
    if template.and_then(|spec| spec.restart_policy.as_deref()) != Some("OnFailure") {
        return false;
    }
    let running = view
        .pods
        .iter()
        .filter(|p| matches!(pod::phase(p), "Running" | "Pending"));
    let restarts: i32 = running
        .filter_map(|pod| pod.status.as_ref())
        .flat_map(|status| {
            let init = status.init_container_statuses.iter().flatten();
            init.chain(status.container_statuses.iter().flatten())
        })
        .map(|container| container.restart_count)
        .sum();
    match view.spec.backoff_limit.unwrap_or(6) {
        0 => restarts > 0,
        limit => restarts >= limit,
    }
}

/// When the Job has been active for too long, if it may not be for ever.
pub(super) fn deadline(job: &Job) -> Option<Timestamp> {
    let spec = job
        .spec
        .as_ref()
        .filter(|spec| spec.suspend != Some(true))?;
    let start = job.status.as_ref()?.start_time.as_ref()?.0;
    let seconds = SignedDuration::from_secs(spec.active_deadline_seconds?);
    start.checked_add(seconds).ok()
}
