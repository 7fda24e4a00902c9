// SPDX-License-Identifier: Apache-2.0
//! Validation of containers, init containers and ephemeral containers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{given, one_of, required, required_label, required_one_of};
use super::volume::Volumes;
use super::{environment, host, mount, probe, resources, security};
use crate::field::{Errors, Path};
use crate::object::{list, text};
use crate::rules::core::image_pull;

const MESSAGE_POLICIES: [&str; 2] = ["File", "FallbackToLogsOnError"];
const RESTART_POLICIES: [&str; 3] = ["Always", "Never", "OnFailure"];
const RESTART_ACTIONS: [&str; 1] = ["Restart"];
const EXIT_CODE_OPERATORS: [&str; 2] = ["In", "NotIn"];
const RESTART_RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const RESIZE_RESOURCES: [&str; 2] = ["cpu", "memory"];
const RESIZE_POLICIES: [&str; 2] = ["NotRequired", "RestartContainer"];
/// What an ephemeral container may not have.
const NOT_EPHEMERAL: [&str; 8] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
];
const NOT_FOR_EPHEMERAL: &str = "cannot be set for an Ephemeral Container";

/// What checks of a container know of the pod.
pub(super) struct Pod<'a> {
    /// The spec.
    pub(super) spec: &'a Value,
    /// Its volumes that are fine.
    pub(super) volumes: Volumes<'a>,
    /// Names of its resource claims.
    pub(super) claims: BTreeSet<&'a str>,
}

impl Pod<'_> {
    fn grace_seconds(&self) -> Option<i64> {
        self.spec
            .get("terminationGracePeriodSeconds")
            .and_then(Value::as_i64)
    }
}

/// Checks `containers`.
pub(super) fn validate_containers(pod: &Pod<'_>, path: &Path<'_>, errors: &mut Errors) {
    let containers = list(pod.spec, &["containers"]);
    if containers.is_empty() {
        errors.required(path, "");
        return;
    }
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = path.index(index);
        validate_common(container, pod, &at, errors);
        let name = text(container, &["name"]);
        if !names.insert(name) {
            errors.duplicate(at.child("name"), &json!(name));
        }
        validate_running(container, pod, &at, errors);
        validate_restart(container, &at, errors);
    }
    host::validate_host_ports(containers, path, errors);
}

/// Checks `initContainers`.
pub(super) fn validate_init_containers(pod: &Pod<'_>, path: &Path<'_>, errors: &mut Errors) {
    let mut names: BTreeSet<&str> = list(pod.spec, &["containers"])
        .iter()
        .map(|c| text(c, &["name"]))
        .collect();
    for (index, container) in list(pod.spec, &["initContainers"]).iter().enumerate() {
        let at = path.index(index);
        validate_common(container, pod, &at, errors);
        let restarts = text(container, &["restartPolicy"]) == "Always";
        validate_init_restart(container, restarts, &at, errors);
        let name = text(container, &["name"]);
        if names.contains(name) {
            errors.duplicate(at.child("name"), &json!(name));
        } else if !name.is_empty() {
            names.insert(name);
        }
        host::validate_host_ports(std::slice::from_ref(container), path, errors);
        if restarts {
            validate_running(container, pod, &at, errors);
        } else {
            for key in [
                "lifecycle",
                "livenessProbe",
                "readinessProbe",
                "startupProbe",
            ] {
                if given(container, key) {
                    errors.forbidden(
                        at.child(key),
                        "may not be set for init containers without restartPolicy=Always",
                    );
                }
            }
        }
    }
}

/// Checks `ephemeralContainers`.
pub(super) fn validate_ephemeral_containers(pod: &Pod<'_>, path: &Path<'_>, errors: &mut Errors) {
    let others: BTreeSet<&str> = ["containers", "initContainers"]
        .iter()
        .flat_map(|key| list(pod.spec, &[key]))
        .map(|c| text(c, &["name"]))
        .collect();
    let mut names = others.clone();
    for (index, container) in list(pod.spec, &["ephemeralContainers"]).iter().enumerate() {
        let at = path.index(index);
        validate_common(container, pod, &at, errors);
        validate_image_space(container, &at, errors);
        let name = text(container, &["name"]);
        if !names.insert(name) {
            errors.duplicate(at.child("name"), &json!(name));
        }
        let target = text(container, &["targetContainerName"]);
        if !target.is_empty() && !others.contains(target) {
            errors.not_found(at.child("targetContainerName"), &json!(target));
        }
        validate_ephemeral_fields(container, &at, errors);
    }
}

fn validate_ephemeral_fields(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    for key in NOT_EPHEMERAL {
        let set = match container.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::Object(fields)) => key != "resources" || !fields.is_empty(),
            Some(_) => true,
        };
        if set {
            errors.forbidden(path.child(key), NOT_FOR_EPHEMERAL);
        }
        if key == "startupProbe" && given(container, "lifecycle") {
            errors.forbidden(path.child("lifecycle"), NOT_FOR_EPHEMERAL);
        }
    }
    let mounts = path.child("volumeMounts");
    for (index, mount) in list(container, &["volumeMounts"]).iter().enumerate() {
        for key in ["subPath", "subPathExpr"] {
            if !text(mount, &[key]).is_empty() {
                errors.forbidden(mounts.index(index).child(key), NOT_FOR_EPHEMERAL);
            }
        }
    }
}

