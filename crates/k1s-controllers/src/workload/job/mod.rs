// SPDX-License-Identifier: Apache-2.0
//! job-controller: pods until enough have succeeded or too many have failed.
//!
//! A pod carries a finalizer until its end is written in the Job's status, so none is counted twice or forgotten: first
//! its uid is written into `uncountedTerminatedPods`, then the finalizer goes, then it is counted.
//!
//! [`view`] says what the pods amount to, [`finish`] what ends the Job, [`sync`] writes it, [`orphans`] frees the pods of
//! Jobs that are gone.

mod backoff;
mod failure_policy;
mod finish;
mod indexes;
mod orphans;
mod sync;
mod view;

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::runtime::controller::Action;

use super::owner;
use crate::cache::{Cache, Queue};
use crate::error::Result;
use crate::recorder::Recorder;
use crate::setup::Setup;

pub(crate) use view::{is_finished, true_condition};

/// `spec.managedBy` of a Job that is this controller's.
const MANAGED_HERE: &str = "kubernetes.io/job-controller";

/// Starts job-controller.
pub(crate) fn start(setup: &mut Setup) {
    let (jobs, pods) = (setup.cache::<Job>(), setup.cache::<Pod>());
    let queue = Queue::new();
    jobs.feed_own(&queue.0);
    owner::feed_children(&pods, &jobs, &queue.0, selects);
    orphans::start(setup, &jobs, &pods);
    let context = Context {
        client: setup.client(),
        jobs: jobs.clone(),
        pods,
        recorder: setup.recorder("job-controller"),
        records: backoff::Records::default(),
    };
    setup.controller("job-controller", queue, &jobs, context, reconcile);
}

struct Context {
    client: Client,
    jobs: Cache<Job>,
    pods: Cache<Pod>,
    recorder: Recorder,
    records: backoff::Records,
}

fn selects(job: &Job, labels: &std::collections::BTreeMap<String, String>) -> bool {
    let selector = job.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.is_some_and(|selector| owner::selects(selector, labels))
}

/// Whether it is somebody else's.
fn is_managed_elsewhere(job: &Job) -> bool {
    let manager = job
        .spec
        .as_ref()
        .and_then(|spec| spec.managed_by.as_deref());
    manager.is_some_and(|manager| manager != MANAGED_HERE)
}

async fn reconcile(job: Arc<Job>, cx: Arc<Context>) -> Result<Action> {
    if is_managed_elsewhere(&job) {
        return Ok(Action::await_change());
    }
    let uid = job.metadata.uid.clone().unwrap_or_default();
    if is_finished(&job) {
        cx.records.put(&uid, backoff::Record::default());
        return Ok(Action::await_change());
    }
    let pods = owner::claim_with(
        &cx.client,
        &cx.pods,
        job.as_ref(),
        &[view::FINALIZER],
        |pod: &Pod| selects(&job, kube::ResourceExt::labels(pod)),
    )
    .await?;
    let again = sync::sync(&cx, &job, &pods).await?;
    Ok(again.map_or_else(Action::await_change, Action::requeue))
}
