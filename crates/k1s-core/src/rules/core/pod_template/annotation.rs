// SPDX-License-Identifier: Apache-2.0
//! Annotations that mean something to a pod: mirror pods, costs of deletion, and profiles as they were written before there
//! were fields for them.

use serde_json::{Value, json};

use super::check::{complain, descending};
use super::containers;
use super::toleration::validate_tolerations;
use crate::field::{Errors, Path, quote};
use crate::name;
use crate::object::{annotation, map, text};

pub(in crate::rules) const MIRROR_POD: &str = "kubernetes.io/config.mirror";
pub(in crate::rules) const APP_ARMOR_PREFIX: &str =
    "container.apparmor.security.beta.kubernetes.io/";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
pub(super) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
pub(super) const SECCOMP_PREFIX: &str = "container.seccomp.security.alpha.kubernetes.io/";
const LOCALHOST_PREFIX: &str = "localhost/";
const RUNTIME_DEFAULT: &str = "runtime/default";
const DOCKER_DEFAULT: &str = "docker/default";
const UNCONFINED: &str = "unconfined";
/// All keys and values together.
const ANNOTATIONS_MAX_BYTES: usize = 256 * 1024;

/// Checks keys and size of `metadata.annotations`.
pub(in crate::rules) fn validate_keys(metadata: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut bytes = 0;
    for (key, value) in map(metadata, &["annotations"]).into_iter().flatten() {
        complain(name::annotation_key(key), key, path, errors);
        bytes += key.len() + value.as_str().unwrap_or_default().len();
    }
    if bytes > ANNOTATIONS_MAX_BYTES {
        errors.too_long(path, ANNOTATIONS_MAX_BYTES);
    }
}

/// Checks what annotations say of a pod or a template. `path` is that of the annotations.
pub(in crate::rules) fn validate_pod_annotations(
    object: &Value,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(mirror) = annotation(object, MIRROR_POD)
        && text(object, &["spec", "nodeName"]).is_empty()
    {
        errors.invalid_text(
            path.key(MIRROR_POD),
            mirror,
            "must set spec.nodeName if mirror pod annotation is set",
        );
    }
    if let Some(tolerations) = annotation(object, TOLERATIONS).filter(|t| !t.is_empty()) {
        match serde_json::from_str::<Value>(tolerations) {
            Ok(Value::Array(list)) => {
                validate_tolerations(&list, &path.child(TOLERATIONS), errors);
            }
            Ok(_) => errors.invalid_text(
                path,
                TOLERATIONS,
                "json: cannot unmarshal into Go value of type []core.Toleration",
            ),
            Err(error) => errors.invalid_text(path, TOLERATIONS, error.to_string()),
        }
    }
    if let Some(cost) = annotation(object, DELETION_COST)
        && !is_deletion_cost(cost)
    {
        errors.invalid_text(path.key(DELETION_COST), cost, "must be a 32bit integer");
    }
    validate_seccomp_annotations(object, path, errors);
    validate_app_armor_annotations(object, path, errors);
}

/// A number of 32 bits in its shortest form.
fn is_deletion_cost(cost: &str) -> bool {
    let digits = cost.strip_prefix('-').unwrap_or(cost);
    let shortest = digits == "0" || !digits.starts_with('0');
    shortest && !cost.starts_with('+') && cost.parse::<i32>().is_ok() && cost != "-0"
}

fn validate_seccomp_annotations(object: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(profile) = annotation(object, SECCOMP_POD) {
        validate_seccomp_profile(profile, &path.child(SECCOMP_POD), errors);
    }
    for (key, profile) in map(object, &["metadata", "annotations"])
        .into_iter()
        .flatten()
    {
        if key.starts_with(SECCOMP_PREFIX) {
            let profile = profile.as_str().unwrap_or_default();
            validate_seccomp_profile(profile, &path.child(key), errors);
        }
    }
}

fn validate_seccomp_profile(profile: &str, path: &Path<'_>, errors: &mut Errors) {
    if [RUNTIME_DEFAULT, DOCKER_DEFAULT, UNCONFINED].contains(&profile) {
        return;
    }
    match profile.strip_prefix(LOCALHOST_PREFIX) {
        Some(file) => descending(file, path, errors),
        None => errors.invalid_text(path, profile, "must be a valid seccomp profile"),
    }
}

