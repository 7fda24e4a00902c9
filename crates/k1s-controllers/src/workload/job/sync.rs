// SPDX-License-Identifier: Apache-2.0
//! One reconciliation of a Job: verdict, pods made and deleted, and the status in two steps.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::Context;
use super::backoff;
use super::failure_policy::{self, Outcome};
use super::finish::{self, FAILURE, SUCCESS, Verdict};
use super::indexes::{self, Indexes};
use super::view::{self, View, is_tracked, true_condition};
use crate::error::{Error, Refusal as _, Result, message};
use crate::workload::{batch, owner, pod, template};

const SUSPENDED: &str = "Suspended";
/// The environment variable that tells a container its index.
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// Pods that a status mentions before it counts them, at most.
const UNCOUNTED: usize = 500;

/// What happened to the pods of a Job in this reconciliation.
struct Moves {
    active: i32,
    ready: i32,
    terminating: i32,
    again: Option<Duration>,
    error: Option<kube::Error>,
    /// No pods were looked after, as the Job has ended or is going.
    idle: bool,
}

fn count<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).unwrap_or(i32::MAX)
}

/// When to look again, if nothing else happens.
pub(super) async fn sync(cx: &Context, job: &Job, pods: &[Arc<Pod>]) -> Result<Option<Duration>> {
    let Some(spec) = &job.spec else {
        return Ok(None);
    };
    let now = Timestamp::now();
    let view = View {
        job,
        spec,
        pods,
        now,
    };
    let mut status = view.status();
    let uncounted = status
        .uncounted_terminated_pods
        .get_or_insert_default()
        .clone();
    let (newly_succeeded, newly_failed) = view.newly_ended();
    let mentioned = |uids: &Option<Vec<String>>| count(uids.as_deref().unwrap_or_default());
    let mut succeeded =
        status.succeeded.unwrap_or(0) + count(&newly_succeeded) + mentioned(&uncounted.succeeded);
    let counted_failures = newly_failed
        .iter()
        .filter(|pod| failure_policy::outcome(job, pod) != Outcome::Ignored)
        .count();
    let failed = status.failed.unwrap_or(0)
        + i32::try_from(counted_failures).unwrap_or(i32::MAX)
        + mentioned(&uncounted.failed);
    if status.start_time.is_none() && !view.is_suspended() {
        status.start_time = Some(Time(now));
    }
    let uid = job.uid().unwrap_or_default();
    let ended: Vec<_> = newly_succeeded
        .iter()
        .map(|pod| (*pod, true))
        .chain(newly_failed.iter().map(|pod| (*pod, false)))
        .collect();
    let record = cx.records.of(&uid).after(&ended, now);

    let (done_before, done) = view.succeeded_indexes();
    let failed_indexes = view.failed_indexes();
    if view.is_indexed() {
        succeeded = i32::try_from(done.len()).unwrap_or(i32::MAX);
    }
    let mut verdict = finish::verdict(&view, failed, &done, &failed_indexes);
    let retries = view.to_retry(&done, &failed_indexes);

    let mut moves = Moves {
        active: count(&view.active()),
        ready: count(
            &view
                .active()
                .into_iter()
                .filter(|p| pod::is_ready(p))
                .collect::<Vec<_>>(),
        ),
        terminating: count(
            &pods
                .iter()
                .filter(|p| pod::is_going(p) && !pod::is_finished(p))
                .collect::<Vec<_>>(),
        ),
        again: None,
        error: None,
        idle: true,
    };
    let mut all_deleted = true;
    if verdict.is_some() {
        let active = view.active();
        remove(cx, job, &active, false, &mut moves).await;
        all_deleted = moves.active == 0;
    } else {
        if job.metadata.deletion_timestamp.is_none() {
            moves.idle = false;
            let plan = Plan {
                succeeded,
                record,
                done: &done,
                failed: &failed_indexes,
                retries: &retries,
            };
            manage(cx, &view, &plan, &mut moves).await;
        }
        let complete = match spec.completions {
            None => succeeded > 0 && moves.active == 0,
            Some(completions) => succeeded >= completions && moves.active == 0,
        };
        if complete {
            verdict = Some(Verdict::completed());
        } else if !moves.idle {
            suspend(cx, &view, &mut status);
        }
    }
    status.active = (moves.active != 0).then_some(moves.active);
    status.ready = Some(moves.ready);
    status.terminating = Some(moves.terminating);
    if let Some(deadline) = finish::deadline(job).filter(|_| verdict.is_none()) {
        let left = Duration::try_from(deadline.duration_since(now)).unwrap_or_default();
        moves.again = Some(moves.again.map_or(left, |again| again.min(left)));
    } else if verdict.is_none()
        && status.start_time.is_some()
        && job.status.as_ref().is_none_or(|s| s.start_time.is_none())
        && let Some(seconds) = spec.active_deadline_seconds
    {
        let left = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        moves.again = Some(moves.again.map_or(left, |again| again.min(left)));
    }

    let tracking = Tracking {
        verdict: verdict.as_ref(),
        all_deleted: all_deleted && moves.error.is_none(),
        done_before: &done_before,
        failed_indexes: &failed_indexes,
        kept: retries.values().filter_map(|pod| pod.uid()).collect(),
    };
    track(cx, &view, status, tracking).await?;
    cx.records.put(&uid, record);
    match moves.error {
        Some(error) => Err(error.into()),
        None => Ok(moves.again),
    }
}

