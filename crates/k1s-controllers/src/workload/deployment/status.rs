// SPDX-License-Identifier: Apache-2.0
//! The status of a Deployment as a function of its ReplicaSets and the time.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::sizes;
use crate::workload::replicas::nonzero;

pub(super) const AVAILABLE: &str = "Available";
pub(super) const PROGRESSING: &str = "Progressing";
pub(super) const REPLICA_FAILURE: &str = "ReplicaFailure";

pub(super) const PAUSED: &str = "DeploymentPaused";
const COMPLETE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// The condition of a type.
pub(super) fn condition<'a>(
    status: &'a DeploymentStatus,
    type_: &str,
) -> Option<&'a DeploymentCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == type_)
}

/// A condition that begins now.
pub(super) fn new_condition(
    type_: &str,
    status: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}

/// Sets a condition; one of the same status and reason stays as it is, and one of the same status keeps its time.
pub(super) fn set(status: &mut DeploymentStatus, mut new: DeploymentCondition) {
    if let Some(old) = condition(status, &new.type_) {
        if old.status == new.status && old.reason == new.reason {
            return;
        }
        if old.status == new.status {
            new.last_transition_time = old.last_transition_time.clone();
        }
    }
    remove(status, &new.type_);
    status.conditions.get_or_insert_default().push(new);
}

fn remove(status: &mut DeploymentStatus, type_: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|c| c.type_ != type_);
        if conditions.is_empty() {
            status.conditions = None;
        }
    }
}

/// The seconds without progress after which a rollout has failed, if there is such a limit.
pub(super) fn progress_deadline(deployment: &Deployment) -> Option<i32> {
    let spec = deployment.spec.as_ref();
    spec.and_then(|spec| spec.progress_deadline_seconds)
        .filter(|s| *s != i32::MAX)
}

