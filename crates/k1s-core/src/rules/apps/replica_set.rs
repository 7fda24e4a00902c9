// SPDX-License-Identifier: Apache-2.0
//! ReplicaSet.

use serde_json::Value;

use super::template;
use crate::field::{Errors, Path};
use crate::object::{self, at, map_mut};
use crate::rules::keep::{drop_status, immutable, keep_spec, keep_status};
use crate::rules::number::{all_not_negative, not_negative, number};
use crate::rules::{Clock, Generation, Rules, cells};

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: |object, errors| validate_spec(object, errors),
    validate_update: |new, old, errors| {
        // Kubernetes checks the spec as a new one and as a changed one, and names each fault twice.
        validate_spec(new, errors);
        validate_spec(new, errors);
        let (new, old) = (&new["spec"], &old["spec"]);
        immutable(new, old, "selector", &Path::new("spec"), errors);
    },
    validate_status: |new, _, errors| validate_status(new, errors),
    warnings: |new, old, warnings| {
        if old.is_none() {
            template::warn_of_pod_names(new, warnings);
        }
        template::warn_of_template(new, old, &["spec", "template"], warnings);
    },
    generation: Generation::Spec,
    cells: Some(row),
    ..Rules::NONE
};

fn default(object: &mut Value) {
    object::default_absent(map_mut(object, &["spec"]), "replicas", 1);
    template::default_template(object);
}

fn validate_spec(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    not_negative(spec, "replicas", &path, errors);
    not_negative(spec, "minReadySeconds", &path, errors);
    template::validate_selector(spec, &path, "deployment", errors);
    template::validate_template(spec, &path, "invalid label selector", "ReplicaSet", errors);
}

fn validate_status(object: &Value, errors: &mut Errors) {
    const COUNTS: [&str; 6] = [
        "replicas",
        "fullyLabeledReplicas",
        "readyReplicas",
        "availableReplicas",
        "observedGeneration",
        "terminatingReplicas",
    ];
    const PARTS: [&str; 3] = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
    let status = &object["status"];
    all_not_negative(status, &COUNTS, &Path::new("status"), errors);
    template::replicas_add_up(status, &PARTS, "readyReplicas", errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let status = &object["status"];
    let [names, images] = cells::containers(at(object, &["spec", "template", "spec"]));
    vec![
        cells::name(object),
        number(&object["spec"], "replicas").into(),
        number(status, "replicas").into(),
        number(status, "readyReplicas").into(),
        cells::age(object, clock),
        names,
        images,
        cells::selector(at(object, &["spec", "selector"])),
    ]
}