/// What is known when pods are made or deleted.
struct Plan<'a> {
    succeeded: i32,
    record: backoff::Record,
    done: &'a Indexes,
    failed: &'a Indexes,
    retries: &'a std::collections::BTreeMap<i32, Arc<Pod>>,
}

/// Makes pods that are missing, deletes those that are too many.
async fn manage(cx: &Context, view: &View<'_>, plan: &Plan<'_>, moves: &mut Moves) {
    let active = view.active();
    if view.is_suspended() {
        return remove(cx, view.job, &active, true, moves).await;
    }
    let wanted = view.wanted_active(plan.succeeded, moves.active);
    let too_many = usize::try_from(moves.active - wanted).unwrap_or(0);
    let mut surplus = view.surplus(&active, too_many);
    if !surplus.is_empty() {
        surplus.truncate(batch::BURST);
        return remove(cx, view.job, &surplus, true, moves).await;
    }
    let going = if view.replaces_only_failed() {
        moves.terminating
    } else {
        0
    };
    let mut missing = usize::try_from(wanted - going - moves.active)
        .unwrap_or(0)
        .min(batch::BURST);
    if missing == 0 {
        return;
    }
    let per_index = view.spec.backoff_limit_per_index.is_some();
    if !per_index {
        let wait = plan.record.remaining(view.now);
        if !wait.is_zero() {
            moves.again = Some(wait);
            return;
        }
    }
    let mut to_make: Vec<Option<i32>> = Vec::new();
    if view.is_indexed() {
        let mut pending = view.pending_indexes(plan.done, plan.failed, missing);
        if per_index {
            pending.retain(|index| {
                let Some(last) = plan.retries.get(index) else {
                    return true;
                };
                let failures = u32::try_from(view.index_failures(Some(last)).0).unwrap_or(0);
                let since = backoff::finish_time(last, view.now);
                let wait = backoff::remaining(failures, since, view.now);
                if !wait.is_zero() {
                    moves.again = Some(moves.again.map_or(wait, |again| again.min(wait)));
                }
                wait.is_zero()
            });
        }
        missing = pending.len();
        to_make.extend(pending.into_iter().map(Some));
    } else {
        to_make.resize(missing, None);
    }
    let namespace = view.job.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), &namespace);
    let (made, error) = batch::slow_start(missing, |n| {
        let index = to_make.get(n).copied().flatten();
        let failures = index
            .filter(|_| per_index)
            .map(|index| view.index_failures(plan.retries.get(&index).map(AsRef::as_ref)));
        let pod = new_pod(view.job, &view.spec.template, index, failures);
        let api = &api;
        async move { template::create(api, &pod, view.job, &cx.recorder).await }
    })
    .await;
    for pod in &made {
        cx.pods.caught_up(pod).await;
    }
    moves.active += count(&made);
    moves.error = error.filter(|error| !error.is_namespace_terminating());
}

