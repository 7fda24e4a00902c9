// SPDX-License-Identifier: Apache-2.0
//! `/status` of a Pod.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::update::validate_annotations;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{at, int, list, list_mut, set, text};
use crate::rules::Request;
use crate::rules::core::pod_template::check::{complain, dns_subdomain, given};
use crate::rules::core::pod_template::feature;
use crate::rules::keep::{keep, keep_spec};

const OWN_CONDITIONS: [&str; 3] = ["PodScheduled", "Ready", "Initialized"];
const CONTAINER_STATUSES: [(&str, &str); 3] = [
    ("containerStatuses", "containers"),
    ("initContainerStatuses", "initContainers"),
    ("ephemeralContainerStatuses", "ephemeralContainers"),
];

/// Puts back what the path may not change, and what old kubelets forget.
pub(super) fn prepare(new: &mut Value, old: &Value, _: &Request<'_>) {
    keep_spec(new, old);
    for key in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
    ] {
        keep(new, old, &["metadata", key]);
    }
    let qos = text(old, &["status", "qosClass"]);
    if text(new, &["status", "qosClass"]).is_empty() && !qos.is_empty() {
        set(new, &["status", "qosClass"], qos);
    }
    keep_observed(new, old);
    feature::drop_from_status(new);
}

/// A generation that was observed stays so.
fn keep_observed(new: &mut Value, old: &Value) {
    let key = "observedGeneration";
    let observed = |value: &Value| int(value, &[key]).filter(|g| *g != 0);
    if let Some(before) = old.get("status").and_then(observed)
        && new.get("status").and_then(observed).is_none()
    {
        set(new, &["status", key], before);
    }
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let before = list(old, &["status", "conditions"]);
    for condition in list_mut(new, &["status", "conditions"]) {
        let kind = text(condition, &["type"]).to_owned();
        let matching = before
            .iter()
            .enumerate()
            .find(|(index, b)| !used.contains(index) && text(b, &["type"]) == kind);
        if let Some((index, before)) = matching {
            used.insert(index);
            if let (None, Some(generation)) = (observed(condition), observed(before)) {
                set(condition, &[key], generation);
            }
        }
    }
}

/// Checks a change by `/status`.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    validate_annotations(new, old, errors);
    let path = Path::new("status");
    validate_conditions(
        list(new, &["status", "conditions"]),
        &path.child("conditions"),
        errors,
    );
    let nominated = text(new, &["status", "nominatedNodeName"]);
    if !nominated.is_empty() && nominated != text(old, &["status", "nominatedNodeName"]) {
        dns_subdomain(nominated, &path.child("nominatedNodeName"), errors);
    }
    validate_generation(&new["status"], &path, errors);
    let (qos, before) = (
        at(new, &["status", "qosClass"]),
        at(old, &["status", "qosClass"]),
    );
    if qos != before {
        errors.invalid(
            path.child("qosClass"),
            qos.unwrap_or(&json!("")),
            "field is immutable",
        );
    }
    for (key, kind) in CONTAINER_STATUSES {
        validate_transitions(new, old, (key, kind), &path.child(key), errors);
    }
    validate_claim_statuses(new, &path.child("resourceClaimStatuses"), errors);
    validate_addresses(new, old, "podIPs", &path, errors);
    if let Some(first) = new.pointer("/status/hostIPs/0/ip").and_then(Value::as_str)
        && first != text(new, &["status", "hostIP"])
    {
        let at = path.child("hostIPs");
        errors.invalid_text(at.index(0).child("ip"), first, "must be equal to `hostIP`");
    }
    validate_addresses(new, old, "hostIPs", &path, errors);
    for (key, _) in CONTAINER_STATUSES {
        validate_users(new, key, &path.child(key), errors);
    }
}

fn validate_generation(parent: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(generation) = int(parent, &["observedGeneration"]).filter(|g| *g < 0) {
        errors.invalid(
            path.child("observedGeneration"),
            &json!(generation),
            "must be a non-negative integer",
        );
    }
}

fn validate_conditions(conditions: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, condition) in conditions.iter().enumerate() {
        let at = path.index(index);
        validate_generation(condition, &at, errors);
        let kind = text(condition, &["type"]);
        if !OWN_CONDITIONS.contains(&kind) {
            complain(name::label_key(kind), kind, &at.child("Type"), errors);
        }
    }
}

