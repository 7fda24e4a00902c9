// SPDX-License-Identifier: Apache-2.0
//! HorizontalPodAutoscaler, the kind of autoscaling. Both versions are stored as v2; only their defaults differ.

mod behavior;
mod metric;
mod metric_cell;

use serde_json::{Value, json};

use super::address::report;
use super::keep::{drop_status, keep_spec, keep_status};
use super::number::{all_not_negative, number};
use super::{Clock, Rules, cells};
use crate::convert::autoscaler;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, annotation, at, int, map_mut, text};

/// The rules of a kind of this group.
pub(super) fn of(version: &str, kind: &str) -> Option<&'static Rules> {
    match (version, kind) {
        ("v1", "HorizontalPodAutoscaler") => Some(&V1),
        (_, "HorizontalPodAutoscaler") => Some(&V2),
        _ => None,
    }
}

static V1: Rules = Rules {
    default: default_v1,
    cells: Some(|object, clock| {
        let mut object = object.clone();
        autoscaler::to_v2(&mut object);
        row(&object, clock)
    }),
    ..RULES
};

static V2: Rules = RULES;

const RULES: Rules = Rules {
    default: default_v2,
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: |object, errors| validate(object, None, errors),
    validate_update: |new, old, errors| validate(new, Some(old), errors),
    validate_status: |new, _, errors| {
        const COUNTS: [&str; 2] = ["currentReplicas", "desiredReplicas"];
        all_not_negative(&new["status"], &COUNTS, &Path::new("status"), errors);
    },
    cells: Some(row),
    ..Rules::NONE
};

const METRICS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CPU_PERCENT: i64 = 80;

fn default_v1(object: &mut Value) {
    let has_metrics = annotation(object, METRICS_ANNOTATION).is_some();
    let spec = map_mut(object, &["spec"]);
    object::default_absent(spec, "minReplicas", 1);
    if !has_metrics {
        object::default_absent(spec, "targetCPUUtilizationPercentage", CPU_PERCENT);
    }
}

fn default_v2(object: &mut Value) {
    let spec = map_mut(object, &["spec"]);
    object::default_absent(spec, "minReplicas", 1);
    object::default(
        spec,
        "metrics",
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": CPU_PERCENT}}}]),
    );
    if let Some(behavior) = spec.get_mut("behavior") {
        behavior::default(behavior);
    }
}

fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let old = old.map(|old| &old["spec"]);
    let path = Path::new("spec");
    let least = i64::from(old.and_then(|old| int(old, &["minReplicas"])) != Some(0));
    let min = int(spec, &["minReplicas"]);
    let max = number(spec, "maxReplicas");
    if let Some(min) = min.filter(|min| *min < least) {
        errors.invalid(
            path.child("minReplicas"),
            &json!(min),
            format!("must be greater than or equal to {least}"),
        );
    }
    if max < 1 {
        errors.invalid(
            path.child("maxReplicas"),
            &json!(max),
            "must be greater than 0",
        );
    }
    if min.is_some_and(|min| max < min) {
        errors.invalid(
            path.child("maxReplicas"),
            &json!(max),
            "must be greater than or equal to `minReplicas`",
        );
    }
    let target = &spec["scaleTargetRef"];
    let target_path = path.child("scaleTargetRef");
    validate_reference(target, &target_path, errors);
    const VERSION: [&str; 2] = ["scaleTargetRef", "apiVersion"];
    if old.is_none_or(|old| at(old, &VERSION) != at(spec, &VERSION)) {
        validate_target_version(text(target, &["apiVersion"]), &target_path, errors);
    }
    metric::validate_all(spec, min, &path.child("metrics"), errors);
    if let Some(behavior) = spec.get("behavior") {
        behavior::validate(behavior, &path.child("behavior"), errors);
    }
}

/// Kind and name of an object that is referred to.
fn validate_reference(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    for key in ["kind", "name"] {
        let value = text(reference, &[key]);
        let path = path.child(key);
        if value.is_empty() {
            errors.required(path, "");
        } else {
            report(name::path_segment_name(value), value, &path, errors);
        }
    }
}

fn validate_target_version(version: &str, path: &Path<'_>, errors: &mut Errors) {
    let problem = match version.split('/').count() {
        1 => "apiVersion must specify API group".to_owned(),
        2 => return,
        _ => format!("unexpected GroupVersion string: {version}"),
    };
    errors.invalid_text(path.child("apiVersion"), version, problem);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let target = &object["spec"]["scaleTargetRef"];
    let min = int(object, &["spec", "minReplicas"]);
    vec![
        cells::name(object),
        format!("{}/{}", text(target, &["kind"]), text(target, &["name"])).into(),
        metric_cell::words(object).into(),
        min.map_or(cells::UNSET.to_owned(), |min| min.to_string())
            .into(),
        number(&object["spec"], "maxReplicas").into(),
        number(&object["status"], "currentReplicas").into(),
        cells::age(object, clock),
    ]
}
