// SPDX-License-Identifier: Apache-2.0
//! Binds claims and volumes to each other, and says of volumes what they are: Available, Bound, Released, Failed.
//!
//! A claim that names no volume gets one; one whose class waits for a pod gets it when the scheduler has chosen a node.
//! No volume is made here: provisioners are programs of their own.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus,
    PersistentVolumeStatus, Pod,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};

use super::choice::{choose, is_reserved, is_reserved_for, is_to_come, mismatch, phase};
use crate::cache::{Cache, Queue};
use crate::error::{Refusal as _, Result};
use crate::recorder::Recorder;
use crate::scheduler::volumes::{BIND_COMPLETED, claim_names, class_of, waits};
use crate::setup::Setup;

const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const PROVISIONER: [&str; 2] = [
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
];
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

struct Context {
    client: Client,
    claims: Cache<PersistentVolumeClaim>,
    volumes: Cache<PersistentVolume>,
    classes: Cache<StorageClass>,
    pods: Cache<Pod>,
    recorder: Recorder,
    /// One claim after another chooses, so that no two choose the same volume.
    turn: tokio::sync::Mutex<()>,
}

/// Registers the binder.
pub(crate) fn start(setup: &mut Setup) {
    let claims = setup.cache::<PersistentVolumeClaim>();
    let volumes = setup.cache::<PersistentVolume>();
    let classes = setup.cache::<StorageClass>();
    let pods = setup.cache::<Pod>();
    let context = Arc::new(Context {
        client: setup.client(),
        pods: pods.clone(),
        claims: claims.clone(),
        volumes: volumes.clone(),
        classes: classes.clone(),
        recorder: setup.recorder("persistentvolume-controller"),
        turn: tokio::sync::Mutex::default(),
    });
    let (claim_queue, claim_keys) = Queue::<PersistentVolumeClaim>::new();
    claims.feed_own(&claim_queue);
    let all = claims.clone();
    let unbound = move || {
        let waiting = all.store().state_filter(|claim| !is_bound(claim));
        waiting
            .iter()
            .map(|claim| ObjectRef::from_obj(claim.as_ref()))
            .collect::<Vec<_>>()
    };
    // Of a claim that waits for a pod it is said which.
    pods.feed(&claim_queue, |change| {
        let new = change.new.as_deref().filter(|_| change.old.is_none());
        let new = new.filter(|pod| !is_placed(pod));
        let namespace = new.and_then(|pod| pod.namespace()).unwrap_or_default();
        let names = new.into_iter().flat_map(claim_names);
        names
            .map(|(name, _)| ObjectRef::new(&name).within(&namespace))
            .collect::<Vec<_>>()
    });
    let of_classes = unbound.clone();
    classes.feed(&claim_queue, move |_| of_classes());
    volumes.feed(&claim_queue, move |change| {
        let mut keys = unbound();
        let states = change.states();
        keys.extend(states.filter_map(|volume| claim_of(volume)));
        keys
    });
    let (volume_queue, volume_keys) = Queue::<PersistentVolume>::new();
    volumes.feed_own(&volume_queue);
    let all = volumes.clone();
    claims.feed(&volume_queue, move |change| {
        let Some(claim) = change.latest() else {
            return Vec::new();
        };
        let key = ObjectRef::from_obj(claim.as_ref());
        let reserved = all
            .store()
            .state_filter(|volume| claim_of(volume).as_ref() == Some(&key));
        reserved
            .iter()
            .map(|volume| ObjectRef::from_obj(volume.as_ref()))
            .collect()
    });
    setup.controller(
        "persistentvolume-claims",
        (claim_queue, claim_keys),
        &claims,
        context.clone(),
        |claim, context| async move { context.reconcile_claim(&claim).await },
    );
    setup.controller(
        "persistentvolumes",
        (volume_queue, volume_keys),
        &volumes,
        context,
        |volume, context| async move { context.reconcile_volume(&volume).await },
    );
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.annotations().contains_key(BIND_COMPLETED)
}

/// The claim for which a volume is reserved.
fn claim_of(volume: &PersistentVolume) -> Option<ObjectRef<PersistentVolumeClaim>> {
    let reference = volume.spec.as_ref()?.claim_ref.as_ref()?;
    let namespace = reference.namespace.as_deref()?;
    Some(ObjectRef::new(reference.name.as_deref()?).within(namespace))
}

fn is_placed(pod: &Pod) -> bool {
    let node = pod.spec.as_ref().and_then(|s| s.node_name.as_deref());
    node.is_some_and(|node| !node.is_empty())
}

