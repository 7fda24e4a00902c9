// SPDX-License-Identifier: Apache-2.0
//! ServiceCIDR and IPAddress: ranges of cluster IPs, and who holds one of them.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, at, list, text};
use crate::rules::address::report;
use crate::rules::keep::{drop_status, immutable, keep_spec, keep_status};
use crate::rules::{Clock, Generation, Rules, cells};

pub(super) static SERVICE_CIDR: Rules = Rules {
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: validate_ranges,
    validate_update: |new, old, errors| {
        let (new, old) = (&new["spec"], &old["spec"]);
        immutable(new, old, "cidrs", &Path::new("spec"), errors);
    },
    generation: Generation::Spec,
    cells: Some(range_row),
    ..Rules::NONE
};

pub(super) static IP_ADDRESS: Rules = Rules {
    validate: validate_address,
    validate_update: |new, old, errors| {
        let (new, old) = (&new["spec"], &old["spec"]);
        immutable(new, old, "parentRef", &Path::new("spec"), errors);
    },
    generation: Generation::Spec,
    cells: Some(address_row),
    ..Rules::NONE
};

fn validate_ranges(object: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let path = path.child("cidrs");
    let ranges = list(object, &["spec", "cidrs"]);
    if ranges.is_empty() {
        errors.required(path, "at least one CIDR required");
    } else if ranges.len() > 2 {
        let detail = "may only hold up to 2 values";
        errors.invalid(path, &ranges.to_vec().into(), detail);
    }
    for (index, range) in ranges.iter().filter_map(Value::as_str).enumerate() {
        report(name::cidr(range), range, &path.index(index), errors);
    }
}

fn validate_address(object: &Value, errors: &mut Errors) {
    let ip = object::name(object);
    let metadata = Path::new("metadata");
    report(name::ip(ip), ip, &metadata.child("name"), errors);
    let path = Path::new("spec");
    let path = path.child("parentRef");
    let Some(parent) = at(object, &["spec", "parentRef"]) else {
        errors.required(path, "");
        return;
    };
    for key in ["resource", "name"] {
        let value = text(parent, &[key]);
        let path = path.child(key);
        if value.is_empty() {
            errors.required(path, "");
        } else {
            report(name::path_segment_name(value), value, &path, errors);
        }
    }
}

fn range_row(object: &Value, clock: &Clock) -> Vec<Value> {
    let ranges: Vec<&str> = list(object, &["spec", "cidrs"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    vec![
        cells::name(object),
        ranges.join(",").into(),
        cells::age(object, clock),
    ]
}

fn address_row(object: &Value, _: &Clock) -> Vec<Value> {
    let parent = at(object, &["spec", "parentRef"]).map(|parent| {
        let mut words = text(parent, &["resource"]).to_lowercase();
        for (mark, key) in [(".", "group"), ("/", "namespace"), ("/", "name")] {
            let value = text(parent, &[key]);
            if !value.is_empty() {
                words.push_str(mark);
                words.push_str(value);
            }
        }
        words
    });
    vec![
        cells::name(object),
        cells::or_none(parent.unwrap_or_default()),
    ]
}
