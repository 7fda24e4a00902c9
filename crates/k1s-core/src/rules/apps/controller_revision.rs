// SPDX-License-Identifier: Apache-2.0
//! ControllerRevision.

use serde_json::Value;

use crate::field::Errors;
use crate::object::{is_true, list, text};
use crate::rules::keep::immutable_root;
use crate::rules::number::{at_least_zero, number};
use crate::rules::{Clock, Rules, cells};

pub(super) static RULES: Rules = Rules {
    validate,
    validate_update: |new, old, errors| {
        at_least_zero(number(new, "revision"), "revision", errors);
        immutable_root(new, old, "data", errors);
    },
    cells: Some(row),
    ..Rules::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    at_least_zero(number(object, "revision"), "revision", errors);
    match object.get("data") {
        None | Some(Value::Null) => errors.required("data", "data is mandatory"),
        Some(Value::Object(_)) => {}
        Some(_) => errors.required("data", "data must be a valid JSON object"),
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let owner = list(object, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| is_true(owner, &["controller"]));
    let controller = owner.map_or(cells::NONE.to_owned(), |owner| {
        let kind = text(owner, &["kind"]).to_lowercase();
        let name = text(owner, &["name"]);
        match text(owner, &["apiVersion"]).split_once('/') {
            Some((group, _)) => format!("{kind}.{group}/{name}"),
            None => format!("{kind}/{name}"),
        }
    });
    vec![
        cells::name(object),
        controller.into(),
        number(object, "revision").into(),
        cells::age(object, clock),
    ]
}
