// SPDX-License-Identifier: Apache-2.0
//! Validation of a pod template and of a pod spec.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{list, text};

/// Checks a `PodTemplateSpec`.
pub(in crate::rules) fn validate_template(template: &Value, path: &Path<'_>, errors: &mut Errors) {
    static NOTHING: Value = Value::Null;
    let spec = template.get("spec").unwrap_or(&NOTHING);
    validate_pod_spec(spec, &path.child("spec"), errors);
}

/// Checks a `PodSpec`.
pub(in crate::rules) fn validate_pod_spec(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let containers = list(spec, &["containers"]);
    let at = path.child("containers");
    if containers.is_empty() {
        errors.required(at, "");
    }
    for (index, container) in containers.iter().enumerate() {
        validate_container(container, &at.index(index), errors);
    }
}

fn validate_container(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let name = text(container, &["name"]);
    if name.is_empty() {
        errors.required(path.child("name"), "");
    } else {
        for complaint in name::dns1123_label(name) {
            errors.invalid_text(path.child("name"), name, complaint);
        }
    }
    if text(container, &["image"]).is_empty() {
        errors.required(path.child("image"), "");
    }
}
