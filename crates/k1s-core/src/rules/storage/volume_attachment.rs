// SPDX-License-Identifier: Apache-2.0
//! VolumeAttachment.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{at, int, is_true, map, text};
use crate::rules::address::report;
use crate::rules::core::persistent_volume;
use crate::rules::core::pod_template::check;
use crate::rules::core::pod_template::foreign_volume::csi_driver_name;
use crate::rules::keep::{drop_status, immutable_root, keep, keep_spec, keep_status};
use crate::rules::{Clock, Rules, cells};

pub(super) static RULES: Rules = Rules {
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| {
        keep_spec(new, old);
        for key in ["labels", "annotations", "finalizers", "ownerReferences"] {
            keep(new, old, &["metadata", key]);
        }
    },
    validate: |object, errors| {
        validate(object, errors);
        validate_as_v1(object, errors);
    },
    validate_update: |new, old, errors| {
        validate(new, errors);
        immutable_root(new, old, "spec", errors);
    },
    // the status is checked as the object is
    validate_status: |new, old, errors| {
        validate(new, errors);
        validate_errors(new, errors);
        immutable_root(new, old, "spec", errors);
    },
    unconditional_update: false,
    cells: Some(row),
    ..Rules::NONE
};

const METADATA_BYTES: usize = 256 * 1024;
const MESSAGE_BYTES: usize = 1024;

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    check::required(spec, "attacher", &path, errors);
    let source = path.child("source");
    let volume = at(spec, &["source", "persistentVolumeName"]);
    let inline = at(spec, &["source", "inlineVolumeSpec"]);
    match (volume, inline) {
        (None, None) => errors.required(
            source,
            "must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ),
        (Some(_), Some(_)) => errors.forbidden(
            source,
            "must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ),
        (Some(volume), None) => {
            if volume == "" {
                let path = source.child("persistentVolumeName");
                errors.required(path, "must specify non empty persistentVolumeName");
            }
        }
        (None, Some(inline)) => {
            let path = source.child("inlineVolumeSpec");
            persistent_volume::validate_inline(inline, &path, errors);
        }
    }
    let node = text(spec, &["nodeName"]);
    let path = path.child("nodeName");
    report(name::dns1123_subdomain(node), node, &path, errors);
}

/// What the first version that was stable asked in addition.
fn validate_as_v1(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    csi_driver_name(spec, "attacher", &path, errors);
    if let Some(volume) = at(spec, &["source", "persistentVolumeName"]).and_then(Value::as_str) {
        let path = path.child("source");
        let path = path.child("persistentVolumeName");
        report(name::dns1123_subdomain(volume), volume, &path, errors);
    }
}

fn validate_errors(object: &Value, errors: &mut Errors) {
    let path = Path::new("status");
    let size: usize = map(object, &["status", "attachmentMetadata"])
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > METADATA_BYTES {
        errors.too_long(path.child("attachmentMetadata"), METADATA_BYTES);
    }
    for key in ["attachError", "detachError"] {
        let Some(error) = at(object, &["status", key]) else {
            continue;
        };
        let path = path.child(key);
        if text(error, &["message"]).len() > MESSAGE_BYTES {
            errors.too_long(path.child("message"), METADATA_BYTES);
        }
        if let Some(code) = int(error, &["errorCode"]).filter(|code| *code < 0) {
            let detail = name::inclusive_range(0, i64::from(i32::MAX));
            errors.invalid(path.child("errorCode"), &code.into(), detail);
        }
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let spec = &object["spec"];
    vec![
        cells::name(object),
        text(spec, &["attacher"]).into(),
        text(spec, &["source", "persistentVolumeName"]).into(),
        text(spec, &["nodeName"]).into(),
        is_true(object, &["status", "attached"]).into(),
        cells::age(object, clock),
    ]
}
