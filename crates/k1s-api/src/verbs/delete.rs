// SPDX-License-Identifier: Apache-2.0
//! DELETE of an object or of a collection: at once, with grace, or held by finalizers.

use bytes::Bytes;
use k1s_core::kinds::Kind;
use k1s_core::meta::{FOREGROUND, ORPHAN};
use k1s_core::object::{self, finalizers, text};
use k1s_core::rules;
use k1s_core::status::{Details, Status};
use serde_json::{Value, json};

use crate::admission;
use crate::answer::{Answer, Include};
use crate::api::{Api, Exchange, SYSTEM_NAMESPACES, kind_details};
use crate::clock;
use crate::content;
use crate::convert;
use crate::definitions;
use crate::followup::Followup;
use crate::negotiate::{Form, Forms};
use crate::options::{DeleteOptions, ListOptions, Propagation, Query};
use crate::route::Target;
use crate::selection::Selection;
use crate::storage::WriteError;
use crate::system_objects::is_system_class;

/// What a delete came to.
pub(crate) enum Deletion {
    /// The object is gone; this was its last state.
    Gone(Bytes, Value),
    /// The object is still there, in this state.
    Held(Bytes),
}

/// Kinds whose delete answers with the object itself.
const ANSWERED_WITH_OBJECT: [(&str, &str); 13] = [
    ("", "Namespace"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "Pod"),
    ("", "PodTemplate"),
    ("", "ResourceQuota"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
];

/// Deletes the object that the path names.
pub(crate) async fn delete(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::Objects)?;
    let include = Include::parse(&exchange.query, output)?;
    let options = options(exchange)?;
    let kind = target.kind;
    warn_of_orphans(kind, &options, exchange);
    match delete_object(
        api,
        kind,
        &target.namespace,
        &target.name,
        &options,
        exchange,
    )
    .await?
    {
        Deletion::Held(stored) => Ok(Answer::Object {
            code: if options.cascades { 202 } else { 200 },
            kind,
            stored,
            output,
            include,
        }),
        Deletion::Gone(stored, _) if ANSWERED_WITH_OBJECT.contains(&(kind.group, kind.kind)) => {
            Ok(Answer::Object {
                code: 200,
                kind,
                stored,
                output,
                include,
            })
        }
        Deletion::Gone(_, last) => {
            let details = Details {
                name: target.name.clone(),
                group: kind.group.into(),
                kind: kind.plural.into(),
                uid: object::uid(&last).into(),
                ..Details::default()
            };
            let value = json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "details": details.to_json()});
            let output = crate::negotiate::Output {
                form: Form::Whole,
                ..output
            };
            Ok(Answer::Value {
                code: 200,
                value,
                output,
            })
        }
    }
}

fn warn_of_orphans(kind: &Kind, options: &DeleteOptions, exchange: &mut Exchange) {
    if kind.kind == "Job" && kind.group == "batch" && options.propagation.is_none() {
        exchange.warnings.push(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning".into(),
        );
    }
}

fn options(exchange: &Exchange) -> Result<DeleteOptions, Status> {
    if exchange.body.is_empty() {
        return DeleteOptions::parse(&exchange.query, None);
    }
    let media = content::media_type(&exchange.headers)?;
    let unread = |words: &str| {
        let what = if media == content::MediaType::Json {
            "json parse error: "
        } else {
            ""
        };
        Status::bad_request(format!("couldn't get version/kind; {what}{words}"))
    };
    let document = content::read(media, &exchange.body).map_err(|words| unread(&words))?;
    if !document.value.is_object() && !document.value.is_null() {
        return Err(unread(&content::no_object(&document.value)));
    }
    if document.value.is_null() {
        return DeleteOptions::parse(&Query::default(), None);
    }
    DeleteOptions::parse(&exchange.query, Some(&document.value))
}

