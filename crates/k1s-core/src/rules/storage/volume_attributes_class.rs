// SPDX-License-Identifier: Apache-2.0
//! VolumeAttributesClass.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, map, text};
use crate::rules::address::report;
use crate::rules::keep::immutable_root;
use crate::rules::{Clock, Rules, cells};

pub(super) static RULES: Rules = Rules {
    validate,
    validate_update: |new, old, errors| {
        immutable_root(new, old, "driverName", errors);
        immutable_root(new, old, "parameters", errors);
    },
    cells: Some(row),
    ..Rules::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let driver = text(object, &["driverName"]);
    if driver.is_empty() {
        errors.required("driverName", "");
    } else {
        let lower = driver.to_lowercase();
        let path = Path::new("driverName");
        report(name::dns1123_subdomain(&lower), driver, &path, errors);
    }
    if map(object, &["parameters"]).is_none_or(serde_json::Map::is_empty) {
        errors.required("parameters", "must contain at least one key/value pair");
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        object::name(object).into(),
        text(object, &["driverName"]).into(),
        cells::age(object, clock),
    ]
}
