// SPDX-License-Identifier: Apache-2.0
//! Going back to a former revision by annotation, as clients of old did it. (`kubectl rollout undo` writes the template.)

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt as _;
use kube::api::PostParams;

use super::annotations;
use super::rollout::Rollout;
use crate::error::Result;
use crate::workload::template;

/// The revision that a Deployment is to go back to, 0 for the last one; none if it is not, or cannot be read.
pub(super) fn wanted(deployment: &Deployment) -> Option<i64> {
    deployment
        .annotations()
        .get(annotations::ROLLBACK_TO)?
        .parse()
        .ok()
}

impl Rollout<'_> {
    /// Gives the Deployment the template and the annotations of a former revision, and takes the wish off it, whether it
    /// can be met or not.
    pub(super) async fn roll_back(&mut self, wanted: i64) -> Result {
        self.note_revision().await?;
        self.ensure_new().await?;
        let sets: Vec<&ReplicaSet> = self.old.iter().chain(&self.new).collect();
        let revision = if wanted == 0 {
            last(sets.iter().map(|rs| annotations::revision(rs)))
        } else {
            Some(wanted)
        };
        let mut deployment = self.deployment.clone();
        deployment
            .annotations_mut()
            .remove(annotations::ROLLBACK_TO);
        let Some(revision) = revision else {
            let text = "Unable to find last revision.";
            self.warn("DeploymentRollbackRevisionNotFound", text.into());
            return self.replace(&deployment).await;
        };
        let found = sets
            .into_iter()
            .find(|rs| annotations::revision(rs) == revision);
        let Some(found) = found else {
            let text = "Unable to find the revision to rollback to.";
            self.warn("DeploymentRollbackRevisionNotFound", text.into());
            return self.replace(&deployment).await;
        };
        if !restore(&mut deployment, found) {
            let name = deployment.name_any();
            let text = format!(
                "The rollback revision contains the same template as current deployment {name:?}"
            );
            self.warn("DeploymentRollbackTemplateUnchanged", text);
            return self.replace(&deployment).await;
        }
        self.replace(&deployment).await?;
        let name = deployment.name_any();
        let text = format!("Rolled back deployment {name:?} to revision {revision}");
        let recorder = &self.cx.recorder;
        recorder.normal(&self.deployment, "DeploymentRollback", text);
        Ok(())
    }

    fn warn(&self, reason: &'static str, text: String) {
        self.cx.recorder.warning(&self.deployment, reason, text);
    }

    async fn replace(&self, deployment: &Deployment) -> Result {
        let api = self.cx.deployments_of(deployment);
        let params = PostParams::default();
        let written = api
            .replace(&deployment.name_any(), &params, deployment)
            .await?;
        self.cx.deployments.caught_up(&written).await;
        Ok(())
    }
}

/// The revision before the newest one.
fn last(revisions: impl Iterator<Item = i64>) -> Option<i64> {
    let (mut newest, mut last) = (0, 0);
    for revision in revisions {
        if revision >= newest {
            (last, newest) = (newest, revision);
        } else {
            last = last.max(revision);
        }
    }
    (last != 0).then_some(last)
}

/// Puts template and annotations of a ReplicaSet on a Deployment; false if the template is the same.
fn restore(deployment: &mut Deployment, rs: &ReplicaSet) -> bool {
    let template = rs.spec.as_ref().and_then(|spec| spec.template.as_ref());
    let Some(template) = template.map(template::without_hash) else {
        return false;
    };
    let Some(spec) = &mut deployment.spec else {
        return false;
    };
    if template::without_hash(&spec.template) == template {
        return false;
    }
    spec.template = template;
    let noted = deployment.annotations_mut();
    noted.retain(|key, _| !annotations::is_copied(key));
    let copied = rs.annotations().iter();
    let copied = copied.filter(|(key, _)| annotations::is_copied(key));
    noted.extend(copied.map(|(key, value)| (key.clone(), value.clone())));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_revision_before_the_newest() {
        for (revisions, expected) in [
            (&[1, 2, 3][..], Some(2)),
            (&[3, 1], Some(1)),
            (&[1], None),
            (&[], None),
        ] {
            assert_eq!(last(revisions.iter().copied()), expected, "{revisions:?}");
        }
    }

    #[test]
    fn template_and_annotations_come_back() {
        let template = |image: &str, hash: Option<&str>| {
            let labels = match hash {
                Some(hash) => json!({"app": "a", "pod-template-hash": hash}),
                None => json!({"app": "a"}),
            };
            json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}})
        };
        let deployment = |image: &str, annotations: serde_json::Value| -> Deployment {
            serde_json::from_value(json!({
                "metadata": {"annotations": annotations},
                "spec": {"selector": {}, "template": template(image, None)},
            }))
            .unwrap()
        };
        let rs: ReplicaSet = serde_json::from_value(json!({
            "metadata": {"annotations": {"cause": "first", "deployment.kubernetes.io/revision": "1"}},
            "spec": {"selector": {}, "template": template("i:1", Some("x"))},
        }))
        .unwrap();
        let mut changed = deployment(
            "i:2",
            json!({"cause": "second", "more": "1", "deployment.kubernetes.io/revision": "2"}),
        );
        assert!(restore(&mut changed, &rs));
        let expected = deployment(
            "i:1",
            json!({"cause": "first", "deployment.kubernetes.io/revision": "2"}),
        );
        assert_eq!(changed, expected);
        assert!(!restore(&mut changed, &rs));
    }
}
