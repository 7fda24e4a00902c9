// SPDX-License-Identifier: Apache-2.0
//! `rollout undo`: back to what the pods were at an earlier revision.

use k1s_core::object::map;
use serde_json::{Map, Value, json};

use super::history::described;
use super::revisions::{self, REVISION, Revision};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::patching;
use crate::print::{DryRun, Outcome};
use crate::selection::Target;
use crate::writing::{LAST_APPLIED, PatchType, Writer};

/// The annotations of a Deployment that are not of its revisions.
const OF_THE_DEPLOYMENT: [&str; 6] = [
    LAST_APPLIED,
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

pub(super) async fn run(cx: &Context, flags: &Parsed) -> Result {
    let writer = Writer::new(flags)?;
    let mut outcome = Outcome::new(flags)?;
    let mut errors = Vec::new();
    for target in super::targets(cx, flags).await? {
        let done = match target {
            Ok(target) => undo(cx, flags, &writer, &mut outcome, &target).await,
            Err(error) => Err(error),
        };
        errors.extend(done.err());
    }
    Error::all(errors)
}

async fn undo(
    cx: &Context,
    flags: &Parsed,
    writer: &Writer,
    outcome: &mut Outcome,
    target: &Target,
) -> Result {
    let kind = target.resource.kind.as_str();
    let wanted = flags.number("to-revision");
    let Some(revisions) = revisions::of(cx, target).await? else {
        return Err(Error::message(format!(
            "error retrieving rollbacker for \"{kind}\", no visitor method exists for {{{} {kind}}}",
            target.resource.group
        )));
    };
    let revision = choose(target, &revisions, wanted)?;
    let is_deployment = kind == "Deployment";
    let restored = if is_deployment {
        revision.object.clone()
    } else {
        restored(target, &revision.object)?
    };
    let (old, now) = (
        &restored["spec"]["template"],
        &target.value["spec"]["template"],
    );
    if writer.dry_run == DryRun::Client {
        let back = if is_deployment {
            ""
        } else {
            "will roll back to "
        };
        let done = format!("{back}{}", described(old));
        return outcome.tell(cx, &target.resource, &target.value, &done);
    }
    if is_deployment && k1s_core::object::is_true(&target.value, &["spec", "paused"]) {
        return Err(Error::message(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
        ));
    }
    if without_hash(old) == without_hash(now) {
        let done = format!("skipped rollback (current template already matches revision {wanted})");
        return outcome.tell(cx, &target.resource, &target.value, &done);
    }
    let (patch_type, patch) = if is_deployment {
        (PatchType::Json, back(&target.value, &revision.object))
    } else {
        (PatchType::Strategic, revision.object["data"].clone())
    };
    writer
        .patch(cx, target, "", patch_type, patch.to_string())
        .await
        .map_err(|e| Error::Message(format!("failed restoring revision {wanted}: {e}")))?;
    outcome.tell(cx, &target.resource, &target.value, "rolled back")
}

/// The revision that is meant: the one with the number, or for 0 the last but one.
fn choose<'a>(target: &Target, revisions: &'a [Revision], wanted: i64) -> Result<&'a Revision> {
    if wanted == 0 {
        let before_last = revisions
            .len()
            .checked_sub(2)
            .and_then(|at| revisions.get(at));
        return before_last.ok_or_else(|| {
            Error::message(match target.resource.kind.as_str() {
                "Deployment" => format!(
                    "no rollout history found for deployment \"{}\"",
                    target.name
                ),
                _ => "no last revision to roll back to".to_owned(),
            })
        });
    }
    revisions
        .iter()
        .find(|revision| revision.number == wanted)
        .ok_or_else(|| {
            Error::message(format!(
                "unable to find specified revision {wanted} in history"
            ))
        })
}

/// The object as it was at a ControllerRevision.
pub(super) fn restored(target: &Target, revision: &Value) -> Result<Value> {
    patching::apply(
        target,
        PatchType::Strategic,
        revision["data"].to_string().as_bytes(),
    )
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    k1s_core::object::remove(&mut template, &["metadata", "labels", "pod-template-hash"]);
    template
}

/// The patch that takes a Deployment back to one of its ReplicaSets.
fn back(deployment: &Value, replica_set: &Value) -> Value {
    let mut annotations = Map::new();
    for (of, own) in [(deployment, true), (replica_set, false)] {
        for (key, value) in map(of, &["metadata", "annotations"]).into_iter().flatten() {
            if OF_THE_DEPLOYMENT.contains(&key.as_str()) == own {
                annotations.insert(key.clone(), value.clone());
            }
        }
    }
    let template = without_hash(&replica_set["spec"]["template"]);
    json!([
        { "op": "replace", "path": "/spec/template", "value": template },
        { "op": "replace", "path": "/metadata/annotations", "value": annotations },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_keeps_its_own_annotations() {
        let deployment = json!({"metadata": {"annotations": {LAST_APPLIED: "{}", REVISION: "2", "note": "new"}}});
        let set = json!({"metadata": {"annotations": {REVISION: "1", "note": "old"}}, "spec": {"template": {"metadata": {"labels": {"app": "web", "pod-template-hash": "x"}}}}});
        let patch = back(&deployment, &set);
        assert_eq!(
            patch[1]["value"],
            json!({LAST_APPLIED: "{}", REVISION: "2", "note": "old"})
        );
        assert_eq!(
            patch[0]["value"],
            json!({"metadata": {"labels": {"app": "web"}}})
        );
    }
}
