// SPDX-License-Identifier: Apache-2.0
//! Lease, the kind of coordination.k8s.io.

use serde_json::Value;

use super::number::{not_negative, positive_if_given};
use super::{Clock, Rules, cells};
use crate::field::{Errors, Path};
use crate::object::{self, at, text};

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    (kind == "Lease").then_some(&RULES)
}

static RULES: Rules = Rules {
    prepare_create: |object, _| drop_coordination(object, &Value::Null),
    prepare_update: |new, old, _| drop_coordination(new, old),
    validate: |object, errors| validate(object, errors),
    validate_update: |new, _, errors| validate(new, errors),
    plain_finalizers: true,
    unconditional_update: false,
    create_on_update: true,
    cells: Some(row),
    ..Rules::NONE
};

/// Fields of coordinated leader election are not served; they are kept where they are.
fn drop_coordination(new: &mut Value, old: &Value) {
    for key in ["strategy", "preferredHolder"] {
        if at(old, &["spec", key]).is_none() {
            object::remove(new, &["spec", key]);
        }
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    positive_if_given(spec, "leaseDurationSeconds", &path, errors);
    not_negative(spec, "leaseTransitions", &path, errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        cells::name(object),
        text(object, &["spec", "holderIdentity"]).into(),
        cells::age(object, clock),
    ]
}
