// SPDX-License-Identifier: Apache-2.0
//! Pods whose Job is gone or has ended: they are freed of the finalizer that nobody would take off any more.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};

use super::view::{is_finished, is_tracked};
use super::{is_managed_elsewhere, sync};
use crate::cache::{Cache, Queue};
use crate::error::{Refusal as _, Result};
use crate::setup::Setup;
use crate::workload::owner;

struct Context {
    client: Client,
    jobs: Cache<Job>,
    pods: Cache<Pod>,
}

pub(super) fn start(setup: &mut Setup, jobs: &Cache<Job>, pods: &Cache<Pod>) {
    let queue = Queue::new();
    let known = jobs.clone();
    pods.feed(&queue.0, move |change| {
        let pod = change.new.as_ref().filter(|pod| is_tracked(pod))?;
        is_orphan(&known, pod).then(|| ObjectRef::from_obj(pod.as_ref()))
    });
    let known = pods.clone();
    jobs.feed(&queue.0, move |change| {
        let ended = match (&change.old, &change.new) {
            (Some(gone), None) => Some(gone),
            (_, Some(job)) if is_finished(job) => Some(job),
            _ => None,
        };
        let Some(job) = ended else { return Vec::new() };
        let uid = job.uid().unwrap_or_default();
        let namespace = job.namespace().unwrap_or_default();
        let left = known.in_namespace(&namespace, |pod| {
            is_tracked(pod) && owner::is_controlled_by(&pod.metadata, &uid)
        });
        left.iter()
            .map(|pod| ObjectRef::from_obj(pod.as_ref()))
            .collect()
    });
    let context = Context {
        client: setup.client(),
        jobs: jobs.clone(),
        pods: pods.clone(),
    };
    setup.controller("job-controller", queue, pods, context, reconcile);
}

/// Whether no Job is going to count the pod.
fn is_orphan(jobs: &Cache<Job>, pod: &Pod) -> bool {
    let Some(key) = owner::controller_key::<Job>(&pod.metadata) else {
        return owner::controller_of(&pod.metadata).is_none();
    };
    match jobs.store().get(&key) {
        None => true,
        Some(job) if is_managed_elsewhere(&job) => false,
        Some(job) => {
            is_finished(&job)
                || !job
                    .uid()
                    .is_some_and(|uid| owner::is_controlled_by(&pod.metadata, &uid))
        }
    }
}

async fn reconcile(pod: Arc<Pod>, cx: Arc<Context>) -> Result<Action> {
    if !is_tracked(&pod) || !is_orphan(&cx.jobs, &pod) {
        return Ok(Action::await_change());
    }
    let namespace = pod.namespace().unwrap_or_default();
    // The Job may be newer than what the cache knows.
    if let Some(reference) = owner::controller_of(&pod.metadata) {
        let jobs: Api<Job> = Api::namespaced(cx.client.clone(), &namespace);
        match jobs.get(&reference.name).await {
            Ok(job) if job.uid().as_ref() == Some(&reference.uid) && !is_finished(&job) => {
                return Ok(Action::await_change());
            }
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), &namespace);
    match sync::free(&api, &pod).await {
        Ok(freed) => cx.pods.caught_up(&freed).await,
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Action::await_change())
}
