// SPDX-License-Identifier: Apache-2.0
//! The limit ranges of a namespace, applied to its pods and claims.

use k1s_core::kinds::Kind;
use k1s_core::rules::limits;
use k1s_core::status::Status;
use serde_json::Value;

use super::lookup;
use super::pods::forbidden;
use crate::api::Api;

fn ranges(api: &Api, namespace: &str) -> Result<Vec<Value>, Status> {
    lookup::all(api, lookup::kind("", "v1", "LimitRange")?, namespace)
}

/// Gives a new pod the amounts that it lacks.
pub(super) fn fill(api: &Api, namespace: &str, pod: &mut Value) -> Result<(), Status> {
    for range in ranges(api, namespace)? {
        limits::fill(pod, &range);
    }
    Ok(())
}

/// Refuses a pod that asks for too little or too much.
pub(super) fn check_pod(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    pod: &Value,
) -> Result<(), Status> {
    for range in ranges(api, namespace)? {
        refuse(kind, pod, limits::pod_complaints(pod, &range))?;
    }
    Ok(())
}

/// Refuses a claim that asks for too little or too much.
pub(super) fn check_claim(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    claim: &Value,
) -> Result<(), Status> {
    for range in ranges(api, namespace)? {
        refuse(kind, claim, limits::claim_complaints(claim, &range))?;
    }
    Ok(())
}

/// One complaint stands by itself, several in brackets, each once.
fn refuse(kind: &'static Kind, object: &Value, complaints: Vec<String>) -> Result<(), Status> {
    let mut each: Vec<String> = Vec::new();
    for complaint in complaints {
        if !each.contains(&complaint) {
            each.push(complaint);
        }
    }
    match each.as_slice() {
        [] => Ok(()),
        [one] => Err(forbidden(kind, object, one)),
        several => Err(forbidden(kind, object, format!("[{}]", several.join(", ")))),
    }
}
