// SPDX-License-Identifier: Apache-2.0
//! Pod.
//!
//! What any pod spec has is in `pod_template`; here is what a Pod has beside it: defaults that templates lack, what a write may
//! change by which path, the status, fields and cells.

mod cells;
mod default;
mod ephemeral_containers;
mod prepare;
pub(in crate::rules) mod qos;
mod resize;
mod status;
mod update;
mod validate;

use serde_json::Value;

use crate::object::{is_true, list, text};
use crate::rules::{Generation, Rules, SubresourceRules, UnknownField};

pub(super) static RULES: Rules = Rules {
    default: default::default,
    prepare_create: prepare::create,
    prepare_update: prepare::update,
    prepare_status: status::prepare,
    validate: validate::create,
    validate_update: update::validate,
    validate_status: status::validate,
    subresources: &[
        SubresourceRules {
            name: "resize",
            prepare: resize::prepare,
            validate: resize::validate,
        },
        SubresourceRules {
            name: "ephemeralcontainers",
            prepare: ephemeral_containers::prepare,
            validate: ephemeral_containers::validate,
        },
    ],
    warnings: validate::warnings,
    generation: Generation::Spec,
    fields: &[
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
        "spec.host",
    ],
    field,
    unknown_field: UnknownField::NotSupported,
    cells: Some(cells::cells),
    row_conditions: cells::conditions,
    ..Rules::NONE
};

fn field(pod: &Value, name: &str) -> String {
    match name {
        "spec.hostNetwork" => is_true(pod, &["spec", "hostNetwork"]).to_string(),
        "spec.host" => text(pod, &["spec", "nodeName"]).to_owned(),
        "status.podIP" => list(pod, &["status", "podIPs"])
            .first()
            .map_or_else(String::new, |ip| text(ip, &["ip"]).to_owned()),
        _ => name
            .split_once('.')
            .map_or_else(String::new, |(part, key)| {
                text(pod, &[part, key]).to_owned()
            }),
    }
}
