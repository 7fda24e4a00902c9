// SPDX-License-Identifier: Apache-2.0
//! Pods from templates, the hash of a template, and names that are made of it.

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use serde::Serialize;

use crate::cache::Kind;
use crate::error::message;
use crate::recorder::Recorder;

/// The label that tells the pods of one template of a Deployment from those of another.
pub(crate) const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// What remains of a generated name when a prefix of a workload's name takes the rest: 63 less the dash.
const LONGEST_NAME: usize = 253;

/// A pod as the template wants it, owned by `owner`, with a name that begins with `prefix`.
pub(crate) fn pod(template: &PodTemplateSpec, owner: OwnerReference, prefix: &str) -> Pod {
    let meta = template.metadata.as_ref();
    // A name that could not have a dash after it is used as it is.
    let generate_name = if prefix.len() < LONGEST_NAME {
        format!("{prefix}-")
    } else {
        prefix.to_owned()
    };
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(generate_name),
            labels: meta.and_then(|meta| meta.labels.clone()),
            annotations: meta.and_then(|meta| meta.annotations.clone()),
            finalizers: meta.and_then(|meta| meta.finalizers.clone()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// Creates a pod and records on `owner` how that went.
pub(crate) async fn create<O: Kind>(
    pods: &Api<Pod>,
    pod: &Pod,
    owner: &O,
    recorder: &Recorder,
) -> Result<Pod, kube::Error> {
    let created = pods.create(&PostParams::default(), pod).await;
    match &created {
        Ok(pod) => {
            let text = format!("Created pod: {}", pod.name_any());
            recorder.normal(owner, "SuccessfulCreate", text);
        }
        // Nothing can be made in a namespace that is being emptied, and nobody wants to read that.
        Err(error) if crate::error::Refusal::is_namespace_terminating(error) => {}
        Err(error) => {
            let text = format!("Error creating: {}", message(error));
            recorder.warning(owner, "FailedCreate", text);
        }
    }
    created
}

/// A short text that differs where the values do: FNV-1a over their JSON, spelled with letters and digits that form no
/// words.
pub(crate) fn hash(value: &impl Serialize, collisions: Option<i32>) -> String {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let mut hash: u32 = 0x811c_9dc5;
    let salt = collisions.map(i32::to_le_bytes);
    for byte in json.iter().chain(salt.iter().flatten()) {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let digit = |c: u8| {
        SAFE.get(usize::from(c) % SAFE.len())
            .copied()
            .unwrap_or(b'b')
    };
    hash.to_string()
        .bytes()
        .map(|c| char::from(digit(c)))
        .collect()
}

/// The template without the label that its hash has put there.
pub(crate) fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(labels) = template
        .metadata
        .as_mut()
        .and_then(|meta| meta.labels.as_mut())
    {
        labels.remove(POD_TEMPLATE_HASH);
    }
    if let Some(meta) = &mut template.metadata {
        meta.creation_timestamp = None;
        if meta.labels.as_ref().is_some_and(|labels| labels.is_empty()) {
            meta.labels = None;
        }
    }
    template
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hashes_are_safe_and_differ() {
        let one = hash(&json!({"a": 1}), None);
        assert!(
            one.bytes()
                .all(|c| b"bcdfghjklmnpqrstvwxz2456789".contains(&c)),
            "{one}"
        );
        assert_eq!(one, hash(&json!({"a": 1}), None));
        assert_ne!(one, hash(&json!({"a": 2}), None));
        assert_ne!(one, hash(&json!({"a": 1}), Some(1)));
        assert!(one.len() <= 10);
    }
}
