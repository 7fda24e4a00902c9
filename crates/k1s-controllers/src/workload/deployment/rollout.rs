// SPDX-License-Identifier: Apache-2.0
//! One reconciliation of a Deployment: finding or making the ReplicaSet of its template, and giving all their sizes.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::{Context, annotations, sizes, status};
use crate::error::{Refusal as _, Result, message};
use crate::workload::{owner, pod, template};

/// A Deployment with its ReplicaSets, those that are written renewed.
pub(super) struct Rollout<'a> {
    pub(super) cx: &'a Context,
    pub(super) deployment: Deployment,
    /// That of the present template.
    pub(super) new: Option<ReplicaSet>,
    pub(super) old: Vec<ReplicaSet>,
}

impl<'a> Rollout<'a> {
    pub(super) fn new(cx: &'a Context, deployment: &Deployment, mut sets: Vec<ReplicaSet>) -> Self {
        sets.sort_by_key(|rs| (sizes::created(rs), rs.name_any()));
        let wanted = template(deployment).map(|t| template::without_hash(&t));
        let is_new = |rs: &ReplicaSet| {
            let has = rs.spec.as_ref().and_then(|spec| spec.template.as_ref());
            has.map(template::without_hash) == wanted
        };
        let new = sets.iter().position(is_new).map(|n| sets.remove(n));
        Self {
            cx,
            deployment: deployment.clone(),
            new,
            old: sets,
        }
    }

    /// Whether the Deployment was scaled since the sizes were last given.
    pub(super) async fn was_scaled(&mut self) -> Result<bool> {
        self.note_revision().await?;
        let all: Vec<_> = self.new.iter().chain(&self.old).collect();
        Ok(sizes::was_scaled(&self.deployment, &all))
    }

    /// Gives all ReplicaSets their share of the size.
    pub(super) async fn scale(&mut self) -> Result {
        self.note_revision().await?;
        let changes = sizes::scaled_sizes(&self.deployment, self.new.as_ref(), &self.old);
        for (n, size) in changes {
            match (n, &self.new) {
                (0, Some(_)) => self.resize_new(size).await?,
                (n, new) => {
                    self.resize_old(n - usize::from(new.is_some()), size)
                        .await?
                }
            }
        }
        Ok(())
    }

    /// A step of a rolling update. When to look again, if nothing else happens.
    pub(super) async fn roll(&mut self) -> Result<Option<Duration>> {
        self.note_revision().await?;
        self.ensure_new().await?;
        if let Some(new) = &self.new {
            let size = sizes::rolled_up(&self.deployment, new, &self.old);
            if size != sizes::size(new) {
                self.resize_new(size).await?;
                return self.write_rollout().await;
            }
            let down = sizes::rolled_down(&self.deployment, new, &self.old);
            if !down.is_empty() {
                for (n, size) in down {
                    self.resize_old(n, size).await?;
                }
                return self.write_rollout().await;
            }
        }
        self.clean_up_when_complete().await?;
        self.write_rollout().await
    }

    /// A step of an update that stops all old pods first. When to look again, if nothing else happens.
    pub(super) async fn recreate(&mut self) -> Result<Option<Duration>> {
        self.note_revision().await?;
        let running: Vec<usize> = (0..self.old.len())
            .filter(|&n| sizes::size(&self.old[n]) > 0)
            .collect();
        if !running.is_empty() {
            for n in running {
                self.resize_old(n, 0).await?;
            }
            return self.write_rollout().await;
        }
        if self.old_pods_run() {
            return self.write_rollout().await;
        }
        self.ensure_new().await?;
        if self
            .new
            .as_ref()
            .is_some_and(|new| sizes::size(new) != sizes::wanted(&self.deployment))
        {
            self.resize_new(sizes::wanted(&self.deployment)).await?;
        }
        self.clean_up_when_complete().await?;
        self.write_rollout().await
    }

    fn old_pods_run(&self) -> bool {
        if self.old.iter().any(|rs| sizes::actual(rs) > 0) {
            return true;
        }
        let uids: Vec<_> = self.old.iter().filter_map(ReplicaSet::uid).collect();
        let namespace = self.deployment.namespace().unwrap_or_default();
        let left = self.cx.pods.in_namespace(&namespace, |p| {
            !pod::is_finished(p)
                && owner::controller_of(&p.metadata).is_some_and(|c| uids.contains(&c.uid))
        });
        !left.is_empty()
    }

    fn next_revision(&self) -> i64 {
        self.old
            .iter()
            .map(annotations::revision)
            .max()
            .unwrap_or(0)
            + 1
    }

