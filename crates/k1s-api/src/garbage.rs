// SPDX-License-Identifier: Apache-2.0
//! Garbage collection: objects whose owners are all gone are deleted, and owners that asked for it go after or without their
//! dependents.

use k1s_core::kinds::{self, Kind};
use k1s_core::meta::{FOREGROUND, ORPHAN};
use k1s_core::object::{self, finalizers, is_true, list, text};
use k1s_core::status::Status;
use serde_json::Value;

use crate::amend::amend;
use crate::api::{Api, Exchange};
use crate::options::{DeleteOptions, Propagation};
use crate::owners;
use crate::route::Target;
use crate::verbs::delete::delete_object;

/// An object that names an owner.
struct Dependent {
    kind: &'static Kind,
    namespace: String,
    name: String,
    object: Value,
}

/// The objects that name this uid among their owners.
fn dependents(api: &Api, uid: &str) -> Result<Vec<Dependent>, Status> {
    let storage = api.storage();
    let places = owners::dependents(&*storage.store, storage.tenant(), uid)
        .map_err(crate::storage::failure)?;
    let mut out = Vec::new();
    for place in places {
        let Some(kind) = place.kind(api) else {
            continue;
        };
        if let Some((object, _)) = api.load(kind, &place.namespace, &place.name)?
            && owners::uids(&object).contains(uid)
        {
            out.push(Dependent {
                kind,
                namespace: place.namespace,
                name: place.name,
                object,
            });
        }
    }
    Ok(out)
}

/// What an owner reference points at.
enum Owner {
    /// An owner that is there.
    Solid,
    /// An owner that is there and waits for its dependents to go.
    Waiting,
    /// Nothing, or another object of that name.
    Dangling,
    /// A kind that is not known, or one that cannot own this: it is left alone.
    Unknown,
}

fn owner_target(api: &Api, reference: &Value, namespace: &str) -> Option<Target> {
    let (group, version) = kinds::split_api_version(text(reference, &["apiVersion"]));
    let kind = api.kind_of(group, version, text(reference, &["kind"]))?;
    if kind.namespaced && namespace.is_empty() {
        return None;
    }
    let namespace = if kind.namespaced { namespace } else { "" };
    Some(Target {
        kind,
        namespace: namespace.into(),
        name: text(reference, &["name"]).into(),
        subresource: String::new(),
        legacy_watch: false,
    })
}

fn look_at(api: &Api, reference: &Value, namespace: &str) -> Result<Owner, Status> {
    let Some(target) = owner_target(api, reference, namespace) else {
        return Ok(Owner::Unknown);
    };
    let Some((owner, _)) = api.load(target.kind, &target.namespace, &target.name)? else {
        return Ok(Owner::Dangling);
    };
    if object::uid(&owner) != text(reference, &["uid"]) {
        return Ok(Owner::Dangling);
    }
    let waits = object::is_deleting(&owner) && finalizers(&owner).any(|f| f == FOREGROUND);
    Ok(if waits { Owner::Waiting } else { Owner::Solid })
}

/// Deletes an object that no owner holds any more; takes out references to owners that are gone while another holds it.
pub(crate) async fn collect(api: &Api, kind: &'static Kind, namespace: &str, name: &str) {
    // a failure is tried again at the next cause
    let _ = try_collect(api, kind, namespace, name).await;
}

async fn try_collect(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    let Some((object, _)) = api.load(kind, namespace, name)? else {
        return Ok(());
    };
    if object::is_deleting(&object) {
        return Ok(());
    }
    let (mut solid, mut waiting, mut lost) = (false, false, Vec::new());
    for reference in list(&object, &["metadata", "ownerReferences"]) {
        match look_at(api, reference, namespace)? {
            Owner::Unknown => return Ok(()),
            Owner::Solid => solid = true,
            Owner::Waiting => {
                waiting = true;
                lost.push(text(reference, &["uid"]).to_owned());
            }
            Owner::Dangling => lost.push(text(reference, &["uid"]).to_owned()),
        }
    }
    if lost.is_empty() {
        return Ok(());
    }
    if solid {
        return drop_references(api, kind, namespace, name, &lost).await;
    }
    let propagation = if waiting && !dependents(api, object::uid(&object))?.is_empty() {
        Some(Propagation::Foreground)
    } else if finalizers(&object).any(|f| f == ORPHAN) {
        Some(Propagation::Orphan)
    } else if finalizers(&object).any(|f| f == FOREGROUND) {
        Some(Propagation::Foreground)
    } else {
        Some(Propagation::Background)
    };
    let options = DeleteOptions {
        propagation,
        uid: Some(object::uid(&object).to_owned()),
        ..DeleteOptions::default()
    };
    delete_object(api, kind, namespace, name, &options, &Exchange::internal())
        .await
        .map(|_| ())
}

