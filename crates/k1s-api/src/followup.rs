// SPDX-License-Identifier: Apache-2.0
//! What follows from a write: dependents are collected, owners that waited go, namespaces are filled and emptied.
//!
//! Every write tells here what it did. Without a background task the writer sees to it at once, so that a program without a server
//! leaves nothing undone; with one ([`Api::background`]) writers do not wait. All of it is done through the verbs.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use k1s_core::kinds::Kind;
use k1s_core::meta::{FOREGROUND, ORPHAN};
use k1s_core::object::{self, finalizers};
use serde_json::Value;
use tokio::sync::Notify;

use crate::api::Api;
use crate::{
    cluster_roles, definitions, garbage, namespaces, owners, service_accounts, unfinished,
};

/// A write that something follows from.
#[derive(Clone, Debug)]
pub(crate) struct Followup {
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The owners that the object had or has.
    pub(crate) owners: Vec<Value>,
    pub(crate) what: What,
}

/// What happened to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Nothing follows.
    Nothing,
    /// It was made.
    Created,
    /// It was changed.
    Changed,
    /// It waits for its dependents to go.
    WaitsForDependents,
    /// It waits for its dependents to be let go.
    WaitsForOrphans,
    /// It is gone.
    Gone,
}

impl Followup {
    /// After a create or a change.
    pub(crate) fn written(kind: &'static Kind, new: &Value, old: Option<&Value>) -> Self {
        let owners_changed = owners::uids(new) != old.map(owners::uids).unwrap_or_default();
        let what = if object::is_deleting(new) && finalizers(new).any(|f| f == FOREGROUND) {
            What::WaitsForDependents
        } else if object::is_deleting(new) && finalizers(new).any(|f| f == ORPHAN) {
            What::WaitsForOrphans
        } else if old.is_none() && (owners_changed || watched(kind, new)) {
            What::Created
        } else if owners_changed || watched(kind, new) || blocking_changed(new, old) {
            What::Changed
        } else {
            What::Nothing
        };
        let mut owners = object::list(new, &["metadata", "ownerReferences"]).to_vec();
        if let Some(old) = old {
            // an owner that was let go may have waited for this
            let before = object::list(old, &["metadata", "ownerReferences"]);
            owners.extend(
                before
                    .iter()
                    .filter(|o| !object::list(new, &["metadata", "ownerReferences"]).contains(o))
                    .cloned(),
            );
        }
        Self::about(kind, new, owners, what)
    }

    /// After the object went.
    pub(crate) fn gone(kind: &'static Kind, last: &Value) -> Self {
        let owners = object::list(last, &["metadata", "ownerReferences"]).to_vec();
        Self::about(kind, last, owners, What::Gone)
    }

    fn about(kind: &'static Kind, object: &Value, owners: Vec<Value>, what: What) -> Self {
        let namespace = if kind.namespaced {
            object::namespace(object)
        } else {
            ""
        };
        Self {
            kind,
            namespace: namespace.into(),
            name: object::name(object).into(),
            uid: object::uid(object).into(),
            owners,
            what,
        }
    }
}

fn blocking_changed(new: &Value, old: Option<&Value>) -> bool {
    old.is_some_and(|old| {
        new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences")
    })
}

