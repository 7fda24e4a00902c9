// SPDX-License-Identifier: Apache-2.0
//! CSINode.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::object::{int, list, text};
use crate::rules::core::pod_template::check;
use crate::rules::label_selector::validate_key;
use crate::rules::{Clock, Rules, cells};

pub(super) static RULES: Rules = Rules {
    validate: |object, errors| validate(object, errors),
    validate_update: |new, old, errors| {
        validate(new, errors);
        validate_change(new, old, errors);
    },
    unconditional_update: false,
    cells: Some(row),
    ..Rules::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let path = path.child("drivers");
    let mut names = BTreeSet::new();
    for (index, driver) in list(object, &["spec", "drivers"]).iter().enumerate() {
        let path = path.index(index);
        let name = text(driver, &["name"]);
        if check::required(driver, "name", &path, errors) {
            let lower = name.to_lowercase();
            check::dns_subdomain(&lower, &path.child("name"), errors);
        }
        check::required(driver, "nodeID", &path, errors);
        if !names.insert(name) {
            errors.duplicate(path.child("name"), &json!(name));
        }
        if let Some(count) = int(driver, &["allocatable", "count"]).filter(|count| *count < 0) {
            errors.invalid(
                path.child("allocatable").child("count"),
                &json!(count),
                "must be greater than or equal to 0",
            );
        }
        let keys = path.child("topologyKeys");
        let all = list(driver, &["topologyKeys"]);
        for (index, key) in all.iter().enumerate() {
            if all[..index].contains(key) {
                errors.duplicate(keys, key);
            }
            validate_key(key.as_str().unwrap_or_default(), &keys, errors);
        }
    }
}

/// A driver that stays keeps what it says.
fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let path = path.child("drivers");
    let before = list(old, &["spec", "drivers"]);
    for driver in list(new, &["spec", "drivers"]) {
        let same_name = before
            .iter()
            .find(|old| old.get("name") == driver.get("name"));
        if same_name.is_some_and(|old| old != driver) {
            errors.invalid(path, driver, "field is immutable");
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
