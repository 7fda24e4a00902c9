// SPDX-License-Identifier: Apache-2.0
//! LimitRange.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::pod_template::check::complain;
use super::resource_name::{self, allows_overcommit, amount, amounts};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{list, list_mut, map, map_mut, text};
use crate::quantity::{Quantity, QuantityFormat};
use crate::rules::Rules;

const CONTAINER: &str = "Container";
const POD: &str = "Pod";
const CLAIM: &str = "PersistentVolumeClaim";
const LISTS: [&str; 5] = [
    "max",
    "min",
    "default",
    "defaultRequest",
    "maxLimitRequestRatio",
];

pub(super) static RULES: Rules = Rules {
    default,
    validate,
    validate_update: |new, _, errors| validate(new, errors),
    names_itself: true,
    create_on_update: true,
    ..Rules::NONE
};

fn default(range: &mut Value) {
    for limit in list_mut(range, &["spec", "limits"]) {
        for key in LISTS {
            if let Some(list) = limit.get_mut(key) {
                resource_name::round_up(list);
            }
        }
        if text(limit, &["type"]) == CONTAINER {
            fill(limit, "max", "default");
            fill(limit, "default", "defaultRequest");
            fill(limit, "min", "defaultRequest");
        }
    }
}

/// Adds the amounts of one list that another lacks.
fn fill(limit: &mut Value, from: &str, to: &str) {
    let more: Map<String, Value> = map(limit, &[from]).cloned().unwrap_or_default();
    if more.is_empty() {
        return;
    }
    let list = map_mut(limit, &[to]);
    for (resource, amount) in more {
        list.entry(resource).or_insert(amount);
    }
}

fn validate(range: &Value, errors: &mut Errors) {
    let spec = Path::new("spec");
    let path = spec.child("limits");
    let mut types = BTreeSet::new();
    for (index, limit) in list(range, &["spec", "limits"]).iter().enumerate() {
        let at = path.index(index);
        let kind = text(limit, &["type"]);
        validate_type(kind, &at.child("type"), errors);
        if !types.insert(kind) {
            errors.duplicate(at.child("type"), &json!(kind));
        }
        validate_limit(limit, kind, &at, errors);
    }
}

fn validate_type(kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let complaints = name::label_key(kind);
    if !complaints.is_empty() {
        complain(complaints, kind, path, errors);
    } else if !kind.contains('/') && ![POD, CONTAINER, CLAIM].contains(&kind) {
        errors.invalid_text(
            path,
            kind,
            "must be a standard limit type or fully qualified",
        );
    }
}

fn validate_limit(limit: &Value, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let mut resources: BTreeSet<&str> = BTreeSet::new();
    for key in LISTS {
        let at = path.child(key);
        if kind == POD && key.starts_with("default") {
            if map(limit, &[key]).is_some_and(|m| !m.is_empty()) {
                errors.forbidden(at, "may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        if key == "maxLimitRequestRatio" && kind == CLAIM {
            require_storage(limit, path, errors);
        }
        for (resource, _) in amounts(limit.get(key)) {
            match kind {
                POD | CONTAINER => {
                    resource_name::validate_for_container(resource, &at.key(resource), errors);
                }
                _ => resource_name::validate(resource, &at.key(resource), errors),
            }
            resources.insert(resource);
        }
    }
    for resource in resources {
        validate_order(limit, kind, resource, path, errors);
    }
}

fn require_storage(limit: &Value, path: &Path<'_>, errors: &mut Errors) {
    let has = |key: &str| amount(limit.get(key), "storage").is_some();
    if !has("min") && !has("max") {
        errors.required(
            path.child("limits"),
            "either minimum or maximum storage value is required, but neither was provided",
        );
    }
}

/// The amounts of one resource are in order: min, default request, default, max.
fn validate_order(limit: &Value, kind: &str, resource: &str, path: &Path<'_>, errors: &mut Errors) {
    let get = |key: &str| {
        let of_pod = kind == POD && key.starts_with("default");
        amount(limit.get(key), resource).filter(|_| !of_pod)
    };
    let (min, max) = (get("min"), get("max"));
    let (default, request) = (get("default"), get("defaultRequest"));
    let ratio = get("maxLimitRequestRatio");
    // The amounts compared with their names, the field that is told and the amount that is shown.
    let orders = [
        (&min, "min", &max, "max", "min", &min),
        (
            &min,
            "min",
            &request,
            "default request",
            "defaultRequest",
            &request,
        ),
        (
            &request,
            "default request",
            &max,
            "max",
            "defaultRequest",
            &request,
        ),
        (
            &request,
            "default request",
            &default,
            "default limit",
            "defaultRequest",
            &request,
        ),
        (&min, "min", &default, "default", "default", &min),
        (&default, "default", &max, "max", "default", &max),
    ];
    for (low, low_name, high, high_name, field, shown) in orders {
        if let (Some(low), Some(high), Some(shown)) = (low, high, shown)
            && low > high
        {
            errors.invalid_text(
                path.child(field).key(resource),
                &shown.to_string(),
                format!("{low_name} value {low} is greater than {high_name} value {high}"),
            );
        }
    }
    if let Some(ratio) = ratio {
        let at = path.child("maxLimitRequestRatio");
        validate_ratio(
            &ratio,
            min.as_ref(),
            max.as_ref(),
            &at.key(resource),
            errors,
        );
    }
    if let (Some(default), Some(request)) = (default, request)
        && !allows_overcommit(resource)
        && default != request
    {
        errors.invalid_text(
            path.child("defaultRequest").key(resource),
            &request.to_string(),
            format!(
                "default value {default} must equal to defaultRequest value {request} in {resource}"
            ),
        );
    }
}

fn validate_ratio(
    ratio: &Quantity,
    min: Option<&Quantity>,
    max: Option<&Quantity>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let words = ratio.to_string();
    if *ratio < Quantity::new(1, QuantityFormat::DecimalSi) {
        errors.invalid_text(path, &words, format!("ratio {words} is less than 1"));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let most = max.to_f64() / min.to_f64();
        if ratio.to_f64() > most {
            errors.invalid_text(
                path,
                &words,
                format!("ratio {words} is greater than max/min = {most:.6}"),
            );
        }
    }
}
