// SPDX-License-Identifier: Apache-2.0
//! The template of a claim that is made for one pod, and the metadata that templates may have.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::rules::core::persistent_volume_claim;
use crate::rules::label_selector::validate_labels;

/// Fields of metadata that a template may not have, in the order in which Kubernetes lists them.
const NOT_IN_TEMPLATES: [&str; 12] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Checks a `PersistentVolumeClaimTemplate`.
pub(super) fn validate(template: &Value, path: &Path<'_>, errors: &mut Errors) {
    static NOTHING: Value = Value::Null;
    let metadata = template.get("metadata").unwrap_or(&NOTHING);
    validate_metadata(metadata, &path.child("metadata"), errors);
    let spec = template.get("spec").unwrap_or(&NOTHING);
    persistent_volume_claim::validate_spec(spec, &path.child("spec"), errors);
}

/// Metadata of a template: labels and annotations only.
fn validate_metadata(metadata: &Value, path: &Path<'_>, errors: &mut Errors) {
    super::annotation::validate_keys(metadata, &path.child("annotations"), errors);
    validate_labels(metadata.get("labels"), &path.child("labels"), errors);
    for key in NOT_IN_TEMPLATES {
        if !crate::object::is_unset(metadata.get(key)) {
            errors.forbidden(path.child(key), "cannot be set");
        }
    }
}
