// SPDX-License-Identifier: Apache-2.0
//! Validation of what containers, and pods as a whole, ask for and may use.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::dns_label;
use super::resource_sum;
use crate::field::{Errors, Fault, Path, quote};
use crate::object::{list, text};
use crate::quantity::Quantity;
use crate::rules::core::resource_name::{self, allows_overcommit, amount, amounts, is_huge_pages};

/// Resources that a pod as a whole may ask for.
const OF_PODS: [&str; 3] = ["cpu", "hugepages-", "memory"];

type NameRule = fn(&str, &Path<'_>, &mut Errors);

/// Checks the resources of a container; `claims` are the names of the pod's resource claims.
pub(in crate::rules) fn validate_container_resources(
    resources: &Value,
    claims: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    validate(
        resources,
        resource_name::validate_for_container,
        claims,
        path,
        errors,
    );
}

fn validate(
    resources: &Value,
    name_rule: NameRule,
    claims: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (limits, requests) = (resources.get("limits"), resources.get("requests"));
    let (limits_path, requests_path) = (path.child("limits"), path.child("requests"));
    for (resource, limit) in amounts(limits) {
        validate_one(resource, &limit, name_rule, &limits_path, errors);
        validate_pages(resource, &limit, &limits_path, errors);
    }
    for (resource, request) in amounts(requests) {
        validate_one(resource, &request, name_rule, &requests_path, errors);
        let limit = amount(limits, resource);
        validate_request(resource, &request, limit.as_ref(), path, errors);
        validate_pages(resource, &request, &requests_path, errors);
    }
    let names: BTreeSet<&str> = amounts(limits)
        .chain(amounts(requests))
        .map(|(n, _)| n)
        .collect();
    let has_pages = names.iter().any(|name| is_huge_pages(name));
    if has_pages && !names.contains("cpu") && !names.contains("memory") {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
    validate_claims(
        list(resources, &["claims"]),
        claims,
        &path.child("claims"),
        errors,
    );
}

fn validate_one(
    resource: &str,
    amount: &Quantity,
    name_rule: NameRule,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let at = path.key(resource);
    name_rule(resource, &at, errors);
    resource_name::validate_amount(resource, amount, &at, errors);
}

fn validate_pages(resource: &str, amount: &Quantity, path: &Path<'_>, errors: &mut Errors) {
    if is_huge_pages(resource) && !resource_name::is_whole_pages(resource, amount) {
        let words = amount.to_string();
        let complaint = format!("{words} is not positive integer multiple of {resource}");
        errors.invalid_text(path.key(resource), &words, complaint);
    }
}

/// No more is asked for than may be used, and the same where no more may be promised than there is.
fn validate_request(
    resource: &str,
    request: &Quantity,
    limit: Option<&Quantity>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let complaint = match limit {
        Some(limit) if request != limit && !allows_overcommit(resource) => {
            format!("must be equal to {resource} limit of {limit}")
        }
        Some(limit) if request > limit => {
            format!("must be less than or equal to {resource} limit of {limit}")
        }
        None if !allows_overcommit(resource) => {
            errors.required(
                path.child("limits"),
                "Limit must be set for non overcommitable resources",
            );
            return;
        }
        _ => return,
    };
    errors.invalid_text(path.child("requests"), &request.to_string(), complaint);
}

/// Claims of a container name those of the pod, each once, or different requests of it.
fn validate_claims(used: &[Value], claims: &BTreeSet<&str>, path: &Path<'_>, errors: &mut Errors) {
    let mut keys: BTreeSet<String> = BTreeSet::new();
    for (index, claim) in used.iter().enumerate() {
        let at = path.index(index);
        let (name, request) = (text(claim, &["name"]), text(claim, &["request"]));
        if name.is_empty() {
            errors.required(at, "");
            continue;
        }
        if keys.contains(name) {
            errors.duplicate(at, &json!(name));
        } else if request.is_empty() {
            let of_claim = format!("{name}/");
            if keys.iter().any(|key| key.starts_with(&of_claim)) {
                errors.duplicate(at, &json!(name));
            }
            keys.insert(name.to_owned());
        } else {
            dns_label(request, &at.child("request"), errors);
            let key = format!("{name}/{request}");
            if !keys.insert(key.clone()) {
                errors.duplicate(at, &json!(key));
            }
        }
        if !claims.contains(name) {
            let all: Vec<&str> = claims.iter().copied().collect();
            let all = if all.is_empty() {
                " which is empty".to_owned()
            } else {
                format!(": {}", all.join(", "))
            };
            errors.push(
                Fault::NotFound,
                at,
                format!(
                    "Not found: {}: must be one of the names in pod.spec.resourceClaims{all}",
                    quote(name)
                ),
            );
        }
    }
}

/// Checks `overhead`, with the words for limits.
pub(in crate::rules) fn validate_overhead(overhead: &Value, path: &Path<'_>, errors: &mut Errors) {
    let as_limits = json!({ "limits": overhead });
    validate_container_resources(&as_limits, &BTreeSet::new(), path, errors);
}

/// Checks `spec.resources`, the resources of the pod as a whole. `path` is that of the spec.
pub(super) fn validate_pod_resources(
    spec: &Value,
    claims: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(resources) = spec.get("resources").filter(|v| !v.is_null()) else {
        return;
    };
    let at = path.child("resources");
    if text(spec, &["os", "name"]) == "windows" {
        errors.forbidden(at, "may not be set for a windows pod");
        return;
    }
    if resources.get("claims").is_some_and(Value::is_array) {
        errors.forbidden(
            at.child("claims"),
            "claims may not be set for Resources at pod-level",
        );
    }
    validate(resources, validate_pod_resource_name, claims, &at, errors);
    validate_sums(spec, resources, &at, errors);
}

fn validate_pod_resource_name(resource: &str, path: &Path<'_>, errors: &mut Errors) {
    let before = errors.len();
    resource_name::validate(resource, path, errors);
    if errors.len() == before && !resource_name::is_for_pods(resource) {
        errors.not_supported(path, &json!(resource), &OF_PODS);
    }
}

/// The pod asks for as much as its containers together, and no container may use more than the pod.
fn validate_sums(spec: &Value, resources: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (limits, requests) = (resources.get("limits"), resources.get("requests"));
    let (requests_path, limits_path) = (path.child("requests"), path.child("limits"));
    for (resource, sum) in resource_sum::of_containers(spec, "requests") {
        if let Some(request) = amount(requests, &resource).filter(|request| sum > *request) {
            let complaint =
                format!("must be greater than or equal to aggregate container requests of {sum}");
            errors.invalid_text(
                requests_path.key(&resource),
                &request.to_string(),
                complaint,
            );
        }
    }
    for (resource, sum) in resource_sum::of_containers(spec, "limits") {
        let limit =
            amount(limits, &resource).filter(|limit| is_huge_pages(&resource) && sum > *limit);
        if let Some(limit) = limit {
            let complaint =
                format!("must be greater than or equal to aggregate container limits of {sum}");
            errors.invalid_text(limits_path.key(&resource), &limit.to_string(), complaint);
        }
    }
    let containers = path.child("containers");
    for (index, container) in list(spec, &["containers"]).iter().enumerate() {
        for (resource, limit) in amounts(container.pointer("/resources/limits")) {
            if let Some(most) = amount(limits, resource).filter(|most| limit > *most) {
                let at = containers.index(index);
                let at = at.key(resource);
                let complaint = format!("must be less than or equal to pod limits of {most}");
                errors.invalid_text(at.child("limits"), &limit.to_string(), complaint);
            }
        }
    }
}
