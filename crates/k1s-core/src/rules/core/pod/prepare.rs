// SPDX-License-Identifier: Apache-2.0
//! What a write of a Pod by its main path may not set, and what it sets itself.

use serde_json::{Value, json};

use super::qos;
use crate::object::{self, at, list, list_mut, remove, set, text};
use crate::rules::Request;
use crate::rules::core::pod_template::annotation::{APP_ARMOR_PREFIX, app_armor_profile};
use crate::rules::core::pod_template::feature;
use crate::rules::keep::keep_status;

const GATED: &str = "SchedulingGated";

/// A new Pod is pending, whatever it says of its status.
pub(super) fn create(pod: &mut Value, request: &Request<'_>) {
    drop_features(pod);
    let mut status = json!({"phase": "Pending", "qosClass": qos::class(pod)});
    if !list(pod, &["spec", "schedulingGates"]).is_empty() {
        set(
            &mut status,
            &["conditions"],
            json!([gated(request.now_seconds)]),
        );
    }
    set(pod, &["status"], status);
    merge_label_keys(pod);
    merge_app_armor(pod);
}

fn gated(now_seconds: i64) -> Value {
    let now = jiff::Timestamp::from_second(now_seconds).map(crate::time::print_time);
    json!({
        "type": "PodScheduled",
        "status": "False",
        "reason": GATED,
        "message": "Scheduling is blocked due to non-empty scheduling gates",
        "lastProbeTime": null,
        "lastTransitionTime": now.ok(),
    })
}

/// The status stays as it is.
pub(super) fn update(new: &mut Value, old: &Value, _: &Request<'_>) {
    keep_status(new, old);
    drop_features(new);
}

pub(super) fn drop_features(pod: &mut Value) {
    if let Some(spec) = object::at_mut(pod, &["spec"]) {
        feature::drop_from_spec(spec);
    }
}

/// `matchLabelKeys` and `mismatchLabelKeys` mean the pod's own labels: they are put into the selectors.
fn merge_label_keys(pod: &mut Value) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let labels = at(pod, &["metadata", "labels"])
        .cloned()
        .unwrap_or_default();
    for kind in ["podAffinity", "podAntiAffinity"] {
        for term in list_mut(pod, &["spec", "affinity", kind, PREFERRED]) {
            if let Some(term) = term.get_mut("podAffinityTerm") {
                merge_keys_of_term(term, &labels);
            }
        }
        for term in list_mut(pod, &["spec", "affinity", kind, REQUIRED]) {
            merge_keys_of_term(term, &labels);
        }
    }
    for constraint in list_mut(pod, &["spec", "topologySpreadConstraints"]) {
        merge_keys_of_term(constraint, &labels);
    }
}

fn merge_keys_of_term(term: &mut Value, labels: &Value) {
    if !term.get("labelSelector").is_some_and(Value::is_object) {
        return;
    }
    for (keys, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        let more: Vec<Value> = list(term, &[keys])
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|key| labels.get(key).map(|value| (key, value)))
            .map(|(key, value)| json!({"key": key, "operator": operator, "values": [value]}))
            .collect();
        if more.is_empty() {
            continue;
        }
        let mut all = list(term, &["labelSelector", "matchExpressions"]).to_vec();
        all.extend(more);
        set(term, &["labelSelector", "matchExpressions"], all);
    }
}

/// A profile that stands in an annotation only becomes a field too.
fn merge_app_armor(pod: &mut Value) {
    if text(pod, &["spec", "os", "name"]) == "windows" {
        return;
    }
    let of_pod = pod
        .pointer("/spec/securityContext/appArmorProfile")
        .cloned();
    let annotations = at(pod, &["metadata", "annotations"])
        .cloned()
        .unwrap_or_default();
    for kind in ["initContainers", "containers", "ephemeralContainers"] {
        for container in list_mut(pod, &["spec", kind]) {
            let key = format!("{APP_ARMOR_PREFIX}{}", text(container, &["name"]));
            let own = container.pointer("/securityContext/appArmorProfile");
            let written = annotations.get(&key).and_then(Value::as_str);
            if let (Some(written), None) = (written, own)
                && let Some(profile) = app_armor_profile(written)
                && of_pod.as_ref() != Some(&profile)
            {
                set(container, &["securityContext", "appArmorProfile"], profile);
            }
        }
    }
}

/// Puts back all metadata that an update of the spec by a subresource may not change.
pub(super) fn keep_metadata(new: &mut Value, old: &Value) {
    for key in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
    ] {
        match at(old, &["metadata", key]) {
            Some(value) => set(new, &["metadata", key], value.clone()),
            None => {
                remove(new, &["metadata", key]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pod() {
        let request = Request {
            now_seconds: 0,
            user: "",
            groups: &[],
        };
        let mut pod = json!({
            "metadata": {"labels": {"a": "1"}, "annotations": {"container.apparmor.security.beta.kubernetes.io/c": "runtime/default"}},
            "spec": {
                "containers": [{"name": "c"}],
                "schedulingGates": [{"name": "g"}],
                "topologySpreadConstraints": [{"labelSelector": {}, "matchLabelKeys": ["a", "b"]}],
            },
            "status": {"phase": "Running"},
        });
        create(&mut pod, &request);
        assert_eq!(pod["status"]["phase"], "Pending");
        assert_eq!(pod["status"]["conditions"][0]["reason"], GATED);
        assert_eq!(
            pod["spec"]["topologySpreadConstraints"][0]["labelSelector"],
            json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]})
        );
        assert_eq!(
            pod["spec"]["containers"][0]["securityContext"],
            json!({"appArmorProfile": {"type": "RuntimeDefault"}})
        );
    }
}
