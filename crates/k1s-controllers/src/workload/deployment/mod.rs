// SPDX-License-Identifier: Apache-2.0
//! deployment-controller: rollouts by ReplicaSets, one for each template.
//!
//! [`sizes`] says how many pods each ReplicaSet gets, [`status`] what the outcome is called, [`annotations`] what is noted on
//! a ReplicaSet; [`rollout`] does it, and [`rollback`] what old clients ask for.

mod annotations;
mod rollback;
mod rollout;
mod sizes;
mod status;

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};

use super::owner;
use crate::cache::{Cache, Queue};
use crate::error::Result;
use crate::recorder::Recorder;
use crate::setup::Setup;

pub(crate) use sizes::scaled;

/// Starts deployment-controller.
pub(crate) fn start(setup: &mut Setup) {
    let deployments = setup.cache::<Deployment>();
    let (sets, pods) = (setup.cache::<ReplicaSet>(), setup.cache::<Pod>());
    let queue = Queue::new();
    deployments.feed_own(&queue.0);
    owner::feed_children(&sets, &deployments, &queue.0, |deployment, labels| {
        let spec = deployment.spec.as_ref();
        spec.is_some_and(|spec| owner::selects(&spec.selector, labels))
    });
    // Recreate waits for the last old pod to be gone, which changes no ReplicaSet.
    let known = sets.clone();
    pods.feed(&queue.0, move |change| {
        let gone = change.old.as_ref().filter(|_| change.new.is_none())?;
        let set = owner::controller_key::<ReplicaSet>(&gone.metadata)?;
        let set = known.store().get(&set)?;
        owner::controller_key::<Deployment>(&set.metadata)
    });
    let context = Context {
        client: setup.client(),
        deployments: deployments.clone(),
        sets,
        pods,
        recorder: setup.recorder("deployment-controller"),
    };
    setup.controller(
        "deployment-controller",
        queue,
        &deployments,
        context,
        reconcile,
    );
}

struct Context {
    client: Client,
    deployments: Cache<Deployment>,
    sets: Cache<ReplicaSet>,
    pods: Cache<Pod>,
    recorder: Recorder,
}

impl Context {
    fn deployments_of(&self, deployment: &Deployment) -> Api<Deployment> {
        let namespace = deployment.namespace().unwrap_or_default();
        Api::namespaced(self.client.clone(), &namespace)
    }

    fn sets_of(&self, deployment: &Deployment) -> Api<ReplicaSet> {
        let namespace = deployment.namespace().unwrap_or_default();
        Api::namespaced(self.client.clone(), &namespace)
    }

    /// Writes status and annotations, and waits until the cache has them.
    async fn write_status(&self, deployment: &Deployment) -> Result<Deployment> {
        let api = self.deployments_of(deployment);
        let name = deployment.name_any();
        let mut written = api
            .replace_status(&name, &PostParams::default(), deployment)
            .await?;
        self.deployments.caught_up(&written).await;
        written.metadata.managed_fields = None;
        Ok(written)
    }
}

async fn reconcile(deployment: Arc<Deployment>, cx: Arc<Context>) -> Result<Action> {
    let mut deployment = deployment.as_ref().clone();
    let Some(spec) = deployment.spec.clone() else {
        return Ok(Action::await_change());
    };
    if spec.selector == Default::default() {
        let text = "This deployment is selecting all pods. A non-empty selector is required.";
        cx.recorder
            .warning(&deployment, "SelectingAll", text.into());
        let seen = deployment
            .status
            .as_ref()
            .and_then(|s| s.observed_generation);
        if seen < deployment.metadata.generation {
            let status = deployment.status.get_or_insert_default();
            status.observed_generation = deployment.metadata.generation;
            cx.write_status(&deployment).await?;
        }
        return Ok(Action::await_change());
    }
    let selector = owner::selector(&spec.selector)?;
    let claimed = owner::claim(&cx.client, &cx.sets, &deployment, |set: &ReplicaSet| {
        kube::core::SelectorExt::matches(&selector, set.labels())
    });
    let sets: Vec<ReplicaSet> = claimed
        .await?
        .iter()
        .map(|rs| rs.as_ref().clone())
        .collect();

    let mut rollout = rollout::Rollout::new(&cx, &deployment, sets);
    if deployment.metadata.deletion_timestamp.is_some() {
        rollout.write_numbers().await?;
        return Ok(Action::await_change());
    }
    if let Some(paused) = status::pause(&deployment, Timestamp::now()) {
        deployment.status = Some(paused);
        rollout.deployment = cx.write_status(&deployment).await?;
    }
    let is_paused = spec.paused == Some(true);
    if let (false, Some(revision)) = (is_paused, rollback::wanted(&deployment)) {
        rollout.roll_back(revision).await?;
        return Ok(Action::await_change());
    }
    if is_paused || rollout.was_scaled().await? {
        rollout.scale().await?;
        if is_paused {
            rollout.clean_up().await?;
        }
        rollout.write_numbers().await?;
        return Ok(Action::await_change());
    }
    let left = if sizes::rolls(&deployment) {
        rollout.roll().await?
    } else {
        rollout.recreate().await?
    };
    Ok(left.map_or_else(Action::await_change, Action::requeue))
}