fn validate_app_armor_annotations(object: &Value, path: &Path<'_>, errors: &mut Errors) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    for (key, profile) in map(object, &["metadata", "annotations"])
        .into_iter()
        .flatten()
    {
        let Some(container) = key.strip_prefix(APP_ARMOR_PREFIX) else {
            continue;
        };
        if !containers(spec).any(|(_, _, c)| text(c, &["name"]) == container) {
            errors.invalid_text(path.key(key), container, "container not found");
        }
        let profile = profile.as_str().unwrap_or_default();
        if !is_app_armor_profile(profile) {
            let complaint = format!("invalid AppArmor profile name: {}", quote(profile));
            errors.invalid_text(path.key(key), profile, complaint);
        }
    }
}

/// The profile that an annotation means, if it is one.
pub(in crate::rules) fn app_armor_profile(written: &str) -> Option<Value> {
    match written {
        "unconfined" => Some(json!({"type": "Unconfined"})),
        "runtime/default" => Some(json!({"type": "RuntimeDefault"})),
        _ => written
            .strip_prefix("localhost/")
            .filter(|file| !file.is_empty() && file.trim() == *file)
            .map(|file| json!({"type": "Localhost", "localhostProfile": file})),
    }
}

fn is_app_armor_profile(profile: &str) -> bool {
    ["", RUNTIME_DEFAULT, UNCONFINED].contains(&profile) || profile.starts_with(LOCALHOST_PREFIX)
}

/// Where a profile stands in an annotation and in a field, both must be the same. `path` is that of the spec.
pub(in crate::rules) fn validate_profiles_match(
    object: &Value,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let defaults = [RUNTIME_DEFAULT, DOCKER_DEFAULT];
    if let Some(profile) = spec.pointer("/securityContext/seccompProfile")
        && let Some(old) = annotation(object, SECCOMP_POD)
    {
        let at = path.child("securityContext");
        profiles_match(
            old,
            profile,
            "seccomp",
            &defaults,
            &at.child("seccompProfile"),
            errors,
        );
    }
    for (list, index, container) in containers(spec) {
        let Some(profile) = container.pointer("/securityContext/seccompProfile") else {
            continue;
        };
        let key = format!("{SECCOMP_PREFIX}{}", text(container, &["name"]));
        if let Some(old) = annotation(object, &key) {
            let (list, security) = (path.child(list), "securityContext");
            let at = list.index(index);
            let at = at.child(security);
            profiles_match(
                old,
                profile,
                "seccomp",
                &defaults,
                &at.child("seccompProfile"),
                errors,
            );
        }
    }
    if text(spec, &["os", "name"]) == "windows" {
        return;
    }
    let of_pod = spec.pointer("/securityContext/appArmorProfile");
    for (list, index, container) in containers(spec) {
        let own = container.pointer("/securityContext/appArmorProfile");
        let key = format!("{APP_ARMOR_PREFIX}{}", text(container, &["name"]));
        if let (Some(profile), Some(old)) = (own.or(of_pod), annotation(object, &key)) {
            let list = path.child(list);
            let at = list.index(index);
            let at = at.child("securityContext");
            profiles_match(
                old,
                profile,
                "apparmor",
                &defaults[..1],
                &at.child("appArmorProfile"),
                errors,
            );
        }
    }
}

/// `old` is an annotation, `profile` the field, `defaults` the annotations that mean `RuntimeDefault`.
fn profiles_match(
    old: &str,
    profile: &Value,
    what: &str,
    defaults: &[&str],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let same_type = match text(profile, &["type"]) {
        "Unconfined" => old == UNCONFINED,
        "RuntimeDefault" => defaults.contains(&old),
        "Localhost" => old.starts_with(LOCALHOST_PREFIX),
        _ => return,
    };
    if !same_type {
        errors.forbidden(
            path.child("type"),
            format!("{what} type in annotation and field must match"),
        );
    } else if let Some(file) = old.strip_prefix(LOCALHOST_PREFIX)
        && profile.get("localhostProfile") != Some(&json!(file))
    {
        errors.forbidden(
            path.child("localhostProfile"),
            format!("{what} profile in annotation and field must match"),
        );
    }
}
