// SPDX-License-Identifier: Apache-2.0
//! VolumeAttributesClass.

use serde_json::Value;

use super::storage_class::{validate_parameters, validate_provisioner};
use crate::field::Errors;
use crate::object::{self, text};
use crate::rules::{Clock, Rules, cells};

pub(super) static RULES: Rules = Rules {
    validate,
    validate_update: |new, old, errors| {
        for key in ["driverName", "parameters"] {
            if new.get(key) != old.get(key) {
                errors.forbidden(key, format!("updates to {key} are forbidden."));
            }
        }
        validate(new, errors);
    },
    cells: Some(row),
    ..Rules::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    validate_provisioner(object, "driverName", errors);
    validate_parameters(object, false, errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        object::name(object).into(),
        text(object, &["driverName"]).into(),
        cells::age(object, clock),
    ]
}
