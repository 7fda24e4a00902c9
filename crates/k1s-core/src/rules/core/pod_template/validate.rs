// SPDX-License-Identifier: Apache-2.0
//! Validation of a pod template and of a pod spec, in the order in which Kubernetes looks at the fields.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{complain, dns_label, dns_subdomain, given, one_of, required_one_of};
use super::container::{
    Pod, validate_containers, validate_ephemeral_containers, validate_init_containers,
};
use super::{
    affinity, annotation, environment, host, resources, security, toleration, volume, windows,
};
use crate::field::{Errors, Fault, Path};
use crate::name;
use crate::object::{self, list, text};
use crate::rules::core::internal_form;
use crate::rules::label_selector::{validate_key, validate_labels};

const RESTART_POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];
const PREEMPTION_POLICIES: [&str; 2] = ["PreemptLowerPriority", "Never"];
const ACTIVE_DEADLINE_SECONDS_MAX: i64 = i32::MAX as i64;

/// Checks a `PodTemplateSpec`.
pub(in crate::rules) fn validate_template(template: &Value, path: &Path<'_>, errors: &mut Errors) {
    validate_metadata(template, path, errors);
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let at = path.child("spec");
    validate_spec(spec, None, &at, errors);
    annotation::validate_profiles_match(template, &at, errors);
    if !list(spec, &["ephemeralContainers"]).is_empty() {
        errors.forbidden(
            at.child("ephemeralContainers"),
            "ephemeral containers not allowed in pod template",
        );
    }
}

/// Checks labels and annotations of a `PodTemplateSpec`.
pub(in crate::rules) fn validate_metadata(template: &Value, path: &Path<'_>, errors: &mut Errors) {
    let metadata = template.get("metadata").unwrap_or(&Value::Null);
    let annotations = path.child("annotations");
    validate_labels(metadata.get("labels"), &path.child("labels"), errors);
    annotation::validate_keys(metadata, &annotations, errors);
    annotation::validate_pod_annotations(template, &annotations, errors);
}

/// Checks a `PodSpec`; `pod` is the Pod whose spec it is, none for a template's.
pub(in crate::rules) fn validate_spec(
    spec: &Value,
    pod: Option<&Value>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if !given(spec, "terminationGracePeriodSeconds") {
        errors.required(path.child("terminationGracePeriodSeconds"), "");
    }
    let name = pod.map(object::name).unwrap_or_default();
    let volumes = list(spec, &["volumes"]);
    let volumes =
        volume::validate_volumes(volumes, name, pod.is_some(), &path.child("volumes"), errors);
    validate_claims(spec, pod, path, errors);
    let parts = Pod {
        spec,
        volumes,
        claims: list(spec, &["resourceClaims"])
            .iter()
            .map(|c| text(c, &["name"]))
            .filter(|name| !name.is_empty())
            .collect(),
    };
    validate_containers(&parts, &path.child("containers"), errors);
    validate_init_containers(&parts, &path.child("initContainers"), errors);
    validate_ephemeral_containers(&parts, &path.child("ephemeralContainers"), errors);
    resources::validate_pod_resources(spec, &parts.claims, path, errors);
    host::validate_host_network(spec, pod.is_some(), path, errors);
    required_one_of(spec, "restartPolicy", &RESTART_POLICIES, path, errors);
    host::validate_dns_policy(spec, path, errors);
    validate_labels(
        spec.get("nodeSelector"),
        &path.child("nodeSelector"),
        errors,
    );
    security::validate_pod_security(spec, path, errors);
    if let Some(wishes) = spec.get("affinity").filter(|v| !v.is_null()) {
        affinity::validate_affinity(wishes, &path.child("affinity"), errors);
    }
    host::validate_dns(spec, path, errors);
    validate_gates(spec, path, errors);
    affinity::validate_spreading(
        list(spec, &["topologySpreadConstraints"]),
        &path.child("topologySpreadConstraints"),
        errors,
    );
    windows::validate_host_processes(spec, path, errors);
    security::validate_host_users(spec, path, errors);
    host::validate_hostname_override(spec, path, errors);
    for key in ["serviceAccountName", "nodeName"] {
        validate_reference(spec, key, path, errors);
    }
    validate_deadline(spec, path, errors);
    host::validate_hostname(spec, path, errors);
    toleration::validate_tolerations(
        list(spec, &["tolerations"]),
        &path.child("tolerations"),
        errors,
    );
    host::validate_aliases(
        list(spec, &["hostAliases"]),
        &path.child("hostAliases"),
        errors,
    );
    validate_reference(spec, "priorityClassName", path, errors);
    if let Some(class) = spec.get("runtimeClassName").and_then(Value::as_str) {
        dns_subdomain(class, &path.child("runtimeClassName"), errors);
    }
    if text(spec, &["preemptionPolicy"]).is_empty() && given(spec, "preemptionPolicy") {
        errors.required(path.child("preemptionPolicy"), "");
    } else {
        one_of(spec, "preemptionPolicy", &PREEMPTION_POLICIES, path, errors);
    }
    if let Some(overhead) = spec.get("overhead").filter(|v| !v.is_null()) {
        resources::validate_overhead(overhead, &path.child("overhead"), errors);
    }
    windows::validate_system(spec, path, errors);
    environment::validate_file_volumes(spec, path, errors);
}

