// SPDX-License-Identifier: Apache-2.0
//! The claims of a pod: whether it can be scheduled at all, and on which nodes its volumes can be had.

use std::collections::BTreeSet;
use std::sync::Arc;

use k1s_core::quantity::Quantity;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt as _;

use super::matching;
use super::node::NodeInfo;

const CONFLICT: &str = "node(s) didn't match PersistentVolume's node affinity";
const NO_VOLUME: &str = "node(s) didn't find available persistent volumes to bind";
/// A class whose provisioner never makes a volume.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";
/// The class of a claim or volume that was given one in the old way.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
pub(crate) const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";

/// What is known of a pod's claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Volumes {
    bound: Vec<Arc<PersistentVolume>>,
    /// Claims that wait for a pod, with the volumes that would do.
    waiting: Vec<Waiting>,
    /// The names of claims that one pod may use at a time.
    exclusive: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) claim: Arc<PersistentVolumeClaim>,
    /// The smallest first.
    pub(super) volumes: Vec<Arc<PersistentVolume>>,
    provisioned: bool,
}

/// What a claim is given where it waited for a node.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    /// This volume.
    Volume(Arc<PersistentVolume>),
    /// One that is to be made for that node.
    Provision,
}

/// Where claims, volumes and classes are looked up.
pub(super) trait Shelf {
    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<PersistentVolumeClaim>>;
    fn volume(&self, name: &str) -> Option<Arc<PersistentVolume>>;
    fn volumes(&self) -> Vec<Arc<PersistentVolume>>;
    fn class(&self, name: &str) -> Option<Arc<StorageClass>>;
}

/// The names of the claims of a pod; those of ephemeral volumes follow from the pod's.
pub(crate) fn claim_names(pod: &Pod) -> impl Iterator<Item = (String, bool)> {
    let name = pod.name_any();
    pod.spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
        .filter_map(move |volume| {
            if let Some(claim) = &volume.persistent_volume_claim {
                return Some((claim.claim_name.clone(), false));
            }
            volume
                .ephemeral
                .is_some()
                .then(|| (format!("{name}-{}", volume.name), true))
        })
}

/// Why a claim cannot be the one that a pod brings along.
pub(crate) fn not_owner(pod: &Pod, claim: &str) -> String {
    let namespace = pod.namespace().unwrap_or_default();
    format!(
        "PVC {namespace}/{claim} was not created for pod {namespace}/{} (pod is not owner)",
        pod.name_any()
    )
}

impl Volumes {
    /// Looks up the claims of a pod.
    ///
    /// # Errors
    /// The words for why the pod can be scheduled on no node.
    pub(super) fn of(pod: &Pod, shelf: &impl Shelf) -> Result<Self, String> {
        let namespace = pod.namespace().unwrap_or_default();
        let mut volumes = Self::default();
        let mut immediate = false;
        for (name, ephemeral) in claim_names(pod) {
            let Some(claim) = shelf.claim(&namespace, &name) else {
                return Err(if ephemeral {
                    format!(
                        "waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}"
                    )
                } else {
                    format!("persistentvolumeclaim {name:?} not found")
                });
            };
            let phase = claim.status.as_ref().and_then(|s| s.phase.as_deref());
            let volume = claim.spec.as_ref().and_then(|s| s.volume_name.clone());
            if phase == Some("Lost") {
                return Err(format!(
                    "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {:?}",
                    volume.unwrap_or_default()
                ));
            }
            if claim.metadata.deletion_timestamp.is_some() {
                return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
            }
            let is_owner = |owner: &OwnerReference| Some(&owner.uid) == pod.metadata.uid.as_ref();
            if ephemeral && !claim.owner_references().iter().any(is_owner) {
                return Err(not_owner(pod, &name));
            }
            if is_exclusive(&claim) {
                volumes.exclusive.insert(name);
            }
            let complete = claim.annotations().contains_key(BIND_COMPLETED);
            if let Some(volume) = volume.filter(|name| !name.is_empty() && complete) {
                let Some(volume) = shelf.volume(&volume) else {
                    return Err(format!("persistentvolume {volume:?} not found"));
                };
                volumes.bound.push(volume);
                continue;
            }
            let class = class_of(&claim).and_then(|name| shelf.class(&name));
            match class.filter(|class| waits(class)) {
                Some(class) => volumes.waiting.push(Waiting {
                    volumes: candidates(&claim, &class.name_any(), shelf),
                    provisioned: class.provisioner != NO_PROVISIONER,
                    claim,
                }),
                None => immediate = true,
            }
        }
        if immediate {
            return Err("pod has unbound immediate PersistentVolumeClaims".into());
        }
        Ok(volumes)
    }

