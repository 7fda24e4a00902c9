// SPDX-License-Identifier: Apache-2.0
//! PersistentVolumeClaim.

use serde_json::{Value, json};

use super::pod_template::warning;
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
use crate::rules::keep::{immutable_at, keep, keep_spec, keep_status};
use crate::rules::{Clock, Rules, cells, label_selector};

pub(in crate::rules) static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| {
        object::set(object, &["status"], json!({"phase": "Pending"}));
        drop_foreign_reference(object);
        drop_unknown_source(object);
        align_sources(object);
        protect(object, "kubernetes.io/pvc-protection");
    },
    prepare_update: |new, old, _| {
        keep_status(new, old);
        if at(old, &REFERENCE).is_none() {
            drop_foreign_reference(new);
        }
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
    warnings: |new, _, warnings| {
        if annotation(new, CLASS_ANNOTATION).is_some() {
            warnings.push(format!(
                "metadata.annotations[{CLASS_ANNOTATION}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
            ));
        }
        warn_of_spec(&new["spec"], &Path::new("spec"), warnings);
    },
    cells: Some(row),
    ..Rules::NONE
};

const SOURCE: [&str; 2] = ["spec", "dataSource"];
const REFERENCE: [&str; 2] = ["spec", "dataSourceRef"];
const CLASS: [&str; 2] = ["spec", "storageClassName"];
const ATTRIBUTES: [&str; 2] = ["spec", "volumeAttributesClassName"];
const RESIZE_STATES: [&str; 5] = [
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];
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
    if !known && at(object, &REFERENCE).is_none() {
        object::remove(object, &SOURCE);
    }
}

/// A source in another namespace cannot be had.
fn drop_foreign_reference(object: &mut Value) {
    if !text(object, &[REFERENCE[0], REFERENCE[1], "namespace"]).is_empty() {
        object::remove(object, &REFERENCE);
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

/// What is said of the spec of a claim, or of the template of one: bytes come whole.
pub(in crate::rules) fn warn_of_spec(spec: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    let resources = path.child("resources");
    for key in ["requests", "limits"] {
        let amounts = at(spec, &["resources", key]);
        warning::of_fraction(amounts, "storage", &resources.child(key), warnings);
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
    let mut as_before = new.clone();
    if text(old, &["spec", "volumeName"]).is_empty() {
        keep(&mut as_before, old, &["spec", "volumeName"]);
    }
    validate_class_change(new, old, &mut as_before, errors);
    if text(new, &["status", "phase"]) == "Bound" {
        if at(new, &["spec", "resources", "requests"]).is_some() {
            keep(&mut as_before, old, &STORAGE);
        }
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
    // named without the spec that it is in
    immutable_at(
        &new["spec"],
        &old["spec"],
        "volumeMode",
        "volumeMode",
        errors,
    );
    if at(new, &ATTRIBUTES) != at(old, &ATTRIBUTES)
        && at(old, &["status", "currentVolumeAttributesClassName"]).is_some()
    {
        let path = "spec.volumeAttributesClassName";
        match at(new, &ATTRIBUTES) {
            None => errors.forbidden(
                path,
                "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil",
            ),
            Some(class) if class == "" => errors.forbidden(
                path,
                "update to empty string is forbidden when status.currentVolumeAttributesClassName is not nil",
            ),
            Some(_) => {}
        }
    }
}

/// The class may be named once, where there was none or only the annotation of old; `as_before` is put back then.
fn validate_class_change(new: &Value, old: &Value, as_before: &mut Value, errors: &mut Errors) {
    let (class, class_before) = (at(new, &CLASS), at(old, &CLASS));
    let marked = annotation(new, CLASS_ANNOTATION);
    let marked_before = annotation(old, CLASS_ANNOTATION);
    let moved = class_before.is_none()
        && marked_before.is_some()
        && class.and_then(Value::as_str) == marked_before
        && (marked.is_none() || marked == marked_before);
    if !moved && marked.unwrap_or_default() != marked_before.unwrap_or_default() {
        errors.invalid_text(
            Path::new("metadata")
                .child("annotations")
                .key(CLASS_ANNOTATION),
            marked.unwrap_or_default(),
            "field is immutable",
        );
    }
    let named = class_before.is_none()
        && class.is_some()
        && marked_before.is_none_or(|marked| class.and_then(Value::as_str) == Some(marked));
    if moved || named {
        keep(as_before, old, &CLASS);
    }
}

fn validate_status(object: &Value, errors: &mut Errors) {
    let status = Path::new("status");
    let each = |key: &'static str| object::map(object, &["status", key]).into_iter().flatten();
    let path = status.child("capacity");
    for (name, amount) in each("capacity") {
        validate_amount(amount, &path.key(name), errors);
    }
    let path = status.child("allocatedResourceStatuses");
    for (name, state) in each("allocatedResourceStatuses") {
        validate_resource_key(name, &path, errors);
        if !state.as_str().is_some_and(|s| RESIZE_STATES.contains(&s)) {
            errors.not_supported(path, &json!(name), &RESIZE_STATES);
        }
    }
    let path = status.child("allocatedResources");
    for (name, amount) in each("allocatedResources") {
        if validate_resource_key(name, &path, errors) {
            validate_amount(amount, &path.key(name), errors);
        }
    }
}

fn validate_amount(amount: &Value, path: &Path<'_>, errors: &mut Errors) {
    if Quantity::from_json(amount).is_ok_and(|amount| amount < Quantity::zero()) {
        errors.invalid(path, amount, "must be a valid resource quantity");
    }
}

/// Of the resources without a domain, a claim has only storage.
fn validate_resource_key(name: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    let complaints = name::label_key(name);
    report(complaints, name, path, errors);
    if !name::label_key(name).is_empty() {
        return false;
    }
    if resource_name::is_native(name) && name != "storage" {
        errors.not_supported(path, &json!(name), &["storage"]);
        return false;
    }
    true
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
