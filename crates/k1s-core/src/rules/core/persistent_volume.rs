// SPDX-License-Identifier: Apache-2.0
//! PersistentVolume.

use serde_json::{Value, json};

use super::persistent_volume_claim::protect;
use super::persistent_volume_source;
use super::pod_template::affinity;
use super::pod_template::volume_default::default_source;
use super::pod_template::warning;
use super::storage_request::{
    class_cell, mode_cell, unset_cell, validate_access_modes, validate_class, validate_mode,
    validate_positive,
};
use crate::field::{Errors, Path};
use crate::object::{self, annotation, at, list, map, map_mut, text};
use crate::quantity::Quantity;
use crate::rules::keep::{immutable_root, keep, keep_spec, keep_status, same};
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
    warnings: |new, _, warnings| warn(new, warnings),
    cells: Some(row),
    ..Rules::NONE
};

const DEPRECATED_ANNOTATIONS: [(&str, &str); 2] = [
    (
        "volume.beta.kubernetes.io/storage-class",
        "deprecated since v1.8; use \"storageClassName\" attribute instead",
    ),
    (
        "volume.beta.kubernetes.io/mount-options",
        "deprecated since v1.31; use \"mountOptions\" attribute instead",
    ),
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
    let given = at(new, &MOMENT).is_some();
    if text(new, &phase) == text(old, &phase) {
        if !given {
            keep(new, old, &MOMENT);
        }
    } else if !given || same(at(new, &MOMENT), at(old, &MOMENT)) {
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
    persistent_volume_source::validate(spec, object::name(object), &path, errors);
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

/// Checks the spec of a volume that is no object of its own.
pub(in crate::rules) fn validate_inline(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    const NOT_HERE: &str = "may not be specified in the context of inline volumes";
    if spec.get("claimRef").is_some() {
        errors.forbidden(path.child("claimRef"), NOT_HERE);
    }
    if map(spec, &["capacity"]).is_some_and(|c| !c.is_empty()) {
        errors.forbidden(path.child("capacity"), NOT_HERE);
    }
    if spec.get("csi").is_none() {
        let detail = "has to be specified in the context of inline volumes";
        errors.required(path.child("csi"), detail);
    }
    validate_access_modes(spec, "", path, errors);
    let policy = text(spec, &["persistentVolumeReclaimPolicy"]);
    if !matches!(policy, "" | "Retain") {
        errors.forbidden(
            path.child("persistentVolumeReclaimPolicy"),
            "may only be Retain in the context of inline volumes",
        );
    }
    if spec.get("nodeAffinity").is_some() {
        errors.forbidden(path.child("nodeAffinity"), NOT_HERE);
    }
    persistent_volume_source::validate(spec, "", path, errors);
    if !text(spec, &["storageClassName"]).is_empty() {
        errors.forbidden(path.child("storageClassName"), NOT_HERE);
    }
    if spec.get("volumeMode").is_some_and(|m| m != "Filesystem") {
        errors.forbidden(
            path.child("volumeMode"),
            "may not specify volumeMode other than Filesystem in the context of inline volumes",
        );
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
        validate_positive(amount, &path, errors);
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

fn warn(object: &Value, warnings: &mut Vec<String>) {
    for (key, words) in DEPRECATED_ANNOTATIONS {
        if annotation(object, key).is_some() {
            warnings.push(format!("metadata.annotations[{key}]: {words}"));
        }
    }
    let spec = &object["spec"];
    if text(spec, &["persistentVolumeReclaimPolicy"]) == "Recycle" {
        warnings.push("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.".into());
    }
    let path = Path::new("spec");
    let path = path.child("nodeAffinity");
    let terms = ["nodeAffinity", "required", "nodeSelectorTerms"];
    let path = path.child("required");
    let path = path.child("nodeSelectorTerms");
    for (index, term) in list(spec, &terms).iter().enumerate() {
        warning::of_node_term(term, false, &path.index(index), warnings);
    }
    persistent_volume_source::warn(spec, warnings);
}

fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    let (spec, before) = (&new["spec"], &old["spec"]);
    if persistent_volume_source::changed(spec, before) {
        errors.forbidden(
            "spec.persistentvolumesource",
            "spec.persistentvolumesource is immutable after creation",
        );
    }
    immutable_root(spec, before, "volumeMode", errors);
    const ATTRIBUTES: &str = "volumeAttributesClassName";
    if before.get(ATTRIBUTES).is_some() && spec.get(ATTRIBUTES).is_none() {
        errors.forbidden(
            "spec.volumeAttributesClassName",
            "update from non-nil value to nil is forbidden",
        );
    }
    if before.get("nodeAffinity").is_some()
        && !same(spec.get("nodeAffinity"), before.get("nodeAffinity"))
    {
        errors.invalid(
            "nodeAffinity",
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