/// What has ended runs again only where its restart policy lets it.
fn validate_transitions(
    new: &Value,
    old: &Value,
    (key, kind): (&str, &str),
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (index, before) in list(old, &["status", key]).iter().enumerate() {
        let Some(ended) = at(before, &["state", "terminated"]).filter(|v| v.is_object()) else {
            continue;
        };
        let name = text(before, &["name"]);
        let runs = list(new, &["status", key])
            .iter()
            .filter(|now| text(now, &["name"]) == name)
            .any(|now| !at(now, &["state", "terminated"]).is_some_and(Value::is_object));
        if !runs {
            continue;
        }
        let container = list(old, &["spec", kind])
            .iter()
            .find(|c| text(c, &["name"]) == name)
            .filter(|_| kind != "ephemeralContainers");
        let code = int(ended, &["exitCode"]).unwrap_or_default();
        if !container.is_some_and(|c| restarts(c, text(old, &["spec", "restartPolicy"]), code)) {
            errors.forbidden(
                path.index(index).child("state"),
                "may not be transitioned to non-terminated state",
            );
        }
    }
}

/// Whether a container that ended with this code is started again.
fn restarts(container: &Value, pod_policy: &str, code: i64) -> bool {
    let own = text(container, &["restartPolicy"]);
    let by_rule = |rule: &&Value| {
        let listed = list(rule, &["exitCodes", "values"])
            .iter()
            .any(|v| v.as_i64() == Some(code));
        match text(rule, &["exitCodes", "operator"]) {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    };
    let rules = list(container, &["restartPolicyRules"]);
    if !own.is_empty()
        && rules
            .iter()
            .find(by_rule)
            .is_some_and(|r| text(r, &["action"]) == "Restart")
    {
        return true;
    }
    match if own.is_empty() { pod_policy } else { own } {
        "Always" => true,
        "OnFailure" => code != 0,
        _ => false,
    }
}

fn validate_claim_statuses(pod: &Value, path: &Path<'_>, errors: &mut Errors) {
    let claims = list(pod, &["spec", "resourceClaims"]);
    let mut names = BTreeSet::new();
    for (index, status) in list(pod, &["status", "resourceClaimStatuses"])
        .iter()
        .enumerate()
    {
        let at = path.index(index);
        let name = text(status, &["name"]);
        if !claims.iter().any(|c| text(c, &["name"]) == name) {
            errors.invalid_text(
                at.child("name"),
                name,
                "must match the name of an entry in `spec.resourceClaims`",
            );
        }
        if !names.insert(name) {
            errors.duplicate(at.child("name"), &json!(name));
        }
        if let Some(claim) = status.get("resourceClaimName").and_then(Value::as_str) {
            dns_subdomain(claim, &at.child("name"), errors);
        }
    }
}

/// Addresses can be read, and are one of each family at most. Those that were there are not looked at again.
fn validate_addresses(new: &Value, old: &Value, key: &str, status: &Path<'_>, errors: &mut Errors) {
    let path = status.child(key);
    let addresses = |pod| {
        list(pod, &["status", key])
            .iter()
            .map(|ip| text(ip, &["ip"]))
    };
    for (index, ip) in addresses(new).enumerate() {
        if !addresses(old).any(|before| before == ip) {
            complain(name::ip_legacy(ip, true), ip, &path.index(index), errors);
        }
    }
    let count = addresses(new).count();
    if count < 2 {
        return;
    }
    let parsed: Vec<IpAddr> = addresses(new).filter_map(name::parse_ip).collect();
    let both = parsed.iter().any(IpAddr::is_ipv4) && parsed.iter().any(IpAddr::is_ipv6);
    if count > 2 || !both {
        errors.invalid(
            path,
            at(new, &["status", key]).unwrap_or(&Value::Null),
            "may specify no more than one IP for each IP family",
        );
    }
}

fn validate_users(pod: &Value, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let is_windows = text(pod, &["spec", "os", "name"]) == "windows";
    for (index, status) in list(pod, &["status", key]).iter().enumerate() {
        let Some(user) = at(status, &["user", "linux"]).filter(|v| v.is_object()) else {
            continue;
        };
        let here = path.index(index);
        let here = here.child("user");
        let here = here.child("linux");
        if is_windows {
            errors.forbidden(here, "cannot be set for a windows pod");
            continue;
        }
        let check = |number: &Value, field: &Path<'_>, errors: &mut Errors| {
            for complaint in name::user_or_group_id(number.as_i64().unwrap_or_default()) {
                errors.invalid(field, number, complaint);
            }
        };
        for id in ["uid", "gid"].into_iter().filter(|id| given(user, id)) {
            check(&user[id], &here.child(id), errors);
        }
        let groups = here.child("supplementalGroups");
        for (index, group) in list(user, &["supplementalGroups"]).iter().enumerate() {
            check(group, &groups.index(index), errors);
        }
    }
}