/// Deletes an object, as far as grace and finalizers let it go.
pub(crate) async fn delete_object(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
    exchange: &Exchange,
) -> Result<Deletion, Status> {
    let stored_kind = convert::storage_kind(kind);
    let mut marked = false;
    loop {
        let Some(present) = api.storage().get(kind, namespace, name)? else {
            return Err(Status::not_found(kind, name));
        };
        let mut old = present.object(stored_kind)?;
        if !marked {
            check_preconditions(kind, &old, name, options)?;
        }
        if kind.kind == "Namespace"
            && kind.group.is_empty()
            && SYSTEM_NAMESPACES[..3].contains(&name)
        {
            return Err(Status::forbidden(
                kind,
                name,
                "this namespace may not be deleted",
            ));
        }
        if kind.kind == "PriorityClass" && is_system_class(name) {
            return Err(Status::forbidden(
                kind,
                name,
                "this is a system priority class and cannot be deleted",
            ));
        }
        object::remove(&mut old, &["metadata", "resourceVersion"]);
        let new = match next(kind, &old, options, exchange.now_seconds) {
            Next::Stay => return Ok(Deletion::Held(present.bytes)),
            Next::Go if needs_mark(kind, &old) && !options.dry_run => {
                // The last that is seen of a pod says that it was deleted without grace.
                let mut last = old.clone();
                if !object::is_deleting(&old) {
                    count_deletion(&mut last);
                }
                set_deletion(&mut last, exchange.now_seconds, 0);
                let none = crate::storage::Claims::default();
                match api
                    .storage()
                    .replace(stored_kind, &last, &old, present.revision, none)
                    .await
                {
                    Ok(_) => marked = true,
                    Err(WriteError::Exists | WriteError::Conflict) => {}
                    Err(WriteError::Failed(status)) => return Err(status),
                }
                continue;
            }
            Next::Go => None,
            Next::Change(new) => Some(new),
        };
        if options.dry_run {
            return Ok(match new {
                Some(mut new) => {
                    object::set(
                        &mut new,
                        &["metadata", "resourceVersion"],
                        present.revision.0.to_string(),
                    );
                    Deletion::Held(crate::verbs::update::keep_version(&new))
                }
                None => Deletion::Gone(present.bytes, old),
            });
        }
        let (written, followup) = match &new {
            Some(new) => (
                api.storage()
                    .replace(stored_kind, new, &old, present.revision, Default::default())
                    .await,
                Followup::written(stored_kind, new, Some(&old)),
            ),
            None => {
                let claims = crate::storage::Claims {
                    release: admission::claims_of(stored_kind, &old),
                    ..Default::default()
                };
                (
                    api.storage()
                        .delete(stored_kind, &old, present.revision, claims)
                        .await,
                    Followup::gone(stored_kind, &old),
                )
            }
        };
        match written {
            Ok(stored) => {
                api.follow(followup).await;
                return Ok(if new.is_some() {
                    Deletion::Held(stored.bytes)
                } else {
                    Deletion::Gone(stored.bytes, old)
                });
            }
            Err(WriteError::Exists | WriteError::Conflict) => {}
            Err(WriteError::Failed(status)) => return Err(status),
        }
    }
}

/// What the next step of a delete is.
enum Next {
    /// Nothing changes: it is on its way already.
    Stay,
    /// The object goes.
    Go,
    /// The object changes.
    Change(Value),
}

