// SPDX-License-Identifier: Apache-2.0
//! What a PersistentVolume is stored in: one source of many, most of them as in a pod, some with a namespace for their secrets.

use serde_json::Value;

use super::pod_template::check;
use super::pod_template::foreign_volume::{csi_driver, iscsi_name};
use super::pod_template::volume::validate_type;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{at, text};
use crate::rules::address::report;

/// The fields that hold a source, in the order in which they are looked at.
pub(super) const SOURCES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];
const ISCSI_NAME_MAX_BYTES: usize = 64;

/// Checks that there is one source, and that one. `name` is that of the volume.
pub(super) fn validate(spec: &Value, name: &str, path: &Path<'_>, errors: &mut Errors) {
    let mut found = 0;
    for key in SOURCES {
        let Some(source) = spec.get(key) else {
            continue;
        };
        found += 1;
        if found > 1 && key != "flexVolume" {
            let shown = if key == "cephfs" { "cephFS" } else { key };
            errors.forbidden(path.child(shown), "may not specify more than 1 volume type");
            continue;
        }
        match key {
            "local" => validate_local(spec, source, path, errors),
            "csi" => validate_csi(source, &path.child(key), errors),
            "iscsi" => validate_iscsi(source, name, &path.child(key), errors),
            key => validate_type(key, source, path, errors),
        }
        validate_namespaces(key, source, &path.child(key), errors);
    }
    if found == 0 {
        errors.required(path, "must specify a volume type");
    }
}

/// Objects that the source refers to are in a namespace.
fn validate_namespaces(key: &str, source: &Value, path: &Path<'_>, errors: &mut Errors) {
    match key {
        "glusterfs" => match source.get("endpointsNamespace").and_then(Value::as_str) {
            Some("") => errors.invalid_text(
                path.child("endpointsNamespace"),
                "",
                "if the endpointnamespace is set, it must be a valid namespace name",
            ),
            Some(namespace) => {
                let path = path.child("endpointsNamespace");
                report(name::dns1123_label(namespace), namespace, &path, errors);
            }
            None => {}
        },
        "azureFile" if source.get("secretNamespace").is_some_and(|n| n == "") => {
            errors.required(path.child("secretNamespace"), "");
        }
        "cinder" | "storageos" => {
            if let Some(secret) = source.get("secretRef") {
                check::required(secret, "namespace", &path.child("secretRef"), errors);
            }
        }
        _ => {}
    }
}

fn validate_iscsi(source: &Value, volume: &str, path: &Path<'_>, errors: &mut Errors) {
    let portal = text(source, &["targetPortal"]);
    let initiator = source.get("initiatorName").and_then(Value::as_str);
    check::required(source, "targetPortal", path, errors);
    if initiator.is_some() && volume.len() + 1 + portal.len() > ISCSI_NAME_MAX_BYTES {
        errors.invalid_text(
            path.child("targetportal"),
            portal,
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.",
        );
    }
    if check::required(source, "iqn", path, errors) {
        let iqn = text(source, &["iqn"]);
        if !iscsi_name(iqn).is_empty() {
            errors.invalid_text(path.child("iqn"), iqn, "must be valid format");
        }
    }
    super::pod_template::foreign_volume::lun(source, path, errors);
    match source.get("secretRef") {
        Some(secret) => {
            check::required(secret, "name", &path.child("secretRef"), errors);
        }
        None if ["chapAuthDiscovery", "chapAuthSession"]
            .iter()
            .any(|key| at(source, &[key]) == Some(&Value::Bool(true))) =>
        {
            errors.required(path.child("secretRef"), "");
        }
        None => {}
    }
    if let Some(initiator) = initiator.filter(|name| !iscsi_name(name).is_empty()) {
        let detail = "must be valid format";
        errors.invalid_text(path.child("initiatorname"), initiator, detail);
    }
}

fn validate_local(spec: &Value, source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let local = path.child("local");
    if check::required(source, "path", &local, errors) {
        check::no_backsteps(text(source, &["path"]), &local.child("path"), errors);
    }
    if spec.get("nodeAffinity").is_none() {
        errors.required(
            path.child("nodeAffinity"),
            "Local volume requires node affinity",
        );
    }
}

fn validate_csi(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    csi_driver(source, path, errors);
    check::required(source, "volumeHandle", path, errors);
    for key in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        let Some(secret) = source.get(key) else {
            continue;
        };
        let path = path.child(key);
        if check::required(secret, "name", &path, errors) {
            check::dns_subdomain(text(secret, &["name"]), &path.child("name"), errors);
        }
        if check::required(secret, "namespace", &path, errors) {
            check::dns_label(
                text(secret, &["namespace"]),
                &path.child("namespace"),
                errors,
            );
        }
    }
}

/// Whether the source has changed. The secret for expansion may come later.
pub(super) fn changed(spec: &Value, before: &Value) -> bool {
    const LATE: [&str; 2] = ["csi", "controllerExpandSecretRef"];
    SOURCES.iter().any(|key| {
        let mut now = spec.get(key).cloned().unwrap_or_default();
        let was = before.get(key).cloned().unwrap_or_default();
        if *key == LATE[0] && was.is_object() && was.get(LATE[1]).is_none() {
            crate::object::remove(&mut now, &[LATE[1]]);
        }
        now != was
    })
}

/// What is said of sources that nothing serves any more.
pub(super) fn warn(spec: &Value, warnings: &mut Vec<String>) {
    for (key, shown, since) in [
        (
            "cephfs",
            "cephfs",
            "deprecated in v1.28, non-functional in v1.31+",
        ),
        (
            "photonPersistentDisk",
            "photonPersistentDisk",
            "deprecated in v1.11, non-functional in v1.16+",
        ),
        (
            "scaleIO",
            "scaleIO",
            "deprecated in v1.16, non-functional in v1.22+",
        ),
        (
            "storageos",
            "storageOS",
            "deprecated in v1.22, non-functional in v1.25+",
        ),
        (
            "glusterfs",
            "glusterfs",
            "deprecated in v1.25, non-functional in v1.26+",
        ),
        (
            "rbd",
            "rbd",
            "deprecated in v1.28, non-functional in v1.31+",
        ),
    ] {
        if spec.get(key).is_some() {
            warnings.push(format!("spec.{shown}: {since}"));
        }
    }
}