    /// Brings annotations and `minReadySeconds` of the present ReplicaSet up to date, and the Deployment's revision.
    pub(super) async fn note_revision(&mut self) -> Result {
        let Some(new) = &self.new else { return Ok(()) };
        let mut noted = new.annotations().clone();
        annotations::set_revision(&mut noted, &self.deployment, self.next_revision());
        let min_ready = |spec: Option<i32>| spec.unwrap_or(0);
        let wanted = min_ready(
            self.deployment
                .spec
                .as_ref()
                .and_then(|s| s.min_ready_seconds),
        );
        let has = min_ready(new.spec.as_ref().and_then(|spec| spec.min_ready_seconds));
        if noted != *new.annotations() || wanted != has {
            let changed = json!({
                "metadata": {"annotations": noted, "resourceVersion": new.resource_version()},
                "spec": {"minReadySeconds": wanted},
            });
            let written = self.patch(&new.name_any(), changed).await?;
            self.new = Some(written);
            return Ok(());
        }
        let revision = noted.get(annotations::REVISION).cloned();
        let mut status = self.deployment.status.clone().unwrap_or_default();
        if status::progress_deadline(&self.deployment).is_some()
            && status::condition(&status, status::PROGRESSING).is_none()
        {
            let text = format!("Found new replica set {:?}", new.name_any());
            self.progressing(&mut status, "True", "FoundNewReplicaSet", text);
        }
        self.write(status, revision).await
    }

    fn progressing(&self, status: &mut DeploymentStatus, value: &str, reason: &str, text: String) {
        let now = Timestamp::now();
        let new = status::new_condition(status::PROGRESSING, value, reason, text, now);
        status::set(status, new);
    }

    /// Writes status and revision of the Deployment where they differ from what is there.
    async fn write(&mut self, status: DeploymentStatus, revision: Option<String>) -> Result {
        let has = self.deployment.annotations().get(annotations::REVISION);
        let renumbered = revision.is_some() && has != revision.as_ref();
        if !renumbered && self.deployment.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let mut deployment = self.deployment.clone();
        deployment.status = Some(status);
        if let Some(revision) = revision {
            let noted = deployment.annotations_mut();
            noted.insert(annotations::REVISION.into(), revision);
        }
        self.deployment = self.cx.write_status(&deployment).await?;
        Ok(())
    }

    /// Makes the ReplicaSet of the present template if there is none.
    pub(super) async fn ensure_new(&mut self) -> Result {
        if self.new.is_some() {
            return Ok(());
        }
        let Some(wanted) = self.replica_set() else {
            return Ok(());
        };
        let (name, revision) = (wanted.name_any(), self.next_revision().to_string());
        let api = self.cx.sets_of(&self.deployment);
        let deadline = status::progress_deadline(&self.deployment).is_some();
        let mut status = self.deployment.status.clone().unwrap_or_default();
        match api.create(&PostParams::default(), &wanted).await {
            Ok(created) => {
                self.cx.sets.caught_up(&created).await;
                let size = sizes::size(&created);
                if size > 0 {
                    let text = format!("Scaled up replica set {name} from 0 to {size}");
                    self.cx
                        .recorder
                        .normal(&self.deployment, "ScalingReplicaSet", text);
                }
                self.new = Some(created);
                if deadline {
                    let text = format!("Created new replica set {name:?}");
                    self.progressing(&mut status, "True", "NewReplicaSetCreated", text);
                }
                self.write(status, Some(revision)).await
            }
            Err(error) if error.is_already_exists() => {
                let found = api.get(&name).await?;
                let uid = self.deployment.uid().unwrap_or_default();
                let template = |rs: &ReplicaSet| {
                    let template = rs.spec.as_ref().and_then(|spec| spec.template.as_ref());
                    template.map(template::without_hash)
                };
                if owner::is_controlled_by(&found.metadata, &uid)
                    && template(&found) == template(&wanted)
                {
                    self.new = Some(found);
                    return self.write(status, Some(revision)).await;
                }
                // Another template has this hash: the next attempt takes another one.
                status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
                self.write(status, None).await?;
                Err(error.into())
            }
            Err(error) if error.is_namespace_terminating() => Err(error.into()),
            Err(error) => {
                let why = message(&error);
                let text = format!("Failed to create new replica set {name:?}: {why}");
                if deadline {
                    self.progressing(&mut status, "False", "ReplicaSetCreateError", text.clone());
                    self.write(status, None).await?;
                }
                self.cx
                    .recorder
                    .warning(&self.deployment, "ReplicaSetCreateError", text);
                Err(error.into())
            }
        }
    }

