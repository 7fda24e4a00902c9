// SPDX-License-Identifier: Apache-2.0
//! CSIStorageCapacity.

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{list, map, text};
use crate::quantity::Quantity;
use crate::rules::address::report;
use crate::rules::core::pod_template::warning;
use crate::rules::keep::same;
use crate::rules::{Rules, label_selector};

pub(super) static RULES: Rules = Rules {
    validate,
    validate_update: |new, old, errors| {
        validate(new, errors);
        for key in ["nodeTopology", "storageClassName"] {
            if !same(new.get(key), old.get(key)) {
                let value = new.get(key).unwrap_or(&Value::Null);
                errors.invalid(key, value, "field is immutable");
            }
        }
    },
    warnings: |new, _, warnings| warn(new, warnings),
    unconditional_update: false,
    ..Rules::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let topology = object.get("nodeTopology");
    label_selector::validate(topology, &Path::new("nodeTopology"), errors);
    let class = text(object, &["storageClassName"]);
    let path = Path::new("storageClassName");
    report(name::dns1123_subdomain(class), class, &path, errors);
    if let Some(capacity) = object.get("capacity")
        && let Ok(amount) = Quantity::from_json(capacity)
        && amount < Quantity::zero()
    {
        errors.invalid(
            "capacity",
            &json!(amount.to_string()),
            "must be greater than or equal to 0",
        );
    }
}

fn warn(object: &Value, warnings: &mut Vec<String>) {
    let path = Path::new("nodeTopology");
    let expressions = path.child("matchExpressions");
    for (index, expression) in list(object, &["nodeTopology", "matchExpressions"])
        .iter()
        .enumerate()
    {
        let key = text(expression, &["key"]);
        if let Some(words) = warning::of_node_label(key) {
            warnings.push(format!(
                "{}: {key} is {words}",
                expressions.index(index).child("key")
            ));
        }
    }
    let labels = path.child("matchLabels");
    for key in map(object, &["nodeTopology", "matchLabels"])
        .into_iter()
        .flat_map(|m| m.keys())
    {
        if let Some(words) = warning::of_node_label(key) {
            warnings.push(format!("{}: {words}", labels.child(key)));
        }
    }
}
