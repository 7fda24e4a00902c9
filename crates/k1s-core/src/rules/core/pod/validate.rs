// SPDX-License-Identifier: Apache-2.0
//! Validation of a Pod: of a new one, and the part that all updates share.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, list, text};
use crate::rules::core::pod_template::check::given;
use crate::rules::core::pod_template::container::validate_image_space;
use crate::rules::core::pod_template::{annotation, validate_spec, warning};

/// Checks a new Pod.
pub(super) fn create(pod: &Value, errors: &mut Errors) {
    validate_pod(pod, errors);
    let spec = Path::new("spec");
    if !list(pod, &["spec", "ephemeralContainers"]).is_empty() {
        errors.forbidden(spec.child("ephemeralContainers"), "cannot be set on create");
    }
    let has_gates = !list(pod, &["spec", "schedulingGates"]).is_empty();
    if has_gates && !text(pod, &["spec", "nodeName"]).is_empty() {
        errors.forbidden(
            spec.child("nodeName"),
            "cannot be set until all schedulingGates have been cleared",
        );
    }
    annotation::validate_profiles_match(pod, &spec, errors);
}

/// Annotations and spec of a Pod, new or changed.
pub(super) fn validate_pod(pod: &Value, errors: &mut Errors) {
    let metadata = Path::new("metadata");
    annotation::validate_pod_annotations(pod, &metadata.child("annotations"), errors);
    let path = Path::new("spec");
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    validate_spec(spec, Some(pod), &path, errors);
    if text(spec, &["serviceAccountName"]).is_empty() {
        refuse_tokens(spec, &path, errors);
    }
    for kind in ["containers", "initContainers"] {
        let at = path.child(kind);
        for (index, container) in list(spec, &[kind]).iter().enumerate() {
            validate_image_space(container, &at.index(index), errors);
        }
    }
}

/// Tokens are an account's.
fn refuse_tokens(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let volumes = path.child("volumes");
    for (index, volume) in list(spec, &["volumes"]).iter().enumerate() {
        let at = volumes.index(index);
        let at = at.child("projected");
        let at = at.child("sources");
        for (index, source) in list(volume, &["projected", "sources"]).iter().enumerate() {
            if given(source, "serviceAccountToken") {
                errors.forbidden(
                    at.index(index).child("serviceAccountToken"),
                    "must not be specified when serviceAccountName is not set",
                );
            }
        }
    }
}

/// What to tell of a new Pod; updates are not commented on.
pub(super) fn warnings(pod: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
    if old.is_some() {
        return;
    }
    let complaints = name::dns1123_label(object::name(pod));
    if !complaints.is_empty() {
        warnings.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [{}]",
            complaints.join(" ")
        ));
    }
    warning::of_pod(pod, warnings);
}