    /// How many claims another pod of the same namespace uses that it must have for itself.
    pub(super) fn disputes(&self, other: &Pod) -> i64 {
        if self.exclusive.is_empty() {
            return 0;
        }
        let disputed = claim_names(other).filter(|(name, _)| self.exclusive.contains(name));
        i64::try_from(disputed.count()).unwrap_or(i64::MAX)
    }

    /// Whether the volumes can be had on the node.
    pub(super) fn check(&self, node: &NodeInfo) -> Result<(), (&'static str, bool)> {
        if !self.bound.iter().all(|volume| reaches(volume, node)) {
            return Err((CONFLICT, false));
        }
        if self.choices(node).is_none() {
            return Err((NO_VOLUME, false));
        }
        Ok(())
    }

    /// Whether claims wait for a node to be chosen.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What the waiting claims get on the node; none if one gets nothing.
    pub(super) fn choices(
        &self,
        node: &NodeInfo,
    ) -> Option<Vec<(Arc<PersistentVolumeClaim>, Choice)>> {
        let mut taken: Vec<String> = Vec::new();
        self.waiting
            .iter()
            .map(|waiting| {
                let volume = waiting
                    .volumes
                    .iter()
                    .find(|volume| !taken.contains(&volume.name_any()) && reaches(volume, node));
                let choice = match volume {
                    Some(volume) => {
                        taken.push(volume.name_any());
                        Choice::Volume(volume.clone())
                    }
                    None if waiting.provisioned => Choice::Provision,
                    None => return None,
                };
                Some((waiting.claim.clone(), choice))
            })
            .collect()
    }
}

fn is_exclusive(claim: &PersistentVolumeClaim) -> bool {
    let modes = claim.spec.as_ref().and_then(|s| s.access_modes.as_ref());
    modes.is_some_and(|modes| modes.iter().any(|mode| mode == "ReadWriteOncePod"))
}

fn reaches(volume: &PersistentVolume, node: &NodeInfo) -> bool {
    volume
        .spec
        .as_ref()
        .and_then(|s| s.node_affinity.as_ref())
        .and_then(|a| a.required.as_ref())
        .is_none_or(|selector| matching::selects(selector, node.name(), node.labels()))
}

/// The class of a claim; an empty one is one.
pub(crate) fn class_of(claim: &PersistentVolumeClaim) -> Option<String> {
    let old = claim.annotations().get(OLD_CLASS).cloned();
    old.or_else(|| claim.spec.as_ref()?.storage_class_name.clone())
}

/// The class of a volume, of which none is an empty one.
pub(crate) fn class_of_volume(volume: &PersistentVolume) -> &str {
    let old = volume.annotations().get(OLD_CLASS);
    let new = || volume.spec.as_ref()?.storage_class_name.as_ref();
    old.or_else(new).map_or("", String::as_str)
}

/// Whether claims of a class wait for a pod.
pub(crate) fn waits(class: &StorageClass) -> bool {
    class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
}

/// The available volumes that would do for a claim.
fn candidates(
    claim: &PersistentVolumeClaim,
    class: &str,
    shelf: &impl Shelf,
) -> Vec<Arc<PersistentVolume>> {
    let mut volumes = shelf.volumes();
    volumes.retain(|volume| {
        let of_claim = volume
            .spec
            .as_ref()
            .and_then(|s| s.claim_ref.as_ref())
            .is_none_or(|claim_ref| {
                claim_ref.name == claim.metadata.name
                    && claim_ref.namespace == claim.metadata.namespace
            });
        of_claim
            && class_of_volume(volume) == class
            && crate::cluster::volume_fit::fits(claim, volume)
    });
    volumes.sort_by_key(|volume| (capacity(volume), volume.name_any()));
    volumes
}

/// The capacity of a volume, bytes.
pub(crate) fn capacity(volume: &PersistentVolume) -> i64 {
    volume
        .spec
        .as_ref()
        .and_then(|s| s.capacity.as_ref()?.get("storage"))
        .and_then(|quantity| Quantity::parse(&quantity.0).ok())
        .map_or(0, |quantity| quantity.value())
}
