// SPDX-License-Identifier: Apache-2.0
//! statefulset-controller: pods with names that last, one after the other or all at once, each with its claims.
//!
//! [`plan`] says what is to be done next, [`identity`] what a pod and its claims look like, [`act`] does it.

mod act;
mod identity;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{
    ControllerRevision, StatefulSet, StatefulSetSpec, StatefulSetStatus,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};

use super::deployment::scaled;
use super::replicas::nonzero;
use super::revision::{self, History};
use super::{owner, pod};
use crate::cache::{Cache, Queue};
use crate::error::Result;
use crate::recorder::Recorder;
use crate::setup::Setup;

/// The label of a ControllerRevision with the hash of its data.
const HASH: &str = "controller.kubernetes.io/hash";

/// Starts statefulset-controller.
pub(crate) fn start(setup: &mut Setup) {
    let (sets, pods) = (setup.cache::<StatefulSet>(), setup.cache::<Pod>());
    let revisions = setup.cache::<ControllerRevision>();
    let queue = Queue::new();
    sets.feed_own(&queue.0);
    owner::feed_children(&pods, &sets, &queue.0, |set, labels| {
        set.spec
            .as_ref()
            .is_some_and(|spec| owner::selects(&spec.selector, labels))
    });
    let context = Context {
        client: setup.client(),
        sets: sets.clone(),
        pods,
        revisions,
        claims: setup.cache::<PersistentVolumeClaim>(),
        recorder: setup.recorder("statefulset-controller"),
    };
    setup.controller("statefulset-controller", queue, &sets, context, reconcile);
}

struct Context {
    client: Client,
    sets: Cache<StatefulSet>,
    pods: Cache<Pod>,
    revisions: Cache<ControllerRevision>,
    claims: Cache<PersistentVolumeClaim>,
    recorder: Recorder,
}

async fn reconcile(set: Arc<StatefulSet>, cx: Arc<Context>) -> Result<Action> {
    let Some(spec) = &set.spec else {
        return Ok(Action::await_change());
    };
    let mut history = History::of(
        &cx.client,
        &cx.revisions,
        set.as_ref(),
        &spec.selector,
        HASH,
    )
    .await?;
    let pods = claim(&cx, &set, spec).await?;
    let mut collisions = set
        .status
        .as_ref()
        .and_then(|s| s.collision_count)
        .unwrap_or(0);
    let update = if set.metadata.deletion_timestamp.is_some() {
        history.revisions.last().cloned()
    } else {
        Some(history.current(&spec.template, &mut collisions).await?)
    };
    let Some(update) = update else {
        return Ok(Action::await_change());
    };
    let named = set
        .status
        .as_ref()
        .and_then(|status| status.current_revision.clone());
    let current = history
        .revisions
        .iter()
        .find(|revision| Some(revision.name_any()) == named)
        .unwrap_or(&update)
        .clone();
    let wanted = wanted(spec, &current, &update);
    let now = Timestamp::now();
    let mut result = Ok(());
    if set.metadata.deletion_timestamp.is_none() {
        let states: Vec<_> = pods
            .iter()
            .filter_map(|pod| state(&set, spec, pod, now))
            .collect();
        let steps = plan::steps(&wanted, &states);
        let act = act::Act {
            cx: &cx,
            set: &set,
            wanted: &wanted,
            current: revision::template(&current)?,
            update: spec.template.clone(),
        };
        result = act.all(&steps).await;
    }
    let pods = claim(&cx, &set, spec).await?;
    let now = Timestamp::now();
    let mut status = count(&set, spec, &wanted, &pods, now);
    status.collision_count = Some(collisions);
    let is_rolled_out = wanted.rolls
        && status.updated_replicas.unwrap_or(0) == status.replicas
        && status.ready_replicas.unwrap_or(0) == status.replicas
        && status.replicas == wanted.replicas;
    if is_rolled_out {
        status.current_replicas = status.updated_replicas;
        status.current_revision = status.update_revision.clone();
    }
    if set.status.as_ref() != Some(&status) {
        let mut changed = set.as_ref().clone();
        changed.status = Some(status.clone());
        let api: Api<StatefulSet> =
            Api::namespaced(cx.client.clone(), &set.namespace().unwrap_or_default());
        let name = set.name_any();
        let written = api
            .replace_status(&name, &PostParams::default(), &changed)
            .await?;
        cx.sets.caught_up(&written).await;
    }
    result?;
    let used = |revision: &ControllerRevision| {
        let name = revision.name_any();
        Some(&name) == status.current_revision.as_ref()
            || Some(&name) == status.update_revision.as_ref()
            || pods
                .iter()
                .any(|pod| pod.labels().get(identity::REVISION) == Some(&name))
    };
    history
        .truncate(spec.revision_history_limit.unwrap_or(10), used)
        .await?;
    let min_ready = spec.min_ready_seconds.unwrap_or(0);
    let left = pod::next_available(pods.iter().map(AsRef::as_ref), min_ready, now);
    Ok(left.map_or_else(Action::await_change, |left| {
        Action::requeue(left + Duration::from_millis(1))
    }))
}

