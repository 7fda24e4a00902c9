// SPDX-License-Identifier: Apache-2.0
//! Node.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::internal_form;
use super::pod_template::check::{complain, required};
use super::pod_template::toleration::validate_effect;
use super::resource_name::{amounts, validate_amount};
use crate::field::{Errors, Fault, Path, quote};
use crate::name;
use crate::object::{at, at_mut, int, is_true, list, map, remove, set, text};
use crate::rules::keep::{keep_spec, keep_status};
use crate::rules::label_selector::validate_key;
use crate::rules::{Clock, Request, Rules, UnknownField, cells};

const POD_CIDRS_ONCE: &str = "node updates may not change podCIDR except from \"\" to valid";
const FEATURE_MOST_BYTES: usize = 253;
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const ROLE_LABEL: &str = "kubernetes.io/role";

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create: |node, _| drop_features(node),
    prepare_update,
    prepare_status,
    validate,
    validate_update,
    validate_status: validate_change,
    warnings,
    fields: &["spec.unschedulable"],
    field: |node, _| is_true(node, &["spec", "unschedulable"]).to_string(),
    unknown_field: UnknownField::NotSupported,
    cells: Some(cells),
    ..Rules::NONE
};

/// `podCIDR` is the first of `podCIDRs` and wins; what can be given out is what there is.
fn default(node: &mut Value) {
    let one = text(node, &["spec", "podCIDR"]).to_owned();
    let first = list(node, &["spec", "podCIDRs"])
        .first()
        .and_then(Value::as_str)
        .map(str::to_owned);
    match first {
        Some(first) if one.is_empty() => set(node, &["spec", "podCIDR"], first),
        Some(first) if first == one => {}
        None if one.is_empty() => {}
        _ => set(node, &["spec", "podCIDRs"], json!([one])),
    }
    let Some(status) = at_mut(node, &["status"]).and_then(Value::as_object_mut) else {
        return;
    };
    for key in ["capacity", "allocatable"] {
        if let Some(list) = status.get_mut(key) {
            super::resource_name::round_up(list);
        }
    }
    if !status.contains_key("allocatable")
        && let Some(capacity) = status.get("capacity").cloned()
    {
        status.insert("allocatable".into(), capacity);
    }
}

/// Configuration by ConfigMap is gone; what a node can do is told by its status alone.
fn drop_features(node: &mut Value) {
    drop_configuration(node);
    remove(node, &["status", "declaredFeatures"]);
}

fn drop_configuration(node: &mut Value) {
    remove(node, &["spec", "configSource"]);
    remove(node, &["status", "config"]);
}

fn prepare_update(new: &mut Value, old: &Value, _: &Request<'_>) {
    keep_status(new, old);
    drop_configuration(new);
}

fn prepare_status(new: &mut Value, old: &Value, _: &Request<'_>) {
    keep_spec(new, old);
    drop_configuration(new);
}

fn validate(node: &Value, errors: &mut Errors) {
    validate_taints(node, errors);
    validate_amounts(node, errors);
    if let Some(bytes) = int(node, &["status", "nodeInfo", "swap", "capacity"]).filter(|b| *b <= 0)
    {
        let metadata = Path::new("metadata");
        errors.invalid(
            metadata.child("nodeSwapStatus").child("capacity"),
            &json!(bytes),
            "must be greater than zero",
        );
    }
    validate_pod_cidrs(list(node, &["spec", "podCIDRs"]), errors);
    validate_features(node, errors);
}