fn new_pod(
    job: &Job,
    template: &PodTemplateSpec,
    index: Option<i32>,
    failures: Option<(i32, i32)>,
) -> Pod {
    let mut pod = template::pod(template, owner::controller_ref(job), &job.name_any());
    if !is_tracked(&pod) {
        pod.finalizers_mut().push(view::FINALIZER.into());
    }
    let Some(index) = index else { return pod };
    let name = job.name_any();
    pod.metadata.generate_name = Some(indexed_prefix(&name, index));
    pod.annotations_mut()
        .insert(view::INDEX.into(), index.to_string());
    pod.labels_mut()
        .insert(view::INDEX.into(), index.to_string());
    if let Some((counted, ignored)) = failures {
        let annotations = pod.annotations_mut();
        annotations.insert(view::INDEX_FAILURES.into(), counted.to_string());
        if ignored > 0 {
            annotations.insert(view::INDEX_IGNORED.into(), ignored.to_string());
        }
    }
    if let Some(spec) = &mut pod.spec {
        spec.hostname = Some(format!("{name}-{index}"));
        let containers = spec.containers.iter_mut();
        for container in containers.chain(spec.init_containers.iter_mut().flatten()) {
            let env = container.env.get_or_insert_default();
            if env.iter().all(|variable| variable.name != INDEX_VARIABLE) {
                env.push(index_variable());
            }
        }
    }
    pod
}

/// `NAME-INDEX-`, with the name cut so that the five random letters fit as well.
fn indexed_prefix(name: &str, index: i32) -> String {
    let end = format!("-{index}-");
    let room = 63 - 5 - end.len();
    let cut: String = name.chars().take(room).collect();
    format!("{cut}{end}")
}

fn index_variable() -> EnvVar {
    EnvVar {
        name: INDEX_VARIABLE.into(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: format!("metadata.labels['{}']", view::INDEX),
                api_version: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// Deletes pods. Those that are freed of their finalizer first do not count as failed.
async fn remove(cx: &Context, job: &Job, pods: &[Arc<Pod>], free: bool, moves: &mut Moves) {
    let namespace = job.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), &namespace);
    let removed = pods.iter().map(|pod| async {
        let name = pod.name_any();
        if free {
            free_pod(cx, &api, pod).await?;
        }
        match api.delete(&name, &DeleteParams::default()).await {
            Ok(_) => {
                let text = format!("Deleted pod: {name}");
                cx.recorder.normal(job, "SuccessfulDelete", text);
                cx.pods.gone(pod.as_ref()).await;
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                let text = format!("Error deleting: {}", message(&error));
                cx.recorder.warning(job, "FailedDelete", text);
                Err(error)
            }
        }
    });
    for (result, pod) in join_all(removed).await.into_iter().zip(pods) {
        match result {
            Ok(()) => {
                moves.active -= 1;
                moves.ready -= i32::from(pod::is_ready(pod));
                let left = cx.pods.get(&namespace, &pod.name_any());
                moves.terminating += i32::from(left.is_some_and(|left| left.uid() == pod.uid()));
            }
            Err(error) => moves.error = moves.error.take().or(Some(error)),
        }
    }
}

/// Takes the tracking finalizer off a pod.
pub(super) async fn free_pod(cx: &Context, api: &Api<Pod>, pod: &Pod) -> Result<(), kube::Error> {
    if !is_tracked(pod) {
        return Ok(());
    }
    match free(api, pod).await {
        Ok(freed) => {
            cx.pods.caught_up(&freed).await;
            Ok(())
        }
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// The request that takes it off.
pub(super) async fn free(api: &Api<Pod>, pod: &Pod) -> Result<Pod, kube::Error> {
    let patch = Patch::Strategic(json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": [view::FINALIZER],
        "uid": pod.uid(),
    }}));
    api.patch(&pod.name_any(), &PatchParams::default(), &patch)
        .await
}

/// Sets or clears the condition Suspended, and the time from which the Job's deadline counts.
fn suspend(cx: &Context, view: &View<'_>, status: &mut JobStatus) {
    let (value, reason, event, text) = if view.is_suspended() {
        ("True", "JobSuspended", "Suspended", "Job suspended")
    } else {
        ("False", "JobResumed", "Resumed", "Job resumed")
    };
    if !ensure(status, SUSPENDED, value, reason, text, view.now) {
        return;
    }
    cx.recorder.normal(view.job, event, text.into());
    if !view.is_suspended() {
        status.start_time = Some(Time(view.now));
    }
}