async fn claim(cx: &Context, set: &StatefulSet, spec: &StatefulSetSpec) -> Result<Vec<Arc<Pod>>> {
    let name = set.name_any();
    owner::claim(&cx.client, &cx.pods, set, |pod: &Pod| {
        identity::ordinal(&name, &pod.name_any()).is_some()
            && owner::selects(&spec.selector, pod.labels())
    })
    .await
}

fn wanted(
    spec: &StatefulSetSpec,
    current: &ControllerRevision,
    update: &ControllerRevision,
) -> plan::Wanted {
    let strategy = spec.update_strategy.as_ref();
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let replicas = spec.replicas.unwrap_or(1);
    let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or(0);
    let unavailable = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
    plan::Wanted {
        start: spec
            .ordinals
            .as_ref()
            .and_then(|ordinals| ordinals.start)
            .unwrap_or(0),
        replicas,
        parallel: spec.pod_management_policy.as_deref() == Some("Parallel"),
        rolls: strategy.and_then(|s| s.type_.as_deref()) != Some("OnDelete"),
        partition,
        max_unavailable: unavailable.map_or(1, |value| scaled(Some(value), replicas, true).max(1)),
        current_revision: current.name_any(),
        update_revision: update.name_any(),
    }
}

fn state(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    pod: &Pod,
    now: Timestamp,
) -> Option<plan::State> {
    let ready = pod::phase(pod) == "Running" && pod::is_ready(pod);
    let min_ready = spec.min_ready_seconds.unwrap_or(0);
    Some(plan::State {
        ordinal: identity::ordinal(&set.name_any(), &pod.name_any())?,
        revision: pod
            .labels()
            .get(identity::REVISION)
            .cloned()
            .unwrap_or_default(),
        pending: pod::phase(pod) == "Pending",
        finished: pod::is_finished(pod),
        going: pod::is_going(pod),
        ready,
        available: ready && pod::is_available(pod, min_ready, now),
    })
}

fn count(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    wanted: &plan::Wanted,
    pods: &[Arc<Pod>],
    now: Timestamp,
) -> StatefulSetStatus {
    let states: Vec<_> = pods
        .iter()
        .filter_map(|pod| state(set, spec, pod, now))
        .collect();
    let number = |counts: &dyn Fn(&plan::State) -> bool| {
        i32::try_from(states.iter().filter(|state| counts(state)).count()).unwrap_or(i32::MAX)
    };
    let before = set.status.clone().unwrap_or_default();
    StatefulSetStatus {
        observed_generation: nonzero(set.metadata.generation.unwrap_or(0)),
        replicas: number(&|_| true),
        ready_replicas: nonzero(number(&|state| state.ready)),
        available_replicas: Some(number(&|state| state.available)),
        current_replicas: nonzero(number(&|s| {
            !s.going && s.revision == wanted.current_revision
        })),
        updated_replicas: nonzero(number(&|s| {
            !s.going && s.revision == wanted.update_revision
        })),
        current_revision: Some(wanted.current_revision.clone()),
        update_revision: Some(wanted.update_revision.clone()),
        collision_count: before.collision_count,
        conditions: before.conditions,
    }
}
