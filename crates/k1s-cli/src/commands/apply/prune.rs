// SPDX-License-Identifier: Apache-2.0
//! `apply --prune`: what an earlier apply made, and the files no longer name, is deleted.

use std::collections::BTreeSet;
use std::rc::Rc;

use http::Method;
use k1s_core::object::{annotation, text};
use serde_json::json;

use super::Applied;
use crate::client::Call;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::mapping::Resource;
use crate::print::{DryRun, Outcome};
use crate::selection::{Selection, Target};
use crate::writing::LAST_APPLIED;

/// The kinds that are pruned when none are named.
const DEFAULT: [(&str, &str); 16] = [
    ("v1", "ConfigMap"),
    ("v1", "Endpoints"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "PersistentVolume"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
];

/// The kinds that may be pruned, as the flag names them.
pub(in crate::commands) async fn allowed(cx: &Context, args: &Parsed) -> Result<Vec<Rc<Resource>>> {
    let mut out = Vec::new();
    for words in args.list("prune-allowlist") {
        let parts: Vec<&str> = words.split('/').collect();
        let [group, version, kind] = parts[..] else {
            return Err(Error::message(format!(
                "invalid GroupVersionKind format: {words}, please follow <group/version/kind>"
            )));
        };
        let api_version = if group == "core" {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        };
        out.push(cx.resource_of_kind(&api_version, kind).await?);
    }
    Ok(out)
}

/// What an earlier apply made and the files no longer name, of these kinds or of those that are pruned by default.
pub(in crate::commands) async fn candidates(
    cx: &Context,
    selection: &Selection,
    applied: &[Applied],
    mut kinds: Vec<Rc<Resource>>,
) -> Result<Vec<Target>> {
    if kinds.is_empty() {
        for (api_version, kind) in DEFAULT {
            // A kind that the API does not have holds nothing to prune.
            if let Ok(resource) = cx.resource_of_kind(api_version, kind).await {
                // In a named namespace nothing is pruned that lives in none.
                if resource.namespaced || !selection.namespace_given {
                    kinds.push(resource);
                }
            }
        }
    }
    let namespaces: BTreeSet<&str> = applied
        .iter()
        .map(|a| a.namespace.as_str())
        .filter(|n| !n.is_empty())
        .collect();
    let (within, without): (Vec<_>, Vec<_>) = kinds.iter().partition(|r| r.namespaced);
    let within = within.into_iter().flat_map(|resource| {
        namespaces
            .iter()
            .map(move |namespace| (resource, *namespace))
    });
    let mut out = Vec::new();
    for (resource, namespace) in within.chain(without.into_iter().map(|r| (r, ""))) {
        for target in selection.list(cx, resource, namespace).await? {
            let uid = text(&target.value, &["metadata", "uid"]);
            let ours = annotation(&target.value, LAST_APPLIED).is_some();
            if ours && !applied.iter().any(|a| a.uid == uid) {
                out.push(target);
            }
        }
    }
    Ok(out)
}

/// Deletes what is to go.
pub(super) async fn run(
    cx: &Context,
    args: &Parsed,
    selection: &Selection,
    applied: &[Applied],
    kinds: Vec<Rc<Resource>>,
    outcome: &mut Outcome,
) -> Result {
    for target in candidates(cx, selection, applied, kinds).await? {
        if outcome.dry_run != DryRun::Client {
            let policy = super::super::delete::policy(args)?;
            let mut options = json!({"propagationPolicy": policy});
            if args.number("grace-period") >= 0 {
                options["gracePeriodSeconds"] = args.number("grace-period").into();
            }
            if outcome.dry_run == DryRun::Server {
                options["dryRun"] = json!(["All"]);
            }
            match cx
                .json(&Call::with_json(Method::DELETE, target.path(), &options))
                .await
            {
                Err(e) if e.is_not_found() => continue,
                answer => answer?,
            };
        }
        outcome.tell(cx, &target.resource, &target.value, "pruned")?;
    }
    Ok(())
}
