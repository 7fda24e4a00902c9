// SPDX-License-Identifier: Apache-2.0
//! Pod Security: pods that are against the level of their namespace are refused, or warned about; templates are warned about.

use std::collections::BTreeMap;

use k1s_core::kinds::Kind;
use k1s_core::object::{self, at, remove};
use k1s_core::rules::pod_security::{self, Level, Policy};
use k1s_core::status::Status;
use serde_json::Value;

use super::lookup;
use super::pods::forbidden;
use crate::api::{Api, Exchange, contains, namespace_kind};

/// Kinds with a template of pods, and where it stands.
const TEMPLATES: [(&str, &[&str]); 8] = [
    ("PodTemplate", &["template"]),
    ("ReplicationController", &["spec", "template"]),
    ("ReplicaSet", &["spec", "template"]),
    ("Deployment", &["spec", "template"]),
    ("StatefulSet", &["spec", "template"]),
    ("DaemonSet", &["spec", "template"]),
    ("Job", &["spec", "template"]),
    ("CronJob", &["spec", "jobTemplate", "spec", "template"]),
];
/// How many pods of a namespace are looked at when its level is raised.
const PODS_MAX: usize = 3000;

/// The namespace, if it asks for a level. Most do not, which is told without parsing.
fn asking_namespace(api: &Api, namespace: &str) -> Result<Option<Value>, Status> {
    let kind = namespace_kind();
    let Some(stored) = api.storage().get(kind, "", namespace)? else {
        return Ok(None);
    };
    if !contains(&stored.bytes, b"pod-security.kubernetes.io/") {
        return Ok(None);
    }
    Ok(Some(stored.object(kind)?).filter(pod_security::asks))
}

/// Refuses or warns about a pod. An update (`old` is given) that leaves what matters as it is passes.
pub(super) fn check_pod(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    pod: &Value,
    old: Option<&Value>,
    exchange: &mut Exchange,
) -> Result<(), Status> {
    if old.is_some_and(|old| essence(old) == essence(pod)) {
        return Ok(());
    }
    let Some(namespace) = asking_namespace(api, namespace)? else {
        return Ok(());
    };
    let enforced = Policy::of_namespace(&namespace, "enforce");
    let found = pod_security::violations(enforced, pod);
    if !found.is_empty() {
        let why = format!(
            "violates PodSecurity {}: {}",
            k1s_core::field::quote(&enforced.words()),
            pod_security::words(&found)
        );
        return Err(forbidden(kind, pod, why));
    }
    let warned = Policy::of_namespace(&namespace, "warn");
    if warned != enforced {
        warn(warned, pod, exchange);
    }
    Ok(())
}

/// What of a pod the standards look at, as far as an update can change it.
fn essence(pod: &Value) -> Value {
    let mut spec = pod.get("spec").cloned().unwrap_or_default();
    for key in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        remove(&mut spec, &[key]);
    }
    spec
}

fn warn(policy: Policy, pod: &Value, exchange: &mut Exchange) {
    let found = pod_security::violations(policy, pod);
    if !found.is_empty() {
        exchange.warnings.push(format!(
            "would violate PodSecurity {}: {}",
            k1s_core::field::quote(&policy.words()),
            pod_security::words(&found)
        ));
    }
}

/// Warns about the template of an object that makes pods.
pub(super) fn check_template(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    object: &Value,
    old: Option<&Value>,
    exchange: &mut Exchange,
) -> Result<(), Status> {
    let Some((_, path)) = TEMPLATES.iter().find(|(name, _)| *name == kind.kind) else {
        return Ok(());
    };
    let Some(template) = at(object, path) else {
        return Ok(());
    };
    if old.is_some_and(|old| at(old, path) == Some(template)) {
        return Ok(());
    }
    if let Some(namespace) = asking_namespace(api, namespace)? {
        warn(Policy::of_namespace(&namespace, "warn"), template, exchange);
    }
    Ok(())
}

/// Warns about the pods of a namespace whose level is raised.
pub(super) fn check_namespace(
    api: &Api,
    new: &Value,
    old: &Value,
    exchange: &mut Exchange,
) -> Result<(), Status> {
    let [now, before] = [new, old].map(|n| Policy::of_namespace(n, "enforce"));
    if now == before || now.level == Level::Privileged {
        return Ok(());
    }
    if now.minor == before.minor && now.level <= before.level {
        return Ok(());
    }
    // Pods that are told the same are told together, by the first of them.
    let mut told: Vec<String> = Vec::new();
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let pods = lookup::all(api, lookup::kind("", "v1", "Pod")?, object::name(new))?;
    for pod in pods.iter().take(PODS_MAX) {
        let found = pod_security::violations(now, pod);
        if found.is_empty() {
            continue;
        }
        let reasons: Vec<String> = found.into_iter().map(|v| v.reason).collect();
        let reasons = reasons.join(", ");
        if !names.contains_key(&reasons) {
            told.push(reasons.clone());
        }
        names
            .entry(reasons)
            .or_default()
            .push(object::name(pod).to_owned());
    }
    if told.is_empty() {
        return Ok(());
    }
    exchange.warnings.push(format!(
        "existing pods in namespace {} violate the new PodSecurity enforce level {}",
        k1s_core::field::quote(object::name(new)),
        k1s_core::field::quote(&now.words())
    ));
    let mut lines: Vec<String> = told
        .iter()
        .filter_map(|reasons| {
            let pods = names.get(reasons)?;
            let who = match pods.as_slice() {
                [one] => one.clone(),
                [first, _] => format!("{first} (and 1 other pod)"),
                [first, ..] => format!("{first} (and {} other pods)", pods.len() - 1),
                [] => return None,
            };
            Some(format!("{who}: {reasons}"))
        })
        .collect();
    lines.sort();
    exchange.warnings.append(&mut lines);
    Ok(())
}
