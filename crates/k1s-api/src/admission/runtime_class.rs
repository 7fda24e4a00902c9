// SPDX-License-Identifier: Apache-2.0
//! A runtime class says what a pod costs beside its containers, and where it can run.

use k1s_core::kinds::Kind;
use k1s_core::object::{at, is_unset, list, map, set, text};
use k1s_core::quantity::Quantity;
use k1s_core::status::Status;
use serde_json::Value;

use super::lookup;
use super::pods::forbidden;
use super::tolerations;
use crate::api::Api;

const OVERHEAD: [&str; 2] = ["spec", "overhead"];
const POD_FIXED: [&str; 2] = ["overhead", "podFixed"];
const MISMATCH: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

fn class(api: &Api, kind: &'static Kind, pod: &Value) -> Result<Option<Value>, Status> {
    let Some(name) = at(pod, &["spec", "runtimeClassName"]).and_then(Value::as_str) else {
        return Ok(None);
    };
    let classes = lookup::kind("node.k8s.io", "v1", "RuntimeClass")?;
    let class = lookup::one(api, classes, "", name)?;
    if class.is_none() {
        let why = format!(
            "pod rejected: RuntimeClass {} not found",
            k1s_core::field::quote(name)
        );
        return Err(forbidden(kind, pod, why));
    }
    Ok(class)
}

/// Gives a new pod what its runtime class says.
pub(super) fn fill(api: &Api, kind: &'static Kind, pod: &mut Value) -> Result<(), Status> {
    let Some(class) = class(api, kind, pod)? else {
        return Ok(());
    };
    if !is_unset(at(&class, &["overhead"])) {
        let fixed = at(&class, &POD_FIXED).cloned().unwrap_or_default();
        let own = at(pod, &OVERHEAD);
        if !is_unset(own) && !same_amounts(own, Some(&fixed)) {
            return Err(forbidden(kind, pod, MISMATCH));
        }
        if fixed.is_object() {
            set(pod, &OVERHEAD, fixed);
        }
    }
    for (key, value) in map(&class, &["scheduling", "nodeSelector"])
        .into_iter()
        .flatten()
    {
        let path = ["spec", "nodeSelector", key];
        match at(pod, &path) {
            Some(own) if own != value => {
                let why = format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                    value.as_str().unwrap_or_default(),
                    own.as_str().unwrap_or_default()
                );
                return Err(forbidden(kind, pod, why));
            }
            _ => set(pod, &path, value.clone()),
        }
    }
    let more = list(&class, &["scheduling", "tolerations"]);
    if !is_unset(at(&class, &["scheduling"])) {
        let all = tolerations::merge(list(pod, &["spec", "tolerations"]), more);
        set(pod, &["spec", "tolerations"], all);
    }
    Ok(())
}

/// The overhead of a pod is that of its runtime class.
pub(super) fn check(api: &Api, kind: &'static Kind, pod: &Value) -> Result<(), Status> {
    let own = at(pod, &OVERHEAD).filter(|o| !o.is_null());
    if own.is_none() && text(pod, &["spec", "runtimeClassName"]).is_empty() {
        return Ok(());
    }
    let class = class(api, kind, pod)?;
    let fixed = class
        .as_ref()
        .filter(|class| !is_unset(at(class, &["overhead"])))
        .map(|class| at(class, &POD_FIXED));
    match fixed {
        Some(fixed) if !same_amounts(own, fixed) => Err(forbidden(kind, pod, MISMATCH)),
        None if own.is_some() => Err(forbidden(
            kind,
            pod,
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        )),
        _ => Ok(()),
    }
}

/// Whether two lists have the same resources in the same amounts.
fn same_amounts(a: Option<&Value>, b: Option<&Value>) -> bool {
    let amounts = |list: Option<&Value>| -> Vec<(String, Option<Quantity>)> {
        list.and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), Quantity::from_json(value).ok()))
            .collect()
    };
    amounts(a) == amounts(b)
}