/// Whether the condition had to be changed. One that is not there is already false.
fn ensure(
    status: &mut JobStatus,
    type_: &str,
    value: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let conditions = status.conditions.get_or_insert_default();
    let new = JobCondition {
        type_: type_.into(),
        status: value.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    };
    match conditions.iter_mut().find(|c| c.type_ == type_) {
        Some(old)
            if old.status != value || old.reason != new.reason || old.message != new.message =>
        {
            *old = new;
            true
        }
        Some(_) => false,
        None if value == "False" => {
            if conditions.is_empty() {
                status.conditions = None;
            }
            false
        }
        None => {
            conditions.push(new);
            true
        }
    }
}

/// What [`track`] has to know besides the pods.
struct Tracking<'a> {
    verdict: Option<&'a Verdict>,
    /// No pod is left that could still run.
    all_deleted: bool,
    done_before: &'a Indexes,
    failed_indexes: &'a Indexes,
    /// Uids of pods that keep their finalizer although they have failed.
    kept: BTreeSet<String>,
}

/// Writes what has ended: first which pods, then, when these are free, how many.
async fn track(
    cx: &Context,
    view: &View<'_>,
    mut status: JobStatus,
    tracking: Tracking<'_>,
) -> Result {
    let job = view.job;
    settle(&mut status, view.pods);
    let mut to_free: Vec<Arc<Pod>> = Vec::new();
    let mut done = tracking.done_before.clone();
    let completions = view.spec.completions.unwrap_or(0);
    let failure = tracking.verdict.is_some_and(|verdict| !verdict.success);
    let success = tracking.verdict.is_some_and(|verdict| verdict.success);
    let mut all_mentioned = true;
    for pod in view.pods.iter().filter(|pod| is_tracked(pod)) {
        let uid = pod.uid().unwrap_or_default();
        let uncounted = status.uncounted_terminated_pods.get_or_insert_default();
        let mentioned =
            |uids: &Option<Vec<String>>| uids.iter().flatten().any(|other| *other == uid);
        let (in_succeeded, in_failed) = (
            mentioned(&uncounted.succeeded),
            mentioned(&uncounted.failed),
        );
        let has_ended = pod::phase(pod) == "Succeeded";
        // Pods that a success makes superfluous have not failed.
        let has_failed = if success {
            pod::phase(pod) == "Failed"
        } else {
            view.has_failed(pod)
        };
        let is_going_job = job.metadata.deletion_timestamp.is_some();
        if !(has_ended || has_failed || tracking.verdict.is_some() || is_going_job) {
            continue;
        }
        if tracking.verdict.is_none() && !is_going_job && tracking.kept.contains(&uid) {
            continue;
        }
        if has_ended && !in_failed {
            if view.is_indexed() {
                done.extend(view.valid_index(pod).filter(|index| *index < completions));
            } else if !in_succeeded {
                uncounted.succeeded.get_or_insert_default().push(uid);
            }
        } else if has_failed || failure {
            let counts = view.spec.pod_failure_policy.is_none()
                || failure_policy::outcome(job, pod) != Outcome::Ignored;
            let is_ours = !view.is_indexed() || view.valid_index(pod).is_some();
            if !in_failed && counts && is_ours {
                uncounted.failed.get_or_insert_default().push(uid);
            }
        } else if !success && !is_going_job {
            continue;
        }
        to_free.push(pod.clone());
        let all = [&uncounted.succeeded, &uncounted.failed];
        if all.into_iter().flatten().map(Vec::len).sum::<usize>() >= UNCOUNTED {
            all_mentioned = false;
            break;
        }
    }
    if view.is_indexed() {
        status.succeeded = Some(i32::try_from(done.len()).unwrap_or(i32::MAX)).filter(|n| *n != 0);
        status.completed_indexes = Some(indexes::spell(&done)).filter(|text| !text.is_empty());
        if view.spec.backoff_limit_per_index.is_some() {
            status.failed_indexes = Some(indexes::spell(tracking.failed_indexes));
        }
    }
    if let Some(verdict) = tracking.verdict {
        let type_ = if verdict.success { SUCCESS } else { FAILURE };
        if true_condition(job, type_).is_none() {
            let conditions = status.conditions.get_or_insert_default();
            conditions.push(verdict.condition(type_, view.now));
        }
    }
    let job = write(cx, job, status).await?;
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), &job.namespace().unwrap_or_default());
    let freed = to_free.iter().map(|pod| free_pod(cx, &api, pod));
    if let Some(error) = join_all(freed).await.into_iter().find_map(Result::err) {
        return Err(error.into());
    }
    let mut status = job.status.clone().unwrap_or_default();
    let namespace = job.namespace().unwrap_or_default();
    let left: Vec<Arc<Pod>> = view
        .pods
        .iter()
        .filter_map(|pod| {
            let left = cx.pods.get(&namespace, &pod.name_any())?;
            (left.uid() == pod.uid()).then_some(left)
        })
        .collect();
    settle(&mut status, &left);
    let going = left
        .iter()
        .filter(|p| pod::is_going(p) && !pod::is_finished(p))
        .count();
    status.terminating = Some(i32::try_from(going).unwrap_or(i32::MAX));
    let verdict = tracking
        .verdict
        .filter(|_| tracking.all_deleted && all_mentioned && going == 0);
    let is_settled = status
        .uncounted_terminated_pods
        .iter()
        .all(|u| u.succeeded.is_none() && u.failed.is_none());
    if let Some(verdict) = verdict.filter(|_| is_settled) {
        let type_ = if verdict.success {
            "Complete"
        } else {
            "Failed"
        };
        let now = Timestamp::now();
        let conditions = status.conditions.get_or_insert_default();
        conditions.push(verdict.condition(type_, now));
        if verdict.success {
            status.completion_time = Some(Time(now));
        }
        write(cx, &job, status).await?;
        if verdict.success {
            cx.recorder
                .normal(&job, "Completed", "Job completed".into());
        } else {
            cx.recorder
                .warning(&job, reason(&verdict.reason), verdict.message.clone());
        }
        return Ok(());
    }
    write(cx, &job, status).await?;
    Ok(())
}

