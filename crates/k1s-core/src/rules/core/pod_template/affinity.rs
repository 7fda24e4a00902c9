// SPDX-License-Identifier: Apache-2.0
//! Validation of where a pod may run: node selectors, affinity to nodes and pods, spreading.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{complain, dns_label, given, one_of};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{list, map, text};
use crate::rules::label_selector::{self, validate_key};
use crate::rules::number::number;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const WHEN_UNSATISFIABLE: [&str; 2] = ["DoNotSchedule", "ScheduleAnyway"];
const NODE_POLICIES: [&str; 2] = ["Honor", "Ignore"];
const NO_OPERATOR: &str = "not a valid selector operator";
/// The one field of a node that can be selected.
const NODE_NAME: &str = "metadata.name";

/// Checks `affinity`.
pub(super) fn validate_affinity(affinity: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(nodes) = affinity.get("nodeAffinity").filter(|v| !v.is_null()) {
        let at = path.child("nodeAffinity");
        if let Some(selector) = nodes.get(REQUIRED).filter(|v| !v.is_null()) {
            validate_node_selector(selector, &at.child(REQUIRED), errors);
        }
        let preferred = at.child(PREFERRED);
        for (index, term) in list(nodes, &[PREFERRED]).iter().enumerate() {
            let at = preferred.index(index);
            validate_weight(term, &at, errors);
            let preference = term.get("preference").unwrap_or(&Value::Null);
            validate_node_term(preference, false, &at.child("preference"), errors);
        }
    }
    for key in ["podAffinity", "podAntiAffinity"] {
        let Some(pods) = affinity.get(key).filter(|v| !v.is_null()) else {
            continue;
        };
        let at = path.child(key);
        let (required, preferred) = (at.child(REQUIRED), at.child(PREFERRED));
        for (index, term) in list(pods, &[REQUIRED]).iter().enumerate() {
            validate_pod_term(term, &required.index(index), errors);
        }
        for (index, term) in list(pods, &[PREFERRED]).iter().enumerate() {
            let at = preferred.index(index);
            validate_weight(term, &at, errors);
            let inner = term.get("podAffinityTerm").unwrap_or(&Value::Null);
            validate_pod_term(inner, &at.child("podAffinityTerm"), errors);
        }
    }
}

fn validate_weight(term: &Value, path: &Path<'_>, errors: &mut Errors) {
    let weight = number(term, "weight");
    if !(1..=100).contains(&weight) {
        errors.invalid(
            path.child("weight"),
            &json!(weight),
            "must be in the range 1-100",
        );
    }
}

/// Checks a `NodeSelector`.
pub(in crate::rules) fn validate_node_selector(
    selector: &Value,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let terms = list(selector, &["nodeSelectorTerms"]);
    let at = path.child("nodeSelectorTerms");
    if terms.is_empty() {
        errors.required(at, "must have at least one node selector term");
    }
    for (index, term) in terms.iter().enumerate() {
        validate_node_term(term, true, &at.index(index), errors);
    }
}

/// Values of a preference may be anything, as they always could.
fn validate_node_term(term: &Value, check_values: bool, path: &Path<'_>, errors: &mut Errors) {
    let (expressions, fields) = (path.child("matchExpressions"), path.child("matchFields"));
    for (index, expression) in list(term, &["matchExpressions"]).iter().enumerate() {
        validate_node_expression(expression, check_values, &expressions.index(index), errors);
    }
    for (index, field) in list(term, &["matchFields"]).iter().enumerate() {
        validate_node_field(field, &fields.index(index), errors);
    }
}

