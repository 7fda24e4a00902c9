// SPDX-License-Identifier: Apache-2.0
//! CSINode.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::object::{self, int, list, text};
use crate::rules::core::pod_template::check;
use crate::rules::core::pod_template::foreign_volume::csi_driver_name;
use crate::rules::label_selector::validate_key;
use crate::rules::{Clock, Rules, cells};

pub(super) static RULES: Rules = Rules {
    validate: |object, errors| validate(object, errors),
    validate_update: |new, old, errors| {
        // as a new one and as a changed one, each fault twice
        validate(new, errors);
        validate(new, errors);
        validate_change(new, old, errors);
    },
    unconditional_update: false,
    cells: Some(row),
    ..Rules::NONE
};

const NODE_ID_BYTES: usize = 256;

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let path = path.child("drivers");
    let mut names = BTreeSet::new();
    for (index, driver) in list(object, &["spec", "drivers"]).iter().enumerate() {
        let path = path.index(index);
        let name = text(driver, &["name"]);
        csi_driver_name(driver, "name", &path, errors);
        check::required(driver, "nodeID", &path, errors);
        let node = text(driver, &["nodeID"]);
        if node.len() > NODE_ID_BYTES {
            let detail = format!("must be {NODE_ID_BYTES} characters or less");
            errors.invalid_text(path.child("nodeID"), node, detail);
        }
        if let Some(count) = int(driver, &["allocatable", "count"]).filter(|count| *count < 0) {
            errors.invalid(
                path.child("allocatable").child("count"),
                &json!(count),
                "must be greater than or equal to 0",
            );
        }
        if !names.insert(name) {
            errors.duplicate(path.child("name"), &json!(name));
        }
        // what is wrong with a key is told of the driver
        let all = list(driver, &["topologyKeys"]);
        for (index, key) in all.iter().enumerate() {
            if key == "" {
                errors.required(path, "");
            }
            if all[..index].contains(key) {
                errors.duplicate(path, key);
            }
            validate_key(key.as_str().unwrap_or_default(), &path, errors);
        }
    }
}

/// A driver that stays keeps what it says.
fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let path = path.child("drivers");
    let before = list(old, &["spec", "drivers"]);
    let fixed = |driver: &Value| {
        let mut driver = driver.clone();
        object::remove(&mut driver, &["allocatable"]);
        driver
    };
    for old in before {
        for driver in list(new, &["spec", "drivers"]) {
            if old.get("name") == driver.get("name") && fixed(old) != fixed(driver) {
                errors.invalid(path, &fixed(driver), "field is immutable");
            }
        }
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        cells::name(object),
        list(object, &["spec", "drivers"]).len().into(),
        cells::age(object, clock),
    ]
}
