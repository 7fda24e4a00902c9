// SPDX-License-Identifier: Apache-2.0
//! PersistentVolumeClaim.

use serde_json::{Value, json};

use super::resource_name;
use super::storage_request::{
    class_cell, mode_cell, unset_cell, validate_access_modes, validate_class, validate_mode,
    validate_positive,
};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, annotation, at, list, map_mut, text};
use crate::quantity::Quantity;
use crate::rules::address::report;
use crate::rules::keep::{immutable, keep, keep_spec, keep_status};
use crate::rules::{Clock, Rules, cells, label_selector};

pub(in crate::rules) static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| {
        object::set(object, &["status"], json!({"phase": "Pending"}));
        drop_unknown_source(object);
        align_sources(object);
        protect(object, "kubernetes.io/pvc-protection");
    },
    prepare_update: |new, old, _| {
        keep_status(new, old);
        if at(old, &SOURCE).is_none() && at(old, &REFERENCE).is_none() {
            drop_unknown_source(new);
        }
        align_sources(new);
    },
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: |object, errors| {
        validate_spec(&object["spec"], &Path::new("spec"), errors);
    },
    validate_update: |new, old, errors| {
        validate_spec(&new["spec"], &Path::new("spec"), errors);
        validate_change(new, old, errors);
    },
    validate_status: |new, _, errors| validate_status(new, errors),
    cells: Some(row),
    ..Rules::NONE
};

const SOURCE: [&str; 2] = ["spec", "dataSource"];
const REFERENCE: [&str; 2] = ["spec", "dataSourceRef"];
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// Fills in the defaults of a claim.
pub(in crate::rules) fn default(object: &mut Value) {
    object::default(map_mut(object, &["status"]), "phase", "Pending");
    object::default_absent(map_mut(object, &["spec"]), "volumeMode", "Filesystem");
    for key in ["limits", "requests"] {
        let list = object.pointer_mut(&format!("/spec/resources/{key}"));
        if let Some(list) = list {
            resource_name::round_up(list);
        }
    }
}

/// What is in use is not taken away before its finalizer goes.
pub(super) fn protect(object: &mut Value, finalizer: &str) {
    if !object::finalizers(object).any(|own| own == finalizer) {
        let mut all = list(object, &["metadata", "finalizers"]).to_vec();
        all.push(finalizer.into());
        object::set(object, &["metadata", "finalizers"], all);
    }
}

/// A claim is filled from another claim or from a snapshot; other sources are named in `dataSourceRef`.
fn drop_unknown_source(object: &mut Value) {
    let Some(source) = at(object, &SOURCE) else {
        return;
    };
    let (group, kind) = (text(source, &["apiGroup"]), text(source, &["kind"]));
    let known = matches!(
        (group, kind),
        ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
    );
    if !known {
        object::remove(object, &SOURCE);
    }
}

/// The two fields of the source say the same, unless the source is in another namespace.
fn align_sources(object: &mut Value) {
    match (at(object, &SOURCE), at(object, &REFERENCE)) {
        (Some(source), None) => {
            let source = source.clone();
            object::set(object, &REFERENCE, source);
        }
        (None, Some(reference)) if text(reference, &["namespace"]).is_empty() => {
            let mut reference = reference.clone();
            object::remove(&mut reference, &["namespace"]);
            object::set(object, &SOURCE, reference);
        }
        _ => {}
    }
}

/// Checks the spec of a claim, or of the template of one.
pub(in crate::rules) fn validate_spec(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    validate_access_modes(spec, "at least 1 access mode is required", path, errors);
    label_selector::validate(spec.get("selector"), &path.child("selector"), errors);
    let resources = path.child("resources");
    let storage_path = resources.key("storage");
    match at(spec, &["resources", "requests", "storage"]) {
        None => errors.required(storage_path, ""),
        Some(storage) => validate_positive(storage, &storage_path, errors),
    }
    validate_class(spec, "storageClassName", path, errors);
    validate_mode(spec, path, errors);
    validate_sources(spec, path, errors);
    validate_class(spec, "volumeAttributesClassName", path, errors);
}

