// SPDX-License-Identifier: Apache-2.0
//! PersistentVolume.

use serde_json::{Value, json};

use super::persistent_volume_claim::protect;
use super::pod_template::foreign_volume::csi_driver;
use super::pod_template::volume::validate_type;
use super::pod_template::volume_default::default_source;
use super::pod_template::{affinity, check};
use super::storage_request::{
    class_cell, mode_cell, unset_cell, validate_access_modes, validate_class, validate_mode,
    validate_positive,
};
use crate::field::{Errors, Path};
use crate::object::{self, at, list, map, map_mut, text};
use crate::quantity::Quantity;
use crate::rules::keep::{immutable_root, keep_spec, keep_status, same};
use crate::rules::{Clock, Request, Rules, cells};
use crate::time;

pub(in crate::rules) static RULES: Rules = Rules {
    default,
    prepare_create,
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status,
    validate: |object, errors| validate(object, errors),
    validate_update: |new, old, errors| {
        validate(new, errors);
        validate_change(new, old, errors);
    },
    cells: Some(row),
    ..Rules::NONE
};

/// The fields that hold a source, in the order in which they are looked at.
const SOURCES: [&str; 22] = [
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
const RECLAIM_POLICIES: [&str; 3] = ["Delete", "Recycle", "Retain"];

fn default(object: &mut Value) {
    object::default(map_mut(object, &["status"]), "phase", "Pending");
    let spec = map_mut(object, &["spec"]);
    object::default(spec, "persistentVolumeReclaimPolicy", "Retain");
    object::default_absent(spec, "volumeMode", "Filesystem");
    if let Some(spec) = object.get_mut("spec") {
        default_source(spec);
    }
}

/// The present as a time stamp.
fn now(request: &Request<'_>) -> Value {
    jiff::Timestamp::from_second(request.now_seconds)
        .map_or(Value::Null, |now| time::print_time(now).into())
}

fn prepare_create(object: &mut Value, request: &Request<'_>) {
    object::set(
        object,
        &["status"],
        json!({"phase": "Pending", "lastPhaseTransitionTime": now(request)}),
    );
    protect(object, "kubernetes.io/pv-protection");
}

fn prepare_status(new: &mut Value, old: &Value, request: &Request<'_>) {
    const MOMENT: [&str; 2] = ["status", "lastPhaseTransitionTime"];
    keep_spec(new, old);
    let phase = ["status", "phase"];
    if text(new, &phase) != text(old, &phase) && same(at(new, &MOMENT), at(old, &MOMENT)) {
        object::set(new, &MOMENT, now(request));
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    validate_access_modes(spec, "", &path, errors);
    validate_capacity(spec, &path.child("capacity"), errors);
    let policy = text(spec, &["persistentVolumeReclaimPolicy"]);
    if !policy.is_empty() && !RECLAIM_POLICIES.contains(&policy) {
        errors.not_supported(
            path.child("persistentVolumeReclaimPolicy"),
            &json!(policy),
            &RECLAIM_POLICIES,
        );
    }
    validate_affinity(spec, &path.child("nodeAffinity"), errors);
    validate_sources(spec, &path, errors);
    let host_path = text(spec, &["hostPath", "path"]);
    let is_root = !host_path.is_empty() && host_path.split('/').all(|p| matches!(p, "" | "."));
    if policy == "Recycle" && is_root {
        errors.forbidden(
            path.child("persistentVolumeReclaimPolicy"),
            "may not be 'recycle' for a hostPath mount of '/'",
        );
    }
    validate_class(spec, "storageClassName", &path, errors);
    validate_mode(spec, &path, errors);
    if let Some(class) = spec.get("volumeAttributesClassName") {
        if class == "" {
            errors.required(
                path.child("volumeAttributesClassName"),
                "an empty string is disallowed",
            );
        }
        validate_class(spec, "volumeAttributesClassName", &path, errors);
        if spec.get("csi").is_none() {
            errors.required(
                path.child("csi"),
                "has to be specified when using volumeAttributesClassName",
            );
        }
    }
}

fn validate_capacity(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let capacity = map(spec, &["capacity"]);
    let count = capacity.map_or(0, serde_json::Map::len);
    if count == 0 {
        errors.required(path, "");
    }
    if count != 1 || !capacity.is_some_and(|c| c.contains_key("storage")) {
        let shown = capacity.cloned().map_or(Value::Null, Value::Object);
        errors.not_supported(path, &shown, &["storage"]);
    }
    for (name, amount) in capacity.into_iter().flatten() {
        let path = path.key(name);
        if let Ok(quantity) = Quantity::from_json(amount)
            && quantity < Quantity::zero()
        {
            let shown = json!(quantity.value());
            errors.invalid(path, &shown, "must be a valid resource quantity");
        }
        if name == "storage" {
            validate_positive(amount, &path, errors);
        }
    }
}

fn validate_affinity(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(node) = spec.get("nodeAffinity") else {
        return;
    };
    match node.get("required") {
        Some(required) => {
            affinity::validate_node_selector(required, &path.child("required"), errors);
        }
        None => errors.required(
            path.child("required"),
            "must specify required node constraints",
        ),
    }
}

fn validate_sources(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut found = 0;
    for key in SOURCES {
        let Some(source) = spec.get(key) else {
            continue;
        };
        found += 1;
        if found > 1 {
            errors.forbidden(path.child(key), "may not specify more than 1 volume type");
            continue;
        }
        match key {
            "local" => validate_local(spec, source, path, errors),
            "csi" => validate_csi(source, &path.child(key), errors),
            key => validate_type(key, source, path, errors),
        }
    }
    if found == 0 {
        errors.required(path, "must specify a volume type");
    }
}

fn validate_local(spec: &Value, source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let local = path.child("local");
    if check::required(source, "path", &local, errors) {
        let value = text(source, &["path"]);
        if value.split('/').any(|part| part == "..") {
            errors.invalid_text(local.child("path"), value, "must not contain '..'");
        }
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
        "nodePublishSecretRef",
        "controllerExpandSecretRef",
        "nodeExpandSecretRef",
        "nodeStageSecretRef",
    ] {
        let Some(secret) = source.get(key) else {
            continue;
        };
        let path = path.child(key);
        check::required(secret, "name", &path, errors);
        check::required(secret, "namespace", &path, errors);
    }
}

fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    let (spec, before) = (&new["spec"], &old["spec"]);
    let changed = SOURCES.iter().any(|key| {
        let mut was = before.get(key).cloned().unwrap_or_default();
        // The secret for expansion may come later.
        const LATE: &str = "controllerExpandSecretRef";
        if *key == "csi"
            && was.is_object()
            && was.get(LATE).is_none()
            && let Some(secret) = at(spec, &["csi", LATE])
        {
            object::set(&mut was, &[LATE], secret.clone());
        }
        spec.get(key).cloned().unwrap_or_default() != was
    });
    if changed {
        errors.forbidden(
            "spec.persistentvolumesource",
            "spec.persistentvolumesource is immutable after creation",
        );
    }
    immutable_root(spec, before, "volumeMode", errors);
    if before.get("nodeAffinity").is_some()
        && !same(spec.get("nodeAffinity"), before.get("nodeAffinity"))
    {
        errors.invalid(
            Path::new("spec").child("nodeAffinity"),
            spec.get("nodeAffinity").unwrap_or(&Value::Null),
            "field is immutable, except for updating from beta label to GA",
        );
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let phase = if object::is_deleting(object) {
        "Terminating"
    } else {
        text(object, &["status", "phase"])
    };
    let claim = at(object, &["spec", "claimRef"]).map_or(String::new(), |claim| {
        format!("{}/{}", text(claim, &["namespace"]), text(claim, &["name"]))
    });
    vec![
        cells::name(object),
        text(object, &["spec", "capacity", "storage"]).into(),
        mode_cell(list(object, &["spec", "accessModes"])),
        text(object, &["spec", "persistentVolumeReclaimPolicy"]).into(),
        phase.into(),
        claim.into(),
        class_cell(object),
        unset_cell(object, "volumeAttributesClassName"),
        text(object, &["status", "reason"]).into(),
        cells::age(object, clock),
        unset_cell(object, "volumeMode"),
    ]
}
