// SPDX-License-Identifier: Apache-2.0
//! ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, numbered.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::{owner, template};
use crate::cache::{Cache, Namespaced};
use crate::error::{Error, Refusal as _, Result};

/// The revisions of one object, oldest first.
pub(crate) struct History<'a, O: Namespaced> {
    client: &'a Client,
    cache: &'a Cache<ControllerRevision>,
    owner: &'a O,
    /// The label that carries the hash.
    hash_label: &'static str,
    pub(crate) revisions: Vec<ControllerRevision>,
}

impl<'a, O: Namespaced> History<'a, O> {
    /// The revisions that are the owner's, and those without an owner that its selector wants.
    pub(crate) async fn of(
        client: &'a Client,
        cache: &'a Cache<ControllerRevision>,
        owner: &'a O,
        selector: &LabelSelector,
        hash_label: &'static str,
    ) -> Result<Self> {
        let claimed = owner::claim(client, cache, owner, |revision: &ControllerRevision| {
            owner::selects(selector, revision.labels())
        });
        let mut revisions: Vec<_> = claimed.await?.iter().map(|r| r.as_ref().clone()).collect();
        revisions.sort_by_key(|r| {
            (
                r.revision,
                r.metadata.creation_timestamp.clone(),
                r.name_any(),
            )
        });
        Ok(Self {
            client,
            cache,
            owner,
            hash_label,
            revisions,
        })
    }

    fn api(&self) -> Api<ControllerRevision> {
        let namespace = self.owner.namespace().unwrap_or_default();
        Api::namespaced(self.client.clone(), &namespace)
    }

    /// The revision of this template, the newest of all: found, numbered anew, or made. `collisions` grows when another
    /// template has the same hash.
    pub(crate) async fn current(
        &mut self,
        template: &PodTemplateSpec,
        collisions: &mut i32,
    ) -> Result<ControllerRevision> {
        let data = data(template);
        let newest = self.revisions.last().map_or(0, |last| last.revision);
        let same =
            |revision: &ControllerRevision| revision.data.as_ref().is_some_and(|raw| raw.0 == data);
        if let Some(n) = self.revisions.iter().rposition(same) {
            if n + 1 < self.revisions.len() {
                let old = self.revisions.remove(n);
                let renumbered = Patch::Merge(json!({"revision": newest + 1}));
                let params = PatchParams::default();
                let written = self
                    .api()
                    .patch(&old.name_any(), &params, &renumbered)
                    .await?;
                self.cache.caught_up(&written).await;
                self.revisions.push(written);
            }
        } else {
            let made = self.create(template, data, newest + 1, collisions).await?;
            self.revisions.push(made);
        }
        let last = self.revisions.last().cloned();
        last.ok_or_else(|| Error::Object("there is no revision".into()))
    }

    async fn create(
        &self,
        template: &PodTemplateSpec,
        data: Value,
        number: i64,
        collisions: &mut i32,
    ) -> Result<ControllerRevision> {
        let api = self.api();
        loop {
            let hash = template::hash(&data, (*collisions != 0).then_some(*collisions));
            let meta = template.metadata.as_ref();
            let mut labels = meta
                .and_then(|meta| meta.labels.clone())
                .unwrap_or_default();
            labels.insert(self.hash_label.into(), hash.clone());
            let revision = ControllerRevision {
                metadata: ObjectMeta {
                    name: Some(format!("{}-{hash}", self.owner.name_any())),
                    labels: Some(labels),
                    annotations: self.owner.meta().annotations.clone(),
                    owner_references: Some(vec![owner::controller_ref(self.owner)]),
                    ..ObjectMeta::default()
                },
                data: Some(RawExtension(data.clone())),
                revision: number,
            };
            match api.create(&PostParams::default(), &revision).await {
                Ok(made) => {
                    self.cache.caught_up(&made).await;
                    return Ok(made);
                }
                Err(error) if error.is_already_exists() => {
                    let there = api.get(&revision.name_any()).await?;
                    let uid = self.owner.meta().uid.as_deref().unwrap_or("");
                    if there.data == revision.data && owner::is_controlled_by(&there.metadata, uid)
                    {
                        return Ok(there);
                    }
                    *collisions += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Deletes the oldest revisions that nothing uses and that are more than `limit`.
    pub(crate) async fn truncate(
        &self,
        limit: i32,
        is_used: impl Fn(&ControllerRevision) -> bool,
    ) -> Result {
        let unused: Vec<_> = self
            .revisions
            .iter()
            .filter(|revision| !is_used(revision))
            .collect();
        let surplus = unused
            .len()
            .saturating_sub(usize::try_from(limit).unwrap_or(0));
        for revision in unused.into_iter().take(surplus) {
            match self
                .api()
                .delete(&revision.name_any(), &DeleteParams::default())
                .await
            {
                Ok(_) => self.cache.gone(revision).await,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// What is kept of a template: a patch that brings it back.
fn data(template: &PodTemplateSpec) -> Value {
    let mut value = serde_json::to_value(template).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("$patch".into(), "replace".into());
    }
    json!({"spec": {"template": value}})
}

/// The template that a revision keeps.
///
/// # Errors
/// When it keeps none; somebody else has written it.
pub(crate) fn template(revision: &ControllerRevision) -> Result<PodTemplateSpec> {
    let kept = revision
        .data
        .as_ref()
        .and_then(|raw| raw.0.pointer("/spec/template"));
    let read = kept.and_then(|kept| {
        let mut kept = kept.clone();
        kept.as_object_mut()?.remove("$patch");
        serde_json::from_value(kept).ok()
    });
    read.ok_or_else(|| {
        Error::Object(format!(
            "revision {} keeps no template",
            revision.name_any()
        ))
    })
}