async fn drop_references(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    uids: &[String],
) -> Result<(), Status> {
    amend(api, kind, namespace, name, |object| {
        let kept: Vec<Value> = list(object, &["metadata", "ownerReferences"])
            .iter()
            .filter(|r| !uids.iter().any(|u| u == text(r, &["uid"])))
            .cloned()
            .collect();
        if kept.is_empty() {
            object::remove(object, &["metadata", "ownerReferences"]);
        } else {
            object::set(object, &["metadata", "ownerReferences"], kept);
        }
    })
    .await
}

/// After an object went: those that it owned are looked at.
pub(crate) async fn collect_dependents_of(api: &Api, uid: &str) {
    let all = dependents(api, uid).unwrap_or_default();
    if all.is_empty() {
        return;
    }
    for dependent in all {
        collect(api, dependent.kind, &dependent.namespace, &dependent.name).await;
    }
    api.storage().orphans_done(uid).await;
}

/// An object that is deleted in foreground: its dependents are deleted, and when none is left that blocks, it goes.
pub(crate) async fn delete_dependents(api: &Api, kind: &'static Kind, namespace: &str, name: &str) {
    let Ok(Some((owner, _))) = api.load(kind, namespace, name) else {
        return;
    };
    if !(object::is_deleting(&owner) && finalizers(&owner).any(|f| f == FOREGROUND)) {
        return;
    }
    let uid = object::uid(&owner);
    for dependent in dependents(api, uid).unwrap_or_default() {
        collect(api, dependent.kind, &dependent.namespace, &dependent.name).await;
    }
    let blocked = dependents(api, uid).is_ok_and(|all| all.iter().any(|d| blocks(&d.object, uid)));
    if !blocked {
        let _ = drop_finalizer(api, kind, namespace, name, FOREGROUND).await;
    }
}

fn blocks(object: &Value, uid: &str) -> bool {
    list(object, &["metadata", "ownerReferences"])
        .iter()
        .any(|r| text(r, &["uid"]) == uid && is_true(r, &["blockOwnerDeletion"]))
}

/// An object that leaves its dependents behind: they lose the reference, then it goes.
pub(crate) async fn orphan_dependents(api: &Api, kind: &'static Kind, namespace: &str, name: &str) {
    let Ok(Some((owner, _))) = api.load(kind, namespace, name) else {
        return;
    };
    if !(object::is_deleting(&owner) && finalizers(&owner).any(|f| f == ORPHAN)) {
        return;
    }
    let uid = object::uid(&owner).to_owned();
    for dependent in dependents(api, &uid).unwrap_or_default() {
        if drop_references(
            api,
            dependent.kind,
            &dependent.namespace,
            &dependent.name,
            std::slice::from_ref(&uid),
        )
        .await
        .is_err()
        {
            return;
        }
    }
    let _ = drop_finalizer(api, kind, namespace, name, ORPHAN).await;
}

async fn drop_finalizer(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    finalizer: &str,
) -> Result<(), Status> {
    amend(api, kind, namespace, name, |object| {
        let kept: Vec<Value> = finalizers(object)
            .filter(|f| *f != finalizer)
            .map(Value::from)
            .collect();
        if kept.is_empty() {
            object::remove(object, &["metadata", "finalizers"]);
        } else {
            object::set(object, &["metadata", "finalizers"], kept);
        }
    })
    .await
}

/// A dependent changed or went: an owner that waited for it may go.
pub(crate) async fn owner_may_go(api: &Api, reference: &Value, namespace: &str) {
    if let Some(target) = owner_target(api, reference, namespace) {
        delete_dependents(
            api,
            crate::convert::storage_kind(target.kind),
            &target.namespace,
            &target.name,
        )
        .await;
    }
}