/// The reasons of a failed Job, as events want them.
fn reason(reason: &str) -> &'static str {
    const REASONS: [&str; 5] = [
        "BackoffLimitExceeded",
        "DeadlineExceeded",
        "PodFailurePolicy",
        "MaxFailedIndexesExceeded",
        "FailedIndexes",
    ];
    REASONS
        .into_iter()
        .find(|known| *known == reason)
        .unwrap_or("Failed")
}

/// Counts the pods that the status mentions and that are free of their finalizer, or gone.
fn settle(status: &mut JobStatus, pods: &[Arc<Pod>]) {
    let held: BTreeSet<String> = pods
        .iter()
        .filter(|p| is_tracked(p))
        .filter_map(|p| p.uid())
        .collect();
    let uncounted = status.uncounted_terminated_pods.get_or_insert_default();
    let free = |uids: &mut Option<Vec<String>>| {
        let before = uids.as_ref().map_or(0, Vec::len);
        if let Some(list) = uids {
            list.retain(|uid| held.contains(uid));
        }
        *uids = uids.take().filter(|list| !list.is_empty());
        i32::try_from(before - uids.as_ref().map_or(0, Vec::len)).unwrap_or(i32::MAX)
    };
    let (succeeded, failed) = (free(&mut uncounted.succeeded), free(&mut uncounted.failed));
    let add = |number: &mut Option<i32>, more: i32| {
        *number = Some(number.unwrap_or(0) + more).filter(|sum| *sum != 0);
    };
    add(&mut status.succeeded, succeeded);
    add(&mut status.failed, failed);
}

/// The Job with this status, written if it differs.
async fn write(cx: &Context, job: &Job, status: JobStatus) -> Result<Job> {
    if job.status.as_ref() == Some(&status) {
        return Ok(job.clone());
    }
    let mut changed = job.clone();
    changed.status = Some(status);
    let api: Api<Job> = Api::namespaced(cx.client.clone(), &job.namespace().unwrap_or_default());
    let written = api
        .replace_status(&job.name_any(), &PostParams::default(), &changed)
        .await;
    let mut written = written.map_err(Error::from)?;
    cx.jobs.caught_up(&written).await;
    written.metadata.managed_fields = None;
    Ok(written)
}
