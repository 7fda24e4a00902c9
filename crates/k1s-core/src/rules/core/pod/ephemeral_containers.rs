// SPDX-License-Identifier: Apache-2.0
//! `/ephemeralcontainers`: adds containers to a running pod, and changes nothing else.

use serde_json::Value;

use super::prepare::{drop_features, keep_metadata};
use super::update::validate_annotations;
use super::validate::validate_pod;
use crate::field::{Errors, Path};
use crate::object::{annotation, at, list, set, text};
use crate::rules::Request;
use crate::rules::core::pod_template::annotation::MIRROR_POD;
use crate::rules::keep::{keep_spec, keep_status};

/// Puts everything back but the ephemeral containers.
pub(super) fn prepare(new: &mut Value, old: &Value, _: &Request<'_>) {
    let containers = at(new, &["spec", "ephemeralContainers"]).cloned();
    keep_spec(new, old);
    keep_status(new, old);
    keep_metadata(new, old);
    match containers {
        Some(containers) => set(new, &["spec", "ephemeralContainers"], containers),
        None => {
            crate::object::remove(new, &["spec", "ephemeralContainers"]);
        }
    }
    drop_features(new);
}

/// Those that are there stay as they are.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    if annotation(old, MIRROR_POD).is_some() {
        errors.forbidden("", "static pods do not support ephemeral containers");
        return;
    }
    validate_pod(new, errors);
    validate_annotations(new, old, errors);
    let spec = Path::new("spec");
    let path = spec.child("ephemeralContainers");
    let now = list(new, &["spec", "ephemeralContainers"]);
    for before in list(old, &["spec", "ephemeralContainers"]) {
        let name = text(before, &["name"]);
        match now.iter().rfind(|c| text(c, &["name"]) == name) {
            None => errors.forbidden(
                path,
                format!("existing ephemeral containers {name:?} may not be removed\n"),
            ),
            Some(now) if now != before => errors.forbidden(
                path,
                format!("existing ephemeral containers {name:?} may not be changed\n"),
            ),
            Some(_) => {}
        }
    }
}
