// SPDX-License-Identifier: Apache-2.0
//! The revisions of an object: the ReplicaSets of a Deployment, the ControllerRevisions of a DaemonSet or StatefulSet.

use k1s_core::object::{list, text};
use k1s_core::selector::LabelSelector;
use serde_json::Value;

use crate::client::Call;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::selection::Target;

/// The annotation of a Deployment's ReplicaSet that holds its revision.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The annotation that says why a revision was made.
pub(super) const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// A revision.
#[derive(Debug)]
pub(super) struct Revision {
    pub(super) number: i64,
    /// The ReplicaSet or the ControllerRevision.
    pub(super) object: Value,
}

/// The revisions of an object, the oldest first; none for a kind that has no revisions.
pub(super) async fn of(cx: &Context, target: &Target) -> Result<Option<Vec<Revision>>> {
    let (plural, kind) = match target.resource.kind.as_str() {
        "Deployment" => ("replicasets", "ReplicaSet"),
        "DaemonSet" | "StatefulSet" => ("controllerrevisions", "ControllerRevision"),
        _ => return Ok(None),
    };
    let selector = LabelSelector::from_object(target.value["spec"].get("selector"))
        .map_err(|e| Error::message(e.to_string()))?;
    let path = format!(
        "/apis/apps/v1/namespaces/{}/{plural}",
        crate::client::escape(&target.namespace)
    );
    let answer = cx
        .json(&Call::get(path).query("labelSelector", selector.to_string()))
        .await?;
    let uid = text(&target.value, &["metadata", "uid"]);
    let mut revisions: Vec<Revision> = list(&answer, &["items"])
        .iter()
        .filter(|object| is_controlled(object, uid))
        .filter_map(|object| {
            let number = match plural {
                "replicasets" => text(object, &["metadata", "annotations", REVISION])
                    .parse()
                    .ok()?,
                _ => object["revision"].as_i64()?,
            };
            // The items of a list do not say what they are.
            let mut object = object.clone();
            object["apiVersion"] = "apps/v1".into();
            object["kind"] = kind.into();
            Some(Revision { number, object })
        })
        .collect();
    revisions.sort_by_key(|revision| revision.number);
    Ok(Some(revisions))
}

fn is_controlled(object: &Value, uid: &str) -> bool {
    list(object, &["metadata", "ownerReferences"])
        .iter()
        .any(|owner| owner["controller"] == true && text(owner, &["uid"]) == uid)
}
