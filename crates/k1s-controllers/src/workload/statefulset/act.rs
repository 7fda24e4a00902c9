// SPDX-License-Identifier: Apache-2.0
//! Doing what was decided: pods and claims of a StatefulSet made, mended and deleted.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, PodTemplateSpec};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::Context;
use super::identity::{self, claim_owners};
use super::plan::{Step, Wanted};
use crate::error::{Error, Refusal as _, Result, message};

/// What a step needs.
pub(super) struct Act<'a> {
    pub(super) cx: &'a Context,
    pub(super) set: &'a StatefulSet,
    pub(super) wanted: &'a Wanted,
    /// The template of pods below the partition.
    pub(super) current: PodTemplateSpec,
    /// The template of all others.
    pub(super) update: PodTemplateSpec,
}

impl Act<'_> {
    fn namespace(&self) -> String {
        self.set.namespace().unwrap_or_default()
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cx.client.clone(), &self.namespace())
    }

    fn claims(&self) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.cx.client.clone(), &self.namespace())
    }

    fn pod(&self, ordinal: i32) -> Option<std::sync::Arc<Pod>> {
        let name = identity::pod_name(self.set, ordinal);
        self.cx.pods.get(&self.namespace(), &name)
    }

    /// Does the steps in order. The first failure ends it, unless all pods are looked after at once: then it is reported
    /// after the others had their turn.
    pub(super) async fn all(&self, steps: &[Step]) -> Result {
        let mut failure = None;
        for step in steps {
            let result = match *step {
                Step::Create(ordinal) => self.create(ordinal).await,
                Step::Claim(ordinal) => self.claim_of_waiting(ordinal).await,
                Step::Mend(ordinal) => self.mend(ordinal).await,
                Step::Condemn(ordinal) => self.own_claims(ordinal).await.map(|_| ()),
                Step::Delete(ordinal) => self.delete(ordinal).await,
            };
            match result {
                Ok(()) => {}
                Err(error) if self.wanted.parallel => failure = failure.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn create(&self, ordinal: i32) -> Result {
        if self.is_claim_stale(ordinal) {
            return Ok(());
        }
        let revision = self.wanted.revision(ordinal);
        let is_update = revision == self.wanted.update_revision;
        let template = if is_update {
            &self.update
        } else {
            &self.current
        };
        let pod = identity::pod(self.set, template, revision, ordinal);
        let (name, set) = (pod.name_any(), self.set.name_any());
        let made = match self.claim(ordinal).await {
            Ok(()) => self
                .pods()
                .create(&PostParams::default(), &pod)
                .await
                .map_err(Error::from),
            Err(error) => Err(error),
        };
        match made {
            Ok(pod) => {
                self.cx.pods.caught_up(&pod).await;
                let text = format!("Create Pod {name} in StatefulSet {set} successful");
                self.cx.recorder.normal(self.set, "SuccessfulCreate", text);
                self.own_claims(ordinal).await.map(|_| ())
            }
            // Its cache will show it, or it is somebody else's.
            Err(error) if error.is_already_exists() || error.is_namespace_terminating() => {
                Err(error)
            }
            Err(error) => {
                let why = match &error {
                    Error::Api(error) => message(error),
                    Error::Claim { source, .. } => format!("{error}: {}", message(source)),
                    Error::Object(text) => text.clone(),
                };
                let text = format!("Create Pod {name} in StatefulSet {set} failed error: {why}");
                self.cx.recorder.warning(self.set, "FailedCreate", text);
                Err(error)
            }
        }
    }

    /// A claim that belongs to a former pod of this name is about to go; a pod that used it would lose it.
    fn is_claim_stale(&self, ordinal: i32) -> bool {
        let name = identity::pod_name(self.set, ordinal);
        let claims = identity::claims(self.set, ordinal);
        claims.iter().any(|(_, claim)| {
            let there = self.cx.claims.get(&self.namespace(), &claim.name_any());
            there.is_some_and(|claim| {
                let owners = claim.owner_references();
                owners
                    .iter()
                    .any(|owner| owner.kind == "Pod" && owner.name == name)
            })
        })
    }

    async fn delete(&self, ordinal: i32) -> Result {
        let Some(pod) = self.pod(ordinal) else {
            return Ok(());
        };
        let (name, set) = (pod.name_any(), self.set.name_any());
        match self.pods().delete(&name, &DeleteParams::default()).await {
            Ok(_) => {
                self.cx.pods.gone(pod.as_ref()).await;
                let text = format!("Delete Pod {name} in StatefulSet {set} successful");
                self.cx.recorder.normal(self.set, "SuccessfulDelete", text);
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                let why = message(&error);
                let text = format!("Delete Pod {name} in StatefulSet {set} failed error: {why}");
                self.cx.recorder.warning(self.set, "FailedDelete", text);
                Err(error.into())
            }
        }
    }

    /// Makes claims that are missing.
    async fn claim(&self, ordinal: i32) -> Result {
        let (pod, set) = (identity::pod_name(self.set, ordinal), self.set.name_any());
        for (_, claim) in identity::claims(self.set, ordinal) {
            let name = claim.name_any();
            if let Some(there) = self.cx.claims.get(&self.namespace(), &name) {
                if there.metadata.deletion_timestamp.is_some() {
                    return Err(Error::Object(format!("pvc {name} is being deleted")));
                }
                continue;
            }
            match self.claims().create(&PostParams::default(), &claim).await {
                Ok(made) => {
                    self.cx.claims.caught_up(&made).await;
                    let text =
                        format!("Create Claim {name} Pod {pod} in StatefulSet {set} success");
                    self.cx.recorder.normal(self.set, "SuccessfulCreate", text);
                }
                Err(error) if error.is_already_exists() => {}
                Err(error) => {
                    let why = message(&error);
                    let text = format!(
                        "Create Claim {name} for Pod {pod} in StatefulSet {set} failed error: {why}"
                    );
                    self.cx.recorder.warning(self.set, "FailedCreate", text);
                    let source = Box::new(error);
                    return Err(Error::Claim { name, source });
                }
            }
        }
        Ok(())
    }

    /// A pod that waits has all its claims, and these the owners that the policy wants; nobody is told of that.
    async fn claim_of_waiting(&self, ordinal: i32) -> Result {
        self.claim(ordinal).await?;
        self.own_claims(ordinal).await.map(|_| ())
    }

    /// Puts back what somebody has taken off a pod.
    async fn mend(&self, ordinal: i32) -> Result {
        let Some(pod) = self.pod(ordinal) else {
            return Ok(());
        };
        self.claim(ordinal).await?;
        let owned = self.own_claims(ordinal).await?;
        let labelled = self.label(&pod, ordinal).await?;
        if owned || labelled {
            let (name, set) = (pod.name_any(), self.set.name_any());
            let text = format!("Update Pod {name} in StatefulSet {set} successful");
            self.cx.recorder.normal(self.set, "SuccessfulUpdate", text);
        }
        Ok(())
    }

    /// Labels a pod with what it is; whether it was not.
    async fn label(&self, pod: &Pod, ordinal: i32) -> Result<bool> {
        if identity::is_labelled(pod, ordinal) {
            return Ok(false);
        }
        let mut labelled = pod.clone();
        identity::label(&mut labelled, ordinal);
        let patch = Patch::Merge(json!({"metadata": {"labels": labelled.labels()}}));
        let written = self
            .pods()
            .patch(&pod.name_any(), &PatchParams::default(), &patch)
            .await?;
        self.cx.pods.caught_up(&written).await;
        Ok(true)
    }

    /// Gives the claims of a pod the owners that the retention policy wants; whether they had others.
    async fn own_claims(&self, ordinal: i32) -> Result<bool> {
        let Some(pod) = self.pod(ordinal) else {
            return Ok(false);
        };
        let mut changed = false;
        let owners = claim_owners(self.set, self.wanted.has(ordinal));
        for (_, claim) in identity::claims(self.set, ordinal) {
            let Some(there) = self.cx.claims.get(&self.namespace(), &claim.name_any()) else {
                continue;
            };
            let Some(references) = identity::owner_references(&there, self.set, &pod, owners)
            else {
                continue;
            };
            let patch = Patch::Merge(json!({"metadata": {
                "ownerReferences": references,
                "resourceVersion": there.resource_version(),
            }}));
            let params = PatchParams::default();
            let written = self
                .claims()
                .patch(&there.name_any(), &params, &patch)
                .await?;
            self.cx.claims.caught_up(&written).await;
            changed = true;
        }
        Ok(changed)
    }
}
