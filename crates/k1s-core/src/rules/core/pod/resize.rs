// SPDX-License-Identifier: Apache-2.0
//! `/resize`: changes what the containers of a running pod ask for and may use, and nothing else.

use serde_json::{Map, Value, json};

use super::prepare::{drop_features, keep_metadata};
use super::qos;
use super::validate::validate_pod;
use crate::field::{Errors, Path};
use crate::object::{annotation, at, list, list_mut, map, text};
use crate::rules::Request;
use crate::rules::core::pod_template::annotation::MIRROR_POD;
use crate::rules::keep::{keep, keep_status};

const KINDS: [&str; 2] = ["containers", "initContainers"];
const RESIZABLE: [&str; 2] = ["cpu", "memory"];

/// Puts everything back but resources and resize policies. Where containers were added, taken away, moved or renamed they are
/// left for the validation to refuse.
pub(super) fn prepare(new: &mut Value, old: &Value, _: &Request<'_>) {
    let same_number = KINDS
        .iter()
        .all(|kind| list(new, &["spec", kind]).len() == list(old, &["spec", kind]).len());
    if same_number {
        let mut spec = old.get("spec").cloned().unwrap_or_default();
        for kind in KINDS {
            take_resources(&mut spec, list(new, &["spec", kind]), kind);
        }
        crate::object::set(new, &["spec"], spec);
        keep_status(new, old);
        keep_metadata(new, old);
    }
    drop_features(new);
}

fn take_resources(spec: &mut Value, containers: &[Value], kind: &str) {
    let same_names = list(spec, &[kind])
        .iter()
        .zip(containers)
        .all(|(a, b)| text(a, &["name"]) == text(b, &["name"]));
    if !same_names {
        crate::object::set(spec, &[kind], containers.to_vec());
        return;
    }
    for (container, new) in list_mut(spec, &[kind]).iter_mut().zip(containers) {
        keep(container, new, &["resources"]);
        keep(container, new, &["resizePolicy"]);
    }
}

/// Checks that cpu and memory only have changed, none was removed, and the class of service is the same.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    if annotation(old, MIRROR_POD).is_some() {
        errors.forbidden("", "static pods cannot be resized");
        return;
    }
    if text(old, &["spec", "os", "name"]) == "windows" {
        errors.forbidden("", "windows pods cannot be resized");
        return;
    }
    validate_pod(new, errors);
    let spec = Path::new("spec");
    let class = text(old, &["status", "qosClass"]);
    let class = if class.is_empty() {
        qos::class(old)
    } else {
        class
    };
    if class != qos::class(new) {
        errors.invalid_text(
            spec,
            text(new, &["status", "qosClass"]),
            "Pod QOS Class may not change as a result of resizing",
        );
    }
    if !node_can_resize(old) {
        errors.forbidden(spec, "Pod running on node without support for resize");
    }
    if has_pod_resources(old) || has_pod_resources(new) {
        errors.forbidden(
            "",
            "resize of pods with pod-level resources is forbidden when InPlacePodLevelResourcesVerticalScalingEnabled feature gate is disabled",
        );
        return;
    }
    if !validate_order(new, old, &spec, errors) {
        return;
    }
    for kind in ["initContainers", "containers"] {
        validate_removals(new, old, kind, &spec, errors);
    }
    for kind in KINDS {
        for (now, before) in list(new, &["spec", kind])
            .iter()
            .zip(list(old, &["spec", kind]))
        {
            if let Some(complaint) = change_complaint(now, before, kind) {
                errors.forbidden(spec, complaint);
            }
        }
    }
}

/// A kubelet that can resize tells the resources of the containers that run.
fn node_can_resize(pod: &Value) -> bool {
    list(pod, &["status", "containerStatuses"])
        .iter()
        .find(|s| at(s, &["state", "running"]).is_some_and(Value::is_object))
        .is_none_or(|s| s.get("resources").is_some_and(Value::is_object))
}

fn has_pod_resources(pod: &Value) -> bool {
    ["limits", "requests"]
        .iter()
        .any(|key| map(pod, &["spec", "resources", key]).is_some_and(|m| !m.is_empty()))
}

/// Says whether the containers are the same, in the same order.
fn validate_order(new: &Value, old: &Value, spec: &Path<'_>, errors: &mut Errors) -> bool {
    let count = errors.len();
    for kind in KINDS {
        let path = spec.child(kind);
        let (now, before) = (list(new, &["spec", kind]), list(old, &["spec", kind]));
        if now.len() != before.len() {
            errors.forbidden(
                path,
                format!("{kind} may not be added or removed on resize"),
            );
            continue;
        }
        for (index, (now, before)) in now.iter().zip(before).enumerate() {
            if text(now, &["name"]) != text(before, &["name"]) {
                errors.forbidden(
                    path.index(index).child("name"),
                    format!("{kind} may not be renamed or reordered on resize"),
                );
            }
        }
    }
    errors.len() == count
}

fn validate_removals(new: &Value, old: &Value, kind: &str, spec: &Path<'_>, errors: &mut Errors) {
    let path = spec.child(kind);
    let pairs = list(new, &["spec", kind])
        .iter()
        .zip(list(old, &["spec", kind]));
    for (index, (now, before)) in pairs.enumerate() {
        if kind == "initContainers" && !restarts(before) {
            continue;
        }
        let at = path.index(index);
        let at = at.child("resources");
        for key in ["requests", "limits"] {
            let names = |c| map(c, &["resources", key]).into_iter().flat_map(Map::keys);
            if names(before).any(|name| !names(now).any(|n| n == name)) {
                errors.forbidden(at.child(key), format!("resource {key} cannot be removed"));
            }
        }
    }
}

fn restarts(container: &Value) -> bool {
    text(container, &["restartPolicy"]) == "Always"
}

/// What is wrong with a change, if it is one of more than cpu and memory.
fn change_complaint(now: &Value, before: &Value, kind: &str) -> Option<&'static str> {
    if kind == "initContainers" && !restarts(now) {
        return (now != before)
            .then_some("resources for non-sidecar init containers are immutable");
    }
    let mut bare = now.clone();
    let resources = json!({
        "limits": without_change(now, before, "limits"),
        "requests": without_change(now, before, "requests"),
    });
    let mut previous = before.clone();
    for (container, resources) in [
        (&mut bare, resources),
        (
            &mut previous,
            json!({"limits": amounts(before, "limits"), "requests": amounts(before, "requests")}),
        ),
    ] {
        crate::object::set(container, &["resources"], resources);
        crate::object::remove(container, &["resizePolicy"]);
    }
    let policy_changed = now.get("resizePolicy") != before.get("resizePolicy");
    (bare != previous || policy_changed || has_claims(before)).then_some(match kind {
        "containers" => "only cpu and memory resources are mutable",
        _ => "only cpu and memory resources for sidecar containers are mutable",
    })
}

/// Kubernetes forgets the claims when it compares, so that pods with claims are never the same.
fn has_claims(container: &Value) -> bool {
    !list(container, &["resources", "claims"]).is_empty()
}

fn amounts(container: &Value, key: &str) -> Map<String, Value> {
    map(container, &["resources", key])
        .cloned()
        .unwrap_or_default()
}

/// The amounts with cpu and memory as before.
fn without_change(now: &Value, before: &Value, key: &str) -> Map<String, Value> {
    let (mut now, before) = (amounts(now, key), amounts(before, key));
    for name in RESIZABLE {
        match before.get(name) {
            Some(amount) => {
                now.insert(name.to_owned(), amount.clone());
            }
            None => {
                now.remove(name);
            }
        }
    }
    now
}
