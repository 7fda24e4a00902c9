// SPDX-License-Identifier: Apache-2.0
//! POST to a collection.

use std::time::Duration;

use k1s_core::field::Errors;
use k1s_core::kinds::Kind;
use k1s_core::status::Status;
use k1s_core::{custom, meta, object, rules};
use k1s_store::Ttl;
use serde_json::Value;

use crate::admission;
use crate::answer::{Answer, Include};
use crate::api::{Api, Exchange, namespace_kind};
use crate::clock;
use crate::convert;
use crate::followup::Followup;
use crate::negotiate::Forms;
use crate::options::{WriteKind, WriteOptions};
use crate::random;
use crate::route::Target;
use crate::storage::WriteError;
use crate::verbs::update::{MODIFIED, keep_version};

/// How often a generated name is tried when it is taken.
const NAME_ATTEMPTS: usize = 8;
/// What is told of owners that stand there twice.
pub(crate) const REPEATED_OWNERS: &str = ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests";
/// How long an event stays.
const EVENT_LIFE: Duration = Duration::from_secs(3600);

/// Makes the object in the body.
pub(crate) async fn create(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::Objects)?;
    let include = Include::parse(&exchange.query, output)?;
    let options = WriteOptions::parse(&exchange.query, WriteKind::Create)?;
    let object = exchange.object(&target.kind.into(), options.field_validation)?;
    let stored = create_object(
        api,
        target.kind,
        &target.namespace,
        object,
        exchange,
        options.dry_run,
    )
    .await?;
    Ok(Answer::Object {
        code: 201,
        kind: target.kind,
        stored,
        output,
        include,
    })
}

/// Makes an object of a kind; gives what is stored.
pub(crate) async fn create_object(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    mut object: Value,
    exchange: &mut Exchange,
    dry_run: bool,
) -> Result<bytes::Bytes, Status> {
    (rules::of(kind).default)(&mut object);
    convert::to_storage(kind, &mut object);
    let kind_asked = kind;
    let kind = convert::storage_kind(kind);
    let rules = rules::of(kind_asked);
    meta::fit_namespace(kind, &mut object, namespace)?;
    let told = match object::name(&object) {
        "" => object::text(&object, &["metadata", "generateName"]),
        name => name,
    };
    let told = if told.is_empty() { "Unknown" } else { told };
    api.check_namespace(kind_asked, namespace, told)?;
    api.check_definition(kind_asked, object::name(&object))?;
    let generated = object::name(&object).is_empty()
        && !object::text(&object, &["metadata", "generateName"]).is_empty();
    let now = clock::rfc3339(exchange.now_seconds);
    let told = exchange.warnings.len();
    for attempt in 1.. {
        exchange.warnings.truncate(told);
        let mut candidate = object.clone();
        let birth = meta::Birth {
            namespace,
            uid: &random::uid(),
            now: &now,
            suffix: &random::suffix(),
        };
        meta::begin(rules, &mut candidate, &birth);
        // who refuses at this point speaks of the prefix: Kubernetes makes the name later
        let name = generated
            .then(|| object::remove(&mut candidate, &["metadata", "name"]))
            .flatten();
        let mut claims = admission::create(api, kind_asked, namespace, &mut candidate, exchange)?;
        if let Some(name) = name {
            object::set(&mut candidate, &["metadata", "name"], name);
        }
        (rules.prepare_create)(&mut candidate, &exchange.rule_request());
        if let Some(own) = kind_asked.custom {
            custom::prepare_create(own, &mut candidate);
        }
        if meta::drop_repeated_owners(&mut candidate) {
            exchange.warnings.push(REPEATED_OWNERS.into());
        }
        check(kind_asked, &candidate, exchange)?;
        admission::check_create(api, kind_asked, namespace, &candidate, exchange)?;
        (rules.canonicalize)(&mut candidate);
        let version = object::resource_version(&candidate);
        if !dry_run && version.parse::<u64>().is_ok_and(|version| version != 0) {
            return Err(Status::new(
                500,
                "",
                "resourceVersion should not be set on objects to be created",
            ));
        }
        convert::settle(kind_asked, &mut candidate);
        if !dry_run {
            object::remove(&mut candidate, &["metadata", "resourceVersion"]);
        }
        let (charges, turn) =
            admission::quota::charge(api, kind, namespace, &candidate, None, exchange).await?;
        claims.charges = charges;
        if dry_run {
            if api
                .storage()
                .get(kind, namespace, object::name(&candidate))?
                .is_some()
            {
                return Err(taken(api, kind_asked, namespace, &candidate)?);
            }
            return Ok(keep_version(&candidate));
        }
        let life = if kind.kind == "Event" {
            Ttl::For(EVENT_LIFE)
        } else {
            Ttl::Forever
        };
        match api.storage().create(kind, &candidate, claims, life).await {
            Ok(stored) => {
                drop(turn);
                api.follow(Followup::written(kind, &candidate, None)).await;
                return Ok(stored.bytes);
            }
            // a claim or a quota may have been taken by another meanwhile: then there is no such object, and it is tried again
            Err(WriteError::Exists | WriteError::Conflict) => {
                let there = api
                    .storage()
                    .get(kind, namespace, object::name(&candidate))?
                    .is_some();
                if attempt >= NAME_ATTEMPTS || there && !generated {
                    return Err(if there {
                        taken(api, kind_asked, namespace, &candidate)?
                    } else {
                        Status::conflict(kind_asked, object::name(&candidate), MODIFIED)
                    });
                }
            }
            Err(WriteError::Failed(status)) => return Err(status),
        }
    }
    unreachable!("the loop ends by returning")
}

/// Checks a new object as a whole.
fn check(kind: &'static Kind, object: &Value, exchange: &mut Exchange) -> Result<(), Status> {
    let rules = rules::of(kind);
    let mut errors = Errors::new();
    if rules.metadata_last {
        (rules.validate)(object, &mut errors);
        if errors.is_empty() {
            meta::validate(kind, rules, object, &mut errors);
        }
    } else {
        meta::validate(kind, rules, object, &mut errors);
        (rules.validate)(object, &mut errors);
    }
    if let Some(own) = kind.custom {
        custom::validate(own, object, &mut errors);
    }
    if !errors.is_empty() {
        return Err(Status::invalid(
            convert::storage_kind(kind).group,
            kind.kind,
            object::name(object),
            errors,
        ));
    }
    (rules.warnings)(object, None, &mut exchange.warnings);
    Ok(())
}

/// 409 for a name that is taken.
fn taken(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    object: &Value,
) -> Result<Status, Status> {
    let name = object::name(object);
    let mut status = Status::already_exists(kind, name);
    if std::ptr::eq(kind, namespace_kind())
        && let Some((old, _)) = api.load(kind, namespace, name)?
        && object::is_deleting(&old)
    {
        status.message = format!("object is being deleted: {}", status.message);
    }
    Ok(status)
}

/// The bytes of an object that is not stored, and so has no version.
pub(crate) fn without_version(object: &Value) -> bytes::Bytes {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
    }
    object::remove(&mut object, &["metadata", "resourceVersion"]);
    serde_json::to_vec(&object).unwrap_or_default().into()
}
