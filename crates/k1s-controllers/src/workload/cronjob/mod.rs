// SPDX-License-Identifier: Apache-2.0
//! cronjob-controller: a Job each time the schedule comes round, and no more finished ones than are to be kept.
//!
//! [`schedule`] says when; what is done about it is here.

mod schedule;

use std::sync::Arc;
use std::time::Duration;

use k1s_core::cron::Schedule;
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};

use super::job::{is_finished, true_condition};
use super::owner;
use crate::cache::{Cache, Queue};
use crate::error::{Refusal as _, Result, message};
use crate::recorder::Recorder;
use crate::setup::Setup;

/// When a Job was meant to be made, in the time zone of its CronJob.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// A little later than the time itself: clocks of API and controller may differ.
const LATE: Duration = Duration::from_millis(100);

/// Starts cronjob-controller.
pub(crate) fn start(setup: &mut Setup) {
    let (crons, jobs) = (setup.cache::<CronJob>(), setup.cache::<Job>());
    let queue = Queue::new();
    crons.feed_own(&queue.0);
    owner::feed_children(&jobs, &crons, &queue.0, |_, _| false);
    let context = Context {
        client: setup.client(),
        crons: crons.clone(),
        jobs,
        recorder: setup.recorder("cronjob-controller"),
    };
    setup.controller("cronjob-controller", queue, &crons, context, reconcile);
}

struct Context {
    client: Client,
    crons: Cache<CronJob>,
    jobs: Cache<Job>,
    recorder: Recorder,
}

async fn reconcile(cron: Arc<CronJob>, cx: Arc<Context>) -> Result<Action> {
    let uid = cron.uid().unwrap_or_default();
    let namespace = cron.namespace().unwrap_or_default();
    let jobs = cx.jobs.in_namespace(&namespace, |job| {
        owner::is_controlled_by(&job.metadata, &uid)
    });
    let mut round = Round {
        cx: &cx,
        cron: cron.as_ref().clone(),
        now: Timestamp::now(),
    };
    round.settle(&jobs).await?;
    let next = round.follow_schedule().await;
    round.clean_up(&jobs).await?;
    if round.cron.status != cron.status {
        let api: Api<CronJob> = Api::namespaced(cx.client.clone(), &namespace);
        let name = cron.name_any();
        let written = api
            .replace_status(&name, &PostParams::default(), &round.cron)
            .await?;
        cx.crons.caught_up(&written).await;
    }
    Ok(next?.map_or_else(Action::await_change, |left| Action::requeue(left + LATE)))
}

/// One reconciliation of a CronJob.
struct Round<'a> {
    cx: &'a Context,
    cron: CronJob,
    now: Timestamp,
}

/// How a Job has ended.
fn ending(job: &Job) -> Option<&'static str> {
    ["Complete", "Failed"]
        .into_iter()
        .find(|type_| true_condition(job, type_).is_some())
}