/// What all three sorts of container have in common.
fn validate_common(container: &Value, pod: &Pod<'_>, path: &Path<'_>, errors: &mut Errors) {
    required_label(container, "name", path, errors);
    required(container, "image", path, errors);
    required_one_of(
        container,
        "terminationMessagePolicy",
        &MESSAGE_POLICIES,
        path,
        errors,
    );
    host::validate_ports(list(container, &["ports"]), &path.child("ports"), errors);
    environment::validate_env(list(container, &["env"]), &path.child("env"), errors);
    environment::validate_env_from(
        list(container, &["envFrom"]),
        &path.child("envFrom"),
        errors,
    );
    mount::validate_mounts(container, &pod.volumes, &path.child("volumeMounts"), errors);
    mount::validate_devices(
        container,
        &pod.volumes,
        &path.child("volumeDevices"),
        errors,
    );
    image_pull::validate_policy(container, "imagePullPolicy", path, errors);
    if let Some(resources) = container.get("resources") {
        let at = path.child("resources");
        resources::validate_container_resources(resources, &pod.claims, &at, errors);
    }
    let restart_policy = text(pod.spec, &["restartPolicy"]);
    let policies = list(container, &["resizePolicy"]);
    validate_resize_policy(
        policies,
        restart_policy,
        &path.child("resizePolicy"),
        errors,
    );
    let host_users = host::has_host_users(pod.spec);
    security::validate_container_security(container, host_users, path, errors);
}

/// Hooks and probes of a container that goes on running.
fn validate_running(container: &Value, pod: &Pod<'_>, path: &Path<'_>, errors: &mut Errors) {
    probe::validate_lifecycle(container, pod.grace_seconds(), path, errors);
    probe::validate_probes(container, path, errors);
}

fn validate_resize_policy(
    policies: &[Value],
    pod_restart_policy: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut seen = BTreeSet::new();
    for (index, policy) in policies.iter().enumerate() {
        let resource = text(policy, &["resourceName"]);
        let restart = text(policy, &["restartPolicy"]);
        if !seen.insert(resource) {
            errors.duplicate(path.index(index), &json!(resource));
        }
        for (value, allowed) in [(resource, RESIZE_RESOURCES), (restart, RESIZE_POLICIES)] {
            if value.is_empty() {
                errors.required(path, "");
            } else if !allowed.contains(&value) {
                errors.not_supported(path, &json!(value), &allowed);
            }
        }
        if pod_restart_policy == "Never" && restart != "NotRequired" {
            errors.invalid_text(
                path,
                restart,
                "must be 'NotRequired' when `restartPolicy` is 'Never'",
            );
        }
    }
}

fn validate_init_restart(container: &Value, restarts: bool, path: &Path<'_>, errors: &mut Errors) {
    if !given(container, "restartPolicy") {
        if !list(container, &["restartPolicyRules"]).is_empty() {
            errors.required(
                path.child("restartPolicy"),
                "must specify restartPolicy when restart rules are used",
            );
        }
    } else if !restarts {
        validate_restart(container, path, errors);
    } else if !list(container, &["restartPolicyRules"]).is_empty() {
        errors.forbidden(
            path.child("restartPolicyRules"),
            "restartPolicyRules are not allowed for init containers with restart policy Always",
        );
    }
}

/// Checks `restartPolicy` and `restartPolicyRules`.
fn validate_restart(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rules = list(container, &["restartPolicyRules"]);
    if !given(container, "restartPolicy") {
        if rules.is_empty() {
            return;
        }
        errors.required(
            path.child("restartPolicy"),
            "must specify restartPolicy when restart rules are used",
        );
    }
    one_of(container, "restartPolicy", &RESTART_POLICIES, path, errors);
    let at = path.child("restartPolicyRules");
    if rules.len() > RESTART_RULES_MAX {
        errors.too_long(at, RESTART_RULES_MAX);
    }
    for (index, rule) in rules.iter().enumerate() {
        validate_restart_rule(rule, &at.index(index), errors);
    }
}

fn validate_restart_rule(rule: &Value, path: &Path<'_>, errors: &mut Errors) {
    let action = text(rule, &["action"]);
    if !RESTART_ACTIONS.contains(&action) {
        errors.not_supported(path.child("action"), &json!(action), &RESTART_ACTIONS);
    }
    let at = path.child("exitCodes");
    let Some(codes) = rule.get("exitCodes").filter(|v| !v.is_null()) else {
        errors.required(at, "must be specified");
        return;
    };
    let operator = text(codes, &["operator"]);
    if !EXIT_CODE_OPERATORS.contains(&operator) {
        errors.not_supported(at.child("operator"), &json!(operator), &EXIT_CODE_OPERATORS);
    }
    if list(codes, &["values"]).len() > EXIT_CODES_MAX {
        errors.too_long(at.child("values"), EXIT_CODES_MAX);
    }
}

/// Images of a Pod, not of a template, have no space around them.
pub(in crate::rules) fn validate_image_space(
    container: &Value,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let image = text(container, &["image"]);
    if image.trim() != image {
        errors.invalid_text(
            path.child("image"),
            image,
            "must not have leading or trailing whitespace",
        );
    }
}
