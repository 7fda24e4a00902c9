// SPDX-License-Identifier: Apache-2.0
//! Deployment.

use serde_json::{Value, json};

use super::template;
use crate::field::{Errors, Fault, Path, quote};
use crate::object::{self, at, int, map_mut, text};
use crate::rules::keep::{drop_status, immutable, keep, keep_spec, keep_status};
use crate::rules::number::{
    all_not_negative, at_most_100_percent, int_or_percent, int_or_percent_value, not_negative,
    number,
};
use crate::rules::{Clock, Generation, Rules, cells};

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| {
        keep_spec(new, old);
        keep(new, old, &["metadata", "labels"]);
    },
    validate: |object, errors| validate_spec(object, errors),
    validate_update: |new, old, errors| {
        validate_spec(new, errors);
        let (new, old) = (&new["spec"], &old["spec"]);
        immutable(new, old, "selector", &Path::new("spec"), errors);
    },
    validate_status,
    warnings: |new, old, warnings| {
        if old.is_none() {
            template::warn_of_pod_names(new, warnings);
        }
        template::warn_of_template(new, old, &["spec", "template"], warnings);
    },
    generation: Generation::SpecAndAnnotations,
    cells: Some(row),
    ..Rules::NONE
};

const STRATEGIES: [&str; 2] = ["Recreate", "RollingUpdate"];

fn default(object: &mut Value) {
    let spec = map_mut(object, &["spec"]);
    object::default_absent(spec, "replicas", 1);
    object::default_absent(spec, "revisionHistoryLimit", 10);
    object::default_absent(spec, "progressDeadlineSeconds", 600);
    let strategy = map_mut(object, &["spec", "strategy"]);
    object::default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = map_mut(object, &["spec", "strategy", "rollingUpdate"]);
        object::default_absent(rolling, "maxUnavailable", "25%");
        object::default_absent(rolling, "maxSurge", "25%");
    }
    template::default_template(object);
}

fn validate_spec(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    not_negative(spec, "replicas", &path, errors);
    template::validate_selector(spec, &path, "deployment", errors);
    template::validate_template(spec, &path, "invalid label selector", "ReplicaSet", errors);
    validate_strategy(&spec["strategy"], &path.child("strategy"), errors);
    not_negative(spec, "minReadySeconds", &path, errors);
    not_negative(spec, "revisionHistoryLimit", &path, errors);
    if let Some(deadline) = int(spec, &["progressDeadlineSeconds"]) {
        not_negative(spec, "progressDeadlineSeconds", &path, errors);
        if deadline <= number(spec, "minReadySeconds") {
            errors.invalid(
                path.child("progressDeadlineSeconds"),
                &json!(deadline),
                "must be greater than minReadySeconds",
            );
        }
    }
}

fn validate_strategy(strategy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rolling = strategy.get("rollingUpdate");
    let rolling_path = path.child("rollingUpdate");
    match (text(strategy, &["type"]), rolling) {
        ("Recreate", Some(_)) => errors.forbidden(
            rolling_path,
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        ("Recreate", None) => {}
        ("RollingUpdate", Some(rolling)) => {
            int_or_percent(rolling, "maxUnavailable", &rolling_path, errors);
            int_or_percent(rolling, "maxSurge", &rolling_path, errors);
            let unavailable = rolling.get("maxUnavailable");
            if int_or_percent_value(unavailable) == 0
                && int_or_percent_value(rolling.get("maxSurge")) == 0
            {
                errors.invalid(
                    rolling_path.child("maxUnavailable"),
                    unavailable.unwrap_or(&json!(0)),
                    "may not be 0 when `maxSurge` is 0",
                );
            }
            at_most_100_percent(rolling, "maxUnavailable", &rolling_path, errors);
        }
        ("RollingUpdate", None) => {
            errors.required(rolling_path, "this should be defaulted and never be nil")
        }
        (other, rolling) => unsupported_strategy(other, rolling, path, &STRATEGIES, errors),
    }
}

/// A strategy of an unknown type, shown whole.
pub(super) fn unsupported_strategy(
    kind: &str,
    rolling: Option<&Value>,
    path: &Path<'_>,
    supported: &[&str],
    errors: &mut Errors,
) {
    let supported: Vec<String> = supported.iter().map(|s| quote(s)).collect();
    let shown = strategy_words(kind, rolling);
    errors.push(
        Fault::NotSupported,
        path,
        format!(
            "Unsupported value: {shown}: supported values: {}",
            supported.join(", ")
        ),
    );
}

/// A strategy as messages show it.
pub(super) fn strategy_words(kind: &str, rolling: Option<&Value>) -> String {
    let rolling = match rolling {
        None => "null".to_owned(),
        Some(rolling) => rolling_words(rolling, &["maxUnavailable", "maxSurge"]),
    };
    format!("{{\"Type\":{},\"RollingUpdate\":{rolling}}}", quote(kind))
}

/// The parameters of a rolling update as messages show them: Go's names, all fields.
pub(super) fn rolling_words(rolling: &Value, keys: &[&str]) -> String {
    let all: Vec<String> = keys
        .iter()
        .map(|key| {
            let (first, rest) = key.split_at(1);
            let value = rolling.get(key).unwrap_or(&Value::Null);
            format!("\"{}{rest}\":{value}", first.to_ascii_uppercase())
        })
        .collect();
    format!("{{{}}}", all.join(","))
}

fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    const COUNTS: [&str; 8] = [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    ];
    const PARTS: [&str; 3] = ["updatedReplicas", "readyReplicas", "availableReplicas"];
    let status = &new["status"];
    all_not_negative(status, &COUNTS, &Path::new("status"), errors);
    template::replicas_add_up(status, &PARTS, "readyReplicas", errors);
    template::collisions_only_grow(new, old, errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let status = &object["status"];
    let desired = int(object, &["spec", "replicas"]).unwrap_or_default();
    let ready = format!("{}/{desired}", number(status, "readyReplicas"));
    let [names, images] = cells::containers(at(object, &["spec", "template", "spec"]));
    vec![
        cells::name(object),
        ready.into(),
        number(status, "updatedReplicas").into(),
        number(status, "availableReplicas").into(),
        cells::age(object, clock),
        names,
        images,
        cells::selector(at(object, &["spec", "selector"])),
    ]
}
