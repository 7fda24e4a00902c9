// SPDX-License-Identifier: Apache-2.0
//! Validation of the volumes of a pod.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::check::{complain, dns_label, given, required};
use super::{foreign_volume, projected_volume};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::text;
use crate::quantity::Quantity;
use crate::rules::core::image_pull;

/// The volumes that are fine, by name: containers may mount these.
pub(super) type Volumes<'a> = BTreeMap<&'a str, &'a Value>;

type Check = fn(&Value, &Path<'_>, &mut Errors);

/// The types of volume in the order in which they are looked at: the field, the name of the field where there is one type
/// already, the name of the field above what is wrong within, the check.
const TYPES: [(&str, &str, &str, Check); 28] = [
    ("hostPath", "hostPath", "hostPath", host_path),
    ("gitRepo", "gitRepo", "gitRepo", foreign_volume::git_repo),
    (
        "gcePersistentDisk",
        "gcePersistentDisk",
        "persistentDisk",
        foreign_volume::gce_persistent_disk,
    ),
    (
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        foreign_volume::aws_elastic_block_store,
    ),
    ("secret", "secret", "secret", projected_volume::secret),
    ("nfs", "nfs", "nfs", foreign_volume::nfs),
    ("iscsi", "iscsi", "iscsi", foreign_volume::iscsi),
    (
        "glusterfs",
        "glusterfs",
        "glusterfs",
        foreign_volume::glusterfs,
    ),
    ("flocker", "flocker", "flocker", foreign_volume::flocker),
    (
        "persistentVolumeClaim",
        "persistentVolumeClaim",
        "persistentVolumeClaim",
        |claim, path, errors| {
            required(claim, "claimName", path, errors);
        },
    ),
    ("rbd", "rbd", "rbd", foreign_volume::rbd),
    ("cinder", "cinder", "cinder", foreign_volume::cinder),
    ("cephfs", "cephFS", "cephfs", foreign_volume::cephfs),
    ("quobyte", "quobyte", "quobyte", foreign_volume::quobyte),
    (
        "downwardAPI",
        "downwarAPI",
        "downwardAPI",
        projected_volume::downward_api,
    ),
    ("fc", "fc", "fc", foreign_volume::fibre_channel),
    (
        "flexVolume",
        "flexVolume",
        "flexVolume",
        foreign_volume::flex_volume,
    ),
    (
        "configMap",
        "configMap",
        "configMap",
        projected_volume::config_map,
    ),
    (
        "azureFile",
        "azureFile",
        "azureFile",
        foreign_volume::azure_file,
    ),
    (
        "vsphereVolume",
        "vsphereVolume",
        "vsphereVolume",
        foreign_volume::vsphere_volume,
    ),
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "photonPersistentDisk",
        foreign_volume::photon_persistent_disk,
    ),
    (
        "portworxVolume",
        "portworxVolume",
        "portworxVolume",
        foreign_volume::portworx_volume,
    ),
    (
        "azureDisk",
        "azureDisk",
        "azureDisk",
        foreign_volume::azure_disk,
    ),
    (
        "storageos",
        "storageos",
        "storageos",
        foreign_volume::storageos,
    ),
    (
        "projected",
        "projected",
        "projected",
        projected_volume::projected,
    ),
    ("scaleIO", "scaleIO", "scaleIO", foreign_volume::scale_io),
    ("csi", "csi", "csi", foreign_volume::csi),
    ("ephemeral", "ephemeral", "ephemeral", ephemeral),
];

const HOST_PATH_TYPES: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];
const ONE_TYPE: &str = "may not specify more than 1 volume type";
const ISCSI_NAME_MAX_BYTES: usize = 64;