impl Round<'_> {
    fn spec(&self) -> CronJobSpec {
        self.cron.spec.clone().unwrap_or_default()
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(
            self.cx.client.clone(),
            &self.cron.namespace().unwrap_or_default(),
        )
    }

    fn normal(&self, reason: &'static str, text: String) {
        self.cx.recorder.normal(&self.cron, reason, text);
    }

    fn warning(&self, reason: &'static str, text: String) {
        self.cx.recorder.warning(&self.cron, reason, text);
    }

    fn active(&self) -> Vec<ObjectReference> {
        self.cron
            .status
            .as_ref()
            .and_then(|status| status.active.clone())
            .unwrap_or_default()
    }

    fn set_active(&mut self, active: Vec<ObjectReference>) {
        let status = self.cron.status.get_or_insert_default();
        status.active = (!active.is_empty()).then_some(active);
    }

    fn forget(&mut self, uid: &str) {
        let mut active = self.active();
        active.retain(|reference| reference.uid.as_deref() != Some(uid));
        self.set_active(active);
    }

    /// Takes Jobs that have ended, or are gone, off the list of active ones.
    async fn settle(&mut self, jobs: &[Arc<Job>]) -> Result {
        for job in jobs {
            let (uid, name) = (job.uid().unwrap_or_default(), job.name_any());
            let is_active = self
                .active()
                .iter()
                .any(|active| active.uid.as_ref() == Some(&uid));
            match ending(job) {
                None if !is_active => {
                    let text =
                        format!("Saw a job that the controller did not create or forgot: {name}");
                    self.warning("UnexpectedJob", text);
                }
                Some(condition) if is_active => {
                    self.forget(&uid);
                    let text = format!("Saw completed job: {name}, condition: {condition}");
                    self.normal("SawCompletedJob", text);
                }
                _ => {}
            }
            if ending(job) == Some("Complete") {
                let completed = job
                    .status
                    .as_ref()
                    .and_then(|status| status.completion_time.clone());
                let status = self.cron.status.get_or_insert_default();
                if status.last_successful_time < completed {
                    status.last_successful_time = completed;
                }
            }
        }
        for active in self.active() {
            let uid = active.uid.clone().unwrap_or_default();
            if jobs.iter().any(|job| job.uid().as_ref() == Some(&uid)) {
                continue;
            }
            let name = active.name.unwrap_or_default();
            match self.jobs().get(&name).await {
                Ok(job) if job.uid().as_ref() == Some(&uid) => {}
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {
                    self.normal("MissingJob", format!("Active job went missing: {name}"));
                    self.forget(&uid);
                }
            }
        }
        Ok(())
    }

    /// Makes the Job that is due. How long until the next one is; none if there will be none.
    async fn follow_schedule(&mut self) -> Result<Option<Duration>> {
        let spec = self.spec();
        if self.cron.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let named = spec.time_zone.as_deref().unwrap_or("");
        let Some(zone) = schedule::zone(named) else {
            self.warning(
                "UnknownTimeZone",
                format!("invalid timeZone: {named:?}: unknown time zone {named}"),
            );
            return Ok(None);
        };
        if spec.suspend == Some(true) {
            return Ok(None);
        }
        let schedule = match Schedule::parse(&spec.schedule) {
            Ok(schedule) => schedule,
            Err(error) => {
                self.warning(
                    "UnparseableSchedule",
                    format!("unparseable schedule: {:?} : {error}", spec.schedule),
                );
                return Ok(None);
            }
        };
        let status = self.cron.status.clone().unwrap_or_default();
        let last = status.last_schedule_time.map(|at| at.0);
        let created = self
            .cron
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|at| at.0);
        let since = last.or(created).unwrap_or(self.now);
        let deadline = spec
            .starting_deadline_seconds
            .map(SignedDuration::from_secs);
        let earliest = deadline.and_then(|deadline| self.now.checked_sub(deadline).ok());
        // what is too late to be made up for is no reason to look again at once
        let base = since.max(earliest.unwrap_or(since));
        let due = schedule::due(&schedule, &zone, base, self.now);
        if due.many_missed {
            let text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
            self.warning("TooManyMissedTimes", text.into());
        }
        let next = schedule::next(&schedule, &zone, due.at.unwrap_or(base).max(base));
        let left =
            next.map(|next| Duration::try_from(next.duration_since(self.now)).unwrap_or_default());
        let Some(at) = due.at else { return Ok(left) };
        let is_late = deadline
            .is_some_and(|deadline| at.checked_add(deadline).is_ok_and(|end| end < self.now));
        if is_late {
            self.warning(
                "MissSchedule",
                format!("Missed scheduled time to start a job: {at}"),
            );
            return Ok(left);
        }
        self.run(&spec, at, &zone, last).await?;
        Ok(left)
    }

    /// Makes the Job of a time, unless it is made already or others forbid it.
    async fn run(
        &mut self,
        spec: &CronJobSpec,
        at: Timestamp,
        zone: &TimeZone,
        last: Option<Timestamp>,
    ) -> Result {
        let job = self.job(spec, at, zone);
        let name = job.name_any();
        let is_listed = self
            .active()
            .iter()
            .any(|active| active.name.as_ref() == Some(&name));
        if is_listed || last == Some(at) {
            return Ok(());
        }
        match spec.concurrency_policy.as_deref() {
            Some("Forbid") if !self.active().is_empty() => {
                let text = "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.normal("JobAlreadyActive", text.into());
                return Ok(());
            }
            Some("Replace") => {
                for active in self.active() {
                    let name = active.name.unwrap_or_default();
                    self.delete(&name, &active.uid.unwrap_or_default()).await?;
                }
            }
            _ => {}
        }
        let made = match self.jobs().create(&PostParams::default(), &job).await {
            Ok(made) => {
                self.cx.jobs.caught_up(&made).await;
                self.normal("SuccessfulCreate", format!("Created job {name}"));
                made
            }
            Err(error) if error.is_already_exists() => {
                let there = self.jobs().get(&name).await?;
                let uid = self.cron.uid().unwrap_or_default();
                if !owner::is_controlled_by(&there.metadata, &uid) {
                    return Err(error.into());
                }
                there
            }
            Err(error) => {
                if !error.is_namespace_terminating() {
                    self.warning(
                        "FailedCreate",
                        format!("Error creating job: {}", message(&error)),
                    );
                }
                return Err(error.into());
            }
        };
        if !is_finished(&made) {
            let mut active = self.active();
            active.push(ObjectReference {
                api_version: Some("batch/v1".into()),
                kind: Some("Job".into()),
                name: Some(name),
                namespace: made.namespace(),
                uid: made.uid(),
                resource_version: made.resource_version(),
                field_path: None,
            });
            self.set_active(active);
        }
        self.cron.status.get_or_insert_default().last_schedule_time = Some(Time(at));
        Ok(())
    }

    /// The Job of a time.
    fn job(&self, spec: &CronJobSpec, at: Timestamp, zone: &TimeZone) -> Job {
        let template = spec.job_template.metadata.clone().unwrap_or_default();
        let local = zone.to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S");
        let offset = zone.to_offset(at).seconds();
        let stamp = if offset == 0 {
            format!("{local}Z")
        } else {
            let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
            format!("{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        };
        let mut annotations = template.annotations.unwrap_or_default();
        annotations.insert(SCHEDULED.into(), stamp);
        Job {
            metadata: ObjectMeta {
                name: Some(format!("{}-{}", self.cron.name_any(), at.as_second() / 60)),
                namespace: self.cron.namespace(),
                labels: template.labels,
                annotations: Some(annotations),
                owner_references: Some(vec![owner::controller_ref(&self.cron)]),
                ..ObjectMeta::default()
            },
            spec: spec.job_template.spec.clone(),
            status: None,
        }
    }

    async fn delete(&mut self, name: &str, uid: &str) -> Result {
        match self.jobs().delete(name, &DeleteParams::background()).await {
            Ok(_) => self.normal("SuccessfulDelete", format!("Deleted job {name}")),
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                let text = format!("Deleted job: {}", message(&error));
                self.warning("FailedDelete", text);
                return Err(error.into());
            }
        }
        self.forget(uid);
        Ok(())
    }

    /// Deletes the oldest finished Jobs that are more than the history is to keep.
    async fn clean_up(&mut self, jobs: &[Arc<Job>]) -> Result {
        let spec = self.spec();
        for (how, limit) in [
            ("Complete", spec.successful_jobs_history_limit),
            ("Failed", spec.failed_jobs_history_limit),
        ] {
            let Some(limit) = limit else { continue };
            let mut ended: Vec<_> = jobs.iter().filter(|job| ending(job) == Some(how)).collect();
            let started = |job: &Job| job.status.as_ref().and_then(|s| s.start_time.clone());
            // Those that were never started come last.
            ended.sort_by_key(|job| {
                let started = started(job);
                (started.is_none(), started, job.name_any())
            });
            let surplus = ended
                .len()
                .saturating_sub(usize::try_from(limit).unwrap_or(0));
            for job in ended.into_iter().take(surplus) {
                self.delete(&job.name_any(), &job.uid().unwrap_or_default())
                    .await?;
            }
        }
        Ok(())
    }
}
