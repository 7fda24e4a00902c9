// SPDX-License-Identifier: Apache-2.0
//! Namespace.

use serde_json::{Value, json};

use super::pod_template::check::complain;
use crate::field::{Errors, Path};
use crate::name::{self, NameRule};
use crate::object::{self, is_deleting, list, map_mut, set, text};
use crate::rules::keep::{keep_spec, keep_status};
use crate::rules::{Clock, Request, Rules, SubresourceRules, UnknownField, cells, pod_security};

const NAME_LABEL: &str = "kubernetes.io/metadata.name";
const OWN_FINALIZER: &str = "kubernetes";

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create,
    prepare_update,
    prepare_status: |new, old, _| keep_spec(new, old),
    canonicalize: label_with_name,
    validate: |namespace, errors| {
        validate_finalizers(namespace, errors);
        pod_security::validate_labels(namespace, errors);
    },
    validate_update: |new, old, errors| {
        validate_finalizers(new, errors);
        if new.pointer("/metadata/labels") != old.pointer("/metadata/labels") {
            pod_security::validate_labels(new, errors);
        }
    },
    validate_status,
    subresources: &[SubresourceRules {
        name: "finalize",
        prepare: |new, old, _| keep_status(new, old),
        validate: validate_finalize,
    }],
    name: NameRule::Dns1123Label,
    fields: &["status.phase"],
    field: |namespace, _| text(namespace, &["status", "phase"]).to_owned(),
    unknown_field: UnknownField::NotSupported,
    cells: Some(cells),
    ..Rules::NONE
};

fn default(namespace: &mut Value) {
    label_with_name(namespace);
    object::default(map_mut(namespace, &["status"]), "phase", "Active");
}

/// A namespace is labelled with its name, whatever is written.
fn label_with_name(namespace: &mut Value) {
    let name = object::name(namespace).to_owned();
    if !name.is_empty() {
        set(namespace, &["metadata", "labels", NAME_LABEL], name);
    }
}

fn prepare_create(namespace: &mut Value, _: &Request<'_>) {
    set(namespace, &["status"], json!({"phase": "Active"}));
    let mut finalizers = list(namespace, &["spec", "finalizers"]).to_vec();
    if !finalizers.contains(&json!(OWN_FINALIZER)) {
        finalizers.push(OWN_FINALIZER.into());
    }
    set(namespace, &["spec", "finalizers"], finalizers);
}

/// The finalizers change by `/finalize`, the status by `/status`; there is nothing else.
fn prepare_update(new: &mut Value, old: &Value, _: &Request<'_>) {
    keep_spec(new, old);
    keep_status(new, old);
}

fn validate_finalizers(namespace: &Value, errors: &mut Errors) {
    let spec = Path::new("spec");
    let path = spec.child("finalizers");
    for finalizer in finalizers(namespace) {
        validate_finalizer(finalizer, &path, errors);
    }
}

fn validate_finalize(new: &Value, _: &Value, errors: &mut Errors) {
    let spec = Path::new("spec");
    let path = spec.child("finalizers");
    for (index, finalizer) in finalizers(new).enumerate() {
        validate_finalizer(finalizer, &path.index(index), errors);
    }
}

fn finalizers(namespace: &Value) -> impl Iterator<Item = &str> {
    list(namespace, &["spec", "finalizers"])
        .iter()
        .filter_map(Value::as_str)
}

fn validate_finalizer(finalizer: &str, path: &Path<'_>, errors: &mut Errors) {
    complain(name::label_key(finalizer), finalizer, path, errors);
    if !finalizer.contains('/') && !name::standard_finalizer(finalizer) {
        errors.invalid_text(
            path,
            finalizer,
            "name is neither a standard finalizer name nor is it fully qualified",
        );
    }
}

fn validate_status(new: &Value, _: &Value, errors: &mut Errors) {
    let phase = text(new, &["status", "phase"]);
    let (only, when) = if is_deleting(new) {
        ("Terminating", "not empty")
    } else {
        ("Active", "empty")
    };
    if phase != only {
        errors.invalid_text(
            Path::new("status").child("Phase"),
            phase,
            format!("may only be '{only}' if `deletionTimestamp` is {when}"),
        );
    }
}

fn cells(namespace: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        cells::name(namespace),
        text(namespace, &["status", "phase"]).into(),
        cells::age(namespace, clock),
    ]
}
