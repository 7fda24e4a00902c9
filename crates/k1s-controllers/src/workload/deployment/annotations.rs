// SPDX-License-Identifier: Apache-2.0
//! What a Deployment writes on its ReplicaSets: revision, former revisions, the sizes they were last given, and a copy of
//! its own annotations.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt as _;

/// The revision of a template; on a Deployment that of the present one.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Revisions that the ReplicaSet had before, oldest first, with commas.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// `spec.replicas` of the Deployment when the ReplicaSet was last given its size.
const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// The same with the surge.
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// Asks for a former revision.
pub(super) const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";
/// Characters of a revision history; the oldest go when it grows longer.
const HISTORY_LENGTH: usize = 2000;

/// Annotations of a Deployment that are its own affair.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    ROLLBACK_TO,
];

/// Whether a ReplicaSet gets a copy of this annotation of its Deployment.
pub(super) fn is_copied(key: &str) -> bool {
    !NOT_COPIED.contains(&key)
}

/// Annotations as they are kept.
pub(super) type Annotations = BTreeMap<String, String>;

/// The revision of a ReplicaSet; 0 if it has none that can be read.
pub(super) fn revision(rs: &ReplicaSet) -> i64 {
    number(rs, REVISION).unwrap_or(0)
}

/// The size of the Deployment when the ReplicaSet was last given its own.
pub(super) fn desired(rs: &ReplicaSet) -> Option<i32> {
    number(rs, DESIRED_REPLICAS)
}

/// The same with the surge.
pub(super) fn max_replicas(rs: &ReplicaSet) -> Option<i32> {
    number(rs, MAX_REPLICAS)
}

fn number<N: std::str::FromStr>(rs: &ReplicaSet, key: &str) -> Option<N> {
    rs.annotations().get(key)?.parse().ok()
}

/// Writes the Deployment's annotations and the revision on those of a ReplicaSet.
pub(super) fn set_revision(annotations: &mut Annotations, deployment: &Deployment, revision: i64) {
    for (key, value) in deployment.annotations() {
        if is_copied(key) {
            annotations.insert(key.clone(), value.clone());
        }
    }
    let before = annotations.get(REVISION).cloned();
    let old = match before.as_deref() {
        None | Some("") => 0,
        Some(text) => match text.parse() {
            Ok(old) => old,
            // Somebody else's idea of a revision is left alone.
            Err(_) => return,
        },
    };
    if old >= revision {
        return;
    }
    annotations.insert(REVISION.into(), revision.to_string());
    if let Some(before) = before {
        let history = annotations.entry(REVISION_HISTORY.into()).or_default();
        *history = appended(history, &before);
    }
}

/// The history with one more revision, without the oldest if it grows too long.
fn appended(history: &str, revision: &str) -> String {
    let mut revisions: Vec<&str> = history.split(',').filter(|r| !r.is_empty()).collect();
    revisions.push(revision);
    let mut length = revisions.iter().map(|r| r.len() + 1).sum::<usize>() - 1;
    let mut dropped = 0;
    while length > HISTORY_LENGTH && dropped + 1 < revisions.len() {
        length -= revisions[dropped].len() + 1;
        dropped += 1;
    }
    revisions[dropped..].join(",")
}

/// Writes the sizes of the Deployment on annotations of a ReplicaSet.
pub(super) fn set_sizes(annotations: &mut Annotations, wanted: i32, surge: i32) {
    annotations.insert(DESIRED_REPLICAS.into(), wanted.to_string());
    annotations.insert(MAX_REPLICAS.into(), (wanted + surge).to_string());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_revision_that_returns_leaves_a_history() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"annotations": {"note": "x", REVISION: "7", "kubectl.kubernetes.io/last-applied-configuration": "{}"}}
        }))
        .expect("a Deployment");
        // revision before, history before, new revision, revision after, history after
        for (before, history, revision, after, remembered) in [
            (None, None, 1, "1", None),
            (Some("1"), None, 3, "3", Some("1")),
            (Some("3"), Some("1"), 5, "5", Some("1,3")),
            (Some("5"), Some("1,3"), 5, "5", Some("1,3")),
            (Some("5"), None, 4, "5", None),
            (Some("x"), None, 4, "x", None),
        ] {
            let mut annotations = Annotations::new();
            annotations.extend(before.map(|b: &str| (REVISION.to_owned(), b.to_owned())));
            annotations.extend(history.map(|h: &str| (REVISION_HISTORY.to_owned(), h.to_owned())));
            set_revision(&mut annotations, &deployment, revision);
            assert_eq!(
                annotations.remove(REVISION).as_deref(),
                Some(after),
                "{before:?}"
            );
            assert_eq!(
                annotations.remove(REVISION_HISTORY).as_deref(),
                remembered,
                "{before:?}"
            );
            assert_eq!(
                annotations,
                Annotations::from([("note".into(), "x".into())])
            );
        }
    }

    #[test]
    fn a_long_history_forgets_its_beginning() {
        let long = (0..1000)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(",");
        let shorter = appended(&long, "1000");
        assert!(
            shorter.len() <= HISTORY_LENGTH && shorter.ends_with(",999,1000"),
            "{shorter}"
        );
    }
}