fn validate_sources(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    for key in ["dataSource", "dataSourceRef"] {
        let Some(source) = spec.get(key) else {
            continue;
        };
        let path = path.child(key);
        for key in ["name", "kind"] {
            if text(source, &[key]).is_empty() {
                errors.required(path.child(key), "");
            }
        }
        let group = text(source, &["apiGroup"]);
        if group.is_empty() && text(source, &["kind"]) != "PersistentVolumeClaim" {
            errors.invalid_text(
                path,
                text(source, &["kind"]),
                "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
            );
        }
        if !group.is_empty() {
            let path = path.child("apiGroup");
            report(name::dns1123_subdomain(group), group, &path, errors);
        }
        let namespace = text(source, &["namespace"]);
        if !namespace.is_empty() {
            let path = path.child("namespace");
            report(name::dns1123_label(namespace), namespace, &path, errors);
        }
    }
    let (source, reference) = (spec.get("dataSource"), spec.get("dataSourceRef"));
    if let (Some(source), Some(reference)) = (source, reference) {
        let differs = ["apiGroup", "kind", "name"]
            .iter()
            .any(|key| text(source, &[key]) != text(reference, &[key]));
        if !text(reference, &["namespace"]).is_empty() {
            errors.invalid_text(
                path,
                &path.child("dataSource").to_string(),
                "may not be specified when dataSourceRef.namespace is specified",
            );
        } else if differs {
            errors.invalid_text(
                path,
                &path.child("dataSource").to_string(),
                "must match dataSourceRef",
            );
        }
    }
}

fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    const STORAGE: [&str; 4] = ["spec", "resources", "requests", "storage"];
    const CLASS: [&str; 2] = ["spec", "storageClassName"];
    const ATTRIBUTES: [&str; 2] = ["spec", "volumeAttributesClassName"];
    let mut as_before = new.clone();
    if text(old, &["spec", "volumeName"]).is_empty() {
        keep(&mut as_before, old, &["spec", "volumeName"]);
    }
    let marked = annotation(old, CLASS_ANNOTATION);
    if marked.is_some() && annotation(new, CLASS_ANNOTATION) != marked {
        errors.invalid_text(
            Path::new("metadata")
                .child("annotations")
                .key(CLASS_ANNOTATION),
            annotation(new, CLASS_ANNOTATION).unwrap_or_default(),
            "field is immutable",
        );
    }
    if at(old, &CLASS).is_none() {
        keep(&mut as_before, old, &CLASS);
    }
    if text(new, &["status", "phase"]) == "Bound" {
        keep(&mut as_before, old, &STORAGE);
        keep(&mut as_before, old, &ATTRIBUTES);
    }
    if as_before["spec"] != old["spec"] {
        errors.forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        );
    }
    let amount = |object: &Value, path: &[&str]| {
        at(object, path)
            .and_then(|amount| Quantity::from_json(amount).ok())
            .unwrap_or_else(Quantity::zero)
    };
    let (size, before) = (amount(new, &STORAGE), amount(old, &STORAGE));
    if size < before && size <= amount(old, &["status", "capacity", "storage"]) {
        errors.forbidden(
            "spec.resources.requests.storage",
            "field can not be less than status.capacity",
        );
    }
    let path = Path::new("spec");
    immutable(&new["spec"], &old["spec"], "volumeMode", &path, errors);
    if !text(old, &ATTRIBUTES).is_empty() && text(new, &ATTRIBUTES).is_empty() {
        errors.forbidden(
            path.child("volumeAttributesClassName"),
            "update to an empty value is forbidden",
        );
    }
}

fn validate_status(object: &Value, errors: &mut Errors) {
    let path = Path::new("status");
    let path = path.child("capacity");
    for (name, amount) in object::map(object, &["status", "capacity"])
        .into_iter()
        .flatten()
    {
        let negative = Quantity::from_json(amount).is_ok_and(|amount| amount < Quantity::zero());
        if negative {
            errors.invalid(path.key(name), amount, "must be a valid resource quantity");
        }
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let phase = if object::is_deleting(object) {
        "Terminating"
    } else {
        text(object, &["status", "phase"])
    };
    let volume = text(object, &["spec", "volumeName"]);
    let (capacity, modes) = if volume.is_empty() {
        ("", &[][..])
    } else {
        let capacity = text(object, &["status", "capacity", "storage"]);
        (
            if capacity.is_empty() { "0" } else { capacity },
            list(object, &["status", "accessModes"]),
        )
    };
    vec![
        cells::name(object),
        phase.into(),
        volume.into(),
        capacity.into(),
        mode_cell(modes),
        class_cell(object),
        unset_cell(object, "volumeAttributesClassName"),
        cells::age(object, clock),
        unset_cell(object, "volumeMode"),
    ]
}