/// Whether something follows from the write of an object, whoever owns it.
fn watched(kind: &Kind, object: &Value) -> bool {
    match kind.group {
        "" => match kind.kind {
            "Namespace" | "ServiceAccount" | "Secret" => true,
            // the only one that is put back
            "ConfigMap" => object::name(object) == namespaces::ROOT_CA,
            _ => false,
        },
        RBAC => kind.kind == "ClusterRole",
        definitions::GROUP => true,
        _ => false,
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// The followups that are yet to be done.
#[derive(Default)]
pub(crate) struct Followups {
    queue: Mutex<VecDeque<Followup>>,
    busy: AtomicBool,
    wake: Notify,
}

impl Followups {
    fn push(&self, followup: Followup) {
        self.queue
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push_back(followup);
    }

    /// Whether something else went from a namespace, which is yet to be seen to.
    pub(crate) fn is_more_gone(&self, namespace: &str) -> bool {
        let queue = self
            .queue
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        queue
            .iter()
            .any(|f| f.what == What::Gone && f.namespace == namespace)
    }

    fn pop(&self) -> Option<Followup> {
        self.queue
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .pop_front()
    }
}

impl Api {
    /// Sees to what follows from a write, or leaves it to the background.
    pub(crate) async fn follow(&self, followup: Followup) {
        if followup.what == What::Nothing {
            return;
        }
        // a kind is served when the write of its definition is answered
        if followup.kind.group == definitions::GROUP
            && matches!(followup.what, What::Created | What::Changed)
        {
            definitions::accept(self, &followup.name).await;
        }
        let followups = &self.0.followups;
        followups.push(followup);
        if self.0.options.background {
            followups.wake.notify_one();
            return;
        }
        // whoever is at it does this one as well: the doing writes and so comes here again
        if followups.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        self.drain().await;
        followups.busy.store(false, Ordering::Release);
    }

    /// Sees to all that waits. What it does writes and so comes back to [`Api::follow`]; the box ends that circle of types.
    fn drain(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            while let Some(followup) = self.0.followups.pop() {
                self.see_to(&followup).await;
            }
        })
    }

    /// Does what follows from writes, for ever. A server runs this beside its requests.
    pub async fn background(&self) {
        self.resume().await;
        loop {
            self.drain().await;
            self.0.followups.wake.notified().await;
        }
    }

    /// Takes up what an earlier process left undone.
    async fn resume(&self) {
        let storage = self.storage();
        let (store, tenant) = (&*storage.store, storage.tenant());
        definitions::accept_refused(self).await;
        for uid in unfinished::orphaned(store, tenant).unwrap_or_default() {
            garbage::collect_dependents_of(self, &uid).await;
        }
        for place in unfinished::deletions(store, tenant).unwrap_or_default() {
            let Some(kind) = place.kind(self) else {
                continue;
            };
            if let Ok(Some((object, _))) = self.load(kind, &place.namespace, &place.name) {
                let followup = Followup::written(kind, &object, Some(&object));
                self.0.followups.push(followup);
            }
        }
    }

    /// Does what follows from one write. A failure is not the writer's: what could not be done is tried again at the next cause.
    async fn see_to(&self, followup: &Followup) {
        let core = followup.kind.group.is_empty();
        if followup.kind.group == RBAC && followup.kind.kind == "ClusterRole" {
            cluster_roles::aggregate(self).await;
        }
        match followup.what {
            What::Nothing => {}
            What::Created | What::Changed => {
                if core && followup.kind.kind == "Namespace" {
                    namespaces::written(self, followup).await;
                }
                if followup.kind.group == definitions::GROUP {
                    definitions::written(self, &followup.name).await;
                }
                if core && followup.kind.kind == "Secret" {
                    service_accounts::secret_written(self, followup).await;
                }
                if core && followup.kind.kind == "ConfigMap" && followup.name == namespaces::ROOT_CA
                {
                    namespaces::fill(self, &followup.namespace).await;
                }
                if !followup.owners.is_empty() {
                    garbage::collect(self, followup.kind, &followup.namespace, &followup.name)
                        .await;
                    self.wake_owners(followup).await;
                }
            }
            What::WaitsForDependents => {
                garbage::delete_dependents(self, followup.kind, &followup.namespace, &followup.name)
                    .await
            }
            What::WaitsForOrphans => {
                garbage::orphan_dependents(self, followup.kind, &followup.namespace, &followup.name)
                    .await
            }
            What::Gone => {
                garbage::collect_dependents_of(self, &followup.uid).await;
                self.wake_owners(followup).await;
                if !followup.namespace.is_empty() {
                    namespaces::content_gone(self, followup).await;
                }
                if followup.kind.group == definitions::GROUP {
                    definitions::gone(self, &followup.name).await;
                }
                if let Some(custom) = followup.kind.custom {
                    definitions::written(self, custom.definition).await;
                }
                if core && followup.kind.kind == "ServiceAccount" {
                    service_accounts::account_gone(self, followup).await;
                }
            }
        }
    }

    /// Owners that wait for their dependents look again.
    async fn wake_owners(&self, followup: &Followup) {
        for owner in &followup.owners {
            garbage::owner_may_go(self, owner, &followup.namespace).await;
        }
    }
}
