// SPDX-License-Identifier: Apache-2.0
//! The life of namespaces: what is in each from the start, and how one that was deleted is emptied and goes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k1s_core::kinds::{self, Kind};
use k1s_core::object::{self, finalizers, list, text};
use serde_json::{Value, json};

use crate::amend::amend;
use crate::api::{Api, Exchange, SYSTEM_NAMESPACES, namespace_kind};
use crate::clock;
use crate::convert;
use crate::followup::Followup;
use crate::options::DeleteOptions;
use crate::verbs::create::create_object;
use crate::verbs::delete::{Deletion, delete_object};

/// The ConfigMap that every namespace has.
pub(crate) const ROOT_CA: &str = "kube-root-ca.crt";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the \
                           internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
/// A server lets a deleted namespace be seen as such for so long before it empties it, so that who races with the delete is told.
const SEEN: Duration = Duration::from_millis(250);

/// Makes the namespaces that are always there, where they are missing.
pub(crate) async fn ensure_system_namespaces(api: &Api) {
    // they are made in this order, so the last tells of all
    if matches!(
        api.storage()
            .get(namespace_kind(), "", SYSTEM_NAMESPACES[3]),
        Ok(Some(_))
    ) {
        return;
    }
    for name in SYSTEM_NAMESPACES {
        if matches!(api.storage().get(namespace_kind(), "", name), Ok(None)) {
            let object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            // another process may make it at the same time
            let _ = Box::pin(create_object(
                api,
                namespace_kind(),
                "",
                object,
                &mut Exchange::internal(),
                false,
            ))
            .await;
        }
    }
}

/// After a namespace was made or changed: it is filled, or, when it was deleted, emptied.
pub(crate) async fn written(api: &Api, followup: &Followup) {
    let Ok(Some((namespace, _))) = api.load(namespace_kind(), "", &followup.name) else {
        return;
    };
    if object::is_deleting(&namespace) {
        if !api.0.options.background {
            empty(api, &followup.name).await;
            return;
        }
        let (api, name) = (api.clone(), followup.name.clone());
        tokio::spawn(async move {
            tokio::time::sleep(SEEN).await;
            empty(&api, &name).await;
        });
    } else {
        fill(api, &followup.name).await;
    }
}

/// Gives a namespace its service account and its root certificate, or puts them right.
pub(crate) async fn fill(api: &Api, namespace: &str) {
    let Ok(Some((holder, _))) = api.load(namespace_kind(), "", namespace) else {
        return;
    };
    if object::is_deleting(&holder) {
        return;
    }
    let (Some(accounts), Some(maps)) = (
        kinds::of_kind("", "v1", "ServiceAccount"),
        kinds::of_kind("", "v1", "ConfigMap"),
    ) else {
        return;
    };
    let mut exchange = Exchange::internal();
    if matches!(api.storage().get(accounts, namespace, "default"), Ok(None)) {
        let object =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        let _ = Box::pin(create_object(
            api,
            accounts,
            namespace,
            object,
            &mut exchange,
            false,
        ))
        .await;
    }
    let data = json!({"ca.crt": api.0.options.root_ca});
    match api.load(maps, namespace, ROOT_CA) {
        Ok(None) => {
            let object = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": ROOT_CA, "annotations": {"kubernetes.io/description": DESCRIPTION}},
                "data": data,
            });
            let _ = Box::pin(create_object(
                api,
                maps,
                namespace,
                object,
                &mut exchange,
                false,
            ))
            .await;
        }
        Ok(Some((present, _))) if present.get("data") != Some(&data) => {
            let put = amend(api, maps, namespace, ROOT_CA, |map| {
                map["data"] = data.clone()
            });
            let _ = Box::pin(put).await;
        }
        _ => {}
    }
}