fn volume_name(claim: &PersistentVolumeClaim) -> Option<&str> {
    let name = claim.spec.as_ref()?.volume_name.as_deref()?;
    (!name.is_empty()).then_some(name)
}

impl Context {
    fn claim_api(&self, claim: &PersistentVolumeClaim) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), &claim.namespace().unwrap_or_default())
    }

    async fn reconcile_claim(&self, claim: &PersistentVolumeClaim) -> Result<Action> {
        let _turn = self.turn.lock().await;
        if is_bound(claim) {
            self.keep(claim).await?;
        } else if claim.metadata.deletion_timestamp.is_none() {
            self.find(claim).await?;
        }
        Ok(Action::await_change())
    }

    /// A claim that was bound stays bound to its volume, or has lost it.
    async fn keep(&self, claim: &PersistentVolumeClaim) -> Result {
        let Some(name) = volume_name(claim) else {
            let note =
                "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
            return self.lose(claim, note).await;
        };
        let Some(volume) = self.volumes.get("", name) else {
            let note = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
            return self.lose(claim, note).await;
        };
        let free = !is_reserved(&volume);
        if free || is_reserved_for(&volume, claim) {
            return self.bind(claim, &volume).await;
        }
        let note = "Two claims are bound to the same volume, this one is bound incorrectly";
        self.lose(claim, note).await
    }

    async fn lose(&self, claim: &PersistentVolumeClaim, note: &str) -> Result {
        let status = claim.status.clone().unwrap_or_default();
        if status.phase.as_deref() == Some("Lost") {
            return Ok(());
        }
        let reason = if note.starts_with("Two") {
            "ClaimMisbound"
        } else {
            "ClaimLost"
        };
        let status = PersistentVolumeClaimStatus {
            phase: Some("Lost".into()),
            access_modes: None,
            capacity: None,
            current_volume_attributes_class_name: None,
            ..status
        };
        self.write_claim_status(claim.clone(), status).await?;
        self.recorder.warning(claim, reason, note.to_owned());
        Ok(())
    }

    /// A claim that is not bound gets the volume that it names, or one that will do.
    async fn find(&self, claim: &PersistentVolumeClaim) -> Result {
        if let Some(name) = volume_name(claim) {
            let Some(volume) = self.volumes.get("", name) else {
                return Ok(());
            };
            if is_reserved_for(&volume, claim) {
                return self.bind(claim, &volume).await;
            }
            if is_reserved(&volume) {
                let note = format!("volume {name:?} already bound to a different claim.");
                self.recorder.warning(claim, "FailedBinding", note);
                return Ok(());
            }
            if let Some(why) = mismatch(&volume, claim) {
                let note = format!("Cannot bind to requested volume {name:?}: {why}");
                self.recorder.warning(claim, "VolumeMismatch", note);
                return Ok(());
            }
            return self.bind(claim, &volume).await;
        }
        let class_name = class_of(claim).unwrap_or_default();
        let class = self.classes.get("", &class_name);
        let waiting =
            class.as_deref().is_some_and(waits) && !claim.annotations().contains_key(SELECTED_NODE);
        let volumes = self.volumes.store().state();
        if let Some(volume) = choose(claim, &volumes, waiting) {
            return self.bind(claim, &volume).await;
        }
        if !waiting && is_to_come(claim, &volumes) {
            return Ok(());
        }
        self.say_why(claim, &class_name, class.as_deref(), waiting);
        self.ask_provisioner(claim, class.as_deref(), waiting).await
    }

    fn say_why(
        &self,
        claim: &PersistentVolumeClaim,
        class_name: &str,
        class: Option<&StorageClass>,
        waiting: bool,
    ) {
        match class {
            _ if waiting => {
                let pods = self.waiting_pods(claim);
                let (reason, note) = match pods.as_slice() {
                    [] => (
                        "WaitForFirstConsumer",
                        "waiting for first consumer to be created before binding".to_owned(),
                    ),
                    [one] => (
                        "WaitForPodScheduled",
                        format!("waiting for pod {one} to be scheduled"),
                    ),
                    several => {
                        let names = several.join(",");
                        let note = format!("waiting for pods {names} to be scheduled");
                        ("WaitForPodScheduled", note)
                    }
                };
                self.recorder.normal(claim, reason, note);
            }
            Some(class) if class.provisioner != NO_PROVISIONER => {
                let note = format!(
                    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
                    class.provisioner
                );
                self.recorder.normal(claim, "ExternalProvisioning", note);
            }
            None if !class_name.is_empty() => {
                let note = format!("storageclass.storage.k8s.io {class_name:?} not found");
                self.recorder.warning(claim, "ProvisioningFailed", note);
            }
            _ => {
                let note =
                    "no persistent volumes available for this claim and no storage class is set";
                self.recorder
                    .normal(claim, "FailedBinding", note.to_owned());
            }
        }
    }

    /// The pods without a node that use a claim.
    fn waiting_pods(&self, claim: &PersistentVolumeClaim) -> Vec<String> {
        let (namespace, name) = (claim.namespace().unwrap_or_default(), claim.name_any());
        let mut pods: Vec<String> = self
            .pods
            .in_namespace(&namespace, |pod| {
                !is_placed(pod) && claim_names(pod).any(|(other, _)| other == name)
            })
            .iter()
            .map(|pod| pod.name_any())
            .collect();
        pods.sort();
        pods
    }

    /// Tells the provisioner of the class by annotations that a volume is wanted.
    async fn ask_provisioner(
        &self,
        claim: &PersistentVolumeClaim,
        class: Option<&StorageClass>,
        waiting: bool,
    ) -> Result {
        let Some(class) = class.filter(|c| c.provisioner != NO_PROVISIONER && !waiting) else {
            return Ok(());
        };
        if claim.annotations().get(PROVISIONER[0]) == Some(&class.provisioner) {
            return Ok(());
        }
        let mut wanted = claim.clone();
        for key in PROVISIONER {
            let annotations = wanted.annotations_mut();
            annotations.insert(key.to_owned(), class.provisioner.clone());
        }
        self.write_claim(wanted).await?;
        Ok(())
    }

    async fn write_claim(
        &self,
        claim: PersistentVolumeClaim,
    ) -> Result<Option<PersistentVolumeClaim>> {
        let api = self.claim_api(&claim);
        match api
            .replace(&claim.name_any(), &PostParams::default(), &claim)
            .await
        {
            Ok(written) => {
                self.claims.caught_up(&written).await;
                Ok(Some(written))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn write_claim_status(
        &self,
        mut claim: PersistentVolumeClaim,
        status: PersistentVolumeClaimStatus,
    ) -> Result {
        claim.status = Some(status);
        let api = self.claim_api(&claim);
        let params = PostParams::default();
        match api.replace_status(&claim.name_any(), &params, &claim).await {
            Ok(written) => self.claims.caught_up(&written).await,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Makes claim and volume each other's: the volume first, so that nobody else takes it.
    async fn bind(&self, claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Result {
        let Some(volume) = self.reserve(claim, volume).await? else {
            return Ok(());
        };
        self.write_phase(&volume, "Bound", None).await?;
        let mut wanted = claim.clone();
        let chosen = volume_name(claim).is_none();
        if let Some(spec) = &mut wanted.spec {
            spec.volume_name = Some(volume.name_any());
        }
        if chosen {
            let annotations = wanted.annotations_mut();
            annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
        }
        wanted
            .annotations_mut()
            .insert(BIND_COMPLETED.to_owned(), "yes".to_owned());
        if wanted.spec != claim.spec || wanted.metadata.annotations != claim.metadata.annotations {
            match self.write_claim(wanted).await? {
                Some(written) => wanted = written,
                None => return Ok(()),
            }
        }
        let spec = volume.spec.clone().unwrap_or_default();
        let present = wanted.status.clone().unwrap_or_default();
        let capacity = match present.capacity.clone() {
            // A claim that has grown keeps what it was told.
            Some(capacity) if present.phase.as_deref() == Some("Bound") => Some(capacity),
            _ => spec.capacity,
        };
        let status = PersistentVolumeClaimStatus {
            phase: Some("Bound".into()),
            access_modes: spec.access_modes,
            capacity,
            ..present.clone()
        };
        if status != present {
            self.write_claim_status(wanted, status).await?;
        }
        Ok(())
    }

    /// Reserves a volume for a claim; none when it is gone.
    async fn reserve(
        &self,
        claim: &PersistentVolumeClaim,
        volume: &PersistentVolume,
    ) -> Result<Option<PersistentVolume>> {
        let reference = volume.spec.as_ref().and_then(|s| s.claim_ref.clone());
        let whole = reference
            .as_ref()
            .is_some_and(|r| r.uid.is_some() && r.uid == claim.metadata.uid);
        if whole {
            return Ok(Some(volume.clone()));
        }
        let mut wanted = volume.clone();
        if reference.is_none() {
            let annotations = wanted.annotations_mut();
            annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
        }
        if let Some(spec) = &mut wanted.spec {
            spec.claim_ref = Some(ObjectReference {
                api_version: Some("v1".into()),
                kind: Some("PersistentVolumeClaim".into()),
                namespace: claim.namespace(),
                name: Some(claim.name_any()),
                uid: claim.uid(),
                resource_version: claim.resource_version(),
                ..ObjectReference::default()
            });
        }
        let api: Api<PersistentVolume> = Api::all(self.client.clone());
        match api
            .replace(&wanted.name_any(), &PostParams::default(), &wanted)
            .await
        {
            Ok(written) => {
                self.volumes.caught_up(&written).await;
                Ok(Some(written))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn write_phase(
        &self,
        volume: &PersistentVolume,
        new: &str,
        message: Option<String>,
    ) -> Result {
        if phase(volume) == Some(new) {
            return Ok(());
        }
        let mut wanted = volume.clone();
        wanted.status = Some(PersistentVolumeStatus {
            phase: Some(new.to_owned()),
            message,
            last_phase_transition_time: Some(Time(Timestamp::now())),
            ..PersistentVolumeStatus::default()
        });
        let api: Api<PersistentVolume> = Api::all(self.client.clone());
        let params = PostParams::default();
        match api
            .replace_status(&volume.name_any(), &params, &wanted)
            .await
        {
            Ok(written) => self.volumes.caught_up(&written).await,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn reconcile_volume(&self, volume: &PersistentVolume) -> Result<Action> {
        let reference = volume.spec.as_ref().and_then(|s| s.claim_ref.as_ref());
        let uid = reference.and_then(|r| r.uid.as_deref()).unwrap_or_default();
        if uid.is_empty() {
            // Free, or kept for a claim that has yet to come.
            self.write_phase(volume, "Available", None).await?;
            return Ok(Action::await_change());
        }
        let (namespace, name) = reference
            .map(|r| (r.namespace.clone(), r.name.clone()))
            .unwrap_or_default();
        let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
        let mut claim = self.claims.get(&namespace, &name);
        if claim.as_ref().and_then(|c| c.uid()).as_deref() != Some(uid) {
            // The cache may be behind: this cannot be taken back.
            let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &namespace);
            let live = api.get_opt(&name).await?;
            claim = live
                .filter(|c| c.uid().as_deref() == Some(uid))
                .map(Arc::new);
        }
        match claim {
            Some(claim) if volume_name(&claim) == Some(&volume.name_any()) => {
                self.write_phase(volume, "Bound", None).await?;
            }
            // The claim's side is under way.
            Some(_) => {}
            None => self.release(volume).await?,
        }
        Ok(Action::await_change())
    }

    /// The claim is gone.
    async fn release(&self, volume: &PersistentVolume) -> Result {
        if phase(volume) == Some("Failed") {
            return Ok(());
        }
        self.write_phase(volume, "Released", None).await?;
        let spec = volume.spec.as_ref();
        let policy = spec.and_then(|s| s.persistent_volume_reclaim_policy.as_deref());
        let external = volume.annotations().contains_key(PROVISIONED_BY)
            || spec.is_some_and(|s| s.csi.is_some());
        if volume.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        if policy == Some("Recycle") {
            let why = "No recycler plugin found for the volume!".to_owned();
            return self.fail(volume, "VolumeFailedRecycle", why).await;
        }
        if policy != Some("Delete") || external {
            return Ok(());
        }
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let name = volume.name_any();
        let why = match spec.and_then(|s| s.host_path.as_ref()) {
            Some(host) if host.path.starts_with("/tmp/") => {
                return match volumes.delete(&name, &DeleteParams::default()).await {
                    Err(error) if !error.is_not_found() => Err(error.into()),
                    _ => Ok(()),
                };
            }
            Some(host) => format!(
                "host_path deleter only supports /tmp/.+ but received provided {}",
                host.path
            ),
            None => format!(
                "error getting deleter volume plugin for volume {name:?}: no deletable volume plugin matched"
            ),
        };
        self.fail(volume, "VolumeFailedDelete", why).await
    }

    /// Nothing here can do what is to become of the volume.
    async fn fail(&self, volume: &PersistentVolume, reason: &'static str, why: String) -> Result {
        self.recorder.warning(volume, reason, why.clone());
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let Some(present) = volumes.get_opt(&volume.name_any()).await? else {
            return Ok(());
        };
        self.write_phase(&present, "Failed", Some(why)).await
    }
}
