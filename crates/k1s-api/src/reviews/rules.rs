// SPDX-License-Identifier: Apache-2.0
//! SelfSubjectRulesReview: all that the asker may in a namespace.

use k1s_core::object::text;
use k1s_core::status::Status;
use serde_json::{Value, json};

use crate::authorization::{DISCOVERY_PATHS, PUBLIC_PATHS, SELF_REVIEWS};
use crate::identity::{AUTHENTICATED, Identity, UNAUTHENTICATED};

/// Writes the status; the namespace is taken out of the question, as Kubernetes does.
pub(super) fn answer(review: &mut Value, identity: &Identity) -> Result<(), Status> {
    if text(review, &["spec", "namespace"]).is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let is_in = |group: &str| identity.groups.iter().any(|g| g == group);
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    let mut give_paths = |urls: &[&str], verb: &str| {
        paths.push(json!({"verbs": [verb], "nonResourceURLs": urls}));
    };
    if identity.is_master() {
        resources.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        give_paths(&["*"], "*");
    }
    if is_in(AUTHENTICATED) {
        for (group, resource) in SELF_REVIEWS {
            resources
                .push(json!({"verbs": ["create"], "apiGroups": [group], "resources": [resource]}));
        }
        give_paths(&DISCOVERY_PATHS, "get");
    }
    if is_in(AUTHENTICATED) || is_in(UNAUTHENTICATED) {
        give_paths(&PUBLIC_PATHS, "get");
    }
    review["spec"] = json!({});
    review["status"] =
        json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false});
    Ok(())
}
