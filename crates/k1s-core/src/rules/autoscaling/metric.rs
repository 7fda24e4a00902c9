// SPDX-License-Identifier: Apache-2.0
//! What an autoscaler looks at: `spec.metrics`.

use serde_json::{Value, json};

use super::validate_reference;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{at, int, list, text};
use crate::quantity::Quantity;
use crate::rules::address::report;
use crate::rules::core::resource_name;

/// The types of metrics, and the field of each.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];
const TYPES: [&str; 5] = [
    "ContainerResource",
    "External",
    "Object",
    "Pods",
    "Resource",
];

/// Checks all metrics.
pub(super) fn validate_all(spec: &Value, min: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    let metrics = list(spec, &["metrics"]);
    for (index, metric) in metrics.iter().enumerate() {
        validate(metric, &path.index(index), errors);
    }
    let from_elsewhere = metrics
        .iter()
        .any(|metric| matches!(text(metric, &["type"]), "Object" | "External"));
    if min == Some(0) && !from_elsewhere {
        errors.forbidden(
            path,
            "must specify at least one Object or External metric to support scaling to zero replicas",
        );
    }
}

fn validate(metric: &Value, path: &Path<'_>, errors: &mut Errors) {
    let kind = text(metric, &["type"]);
    if kind.is_empty() {
        errors.required(path.child("type"), "must specify a metric source type");
    }
    if !TYPES.contains(&kind) {
        errors.not_supported(path.child("type"), &json!(kind), &TYPES);
    }
    let present: Vec<&str> = SOURCES
        .iter()
        .map(|(_, key)| *key)
        .filter(|key| metric.get(key).is_some())
        .collect();
    if let Some(key) = present.first() {
        validate_source(&metric[*key], key, &path.child(key), errors);
    }
    let expected = SOURCES.iter().find(|(name, _)| *name == kind);
    let Some((_, expected)) = expected else {
        errors.not_supported(path.child("type"), &json!(kind), &TYPES);
        forbid_others(&present, None, path, errors);
        return;
    };
    if !present.contains(expected) {
        errors.required(
            path.child(expected),
            "must populate information for the given metric source",
        );
    }
    forbid_others(&present, Some(expected), path, errors);
}

/// There is one source.
fn forbid_others(present: &[&str], expected: Option<&str>, path: &Path<'_>, errors: &mut Errors) {
    if present.len() != 1 {
        for other in present.iter().filter(|key| Some(**key) != expected) {
            errors.forbidden(
                path.child(other),
                "must populate the given metric source only",
            );
        }
    }
}

fn validate_source(source: &Value, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let is_resource = matches!(key, "resource" | "containerResource");
    if key == "object" {
        validate_reference(
            &source["describedObject"],
            &path.child("describedObject"),
            errors,
        );
    }
    if is_resource {
        let name = text(source, &["name"]);
        if name.is_empty() {
            errors.required(path.child("name"), "must specify a resource name");
        } else if key == "containerResource" {
            resource_name::validate_for_container(name, &path.child("name"), errors);
        }
    } else {
        validate_identifier(&source["metric"], &path.child("metric"), errors);
    }
    if key == "containerResource" {
        let container = text(source, &["container"]);
        let path = path.child("container");
        if container.is_empty() {
            errors.required(path, "must specify a container");
        } else {
            report(name::dns1123_label(container), container, &path, errors);
        }
    }
    let target = &source["target"];
    let path = path.child("target");
    validate_target(target, &path, errors);
    let (value, average, percent) = (
        target.get("value").is_some(),
        target.get("averageValue").is_some(),
        target.get("averageUtilization").is_some(),
    );
    match key {
        "pods" if !average => errors.required(
            path.child("averageValue"),
            "must specify a positive target averageValue",
        ),
        "object" | "external" if !value && !average => errors.required(
            path.child("averageValue"),
            if key == "object" {
                "must set either a target value or averageValue"
            } else {
                "must set either a target value for metric or a per-pod target"
            },
        ),
        "external" if value && average => errors.forbidden(
            path.child("value"),
            "may not set both a target value for metric and a per-pod target",
        ),
        _ if is_resource && !percent && !average => errors.required(
            path.child("averageUtilization"),
            "must set either a target raw value or a target utilization",
        ),
        _ if is_resource && percent && average => errors.forbidden(
            path.child("averageValue"),
            "may not set both a target raw value and a target utilization",
        ),
        _ => {}
    }
}

fn validate_identifier(metric: &Value, path: &Path<'_>, errors: &mut Errors) {
    let name = text(metric, &["name"]);
    let path = path.child("name");
    if name.is_empty() {
        errors.required(path, "must specify a metric name");
    } else {
        report(name::path_segment_name(name), name, &path, errors);
    }
}

fn validate_target(target: &Value, path: &Path<'_>, errors: &mut Errors) {
    let kind = text(target, &["type"]);
    if kind.is_empty() {
        errors.required(path.child("type"), "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind) {
        errors.invalid_text(
            path.child("type"),
            kind,
            "must be either Utilization, Value, or AverageValue",
        );
    }
    for key in ["value", "averageValue"] {
        if let Some(value) = target.get(key)
            && !is_positive(Some(value))
        {
            errors.invalid(path.child(key), value, "must be positive");
        }
    }
    if let Some(percent) = int(target, &["averageUtilization"]).filter(|percent| *percent < 1) {
        errors.invalid(
            path.child("averageUtilization"),
            &json!(percent),
            "must be greater than 0",
        );
    }
}

fn is_positive(value: Option<&Value>) -> bool {
    value
        .and_then(|value| Quantity::from_json(value).ok())
        .is_some_and(|quantity| quantity > Quantity::zero())
}

/// `current` of the status of a metric, by its place in the list.
pub(super) fn current<'a>(object: &'a Value, index: usize, source: &str) -> Option<&'a Value> {
    let status = list(object, &["status", "currentMetrics"]).get(index)?;
    at(status, &[source, "current"])
}

/// The field in which a metric of this type has its source.
pub(super) fn source_of(kind: &str) -> Option<&'static str> {
    SOURCES
        .iter()
        .find(|(name, _)| *name == kind)
        .map(|(_, key)| *key)
}