/// Something in a namespace went: the namespace may go too, and what it always has comes back.
pub(crate) async fn content_gone(api: &Api, followup: &Followup) {
    let Ok(Some((namespace, _))) = api.load(namespace_kind(), "", &followup.namespace) else {
        return;
    };
    if object::is_deleting(&namespace) {
        if list(&namespace, &["status", "conditions"]).is_empty() {
            // it is being emptied at this moment
            return;
        }
        if api.0.followups.is_more_gone(&followup.namespace) {
            // with the last of many that go at once it is looked at, rather than with each
            return;
        }
        empty(api, &followup.namespace).await;
    } else if followup.kind.group.is_empty()
        && matches!(
            (followup.kind.kind, followup.name.as_str()),
            ("ServiceAccount", "default") | ("ConfigMap", ROOT_CA)
        )
    {
        fill(api, &followup.namespace).await;
    }
}

/// The kinds whose objects live in namespaces, each once.
fn namespaced_kinds(api: &Api) -> impl Iterator<Item = &'static Kind> {
    // definitions that cannot be read now are looked at when the namespace is looked at next
    let own = api.own_definitions().unwrap_or_default();
    let own = own.into_iter().filter_map(|d| d.storage());
    kinds::all().iter().chain(own).filter(|k| {
        k.namespaced
            && k.allows("delete")
            && k.allows("list")
            && std::ptr::eq(convert::storage_kind(k), *k)
    })
}

/// Objects of a kind that are still in a namespace: how many, and their finalizers.
struct Remaining {
    kind: &'static Kind,
    finalizers: Vec<Vec<String>>,
}

/// The namespaces that are being emptied, each with whether it has to be gone through once more.
#[derive(Default)]
pub(crate) struct Emptying(Mutex<HashMap<String, bool>>);

impl Emptying {
    fn all(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of whoever asks first; who asks while it lasts has the namespace gone through once more.
    fn turn<'a>(&'a self, name: &'a str) -> Option<Turn<'a>> {
        match self.all().entry(name.to_owned()) {
            Entry::Occupied(mut at_it) => {
                at_it.insert(true);
                None
            }
            Entry::Vacant(free) => {
                free.insert(false);
                Some(Turn {
                    emptying: self,
                    name,
                    is_over: false,
                })
            }
        }
    }
}

/// Lasts until it is dropped, be it because who had it was stopped.
struct Turn<'a> {
    emptying: &'a Emptying,
    name: &'a str,
    is_over: bool,
}

impl Turn<'_> {
    /// Whether somebody has asked since; if not, the turn is over.
    fn once_more(&mut self) -> bool {
        let mut all = self.emptying.all();
        if all.get_mut(self.name).is_some_and(std::mem::take) {
            return true;
        }
        all.remove(self.name);
        self.is_over = true;
        false
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.emptying.all().remove(self.name);
        }
    }
}

/// Deletes what is in a namespace; when nothing is left, lets it go. One at a time goes through a namespace.
async fn empty(api: &Api, name: &str) {
    let Some(mut turn) = api.0.emptying.turn(name) else {
        return;
    };
    loop {
        go_through(api, name).await;
        if !turn.once_more() {
            return;
        }
    }
}

async fn go_through(api: &Api, name: &str) {
    let mut remaining = Vec::new();
    for kind in namespaced_kinds(api) {
        let names = names(api, kind, name);
        let mut held = Vec::new();
        for object_name in names {
            let deleted = Box::pin(delete_object(
                api,
                kind,
                name,
                &object_name,
                &DeleteOptions::default(),
                &Exchange::internal(),
            ))
            .await;
            if let Ok(Deletion::Held(stored)) = deleted {
                let object: Value = serde_json::from_slice(&stored).unwrap_or_default();
                // what followed from the delete may have taken it away by now
                if matches!(api.storage().get(kind, name, &object_name), Ok(Some(_))) {
                    held.push(finalizers(&object).map(str::to_owned).collect());
                }
            }
        }
        if !held.is_empty() {
            remaining.push(Remaining {
                kind,
                finalizers: held,
            });
        }
    }
    finish(api, name, &remaining).await;
}

