// SPDX-License-Identifier: Apache-2.0
//! VolumeAttachment.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{at, is_true, text};
use crate::rules::address::report;
use crate::rules::core::pod_template::check;
use crate::rules::keep::{drop_status, immutable_root, keep_spec, keep_status};
use crate::rules::{Clock, Rules, cells};

pub(super) static RULES: Rules = Rules {
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate,
    validate_update: |new, old, errors| {
        validate(new, errors);
        immutable_root(new, old, "spec", errors);
    },
    unconditional_update: false,
    cells: Some(row),
    ..Rules::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    if check::required(spec, "attacher", &path, errors) {
        let attacher = text(spec, &["attacher"]).to_lowercase();
        check::dns_subdomain(&attacher, &path.child("attacher"), errors);
    }
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
            let volume = volume.as_str().unwrap_or_default();
            let path = source.child("persistentVolumeName");
            if volume.is_empty() {
                errors.required(path, "must specify non empty persistentVolumeName");
            } else {
                report(name::dns1123_subdomain(volume), volume, &path, errors);
            }
        }
        (None, Some(_)) => {}
    }
    let node = text(spec, &["nodeName"]);
    let path = path.child("nodeName");
    report(name::dns1123_subdomain(node), node, &path, errors);
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