/// The name of another object, where it is set.
fn validate_reference(spec: &Value, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let name = text(spec, &[key]);
    if !name.is_empty() {
        dns_subdomain(name, &path.child(key), errors);
    }
}

fn validate_deadline(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(seconds) = spec.get("activeDeadlineSeconds").and_then(Value::as_i64) {
        for complaint in name::in_range(seconds, 1, ACTIVE_DEADLINE_SECONDS_MAX) {
            errors.invalid(
                path.child("activeDeadlineSeconds"),
                &json!(seconds),
                complaint,
            );
        }
    }
}

/// Checks `readinessGates` and `schedulingGates`.
fn validate_gates(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let at = path.child("readinessGates");
    for (index, gate) in list(spec, &["readinessGates"]).iter().enumerate() {
        let condition = text(gate, &["conditionType"]);
        complain(
            name::label_key(condition),
            condition,
            &at.index(index).child("conditionType"),
            errors,
        );
    }
    let at = path.child("schedulingGates");
    let mut names = BTreeSet::new();
    for (index, gate) in list(spec, &["schedulingGates"]).iter().enumerate() {
        let name = text(gate, &["name"]);
        validate_key(name, &at.index(index), errors);
        if !names.insert(name) {
            errors.duplicate(at.index(index), &json!(name));
        }
    }
}

/// Checks `resourceClaims`. `path` is that of the spec.
fn validate_claims(spec: &Value, pod: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let at = path.child("resourceClaims");
    let is_mirror = pod.is_some_and(|p| object::annotation(p, annotation::MIRROR_POD).is_some());
    let mut names = BTreeSet::new();
    for (index, claim) in list(spec, &["resourceClaims"]).iter().enumerate() {
        if is_mirror {
            errors.forbidden("", "static pods do not support resource claims");
            continue;
        }
        let at = at.index(index);
        let name = text(claim, &["name"]);
        if name.is_empty() {
            errors.required(at.child("name"), "");
        } else if !names.insert(name) {
            errors.duplicate(at.child("name"), &json!(name));
        } else {
            dns_label(name, &at.child("name"), errors);
        }
        let sources = ["resourceClaimName", "resourceClaimTemplateName"];
        let complaint = match sources.iter().filter(|key| given(claim, key)).count() {
            0 => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            1 => "",
            _ => {
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            }
        };
        if !complaint.is_empty() {
            let shown = internal_form::resource_claim(claim);
            errors.push(
                Fault::Invalid,
                at,
                format!("Invalid value: {shown}: {complaint}"),
            );
        }
        for key in sources.into_iter().filter(|key| given(claim, key)) {
            dns_subdomain(text(claim, &[key]), &at.child(key), errors);
        }
    }
}
