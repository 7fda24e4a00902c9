// SPDX-License-Identifier: Apache-2.0
//! What makes the pods of a StatefulSet tell apart: names by ordinal, labels, host names, and the claims of each.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt as _;

use crate::workload::{owner, template};

/// The ControllerRevision of a pod's template.
pub(super) const REVISION: &str = "controller-revision-hash";
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The ordinal in a pod's name, if it is one of a pod of the set.
pub(super) fn ordinal(set: &str, pod: &str) -> Option<i32> {
    let digits = pod.strip_prefix(set)?.strip_prefix('-')?;
    let plain = digits.bytes().all(|c| c.is_ascii_digit()) && !digits.is_empty();
    digits.parse().ok().filter(|_| plain)
}

/// The name of the pod of an ordinal.
pub(super) fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.name_any())
}

/// The pod of an ordinal, of this template.
pub(super) fn pod(
    set: &StatefulSet,
    template: &PodTemplateSpec,
    revision: &str,
    ordinal: i32,
) -> Pod {
    let mut pod = template::pod(template, owner::controller_ref(set), &set.name_any());
    pod.metadata.name = Some(pod_name(set, ordinal));
    pod.metadata.namespace = set.namespace();
    label(&mut pod, ordinal);
    pod.labels_mut()
        .insert(REVISION.into(), revision.to_owned());
    let claims = claims(set, ordinal);
    if let Some(spec) = &mut pod.spec {
        spec.hostname = pod.metadata.name.clone();
        spec.subdomain = set.spec.as_ref().and_then(|spec| spec.service_name.clone());
        if !claims.is_empty() {
            let given = spec.volumes.take().unwrap_or_default();
            let claimed = claims.iter().map(|(volume, claim)| Volume {
                name: volume.clone(),
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: claim.name_any(),
                    read_only: None,
                }),
                ..Volume::default()
            });
            let is_claimed = |volume: &Volume| claims.iter().any(|(name, _)| *name == volume.name);
            let mut volumes: Vec<_> = claimed.collect();
            volumes.extend(given.into_iter().filter(|volume| !is_claimed(volume)));
            spec.volumes = Some(volumes);
        }
    }
    pod
}

/// Puts on a pod the labels that name it.
pub(super) fn label(pod: &mut Pod, ordinal: i32) {
    let name = pod.name_any();
    let labels = pod.labels_mut();
    labels.insert(POD_NAME.into(), name);
    labels.insert(POD_INDEX.into(), ordinal.to_string());
}

/// Whether they are there.
pub(super) fn is_labelled(pod: &Pod, ordinal: i32) -> bool {
    let labels = pod.labels();
    labels.get(POD_NAME) == Some(&pod.name_any())
        && labels.get(POD_INDEX) == Some(&ordinal.to_string())
}

/// The claims of an ordinal with the names of their volumes.
pub(super) fn claims(set: &StatefulSet, ordinal: i32) -> Vec<(String, PersistentVolumeClaim)> {
    let Some(spec) = &set.spec else {
        return Vec::new();
    };
    let templates = spec.volume_claim_templates.iter().flatten();
    let selected = spec.selector.match_labels.clone().unwrap_or_default();
    templates
        .map(|template| {
            let volume = template.name_any();
            let mut claim = template.clone();
            claim.metadata.name = Some(format!("{volume}-{}-{ordinal}", set.name_any()));
            claim.metadata.namespace = set.namespace();
            claim.labels_mut().extend(selected.clone());
            claim.status = None;
            (volume, claim)
        })
        .collect()
}

/// Who owns the claims of a pod: the set if they go with it, the pod if they go when it is scaled away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owners {
    pub(super) set: bool,
    pub(super) pod: bool,
}

/// The owners by `persistentVolumeClaimRetentionPolicy`, for a pod that the set still wants or not.
pub(super) fn claim_owners(set: &StatefulSet, is_wanted: bool) -> Owners {
    let spec = set.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_claim_retention_policy.as_ref());
    let deletes = |when: Option<&String>| when.is_some_and(|action| action == "Delete");
    let deleted = deletes(policy.and_then(|policy| policy.when_deleted.as_ref()));
    let scaled = deletes(policy.and_then(|policy| policy.when_scaled.as_ref()));
    Owners {
        set: deleted && (is_wanted || !scaled),
        pod: scaled && !is_wanted,
    }
}

/// The owner references that a claim should have, if they differ from those it has.
pub(super) fn owner_references(
    claim: &PersistentVolumeClaim,
    set: &StatefulSet,
    pod: &Pod,
    owners: Owners,
) -> Option<Vec<OwnerReference>> {
    let before = claim.metadata.owner_references.clone().unwrap_or_default();
    let (set_uid, pod_uid) = (set.uid().unwrap_or_default(), pod.uid().unwrap_or_default());
    // Somebody else's claim is left alone.
    let is_ours = |uid: &str| uid == set_uid || uid == pod_uid;
    if owner::controller_of(&claim.metadata).is_some_and(|other| !is_ours(&other.uid)) {
        return None;
    }
    let has = |uid: &str| before.iter().any(|reference| reference.uid == uid);
    if has(&set_uid) == owners.set && has(&pod_uid) == owners.pod {
        return None;
    }
    let mut after: Vec<_> = before
        .into_iter()
        .filter(|reference| !is_ours(&reference.uid))
        .collect();
    if owners.set {
        after.push(owner::controller_ref(set));
    }
    if owners.pod {
        after.push(owner::controller_ref(pod));
    }
    Some(after)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ordinals() {
        for (pod, expected) in [
            ("web-0", Some(0)),
            ("web-12", Some(12)),
            ("web-", None),
            ("web", None),
            ("web-1-2", None),
            ("web-+1", None),
            ("webs-1", None),
            ("web-99999999999", None),
        ] {
            assert_eq!(ordinal("web", pod), expected, "{pod}");
        }
    }

    #[test]
    fn owners_of_claims() {
        for (deleted, scaled, wanted, set, pod) in [
            ("Retain", "Retain", true, false, false),
            ("Retain", "Retain", false, false, false),
            ("Delete", "Retain", true, true, false),
            ("Delete", "Retain", false, true, false),
            ("Retain", "Delete", true, false, false),
            ("Retain", "Delete", false, false, true),
            ("Delete", "Delete", true, true, false),
            ("Delete", "Delete", false, false, true),
        ] {
            let policy = json!({"whenDeleted": deleted, "whenScaled": scaled});
            let set_: StatefulSet = serde_json::from_value(json!({
                "spec": {"selector": {}, "template": {}, "persistentVolumeClaimRetentionPolicy": policy}
            }))
            .expect("a StatefulSet");
            let found = claim_owners(&set_, wanted);
            assert_eq!(found, Owners { set, pod }, "{deleted} {scaled} {wanted}");
        }
    }
}
