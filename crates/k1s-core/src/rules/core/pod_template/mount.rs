// SPDX-License-Identifier: Apache-2.0
//! Validation of what a container mounts: file systems and block devices.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{descending, given, has_backsteps, one_of, required};
use super::volume::Volumes;
use crate::field::{Errors, Path};
use crate::object::{is_true, list, text};

const PROPAGATIONS: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];
const RECURSIVE_READ_ONLY: [&str; 3] = ["Disabled", "Enabled", "IfPossible"];

/// Checks `volumeMounts`. Some errors name the list, not the mount: so does Kubernetes.
pub(super) fn validate_mounts(
    container: &Value,
    volumes: &Volumes<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let devices = list(container, &["volumeDevices"]);
    let mut paths = BTreeSet::new();
    for (index, mount) in list(container, &["volumeMounts"]).iter().enumerate() {
        let at = path.index(index);
        let name = text(mount, &["name"]);
        let mount_path = text(mount, &["mountPath"]);
        required(mount, "name", &at, errors);
        if !volumes.contains_key(name) {
            errors.not_found(at.child("name"), &json!(name));
        }
        required(mount, "mountPath", &at, errors);
        if !paths.insert(mount_path) {
            errors.invalid_text(at.child("mountPath"), mount_path, "must be unique");
        }
        if devices.iter().any(|d| text(d, &["name"]) == name) {
            errors.invalid_text(
                at.child("name"),
                name,
                "must not already exist in volumeDevices",
            );
        }
        if devices
            .iter()
            .any(|d| text(d, &["devicePath"]) == mount_path)
        {
            errors.invalid_text(
                at.child("mountPath"),
                mount_path,
                "must not already exist as a path in volumeDevices",
            );
        }
        validate_sub_paths(mount, &at, path, errors);
        validate_propagation(container, mount, path, errors);
        validate_recursive_read_only(mount, path, errors);
    }
}

fn validate_sub_paths(mount: &Value, at: &Path<'_>, list: &Path<'_>, errors: &mut Errors) {
    let sub_path = text(mount, &["subPath"]);
    let expression = text(mount, &["subPathExpr"]);
    if !sub_path.is_empty() {
        descending(sub_path, &list.child("subPath"), errors);
    }
    if !expression.is_empty() {
        if !sub_path.is_empty() {
            errors.invalid_text(
                at.child("subPathExpr"),
                expression,
                "subPathExpr and subPath are mutually exclusive",
            );
        }
        descending(expression, &list.child("subPathExpr"), errors);
    }
}

fn validate_propagation(container: &Value, mount: &Value, path: &Path<'_>, errors: &mut Errors) {
    one_of(mount, "mountPropagation", &PROPAGATIONS, path, errors);
    let privileged = is_true(container, &["securityContext", "privileged"]);
    if text(mount, &["mountPropagation"]) == "Bidirectional" && !privileged {
        errors.forbidden(
            path.child("mountPropagation"),
            "Bidirectional mount propagation is available only to privileged containers",
        );
    }
}

fn validate_recursive_read_only(mount: &Value, path: &Path<'_>, errors: &mut Errors) {
    let at = path.child("recursiveReadOnly");
    one_of(
        mount,
        "recursiveReadOnly",
        &RECURSIVE_READ_ONLY,
        path,
        errors,
    );
    if !matches!(
        text(mount, &["recursiveReadOnly"]),
        "Enabled" | "IfPossible"
    ) {
        return;
    }
    if !is_true(mount, &["readOnly"]) {
        errors.forbidden(at, "may only be specified when readOnly is true");
    }
    if given(mount, "mountPropagation") && text(mount, &["mountPropagation"]) != "None" {
        errors.forbidden(
            at,
            "may only be specified when mountPropagation is None or not specified",
        );
    }
}

/// Checks `volumeDevices`.
pub(super) fn validate_devices(
    container: &Value,
    volumes: &Volumes<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mounts = list(container, &["volumeMounts"]);
    let mut names = BTreeSet::new();
    let mut paths = BTreeSet::new();
    for (index, device) in list(container, &["volumeDevices"]).iter().enumerate() {
        let at = path.index(index);
        let (at_name, at_path) = (at.child("name"), at.child("devicePath"));
        let name = text(device, &["name"]);
        let device_path = text(device, &["devicePath"]);
        required(device, "name", &at, errors);
        if names.contains(name) {
            errors.invalid_text(at_name, name, "must be unique");
        }
        match volumes.get(name) {
            None => errors.not_found(at_name, &json!(name)),
            Some(v) if !given(v, "persistentVolumeClaim") && !given(v, "ephemeral") => {
                errors.invalid_text(
                    at_name,
                    name,
                    "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
                );
            }
            Some(_) => {}
        }
        required(device, "devicePath", &at, errors);
        if paths.contains(device_path) {
            errors.invalid_text(at_path, device_path, "must be unique");
        }
        if has_backsteps(device_path) {
            errors.invalid_text(at_path, device_path, "can not contain backsteps ('..')");
        } else {
            paths.insert(device_path);
        }
        if mounts.iter().any(|m| text(m, &["name"]) == name) {
            errors.invalid_text(at_name, name, "must not already exist in volumeMounts");
        }
        if mounts
            .iter()
            .any(|m| text(m, &["mountPath"]) == device_path)
        {
            errors.invalid_text(
                at_path,
                device_path,
                "must not already exist as a path in volumeMounts",
            );
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}