fn next(kind: &Kind, old: &Value, options: &DeleteOptions, now_seconds: i64) -> Next {
    let mut new = old.clone();
    if kind.kind == "Namespace" && kind.group.is_empty() {
        return next_of_namespace(old, now_seconds);
    }
    if definitions::is_definition(kind) {
        return next_of_definition(old, now_seconds);
    }
    set_policy_finalizers(kind, &mut new, options);
    let grace = if kind.kind == "Pod" && kind.group.is_empty() {
        pod_grace(old, options)
    } else {
        0
    };
    if object::is_deleting(old) {
        let before = object::int(old, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
        // a later delete may shorten the grace, never lengthen it
        if grace < before && (options.grace_period_seconds.is_some() || grace == 0) {
            if grace == 0 && finalizers(&new).next().is_none() {
                return Next::Go;
            }
            set_deletion(&mut new, now_seconds, grace);
        } else if before == 0 && finalizers(&new).next().is_none() {
            return Next::Go;
        }
        return if new == *old {
            Next::Stay
        } else {
            Next::Change(new)
        };
    }
    if grace == 0 && finalizers(&new).next().is_none() {
        return Next::Go;
    }
    set_deletion(&mut new, now_seconds, grace);
    count_deletion(&mut new);
    Next::Change(new)
}

/// The first delete of a namespace makes it end; a later one takes it away when nothing holds it any more.
fn next_of_namespace(old: &Value, now_seconds: i64) -> Next {
    let mut new = old.clone();
    if object::is_deleting(old) {
        let held = !object::list(old, &["spec", "finalizers"]).is_empty()
            || finalizers(old).next().is_some();
        return if held { Next::Stay } else { Next::Go };
    }
    object::set(
        &mut new,
        &["metadata", "deletionTimestamp"],
        clock::rfc3339(now_seconds),
    );
    object::set(&mut new, &["status", "phase"], "Terminating");
    Next::Change(new)
}

/// Whether a pod that goes does not say yet that it has no time left.
fn needs_mark(kind: &Kind, pod: &Value) -> bool {
    let grace = object::int(pod, &["metadata", "deletionGracePeriodSeconds"]);
    kind.kind == "Pod" && kind.group.is_empty() && (!object::is_deleting(pod) || grace != Some(0))
}

/// The first delete counts as a change of what is wanted.
fn count_deletion(object: &mut Value) {
    if let Some(generation) = object::int(object, &["metadata", "generation"]).filter(|g| *g > 0) {
        object::set(object, &["metadata", "generation"], generation + 1);
    }
}

/// A definition that is deleted waits for its objects to go.
fn next_of_definition(old: &Value, now_seconds: i64) -> Next {
    let mut new = old.clone();
    if !object::is_deleting(old) {
        definitions::mark_terminating(&mut new, &clock::rfc3339(now_seconds));
        return Next::Change(new);
    }
    if finalizers(old).next().is_none() {
        return Next::Go;
    }
    object::set(&mut new, &["metadata", "deletionGracePeriodSeconds"], 0);
    if new == *old {
        Next::Stay
    } else {
        Next::Change(new)
    }
}

fn set_deletion(object: &mut Value, now_seconds: i64, grace: i64) {
    object::set(
        object,
        &["metadata", "deletionTimestamp"],
        clock::rfc3339(now_seconds + grace),
    );
    object::set(object, &["metadata", "deletionGracePeriodSeconds"], grace);
}

/// Seconds that a pod has left to end: none when it never ran or has ended.
fn pod_grace(pod: &Value, options: &DeleteOptions) -> i64 {
    if text(pod, &["spec", "nodeName"]).is_empty()
        || matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
    {
        return 0;
    }
    let asked = options.grace_period_seconds.or_else(|| {
        if object::is_deleting(pod) {
            object::int(pod, &["metadata", "deletionGracePeriodSeconds"])
        } else {
            None
        }
    });
    let grace = asked
        .or_else(|| object::int(pod, &["spec", "terminationGracePeriodSeconds"]))
        .unwrap_or(30);
    if grace < 0 { 1 } else { grace }
}

/// Puts in the finalizers that the propagation asks for, and takes out those that it overrides.
fn set_policy_finalizers(kind: &Kind, object: &mut Value, options: &DeleteOptions) {
    let has = |name: &str| finalizers(object).any(|f| f == name);
    let (orphan, foreground) = match options.propagation {
        Some(Propagation::Orphan) => (true, false),
        Some(Propagation::Foreground) => (false, true),
        Some(Propagation::Background) => (false, false),
        None if has(ORPHAN) || has(FOREGROUND) => (has(ORPHAN), has(FOREGROUND)),
        None => (rules::of(kind).orphans_by_default, false),
    };
    let mut all: Vec<Value> = finalizers(object)
        .filter(|f| *f != ORPHAN && *f != FOREGROUND)
        .map(Value::from)
        .collect();
    if orphan {
        all.push(ORPHAN.into());
    }
    if foreground {
        all.push(FOREGROUND.into());
    }
    let same = finalizers(object).count() == all.len()
        && finalizers(object).all(|f| all.iter().any(|a| a == f));
    if same {
        return;
    }
    if all.is_empty() {
        object::remove(object, &["metadata", "finalizers"]);
    } else {
        object::set(object, &["metadata", "finalizers"], all);
    }
}

/// Refuses to delete an object that is not the one, or not in the state, that the options name.
pub(crate) fn check_preconditions(
    kind: &'static Kind,
    old: &Value,
    name: &str,
    options: &DeleteOptions,
) -> Result<(), Status> {
    let conflict = |why: String| {
        let stored = convert::storage_kind(kind);
        let mut status = Status::conflict(stored, name, &why);
        let what = if stored.group.is_empty() {
            stored.kind.to_owned()
        } else {
            format!("{}.{}", stored.kind, stored.group)
        };
        status.message = format!(
            "Operation cannot be fulfilled on {what} {}: {why}",
            k1s_core::field::quote(name)
        );
        status.details = Some(Box::new(kind_details(stored, name)));
        status
    };
    if let Some(uid) = options
        .uid
        .as_deref()
        .filter(|uid| *uid != object::uid(old))
    {
        if kind.kind == "Namespace" && kind.group.is_empty() || definitions::is_definition(kind) {
            return Err(Status::conflict(
                kind,
                name,
                &format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                    object::uid(old)
                ),
            ));
        }
        return Err(conflict(format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            object::uid(old)
        )));
    }
    if let Some(version) = options
        .resource_version
        .as_deref()
        .filter(|v| *v != object::resource_version(old))
    {
        return Err(conflict(format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
            object::resource_version(old)
        )));
    }
    Ok(())
}

/// Deletes the selected objects of a collection; answers with them as they were.
pub(crate) async fn delete_collection(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::List)?;
    let include = Include::parse(&exchange.query, output)?;
    let options = options(exchange)?;
    let mut list_options = ListOptions::parse(&exchange.query, false)?;
    list_options.watch = false;
    let selection = Selection::parse(
        target.kind,
        &list_options.label_selector,
        &list_options.field_selector,
    )?;
    let kind = target.kind;
    let list = super::list::list(api, kind, &target.namespace, &list_options, &selection)?;
    warn_of_orphans(kind, &options, exchange);
    for item in &list.items {
        let object: Value =
            serde_json::from_slice(item).map_err(|e| Status::internal(e.to_string()))?;
        match delete_object(
            api,
            kind,
            object::namespace(&object),
            object::name(&object),
            &options,
            exchange,
        )
        .await
        {
            Ok(_) => {}
            // another was faster
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    Ok(Answer::List {
        list,
        output,
        include,
    })
}
