// SPDX-License-Identifier: Apache-2.0
//! DaemonSet.

use serde_json::{Value, json};

use super::{deployment, template};
use crate::field::{Errors, Path};
use crate::object::{self, annotation, at, map_mut, text};
use crate::rules::core::pod_template;
use crate::rules::keep::{drop_status, immutable, keep_spec, keep_status};
use crate::rules::label_selector;
use crate::rules::number::{
    all_not_negative, at_most_100_percent, int_or_percent, int_or_percent_value, not_negative,
    number,
};
use crate::rules::{Clock, Generation, Rules, cells};
use crate::selector::LabelSelector;

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| {
        drop_status(object);
        let generation = template_generation(object).max(1);
        set_template_generation(object, generation);
    },
    prepare_update: |new, old, _| {
        keep_status(new, old);
        let path = ["spec", "template"];
        let changed = i64::from(at(new, &path) != at(old, &path));
        set_template_generation(new, template_generation(old) + changed);
    },
    prepare_status: |new, old, _| {
        keep_spec(new, old);
        set_template_generation(new, template_generation(old));
    },
    validate: |object, errors| validate_spec(object, errors),
    validate_update: |new, old, errors| {
        // Kubernetes checks the spec as a new one and as a changed one, and names each fault twice.
        validate_spec(new, errors);
        validate_spec(new, errors);
        let (new, old) = (&new["spec"], &old["spec"]);
        immutable(new, old, "selector", &Path::new("spec"), errors);
    },
    validate_status,
    warnings: |new, old, warnings| {
        template::warn_of_template(new, old, &["spec", "template"], warnings);
    },
    generation: Generation::Spec,
    cells: Some(row),
    ..Rules::NONE
};

/// Counts the changes of the template.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
const STRATEGIES: [&str; 2] = ["RollingUpdate", "OnDelete"];

fn template_generation(object: &Value) -> i64 {
    annotation(object, TEMPLATE_GENERATION)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

fn set_template_generation(object: &mut Value, generation: i64) {
    map_mut(object, &["metadata", "annotations"]).insert(
        TEMPLATE_GENERATION.to_owned(),
        generation.to_string().into(),
    );
}

fn default(object: &mut Value) {
    object::default_absent(map_mut(object, &["spec"]), "revisionHistoryLimit", 10);
    let strategy = map_mut(object, &["spec", "updateStrategy"]);
    object::default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = map_mut(object, &["spec", "updateStrategy", "rollingUpdate"]);
        object::default_absent(rolling, "maxUnavailable", 1);
        object::default_absent(rolling, "maxSurge", 0);
    }
    template::default_template(object);
}

fn validate_spec(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    let selector = spec.get("selector").filter(|s| s.is_object());
    let selector_path = path.child("selector");
    let pods = spec.get("template").unwrap_or(&Value::Null);
    let pods_path = path.child("template");
    label_selector::validate(selector, &selector_path, errors);
    if let Ok(read) = LabelSelector::from_object(selector)
        && !template::selects(&read, pods)
    {
        template::mismatch(pods, &pods_path, errors);
    }
    if selector.is_some_and(label_selector::is_empty) {
        label_selector::invalid(
            &selector_path,
            selector,
            "empty selector is invalid for daemonset",
            errors,
        );
    }
    pod_template::validate_template(pods, &pods_path, errors);
    template::validate_lasting(pods, &pods_path, "DaemonSet", errors);
    not_negative(spec, "minReadySeconds", &path, errors);
    validate_strategy(
        &spec["updateStrategy"],
        &path.child("updateStrategy"),
        errors,
    );
    not_negative(spec, "revisionHistoryLimit", &path, errors);
}

fn validate_strategy(strategy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rolling_path = path.child("rollingUpdate");
    match (text(strategy, &["type"]), strategy.get("rollingUpdate")) {
        ("OnDelete", _) => {}
        ("RollingUpdate", None) => errors.required(rolling_path, ""),
        ("RollingUpdate", Some(rolling)) => validate_rolling(rolling, &rolling_path, errors),
        (other, rolling) => {
            deployment::unsupported_strategy(other, rolling, path, &STRATEGIES, errors)
        }
    }
}

fn validate_rolling(rolling: &Value, path: &Path<'_>, errors: &mut Errors) {
    int_or_percent(rolling, "maxUnavailable", path, errors);
    int_or_percent(rolling, "maxSurge", path, errors);
    let surge = rolling.get("maxSurge");
    let unavailable = int_or_percent_value(rolling.get("maxUnavailable"));
    match (unavailable != 0, int_or_percent_value(surge) != 0) {
        (true, true) => errors.invalid(
            path.child("maxSurge"),
            surge.unwrap_or(&json!(0)),
            "may not be set when maxUnavailable is non-zero",
        ),
        (false, false) => errors.required(
            path.child("maxUnavailable"),
            "cannot be 0 when maxSurge is 0",
        ),
        _ => {}
    }
    at_most_100_percent(rolling, "maxUnavailable", path, errors);
    at_most_100_percent(rolling, "maxSurge", path, errors);
}

fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    const COUNTS: [&str; 9] = [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    ];
    all_not_negative(&new["status"], &COUNTS, &Path::new("status"), errors);
    template::collisions_only_grow(new, old, errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let status = &object["status"];
    let pods = at(object, &["spec", "template", "spec"]);
    let [names, images] = cells::containers(pods);
    vec![
        cells::name(object),
        number(status, "desiredNumberScheduled").into(),
        number(status, "currentNumberScheduled").into(),
        number(status, "numberReady").into(),
        number(status, "updatedNumberScheduled").into(),
        number(status, "numberAvailable").into(),
        cells::labels(pods.and_then(|pods| pods.get("nodeSelector"))),
        cells::age(object, clock),
        names,
        images,
        cells::selector(at(object, &["spec", "selector"])),
    ]
}
