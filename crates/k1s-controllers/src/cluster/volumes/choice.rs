// SPDX-License-Identifier: Apache-2.0
//! Which volume a claim gets, and what becomes of a volume.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::ResourceExt as _;

use crate::cluster::volume_fit::{fits, requested};
use crate::scheduler::volumes::{capacity, class_of, class_of_volume};

/// Whether a volume is reserved for somebody.
pub(super) fn is_reserved(volume: &PersistentVolume) -> bool {
    volume.spec.as_ref().is_some_and(|s| s.claim_ref.is_some())
}

/// Whether a volume is reserved for this claim, by name and, where it is given, by uid.
pub(super) fn is_reserved_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    volume
        .spec
        .as_ref()
        .and_then(|s| s.claim_ref.as_ref())
        .is_some_and(|reference| {
            reference.name == claim.metadata.name
                && reference.namespace == claim.metadata.namespace
                && reference
                    .uid
                    .as_ref()
                    .is_none_or(|uid| uid.is_empty() || Some(uid) == claim.metadata.uid.as_ref())
        })
}

/// Why a volume is not what a claim that names it asks for, in kube-controller-manager's words; its labels are not asked.
pub(super) fn mismatch(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<String> {
    let (asked, offered) = (claim.spec.as_ref()?, volume.spec.as_ref()?);
    let mode = |mode: &Option<String>| mode.clone().unwrap_or_else(|| "Filesystem".into());
    let modes = offered.access_modes.as_deref().unwrap_or_default();
    let why = if volume.metadata.deletion_timestamp.is_some() {
        let name = volume.name_any();
        return Some(format!("the volume is marked for deletion {name:?}"));
    } else if capacity(volume) < requested(claim) {
        "requested PV is too small"
    } else if class_of_volume(volume) != class_of(claim).unwrap_or_default() {
        "storageClassName does not match"
    } else if asked.volume_attributes_class_name != offered.volume_attributes_class_name {
        "volumeAttributesClassName does not match"
    } else if mode(&asked.volume_mode) != mode(&offered.volume_mode) {
        "incompatible volumeMode"
    } else if asked
        .access_modes
        .iter()
        .flatten()
        .any(|m| !modes.contains(m))
    {
        "incompatible accessMode"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// Whether a volume that is new, and not said to be available yet, is what a claim asks for.
pub(super) fn is_to_come(claim: &PersistentVolumeClaim, volumes: &[Arc<PersistentVolume>]) -> bool {
    volumes.iter().any(|volume| {
        matches!(phase(volume), None | Some("" | "Pending"))
            && !is_reserved(volume)
            && satisfies(volume, claim)
    })
}

/// Whether a volume is what a claim asks for.
pub(super) fn satisfies(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    class_of_volume(volume) == class_of(claim).unwrap_or_default() && fits(claim, volume)
}

/// The volume that a claim gets: one that is reserved for it, or else the smallest free one that will do; a claim that waits
/// for a node gets a reserved one only.
pub(super) fn choose(
    claim: &PersistentVolumeClaim,
    volumes: &[Arc<PersistentVolume>],
    waits: bool,
) -> Option<Arc<PersistentVolume>> {
    let wanted = |volume: &&Arc<PersistentVolume>| satisfies(volume, claim);
    let reserved = volumes
        .iter()
        .filter(|volume| is_reserved_for(volume, claim))
        .find(wanted);
    if let Some(volume) = reserved {
        return Some(volume.clone());
    }
    if waits {
        return None;
    }
    volumes
        .iter()
        .filter(|volume| !is_reserved(volume) && phase(volume) == Some("Available"))
        .filter(wanted)
        .min_by_key(|volume| (capacity(volume), volume.name_any()))
        .cloned()
}

pub(super) fn phase(volume: &PersistentVolume) -> Option<&str> {
    volume.status.as_ref()?.phase.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn choices() {
        let volume = |name: &str, size: &str, more: Value| {
            let mut volume = json!({
                "metadata": {"name": name},
                "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "storageClassName": "s"},
                "status": {"phase": "Available"},
            });
            for (key, value) in more.as_object().unwrap() {
                volume["spec"][key] = value.clone();
            }
            volume
        };
        let check = |claim: Value, volumes: &[Value], waits: bool, expected: Option<&str>| {
            let mut object = json!({
                "metadata": {"name": "c", "namespace": "n", "uid": "u"},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "s", "resources": {"requests": {"storage": "1Gi"}}},
            });
            for (key, value) in claim.as_object().unwrap() {
                object["spec"][key] = value.clone();
            }
            let claim: PersistentVolumeClaim = serde_json::from_value(object).unwrap();
            let volumes: Vec<_> = volumes
                .iter()
                .map(|v| Arc::new(serde_json::from_value(v.clone()).unwrap()))
                .collect();
            let chosen = choose(&claim, &volumes, waits).map(|v| v.name_any());
            assert_eq!(chosen.as_deref(), expected, "{claim:?}");
        };
        let small = volume("small", "500Mi", json!({}));
        let right = volume("right", "2Gi", json!({}));
        let large = volume("large", "10Gi", json!({}));
        let mine = volume(
            "mine",
            "9Gi",
            json!({"claimRef": {"name": "c", "namespace": "n"}}),
        );
        let other = volume(
            "other",
            "1Gi",
            json!({"claimRef": {"name": "d", "namespace": "n"}}),
        );
        let all = [large.clone(), right.clone(), small.clone(), other.clone()];
        check(json!({}), &all, false, Some("right"));
        check(json!({}), &all, true, None);
        check(json!({"storageClassName": "t"}), &all, false, None);
        check(json!({"accessModes": ["ReadWriteMany"]}), &all, false, None);
        check(
            json!({"resources": {"requests": {"storage": "20Gi"}}}),
            &all,
            false,
            None,
        );
        check(json!({"volumeMode": "Block"}), &all, false, None);
        check(
            json!({}),
            &[right.clone(), mine.clone()],
            false,
            Some("mine"),
        );
        check(json!({}), &[right, mine], true, Some("mine"));
        check(json!({}), &[small, other], false, None);
    }
}