    /// The ReplicaSet of the present template, as it is to be made.
    fn replica_set(&self) -> Option<ReplicaSet> {
        let spec = self.deployment.spec.as_ref()?;
        let mut template = template(&self.deployment)?;
        let collisions = self
            .deployment
            .status
            .as_ref()
            .and_then(|s| s.collision_count);
        let hash = template::hash(&template, collisions);
        let labels = template
            .metadata
            .get_or_insert_default()
            .labels
            .get_or_insert_default();
        labels.insert(template::POD_TEMPLATE_HASH.into(), hash.clone());
        let mut noted = annotations::Annotations::new();
        annotations::set_revision(&mut noted, &self.deployment, self.next_revision());
        let (wanted, surge) = (
            sizes::wanted(&self.deployment),
            sizes::max_surge(&self.deployment),
        );
        annotations::set_sizes(&mut noted, wanted, surge);
        let all = self.old.iter().map(sizes::size).sum();
        let mut selector: LabelSelector = spec.selector.clone();
        let matched = selector.match_labels.get_or_insert_default();
        matched.insert(template::POD_TEMPLATE_HASH.into(), hash.clone());
        let name = format!("{}-{hash}", self.deployment.name_any());
        Some(ReplicaSet {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: self.deployment.namespace(),
                labels: Some(labels.clone()),
                annotations: Some(noted),
                owner_references: Some(vec![owner::controller_ref(&self.deployment)]),
                ..ObjectMeta::default()
            },
            spec: Some(ReplicaSetSpec {
                replicas: Some(sizes::new_size(&self.deployment, all, 0)),
                min_ready_seconds: spec.min_ready_seconds,
                selector,
                template: Some(template),
            }),
            status: None,
        })
    }

    async fn resize_new(&mut self, size: i32) -> Result {
        if let Some(new) = &self.new {
            self.new = Some(self.resize(new, size).await?);
        }
        Ok(())
    }

    async fn resize_old(&mut self, n: usize, size: i32) -> Result {
        if let Some(old) = self.old.get(n) {
            let resized = self.resize(old, size).await?;
            self.old[n] = resized;
        }
        Ok(())
    }

    /// Gives a ReplicaSet its size and notes what it was taken from.
    async fn resize(&self, rs: &ReplicaSet, size: i32) -> Result<ReplicaSet> {
        let mut noted = rs.annotations().clone();
        let (wanted, surge) = (
            sizes::wanted(&self.deployment),
            sizes::max_surge(&self.deployment),
        );
        annotations::set_sizes(&mut noted, wanted, surge);
        let before = sizes::size(rs);
        if before == size && noted == *rs.annotations() {
            return Ok(rs.clone());
        }
        let name = rs.name_any();
        let changed = json!({
            "metadata": {"annotations": noted, "resourceVersion": rs.resource_version()},
            "spec": {"replicas": size},
        });
        let written = self.patch(&name, changed).await?;
        if before != size {
            let direction = if before < size { "up" } else { "down" };
            let text = format!("Scaled {direction} replica set {name} from {before} to {size}");
            self.cx
                .recorder
                .normal(&self.deployment, "ScalingReplicaSet", text);
        }
        Ok(written)
    }

    async fn patch(&self, name: &str, changed: serde_json::Value) -> Result<ReplicaSet> {
        let api = self.cx.sets_of(&self.deployment);
        let mut written = api
            .patch(name, &PatchParams::default(), &Patch::Merge(changed))
            .await?;
        self.cx.sets.caught_up(&written).await;
        written.metadata.managed_fields = None;
        Ok(written)
    }

    async fn clean_up_when_complete(&mut self) -> Result {
        let status = self.deployment.status.clone().unwrap_or_default();
        if status::is_complete(&self.deployment, &status) {
            self.clean_up().await?;
        }
        Ok(())
    }

    /// Deletes the oldest ReplicaSets without pods that are more than the history is to keep.
    pub(super) async fn clean_up(&mut self) -> Result {
        let spec = self.deployment.spec.as_ref();
        let limit = spec.and_then(|spec| spec.revision_history_limit);
        let Some(limit) = limit.filter(|limit| *limit != i32::MAX) else {
            return Ok(());
        };
        let limit = usize::try_from(limit).unwrap_or(0);
        let mut kept: Vec<&ReplicaSet> = self
            .old
            .iter()
            .filter(|rs| rs.metadata.deletion_timestamp.is_none())
            .collect();
        kept.sort_by_key(|rs| (annotations::revision(rs), sizes::created(rs), rs.name_any()));
        let surplus = kept.len().saturating_sub(limit);
        let api = self.cx.sets_of(&self.deployment);
        for rs in kept.into_iter().take(surplus) {
            let seen = rs
                .status
                .as_ref()
                .and_then(|status| status.observed_generation);
            if sizes::actual(rs) != 0 || sizes::size(rs) != 0 || rs.metadata.generation > seen {
                continue;
            }
            match api.delete(&rs.name_any(), &DeleteParams::default()).await {
                Ok(_) => self.cx.sets.gone(rs).await,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes the numbers alone: while a Deployment is paused, scaled or deleted nothing progresses.
    pub(super) async fn write_numbers(&mut self) -> Result {
        let now = Timestamp::now();
        let status = status::numbers(&self.deployment, self.new.as_ref(), &self.old, now);
        self.write(status, None).await
    }

    async fn write_rollout(&mut self) -> Result<Option<Duration>> {
        let now = Timestamp::now();
        let status = status::rollout(&self.deployment, self.new.as_ref(), &self.old, now);
        let left = status::look_again(&self.deployment, &status, now);
        self.write(status, None).await?;
        Ok(left)
    }
}

fn template(deployment: &Deployment) -> Option<PodTemplateSpec> {
    deployment.spec.as_ref().map(|spec| spec.template.clone())
}