fn validate_node_expression(
    expression: &Value,
    check_values: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let values = list(expression, &["values"]);
    let at = path.child("values");
    let operator = text(expression, &["operator"]);
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(at, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => errors.forbidden(
            at,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        "Gt" | "Lt" if values.len() != 1 => errors.required(
            at,
            "must be specified single value when `operator` is 'Lt' or 'Gt'",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        _ => errors.invalid_text(path.child("operator"), operator, NO_OPERATOR),
    }
    validate_key(text(expression, &["key"]), &path.child("key"), errors);
    if check_values {
        for (index, value) in values.iter().filter_map(Value::as_str).enumerate() {
            complain(name::label_value(value), value, &at.index(index), errors);
        }
    }
}

fn validate_node_field(field: &Value, path: &Path<'_>, errors: &mut Errors) {
    let values = list(field, &["values"]);
    let at = path.child("values");
    let operator = text(field, &["operator"]);
    match operator {
        "In" | "NotIn" if values.len() != 1 => errors.required(
            at,
            "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
        ),
        "In" | "NotIn" => {}
        _ => errors.invalid_text(path.child("operator"), operator, NO_OPERATOR),
    }
    let key = text(field, &["key"]);
    if key != NODE_NAME {
        errors.invalid_text(path.child("key"), key, "not a valid field selector key");
        return;
    }
    for (index, value) in values.iter().filter_map(Value::as_str).enumerate() {
        complain(
            name::dns1123_subdomain(value),
            value,
            &at.index(index),
            errors,
        );
    }
}

fn validate_pod_term(term: &Value, path: &Path<'_>, errors: &mut Errors) {
    for key in ["labelSelector", "namespaceSelector"] {
        label_selector::validate(term.get(key), &path.child(key), errors);
    }
    for namespace in list(term, &["namespaces"]).iter().filter_map(Value::as_str) {
        dns_label(namespace, &path.child("namespace"), errors);
    }
    validate_label_keys(term, path, errors);
    let topology = text(term, &["topologyKey"]);
    let at = path.child("topologyKey");
    if topology.is_empty() {
        errors.required(at, "can not be empty");
    }
    validate_key(topology, &at, errors);
}

/// Checks `matchLabelKeys` and `mismatchLabelKeys` against each other and against the selector.
fn validate_label_keys(term: &Value, path: &Path<'_>, errors: &mut Errors) {
    let selector = term.get("labelSelector").filter(|v| !v.is_null());
    for key in ["matchLabelKeys", "mismatchLabelKeys"] {
        let (keys, at) = (list(term, &[key]), path.child(key));
        if keys.is_empty() {
            continue;
        }
        if selector.is_none() {
            errors.forbidden(at, "must not be specified when labelSelector is not set");
            continue;
        }
        for (index, label) in keys.iter().filter_map(Value::as_str).enumerate() {
            validate_key(label, &at.index(index), errors);
        }
    }
    let keys: Vec<&str> = list(term, &["matchLabelKeys"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if let Some(selector) = selector {
        // The keys themselves are merged into the selector, once each, before this is checked.
        let mut seen: BTreeSet<&str> = map(selector, &["matchLabels"])
            .into_iter()
            .flat_map(|m| m.keys().map(String::as_str))
            .collect();
        for expression in list(selector, &["matchExpressions"]) {
            let key = text(expression, &["key"]);
            if let Some(index) = keys.iter().rposition(|k| *k == key)
                && seen.contains(key)
            {
                errors.invalid_text(
                    path.index(index),
                    key,
                    "exists in both matchLabelKeys and labelSelector",
                );
            }
            seen.insert(key);
        }
    }
    let mismatch = list(term, &["mismatchLabelKeys"]);
    let at = path.child("matchLabelKeys");
    for (index, key) in keys.iter().enumerate() {
        if mismatch.iter().any(|k| k == key) {
            errors.invalid_text(
                at.index(index),
                key,
                "exists in both matchLabelKeys and mismatchLabelKeys",
            );
        }
    }
}

/// Checks `topologySpreadConstraints`.
pub(super) fn validate_spreading(constraints: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, constraint) in constraints.iter().enumerate() {
        let at = path.index(index);
        let skew = number(constraint, "maxSkew");
        if skew <= 0 {
            errors.invalid(
                at.child("maxSkew"),
                &json!(skew),
                "must be greater than zero",
            );
        }
        let topology = text(constraint, &["topologyKey"]);
        if topology.is_empty() {
            errors.required(at.child("topologyKey"), "can not be empty");
        }
        let action = text(constraint, &["whenUnsatisfiable"]);
        if !WHEN_UNSATISFIABLE.contains(&action) {
            errors.not_supported(
                at.child("whenUnsatisfiable"),
                &json!(action),
                &WHEN_UNSATISFIABLE,
            );
        }
        let repeated = constraints[index + 1..].iter().any(|other| {
            text(other, &["topologyKey"]) == topology
                && text(other, &["whenUnsatisfiable"]) == action
        });
        if repeated {
            errors.duplicate(
                at.child("{topologyKey, whenUnsatisfiable}"),
                &json!(format!("{{{topology}, {action}}}")),
            );
        }
        validate_min_domains(constraint, action, &at, errors);
        for key in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            one_of(constraint, key, &NODE_POLICIES, &at, errors);
        }
        validate_label_keys(constraint, &at, errors);
        label_selector::validate(
            constraint.get("labelSelector"),
            &at.child("labelSelector"),
            errors,
        );
    }
}

fn validate_min_domains(constraint: &Value, action: &str, path: &Path<'_>, errors: &mut Errors) {
    if !given(constraint, "minDomains") {
        return;
    }
    let (domains, at) = (number(constraint, "minDomains"), path.child("minDomains"));
    if domains <= 0 {
        errors.invalid(at, &json!(domains), "must be greater than zero");
    }
    if action != "DoNotSchedule" {
        errors.invalid(
            at,
            &json!(domains),
            format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"),
        );
    }
}
