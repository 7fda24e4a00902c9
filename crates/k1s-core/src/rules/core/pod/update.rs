// SPDX-License-Identifier: Apache-2.0
//! What an update of a Pod by its main path may change: images, the deadline downwards, more tolerations, fewer gates.

use serde_json::{Value, json};

use super::validate::validate_pod;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, at, list, list_mut, map, remove, set, text};
use crate::rules::core::pod_template::annotation::{
    APP_ARMOR_PREFIX, MIRROR_POD, validate_pod_annotations,
};
use crate::rules::core::pod_template::check::given;
use crate::rules::core::pod_template::toleration::validate_tolerations;
use crate::rules::keep::{keep, same};

const ONLY_THESE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";
const KINDS: [&str; 2] = ["containers", "initContainers"];
const NODE_AFFINITY: [&str; 3] = ["spec", "affinity", "nodeAffinity"];
const NODE_TERMS: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Checks an update of a Pod.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    validate_pod(new, errors);
    validate_annotations(new, old, errors);
    let spec = Path::new("spec");
    for kind in KINDS {
        if !validate_images(new, old, kind, &spec.child(kind), errors) {
            return;
        }
    }
    if !validate_deadline(new, old, &spec, errors) {
        return;
    }
    let tolerations = spec.child("tolerations");
    if only_added_tolerations(new, old) {
        validate_tolerations(list(new, &["spec", "tolerations"]), &tolerations, errors);
    } else {
        errors.forbidden(
            tolerations,
            "existing toleration can not be modified except its tolerationSeconds",
        );
    }
    validate_gates(new, old, &spec, errors);
    if new.get("spec") == old.get("spec") {
        return;
    }
    let mut rest = json!({"spec": new.get("spec")});
    put_back(&mut rest, old);
    if !list(old, &["spec", "schedulingGates"]).is_empty() {
        validate_gated(&mut rest, old, &spec, errors);
    }
    if rest.get("spec") != old.get("spec") {
        errors.forbidden(spec, ONLY_THESE);
    }
}

/// Makes what may change as it was.
fn put_back(rest: &mut Value, old: &Value) {
    for kind in KINDS {
        let before = list(old, &["spec", kind]);
        for (container, before) in list_mut(rest, &["spec", kind]).iter_mut().zip(before) {
            keep(container, before, &["image"]);
        }
    }
    for key in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        keep(rest, old, &["spec", key]);
    }
    let grace = ["spec", "terminationGracePeriodSeconds"];
    if object::int(old, &grace).is_some_and(|s| s < 0) && object::int(rest, &grace) == Some(1) {
        keep(rest, old, &grace);
    }
}

/// Annotations of mirror pods and of AppArmor stay. Checks what annotations say, too.
pub(super) fn validate_annotations(new: &Value, old: &Value, errors: &mut Errors) {
    let metadata = Path::new("metadata");
    let path = metadata.child("annotations");
    let annotations = |pod| map(pod, &["metadata", "annotations"]);
    for (key, value) in annotations(old).into_iter().flatten() {
        if annotations(new).and_then(|m| m.get(key)) == Some(value) {
            continue;
        }
        refuse_annotation(key, "remove or update", &path, errors);
    }
    for key in annotations(new).into_iter().flat_map(|m| m.keys()) {
        if annotations(old).is_none_or(|m| !m.contains_key(key)) {
            refuse_annotation(key, "add", &path, errors);
        }
    }
    validate_pod_annotations(new, &path, errors);
}

fn refuse_annotation(key: &str, what: &str, path: &Path<'_>, errors: &mut Errors) {
    let (kind, several) = if key.starts_with(APP_ARMOR_PREFIX) {
        ("AppArmor", "annotations")
    } else if key == MIRROR_POD {
        ("mirror pod", "annotation")
    } else {
        return;
    };
    errors.forbidden(path.key(key), format!("may not {what} {kind} {several}"));
}

/// Says whether there are as many containers as before.
fn validate_images(
    new: &Value,
    old: &Value,
    kind: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) -> bool {
    let containers = list(new, &["spec", kind]);
    if containers.len() != list(old, &["spec", kind]).len() {
        errors.forbidden(path, "pod updates may not add or remove containers");
        return false;
    }
    for (index, container) in containers.iter().enumerate() {
        let at = path.index(index);
        let image = text(container, &["image"]);
        if image.is_empty() {
            errors.required(at.child("image"), "");
        }
        if image.trim() != image {
            errors.invalid_text(
                at.child("image"),
                image,
                "must not have leading or trailing whitespace",
            );
        }
    }
    true
}

/// The deadline may be set and come nearer. Says whether to go on.
fn validate_deadline(new: &Value, old: &Value, spec: &Path<'_>, errors: &mut Errors) -> bool {
    let path = spec.child("activeDeadlineSeconds");
    let seconds = |pod| object::int(pod, &["spec", "activeDeadlineSeconds"]);
    match (seconds(new), seconds(old)) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            let range = name::inclusive_range(0, i64::from(i32::MAX));
            errors.invalid(path, &json!(new), range);
            false
        }
        (Some(new), Some(old)) if old < new => {
            errors.invalid(
                path,
                &json!(new),
                "must be less than or equal to previous value",
            );
            false
        }
        (None, Some(_)) => {
            errors.invalid(
                path,
                &Value::Null,
                "must not update from a positive integer to nil value",
            );
            true
        }
        _ => true,
    }
}

/// Whether each toleration is still there, but for its seconds.
fn only_added_tolerations(new: &Value, old: &Value) -> bool {
    let bare = |toleration: &Value| {
        let mut bare = toleration.clone();
        remove(&mut bare, &["tolerationSeconds"]);
        bare
    };
    let tolerations = |pod| list(pod, &["spec", "tolerations"]).iter().map(bare);
    tolerations(old).all(|before| tolerations(new).any(|now| now == before))
}