fn names(api: &Api, kind: &'static Kind, namespace: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Ok(prefix) = api.storage().prefix(kind, namespace) {
        let _ = api
            .storage()
            .store
            .scan(&k1s_store::ListRequest::new(prefix), &mut |entry| {
                if let Ok(entry) = entry {
                    out.push(entry.namespace_and_name().1.to_owned());
                }
                std::ops::ControlFlow::Continue(())
            });
    }
    out
}

/// Tells in the namespace's status what is left, and takes its finalizer when nothing is.
async fn finish(api: &Api, name: &str, remaining: &[Remaining]) {
    let now_seconds = clock::now_seconds();
    let put = amend(api, namespace_kind(), "", name, |namespace| {
        if !object::is_deleting(namespace) {
            return;
        }
        if remaining.is_empty() {
            let kept: Vec<Value> = list(namespace, &["spec", "finalizers"])
                .iter()
                .filter(|f| *f != "kubernetes")
                .cloned()
                .collect();
            if kept.is_empty() {
                object::remove(namespace, &["spec", "finalizers"]);
            } else {
                object::set(namespace, &["spec", "finalizers"], kept);
            }
        }
        // one that was emptied at once never had anything to tell
        if !remaining.is_empty() || !list(namespace, &["status", "conditions"]).is_empty() {
            let conditions = conditions(remaining, namespace, now_seconds);
            object::set(namespace, &["status", "conditions"], conditions);
        }
    });
    let _ = Box::pin(put).await;
}

fn conditions(remaining: &[Remaining], old: &Value, now_seconds: i64) -> Vec<Value> {
    let mut counts: Vec<String> = remaining
        .iter()
        .map(|r| {
            format!(
                "{} has {} resource instances",
                r.kind.plural.to_owned() + "." + r.kind.group,
                r.finalizers.len()
            )
        })
        .collect();
    counts.sort();
    let mut finalizers: Vec<(String, usize)> = Vec::new();
    for name in remaining.iter().flat_map(|r| &r.finalizers).flatten() {
        match finalizers.iter_mut().find(|(n, _)| n == name) {
            Some((_, count)) => *count += 1,
            None => finalizers.push((name.clone(), 1)),
        }
    }
    finalizers.sort();
    let finalizers: Vec<String> = finalizers
        .iter()
        .map(|(name, count)| format!("{name} in {count} resource instances"))
        .collect();
    let content = if counts.is_empty() {
        None
    } else {
        Some(format!(
            "Some resources are remaining: {}",
            counts.join(", ")
        ))
    };
    let held = if finalizers.is_empty() {
        None
    } else {
        Some(format!(
            "Some content in the namespace has finalizers remaining: {}",
            finalizers.join(", ")
        ))
    };
    [
        ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", None, "All resources successfully discovered", ""),
        ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", None, "All legacy kube types successfully parsed", ""),
        ("NamespaceDeletionContentFailure", "ContentDeleted", None, "All content successfully deleted, may be waiting on finalization", ""),
        ("NamespaceContentRemaining", "ContentRemoved", content, "All content successfully removed", "SomeResourcesRemain"),
        ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", held, "All content-preserving finalizers finished", "SomeFinalizersRemain"),
    ]
    .into_iter()
    .map(|(kind, good, bad, fine, reason)| {
        let status = if bad.is_some() { "True" } else { "False" };
        let before = list(old, &["status", "conditions"]).iter().find(|c| text(c, &["type"]) == kind && text(c, &["status"]) == status);
        let since = before.map_or_else(|| clock::rfc3339(now_seconds), |c| text(c, &["lastTransitionTime"]).to_owned());
        let reason = if bad.is_some() { reason } else { good };
        json!({"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": bad.unwrap_or_else(|| fine.to_owned())})
    })
    .collect()
}
