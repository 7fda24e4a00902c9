// SPDX-License-Identifier: Apache-2.0
//! The life of a stored definition: its names are accepted, it is established, and before it goes its objects go.

use k1s_core::custom::accept as names;
use k1s_core::object::{self, finalizers, text};
use k1s_core::status::Status;
use serde_json::Value;

use super::{Definition, definition_kind};
use crate::amend::amend;
use crate::api::{Api, Exchange, contains};
use crate::clock;
use crate::options::DeleteOptions;
use crate::verbs::delete::delete_object;

/// The finalizer that a definition gets when it is deleted, until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Why a definition is not established that has its names: its content is more than the process can compile.
const NO_ROOM: &str = "NoRoomToCompile";

/// Tries again to establish what an earlier process had no room for.
pub(crate) async fn accept_refused(api: &Api) {
    for (name, stored) in api.scan_definitions().unwrap_or_default() {
        if contains(&stored.bytes, NO_ROOM.as_bytes()) {
            accept(api, &name).await;
        }
    }
}

/// Marks a definition that is deleted for the first time.
pub(crate) fn mark_terminating(definition: &mut Value, now: &str) {
    object::set(definition, &["metadata", "deletionTimestamp"], now);
    if !finalizers(definition).any(|f| f == CLEANUP) {
        let mut all: Vec<Value> = finalizers(definition).map(Value::from).collect();
        all.push(CLEANUP.into());
        object::set(definition, &["metadata", "finalizers"], all);
    }
    terminating(
        definition,
        "True",
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        now,
    );
}

fn terminating(definition: &mut Value, value: &str, reason: &str, message: &str, now: &str) {
    let mut status = definition["status"].take();
    names::set(&mut status, "Terminating", value, reason, message, now);
    definition["status"] = status;
}

/// Accepts the names of a definition as far as they are free, and establishes it when all are.
pub(crate) async fn accept(api: &Api, name: &str) {
    // what could not be done is tried again at the next write
    let _ = try_accept(api, name).await;
}

async fn try_accept(api: &Api, name: &str) -> Result<(), Status> {
    let kind = definition_kind();
    let Some((definition, _)) = api.load(kind, "", name)? else {
        return Ok(());
    };
    if object::is_deleting(&definition) {
        return Ok(());
    }
    let group = text(&definition, &["spec", "group"]).to_owned();
    let mut others = Vec::new();
    for (other, stored) in api.scan_definitions()? {
        if other != name && other.ends_with(&group) {
            let other = stored.object(kind)?;
            if text(&other, &["spec", "group"]) == group {
                others.push(other);
            }
        }
    }
    let now = clock::rfc3339(clock::now_seconds());
    let wanted = names::status(&definition, &others, &now);
    if wanted != definition["status"] {
        amend(api, kind, "", name, |definition| {
            definition["status"] = names::status(definition, &others, &now);
        })
        .await?;
    }
    let Some((definition, _)) = api.load(kind, "", name)? else {
        return Ok(());
    };
    if let Err(why) = Definition::of(&definition) {
        let told = names::condition(&definition, "Established");
        if told.is_some_and(|c| text(c, &["reason"]) == NO_ROOM) {
            return Ok(());
        }
        return amend(api, kind, "", name, |definition| {
            let mut status = definition["status"].take();
            let why = why.to_string();
            names::set(&mut status, "Established", "False", NO_ROOM, &why, &now);
            definition["status"] = status;
        })
        .await;
    }
    if names::established(&definition, &now).is_some() {
        amend(api, kind, "", name, |definition| {
            if let Some(status) = names::established(definition, &now) {
                definition["status"] = status;
            }
        })
        .await?;
    }
    Ok(())
}

/// After a definition or one of its objects changed: when the definition is about to go, its objects go, and then it goes.
pub(crate) async fn written(api: &Api, name: &str) {
    // what could not be done is tried again at the next cause
    let _ = Box::pin(clean_up(api, name)).await;
}

async fn clean_up(api: &Api, name: &str) -> Result<(), Status> {
    let kind = definition_kind();
    let Some((definition, _)) = api.load(kind, "", name)? else {
        return Ok(());
    };
    if !object::is_deleting(&definition) || !finalizers(&definition).any(|f| f == CLEANUP) {
        return Ok(());
    }
    let now = clock::rfc3339(clock::now_seconds());
    let reason = names::condition(&definition, "Terminating").map(|c| text(c, &["reason"]));
    if reason == Some("InstanceDeletionPending") {
        amend(api, kind, "", name, |definition| {
            terminating(
                definition,
                "True",
                "InstanceDeletionInProgress",
                "CustomResource deletion is in progress",
                &now,
            );
        })
        .await?;
    }
    if names::is_established(&definition) {
        let compiled = Definition::of(&definition).map_err(Status::internal)?;
        if let Some(kind) = compiled.storage() {
            let (options, exchange) = (DeleteOptions::default(), Exchange::internal());
            for (namespace, object) in objects(api, kind)? {
                let deleted = delete_object(api, kind, &namespace, &object, &options, &exchange);
                match Box::pin(deleted).await {
                    Ok(_) => {}
                    Err(status) if status.code == 404 => {}
                    Err(status) => return Err(status),
                }
            }
            if !objects(api, kind)?.is_empty() {
                return Ok(());
            }
        }
    }
    amend(api, kind, "", name, |definition| {
        let kept: Vec<Value> = finalizers(definition)
            .filter(|f| *f != CLEANUP)
            .map(Value::from)
            .collect();
        if kept.is_empty() {
            object::remove(definition, &["metadata", "finalizers"]);
        } else {
            object::set(definition, &["metadata", "finalizers"], kept);
        }
        terminating(
            definition,
            "False",
            "InstanceDeletionCompleted",
            "removed all instances",
            &now,
        );
    })
    .await
}

fn objects(
    api: &Api,
    kind: &'static k1s_core::kinds::Kind,
) -> Result<Vec<(String, String)>, Status> {
    let prefix = api.storage().prefix(kind, "")?;
    let mut all = Vec::new();
    let scanned = api
        .storage()
        .store
        .scan(&k1s_store::ListRequest::new(prefix), &mut |entry| {
            if let Ok(entry) = entry {
                let (namespace, name) = entry.namespace_and_name();
                all.push((namespace.to_owned(), name.to_owned()));
            }
            std::ops::ControlFlow::Continue(())
        });
    scanned.map_err(crate::storage::failure)?;
    Ok(all)
}

/// After a definition went: others of its group may have names that it had.
pub(crate) async fn gone(api: &Api, name: &str) {
    let group = name.split_once('.').map_or("", |(_, group)| group);
    for (other, _) in api.scan_definitions().unwrap_or_default() {
        if other.split_once('.').is_some_and(|(_, g)| g == group) {
            Box::pin(accept(api, &other)).await;
        }
    }
}