fn validate_gates(new: &Value, old: &Value, spec: &Path<'_>, errors: &mut Errors) {
    let path = spec.child("schedulingGates");
    let before = list(old, &["spec", "schedulingGates"]);
    for (index, gate) in list(new, &["spec", "schedulingGates"]).iter().enumerate() {
        let name = text(gate, &["name"]);
        if !before.iter().any(|b| text(b, &["name"]) == name) {
            errors.forbidden(
                path.index(index).child("name"),
                format!("only deletion is allowed, but found new scheduling gate '{name}'"),
            );
        }
    }
}

/// A pod that is held back by gates may become choosier about its node.
fn validate_gated(rest: &mut Value, old: &Value, spec: &Path<'_>, errors: &mut Errors) {
    let selector = ["spec", "nodeSelector"];
    if !same(at(rest, &selector), at(old, &selector)) {
        let kept = map(old, &selector)
            .into_iter()
            .flatten()
            .all(|(key, value)| at(rest, &selector).and_then(|s| s.get(key)) == Some(value));
        if !kept {
            errors.invalid(
                spec.child("nodeSelector"),
                at(rest, &selector).unwrap_or(&Value::Null),
                "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
            );
        }
        keep(rest, old, &selector);
    }
    if at(rest, &NODE_AFFINITY) == at(old, &NODE_AFFINITY) {
        return;
    }
    validate_node_terms(rest, old, spec, errors);
    match at(old, &NODE_AFFINITY) {
        Some(before) => set(rest, &NODE_AFFINITY, before.clone()),
        None => {
            remove(rest, &NODE_AFFINITY);
            let none_before = !given(old.get("spec").unwrap_or(&Value::Null), "affinity");
            if none_before && object::is_unset(at(rest, &["spec", "affinity"])) {
                remove(rest, &["spec", "affinity"]);
            }
        }
    }
}

fn validate_node_terms(new: &Value, old: &Value, spec: &Path<'_>, errors: &mut Errors) {
    fn terms(pod: &Value) -> &[Value] {
        at(pod, &NODE_AFFINITY).map_or(&[], |a| list(a, &[NODE_TERMS, "nodeSelectorTerms"]))
    }
    let (now, before) = (terms(new), terms(old));
    let path = spec.child("affinity");
    let path = path.child("nodeAffinity");
    let path = path.child(NODE_TERMS);
    let path = path.child("nodeSelectorTerms");
    if !before.is_empty() && now.len() != before.len() {
        errors.invalid(
            path,
            &json!(now),
            "no additions/deletions to non-empty NodeSelectorTerms list are allowed",
        );
        return;
    }
    for (index, (now, before)) in now.iter().zip(before).enumerate() {
        if !has_only_additions(now, before) {
            errors.invalid(
                path.index(index),
                now,
                "only additions are allowed (no mutations or deletions)",
            );
        }
    }
}

/// An empty term matches nothing: anything more would be a change.
fn has_only_additions(now: &Value, before: &Value) -> bool {
    let parts = |term, key| list(term, &[key]);
    let keys = ["matchExpressions", "matchFields"];
    let was_empty = keys.iter().all(|key| parts(before, key).is_empty());
    let is_empty = keys.iter().all(|key| parts(now, key).is_empty());
    (!was_empty || is_empty)
        && keys
            .iter()
            .all(|key| parts(now, key).starts_with(parts(before, key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: Value, new: Value, expected: &[&str]) {
        let pod = |spec: Value| {
            let mut pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
            for (key, value) in spec.as_object().unwrap() {
                pod["spec"][key] = value.clone();
            }
            super::super::default::default(&mut pod);
            pod
        };
        let mut errors = Errors::new();
        validate(&pod(new), &pod(old), &mut errors);
        let found: Vec<String> = errors
            .iter()
            .map(|e| {
                format!(
                    "{}: {}",
                    e.field,
                    e.message
                        .split_once('`')
                        .map_or(e.message.as_str(), |(a, _)| a)
                )
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn updates() {
        let other = "spec: Forbidden: pod updates may not change fields other than ";
        check(
            json!({}),
            json!({"containers": [{"name": "c", "image": "j", "imagePullPolicy": "Always"}]}),
            &[],
        );
        check(json!({}), json!({"hostname": "h"}), &[other]);
        check(json!({}), json!({"activeDeadlineSeconds": 5}), &[]);
        check(
            json!({"activeDeadlineSeconds": 5}),
            json!({"activeDeadlineSeconds": 6}),
            &[
                "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value",
            ],
        );
        check(
            json!({"activeDeadlineSeconds": 5}),
            json!({}),
            &[
                "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value",
            ],
        );
        check(json!({"schedulingGates": [{"name": "a"}]}), json!({}), &[]);
        check(
            json!({}),
            json!({"schedulingGates": [{"name": "a"}]}),
            &[
                "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a'",
            ],
        );
        let gated =
            |selector: Value| json!({"schedulingGates": [{"name": "a"}], "nodeSelector": selector});
        check(
            gated(json!({"a": "b"})),
            gated(json!({"a": "b", "c": "d"})),
            &[],
        );
        check(
            gated(json!({"a": "b"})),
            gated(json!({})),
            &[
                "spec.nodeSelector: Invalid value: {}: only additions to spec.nodeSelector are allowed (no mutations or deletions)",
            ],
        );
        check(
            json!({"nodeSelector": {"a": "b"}}),
            json!({"nodeSelector": {"a": "c"}}),
            &[other],
        );
    }
}