/// What a node says that it can do: names in order, each once.
fn validate_features(node: &Value, errors: &mut Errors) {
    let status = Path::new("status");
    let path = status.child("declaredFeatures");
    let features: Vec<&str> = list(node, &["status", "declaredFeatures"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for (index, feature) in features.iter().enumerate() {
        let named = format!("invalid feature name {}", quote(feature));
        if feature.len() > FEATURE_MOST_BYTES {
            let why = format!("{named}: must be no more than {FEATURE_MOST_BYTES} characters");
            errors.invalid_text(path.index(index), feature, why);
        } else if !is_feature(feature) {
            let why = format!(
                "{named}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
            );
            errors.invalid_text(path.index(index), feature, why);
        }
        match features.get(index + 1) {
            Some(next) if next == feature => {
                errors.duplicate(path.index(index + 1), &json!(next));
            }
            Some(next) if next < feature => {
                let why = "list must be sorted alphabetically";
                errors.invalid_text(path.index(index + 1), next, why);
            }
            _ => {}
        }
    }
}

fn is_feature(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.split('/').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

/// Errors of taints are told of the metadata: so does Kubernetes.
fn validate_taints(node: &Value, errors: &mut Errors) {
    let metadata = Path::new("metadata");
    let path = metadata.child("taints");
    let mut seen = BTreeSet::new();
    for (index, taint) in list(node, &["spec", "taints"]).iter().enumerate() {
        let at = path.index(index);
        let [key, value, effect] = ["key", "value", "effect"].map(|k| text(taint, &[k]));
        validate_key(key, &at.child("key"), errors);
        let complaints = name::label_value(value);
        if !complaints.is_empty() {
            errors.invalid_text(at.child("value"), value, complaints.join(";"));
        }
        if required(taint, "effect", &at, errors) {
            validate_effect(taint, &at, errors);
        }
        if !seen.insert((key, effect)) {
            errors.push(
                Fault::Duplicate,
                at,
                format!(
                    "Duplicate value: {}: taints must be unique by key and effect pair",
                    internal_form::taint(taint)
                ),
            );
        }
    }
}

fn validate_amounts(node: &Value, errors: &mut Errors) {
    let status = Path::new("status");
    for key in ["capacity", "allocatable"] {
        let path = status.child(key);
        for (resource, amount) in amounts(at(node, &["status", key])) {
            validate_amount(resource, &amount, &path.child(resource), errors);
        }
    }
}

fn validate_pod_cidrs(cidrs: &[Value], errors: &mut Errors) {
    let spec = Path::new("spec");
    let path = spec.child("podCIDRs");
    let mut families: Vec<IpAddr> = Vec::new();
    for (index, cidr) in cidrs.iter().filter_map(Value::as_str).enumerate() {
        complain(
            name::cidr_legacy(cidr, true),
            cidr,
            &path.index(index),
            errors,
        );
        families.extend(name::parse_cidr(cidr).map(|c| c.address));
    }
    if cidrs.len() < 2 {
        return;
    }
    let both = families.iter().any(IpAddr::is_ipv4) && families.iter().any(IpAddr::is_ipv6);
    if cidrs.len() > 2 || !both {
        errors.invalid(
            path,
            &json!(cidrs),
            "may specify no more than one CIDR for each IP family",
        );
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate(new, errors);
    validate_change(new, old, errors);
}

fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    validate_amounts(new, errors);
    validate_features(new, errors);
    validate_addresses(list(new, &["status", "addresses"]), errors);
    let spec = Path::new("spec");
    let path = spec.child("podCIDRs");
    let (now, before) = (
        list(new, &["spec", "podCIDRs"]),
        list(old, &["spec", "podCIDRs"]),
    );
    if !before.is_empty() && before.len() != now.len() {
        errors.forbidden(path, POD_CIDRS_ONCE);
    } else {
        for _ in before.iter().zip(now).filter(|(before, now)| before != now) {
            errors.forbidden(path, POD_CIDRS_ONCE);
        }
    }
    let id = text(old, &["spec", "providerID"]);
    if !id.is_empty() && id != text(new, &["spec", "providerID"]) {
        errors.forbidden(
            spec.child("providerID"),
            "node updates may not change providerID except from \"\" to valid",
        );
    }
    validate_taints(new, errors);
    if text(old, &["spec", "externalID"]) != text(new, &["spec", "externalID"]) {
        errors.forbidden(spec.child("externalID"), "may not be updated");
    }
}

fn validate_addresses(addresses: &[Value], errors: &mut Errors) {
    let status = Path::new("status");
    let path = status.child("addresses");
    for (index, address) in addresses.iter().enumerate() {
        if addresses[..index].contains(address) {
            let [kind, address] = ["type", "address"].map(|k| quote(text(address, &[k])));
            errors.push(
                Fault::Duplicate,
                path.index(index),
                format!("Duplicate value: {{\"Type\":{kind},\"Address\":{address}}}"),
            );
        }
    }
}

fn warnings(node: &Value, _: Option<&Value>, warnings: &mut Vec<String>) {
    if !text(node, &["spec", "externalID"]).is_empty() {
        warnings.push(
            "spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned(),
        );
    }
    let spec = Path::new("spec");
    let path = spec.child("podCIDRs");
    let cidrs = list(node, &["spec", "podCIDRs"])
        .iter()
        .filter_map(Value::as_str);
    for (index, cidr) in cidrs.enumerate() {
        warnings.extend(name::cidr_warnings(&path.index(index).to_string(), cidr));
    }
}

fn cells(node: &Value, clock: &Clock) -> Vec<Value> {
    let info = |key: &str| text(node, &["status", "nodeInfo", key]);
    let or_unknown = |text: &str| -> Value {
        if text.is_empty() {
            cells::UNKNOWN
        } else {
            text
        }
        .into()
    };
    vec![
        cells::name(node),
        status(node).into(),
        cells::or_none(roles(node)),
        cells::age(node, clock),
        info("kubeletVersion").into(),
        cells::or_none(address(node, "InternalIP")),
        cells::or_none(address(node, "ExternalIP")),
        or_unknown(info("osImage")),
        or_unknown(info("kernelVersion")),
        or_unknown(info("containerRuntimeVersion")),
    ]
}

fn status(node: &Value) -> String {
    let ready = list(node, &["status", "conditions"])
        .iter()
        .rfind(|c| text(c, &["type"]) == "Ready")
        .map(|c| text(c, &["status"]) == "True");
    let word = match ready {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    };
    if is_true(node, &["spec", "unschedulable"]) {
        format!("{word},SchedulingDisabled")
    } else {
        word.to_owned()
    }
}

fn roles(node: &Value) -> String {
    let roles: BTreeSet<&str> = map(node, &["metadata", "labels"])
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role),
            None if key == ROLE_LABEL => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.into_iter().collect::<Vec<_>>().join(",")
}

fn address<'a>(node: &'a Value, kind: &str) -> &'a str {
    list(node, &["status", "addresses"])
        .iter()
        .find(|a| text(a, &["type"]) == kind)
        .map_or("", |a| text(a, &["address"]))
}