/// The numbers, and whether enough pods are available.
pub(super) fn numbers(
    deployment: &Deployment,
    new: Option<&ReplicaSet>,
    old: &[ReplicaSet],
    now: Timestamp,
) -> DeploymentStatus {
    let all: Vec<&ReplicaSet> = new.into_iter().chain(old).collect();
    let sum = |number: fn(&ReplicaSet) -> i32| all.iter().map(|rs| number(rs)).sum::<i32>();
    let available = sum(sizes::available);
    let before = deployment.status.clone().unwrap_or_default();
    let terminating = |rs: &&&ReplicaSet| rs.status.as_ref().and_then(|s| s.terminating_replicas);
    let known = all.iter().all(|rs| terminating(&rs).is_some());
    let mut status = DeploymentStatus {
        observed_generation: nonzero(deployment.metadata.generation.unwrap_or(0)),
        replicas: nonzero(sum(sizes::actual)),
        updated_replicas: nonzero(new.map_or(0, sizes::actual)),
        ready_replicas: nonzero(sum(|rs| {
            rs.status
                .as_ref()
                .and_then(|s| s.ready_replicas)
                .unwrap_or(0)
        })),
        available_replicas: nonzero(available),
        unavailable_replicas: nonzero((sum(sizes::size) - available).max(0)),
        terminating_replicas: known.then(|| all.iter().filter_map(|rs| terminating(&rs)).sum()),
        collision_count: before.collision_count,
        conditions: before.conditions,
    };
    let enough = sizes::wanted(deployment) - sizes::max_unavailable(deployment);
    let (value, reason, message) = if available >= enough {
        (
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    set(
        &mut status,
        new_condition(AVAILABLE, value, reason, message.into(), now),
    );
    status
}

/// The status during a rollout: the numbers, whether it progresses, and whether pods cannot be made.
pub(super) fn rollout(
    deployment: &Deployment,
    new: Option<&ReplicaSet>,
    old: &[ReplicaSet],
    now: Timestamp,
) -> DeploymentStatus {
    let mut status = numbers(deployment, new, old, now);
    let before = deployment.status.clone().unwrap_or_default();
    let subject = match new {
        Some(new) => format!("ReplicaSet {:?}", new.name_any()),
        None => format!("Deployment {:?}", deployment.name_any()),
    };
    let current = condition(&before, PROGRESSING);
    let was_complete = status.replicas == status.updated_replicas
        && current.is_some_and(|c| c.reason.as_deref() == Some(COMPLETE));
    if progress_deadline(deployment).is_none() {
        remove(&mut status, PROGRESSING);
    } else if !was_complete {
        let outcome = |value, reason, text| {
            new_condition(PROGRESSING, value, reason, format!("{subject} {text}"), now)
        };
        if is_complete(deployment, &status) {
            let done = outcome("True", COMPLETE, "has successfully progressed.");
            set(&mut status, done);
        } else if has_progressed(&before, &status) {
            let mut going = outcome("True", "ReplicaSetUpdated", "is progressing.");
            // Each step renews the time from which the deadline counts.
            if let Some(current) = current {
                if current.status == "True" {
                    going.last_transition_time = current.last_transition_time.clone();
                }
                remove(&mut status, PROGRESSING);
            }
            set(&mut status, going);
        } else if is_overdue(deployment, &status, now) {
            let stuck = outcome("False", TIMED_OUT, "has timed out progressing.");
            set(&mut status, stuck);
        }
    }
    match replica_failure(new, old) {
        Some(failure) => set(&mut status, failure),
        None => remove(&mut status, REPLICA_FAILURE),
    }
    status
}

fn replica_failure(new: Option<&ReplicaSet>, old: &[ReplicaSet]) -> Option<DeploymentCondition> {
    let failures = |rs: &ReplicaSet| {
        let conditions = rs
            .status
            .as_ref()
            .and_then(|status| status.conditions.clone());
        let found = conditions.into_iter().flatten();
        found.into_iter().find(|c| c.type_ == REPLICA_FAILURE)
    };
    let failure = new
        .and_then(failures)
        .or_else(|| old.iter().find_map(failures))?;
    Some(DeploymentCondition {
        type_: failure.type_,
        status: failure.status,
        reason: failure.reason,
        message: failure.message,
        last_update_time: failure.last_transition_time.clone(),
        last_transition_time: failure.last_transition_time,
    })
}

/// All pods are of the present template and available, and no other is left.
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = sizes::wanted(deployment);
    let is_wanted = |number: Option<i32>| number.unwrap_or(0) == wanted;
    is_wanted(status.updated_replicas)
        && is_wanted(status.replicas)
        && is_wanted(status.available_replicas)
        && status.observed_generation >= deployment.metadata.generation
}

fn has_progressed(before: &DeploymentStatus, now: &DeploymentStatus) -> bool {
    let number = |n: Option<i32>| n.unwrap_or(0);
    let old = |s: &DeploymentStatus| number(s.replicas) - number(s.updated_replicas);
    now.updated_replicas > before.updated_replicas
        || old(now) < old(before)
        || now.ready_replicas > before.ready_replicas
        || now.available_replicas > before.available_replicas
}

/// When the rollout will have taken too long, if it can.
fn due(deployment: &Deployment, status: &DeploymentStatus) -> Option<Timestamp> {
    let current = condition(status, PROGRESSING)?;
    let seconds = progress_deadline(deployment)?;
    let since = current.last_update_time.as_ref()?.0;
    since
        .checked_add(SignedDuration::from_secs(i64::from(seconds)))
        .ok()
}

fn is_overdue(deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) -> bool {
    match condition(status, PROGRESSING).and_then(|c| c.reason.as_deref()) {
        None | Some(COMPLETE) => false,
        Some(TIMED_OUT) => true,
        Some(_) => due(deployment, status).is_some_and(|due| due < now),
    }
}

/// When to look again whether a rollout that stands still has failed.
pub(super) fn look_again(
    deployment: &Deployment,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<std::time::Duration> {
    let current = condition(status, PROGRESSING)?;
    let reason = current.reason.as_deref();
    if is_complete(deployment, status) || matches!(reason, Some(TIMED_OUT | COMPLETE)) {
        return None;
    }
    let left = due(deployment, status)?.duration_since(now);
    // The API keeps whole seconds.
    let left = left.max(SignedDuration::ZERO) + SignedDuration::from_secs(1);
    std::time::Duration::try_from(left).ok()
}

/// What pausing and resuming make of the condition Progressing; none if nothing changes.
pub(super) fn pause(deployment: &Deployment, now: Timestamp) -> Option<DeploymentStatus> {
    progress_deadline(deployment)?;
    let mut status = deployment.status.clone().unwrap_or_default();
    let reason = condition(&status, PROGRESSING).and_then(|c| c.reason.clone());
    if reason.as_deref() == Some(TIMED_OUT) {
        return None;
    }
    let paused = deployment.spec.as_ref().and_then(|spec| spec.paused) == Some(true);
    let (reason, text) = match (paused, reason.as_deref() == Some(PAUSED)) {
        (true, false) => (PAUSED, "Deployment is paused"),
        (false, true) => ("DeploymentResumed", "Deployment is resumed"),
        _ => return None,
    };
    set(
        &mut status,
        new_condition(PROGRESSING, "Unknown", reason, text.into(), now),
    );
    Some(status)
}

#[cfg(test)]
mod tests;