/// Checks the volumes. `pod` is the name of the pod where it is known, `is_pod` says that it is no template.
pub(super) fn validate_volumes<'a>(
    volumes: &'a [Value],
    pod: &str,
    is_pod: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) -> Volumes<'a> {
    let claims: BTreeSet<String> = volumes
        .iter()
        .filter(|v| !pod.is_empty() && given(v, "ephemeral"))
        .map(|v| format!("{pod}-{}", text(v, &["name"])))
        .collect();
    let mut fine = Volumes::new();
    for (index, volume) in volumes.iter().enumerate() {
        let at = path.index(index);
        let name = text(volume, &["name"]);
        let before = errors.len();
        validate_source(volume, pod, is_pod, &at, errors);
        if required(volume, "name", &at, errors) {
            dns_label(name, &at.child("name"), errors);
        }
        if fine.contains_key(name) {
            errors.duplicate(at.child("name"), &name.into());
        }
        if errors.len() == before {
            fine.insert(name, volume);
        }
        let claim = text(volume, &["persistentVolumeClaim", "claimName"]);
        if claims.contains(claim) {
            errors.invalid_text(
                at.child("persistentVolumeClaim").child("claimName"),
                claim,
                "must not reference a PVC that gets created for an ephemeral volume",
            );
        }
    }
    fine
}

fn validate_source(volume: &Value, pod: &str, is_pod: bool, path: &Path<'_>, errors: &mut Errors) {
    let name = text(volume, &["name"]);
    let mut types = 0;
    if let Some(directory) = volume.get("emptyDir").filter(|v| !v.is_null()) {
        types += 1;
        let limit = directory.get("sizeLimit").filter(|v| !v.is_null());
        if limit.is_some_and(|l| Quantity::from_json(l).is_ok_and(|q| q.sign() < 0)) {
            errors.forbidden(
                path.child("emptyDir").child("sizeLimit"),
                "SizeLimit field must be a valid resource quantity",
            );
        }
    }
    for (key, second, within, check) in TYPES {
        let Some(source) = volume.get(key).filter(|v| !v.is_null()) else {
            continue;
        };
        if types > 0 {
            errors.forbidden(path.child(second), ONE_TYPE);
        } else {
            types += 1;
            check(source, &path.child(within), errors);
            if key == "ephemeral" {
                validate_claim_name(pod, name, path, errors);
            }
        }
        if key == "iscsi" {
            validate_iscsi_name(source, name, path, errors);
        }
    }
    if let Some(image) = volume.get("image").filter(|v| !v.is_null()) {
        let at = path.child("image");
        if types > 0 {
            errors.forbidden(at, ONE_TYPE);
        } else {
            types += 1;
            if is_pod {
                required(image, "reference", &at, errors);
            }
            image_pull::validate_policy(image, "pullPolicy", &at, errors);
        }
    }
    if types == 0 {
        errors.required(path, "must specify a volume type");
    }
}

/// Checks the source of one type, as it stands in a volume or in a persistent volume.
pub(in crate::rules) fn validate_type(
    key: &str,
    source: &Value,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some((_, _, within, check)) = TYPES.iter().find(|(name, ..)| *name == key) {
        check(source, &path.child(within), errors);
    }
}

/// The claim made for an ephemeral volume is named after pod and volume.
fn validate_claim_name(pod: &str, volume: &str, path: &Path<'_>, errors: &mut Errors) {
    if pod.is_empty() || volume.is_empty() {
        return;
    }
    let claim = format!("{pod}-{volume}");
    let complaints = name::dns1123_subdomain(&claim)
        .into_iter()
        .map(|c| format!("PVC name {claim:?}: {c}"))
        .collect();
    complain(complaints, volume, &path.child("name"), errors);
}

fn validate_iscsi_name(source: &Value, volume: &str, path: &Path<'_>, errors: &mut Errors) {
    let bytes = volume.len() + 1 + text(source, &["targetPortal"]).len();
    if given(source, "initiatorName") && bytes > ISCSI_NAME_MAX_BYTES {
        errors.invalid_text(
            path.child("name"),
            volume,
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.",
        );
    }
}

fn host_path(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    if required(source, "path", path, errors) {
        super::check::no_backsteps(text(source, &["path"]), &path.child("path"), errors);
        super::check::one_of(source, "type", &HOST_PATH_TYPES, path, errors);
    }
}

fn ephemeral(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let at = path.child("volumeClaimTemplate");
    match source.get("volumeClaimTemplate").filter(|v| !v.is_null()) {
        None => errors.required(at, ""),
        Some(template) => super::claim_template::validate(template, &at, errors),
    }
}
