// SPDX-License-Identifier: Apache-2.0
//! RuntimeClass, the kind of node.k8s.io.

use serde_json::Value;

use super::address::report;
use super::core::pod_template::{resources, toleration};
use super::keep::immutable_root;
use super::{Clock, Rules, cells, label_selector};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{at, list, text};

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    (kind == "RuntimeClass").then_some(&RULES)
}

static RULES: Rules = Rules {
    validate,
    validate_update: |new, old, errors| {
        immutable_root(new, old, "handler", errors);
        validate_overhead(new, errors);
        validate_scheduling(new, errors);
    },
    plain_finalizers: true,
    unconditional_update: false,
    create_on_update: true,
    cells: Some(row),
    ..Rules::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let handler = text(object, &["handler"]);
    let complaints = name::dns1123_label(handler);
    report(complaints, handler, &Path::new("handler"), errors);
    validate_overhead(object, errors);
    validate_scheduling(object, errors);
}

fn validate_overhead(object: &Value, errors: &mut Errors) {
    if let Some(overhead) = at(object, &["overhead", "podFixed"]) {
        resources::validate_overhead(overhead, &Path::new("overhead"), errors);
    }
}

fn validate_scheduling(object: &Value, errors: &mut Errors) {
    let path = Path::new("scheduling");
    let selector = at(object, &["scheduling", "nodeSelector"]);
    label_selector::validate_labels(selector, &path.child("nodeSelector"), errors);
    let tolerations = list(object, &["scheduling", "tolerations"]);
    let path = path.child("tolerations");
    toleration::validate_tolerations(tolerations, &path, errors);
    for (index, toleration) in tolerations.iter().enumerate() {
        if tolerations[..index].contains(toleration) {
            errors.duplicate(path.index(index), toleration);
        }
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        cells::name(object),
        text(object, &["handler"]).into(),
        cells::age(object, clock),
    ]
}
