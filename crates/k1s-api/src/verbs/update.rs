// SPDX-License-Identifier: Apache-2.0
//! PUT, and what every change of an object shares.

use bytes::Bytes;
use k1s_core::field::Errors;
use k1s_core::kinds::Kind;
use k1s_core::rules::{self, Rules};
use k1s_core::status::Status;
use k1s_core::{custom, meta, object};
use k1s_store::Revision;
use serde_json::Value;

use crate::admission;
use crate::answer::{Answer, Include};
use crate::api::{Api, Exchange};
use crate::convert;
use crate::followup::Followup;
use crate::negotiate::Forms;
use crate::options::{WriteKind, WriteOptions, parse_uint};
use crate::route::Target;
use crate::storage::{Claims, WriteError};
use crate::verbs::create::{REPEATED_OWNERS, create_object, without_version};

/// The words of a conflict of versions.
pub(crate) const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// Which part of an object a change is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status.
    Main,
    /// The status.
    Status,
    /// The finalizers in a namespace's spec.
    Finalize,
    /// The conditions of a certificate signing request that approve or deny it.
    Approval,
    /// The resources of a pod's containers.
    Resize,
    /// The ephemeral containers of a pod.
    EphemeralContainers,
    /// Whatever the caller changed, which has been checked by it.
    Own,
    /// The node of a pod. Its generation counts what was asked of the pod, not where that led.
    Binding,
}

impl Part {
    /// The subresource that writes it.
    fn subresource(self) -> &'static str {
        match self {
            Self::Main | Self::Own | Self::Binding => "",
            Self::Status => "status",
            Self::Finalize => "finalize",
            Self::Approval => "approval",
            Self::Resize => "resize",
            Self::EphemeralContainers => "ephemeralcontainers",
        }
    }
}

/// What a change is made under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) part: Part,
    pub(crate) dry_run: bool,
    /// Whether a resource version in the new object is a precondition.
    pub(crate) checks_version: bool,
    /// Whether another uid in the new object is a conflict; a patch that changes it is invalid instead.
    pub(crate) uid_is_precondition: bool,
}

/// Replaces an object by the one in the body.
pub(crate) async fn update(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    update_part(api, target, exchange, Part::Main).await
}

/// Replaces a part of an object by that of the body.
pub(crate) async fn update_part(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
    part: Part,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::Objects)?;
    let include = Include::parse(&exchange.query, output)?;
    let options = WriteOptions::parse(&exchange.query, WriteKind::Update)?;
    let kind = target.kind;
    let mut new = exchange.object(&kind.into(), options.field_validation)?;
    fit_name(&mut new, target)?;
    (rules::of(kind).default)(&mut new);
    let exists = api
        .storage()
        .get(kind, &target.namespace, &target.name)?
        .is_some();
    if !exists && part == Part::Main && rules::of(kind).create_on_update {
        let stored =
            create_object(api, kind, &target.namespace, new, exchange, options.dry_run).await?;
        return Ok(Answer::Object {
            code: 201,
            kind,
            stored,
            output,
            include,
        });
    }
    let terms = Terms {
        part,
        dry_run: options.dry_run,
        checks_version: true,
        uid_is_precondition: true,
    };
    let stored = change(api, target, exchange, terms, |_, _| Ok(new.clone())).await?;
    Ok(Answer::Object {
        code: 200,
        kind,
        stored,
        output,
        include,
    })
}

/// Fits name and namespace of a body to those of the path.
pub(crate) fn fit_name(object: &mut Value, target: &Target) -> Result<(), Status> {
    match object::name(object) {
        "" => return Err(nameless(&target.name)),
        own if own == target.name => {}
        other => {
            return Err(Status::bad_request(format!(
                "the name of the object ({other}) does not match the name on the URL ({})",
                target.name
            )));
        }
    }
    meta::fit_namespace(target.kind, object, &target.namespace)
}

/// 400 for a body that does not say what it is called.
pub(crate) fn nameless(name: &str) -> Status {
    Status::bad_request(format!(
        "the name of the object ({name} based on URL) was undeterminable: name must be provided"
    ))
}

/// Changes an object: `make` gets its present state, as the kind of the request, and gives the wanted one. When another write comes
/// between, it is asked again.
pub(crate) async fn change(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
    terms: Terms,
    mut make: impl FnMut(&Value, &mut Exchange) -> Result<Value, Status>,
) -> Result<Bytes, Status> {
    let kind = target.kind;
    let stored_kind = convert::storage_kind(kind);
    let rules = rules::of(kind);
    let before = exchange.warnings.len();
    loop {
        exchange.warnings.truncate(before);
        let Some(present) = api.storage().get(kind, &target.namespace, &target.name)? else {
            return Err(Status::not_found(kind, &target.name));
        };
        let old = present.object(stored_kind)?;
        let mut shown = old.clone();
        convert::from_storage(kind, &mut shown);
        let mut new = make(&shown, exchange)?;
        convert::to_storage(kind, &mut new);
        if terms.checks_version {
            if terms.uid_is_precondition {
                check_uid(kind, target, &new, &old)?;
            }
            require_version(kind, target, &new)?;
            check_version(kind, target, &new, present.revision)?;
        }
        object::remove(&mut new, &["metadata", "resourceVersion"]);
        let mut old = old;
        let version = object::remove(&mut old, &["metadata", "resourceVersion"]);
        meta::carry_over(&mut new, &old);
        if !terms.dry_run {
            // it is never stored, but a dry run gives it back
            object::remove(&mut new, &["metadata", "selfLink"]);
        }
        if meta::drop_repeated_owners(&mut new) {
            exchange.warnings.push(REPEATED_OWNERS.into());
        }
        let mut claims = prepare(api, kind, rules, &mut new, &old, exchange, terms.part)?;
        convert::settle(kind, &mut new);
        let ends = ends(kind, &new, &old);
        if new == old && !ends {
            return Ok(present.bytes);
        }
        let mut turn = None;
        if matches!(terms.part, Part::Main | Part::Resize) && !ends {
            let namespace = &target.namespace;
            (claims.charges, turn) =
                admission::quota::charge(api, stored_kind, namespace, &new, Some(&old), exchange)
                    .await?;
        }
        if terms.dry_run {
            let mut shown = new;
            if let Some(version) = version {
                object::set(&mut shown, &["metadata", "resourceVersion"], version);
            }
            return Ok(keep_version(&shown));
        }
        let written = if ends {
            let mut claims = claims;
            claims
                .release
                .extend(admission::claims_of(stored_kind, &old));
            api.storage()
                .delete(stored_kind, &old, present.revision, claims)
                .await
        } else {
            api.storage()
                .replace(stored_kind, &new, &old, present.revision, claims)
                .await
        };
        drop(turn);
        match written {
            Ok(stored) => {
                let followup = if ends {
                    Followup::gone(stored_kind, &new)
                } else {
                    Followup::written(stored_kind, &new, Some(&old))
                };
                api.follow(followup).await;
                return Ok(if ends {
                    last_state(new, stored.revision)
                } else {
                    stored.bytes
                });
            }
            Err(WriteError::Exists | WriteError::Conflict) => {}
            Err(WriteError::Failed(status)) => return Err(status),
        }
    }
}

/// The bytes of an object that went with this change: it is told as it would have been, at the revision of its end.
fn last_state(mut object: Value, revision: Revision) -> Bytes {
    object::set(
        &mut object,
        &["metadata", "resourceVersion"],
        revision.0.to_string(),
    );
    keep_version(&object)
}

/// The bytes of an object that keeps the version it has.
pub(crate) fn keep_version(object: &Value) -> Bytes {
    let version = object::resource_version(object).to_owned();
    let mut encoded = crate::encode::encode(object);
    if let Some(at) = encoded.revision_at {
        // a client may have said anything
        let quoted = Value::from(version.as_str()).to_string();
        let escaped = quoted.as_bytes()[1..quoted.len() - 1].to_vec();
        encoded.bytes.splice(at..at, escaped);
    }
    if version.is_empty() {
        without_version(object)
    } else {
        encoded.bytes.into()
    }
}

/// A uid in an object must be the present one.
fn check_uid(kind: &Kind, target: &Target, new: &Value, old: &Value) -> Result<(), Status> {
    let uid = object::uid(new);
    if !uid.is_empty() && uid != object::uid(old) {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}{}/{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            registry_folder(kind),
            if target.namespace.is_empty() {
                String::new()
            } else {
                format!("/{}", target.namespace)
            },
            target.name,
            object::uid(old)
        );
        return Err(Status::conflict(kind, &target.name, &why));
    }
    Ok(())
}

/// Where Kubernetes keeps the objects of a kind; some have an older name there.
fn registry_folder(kind: &Kind) -> &'static str {
    match (kind.group, kind.plural) {
        ("", "services") => "services/specs",
        ("", "endpoints") => "services/endpoints",
        ("", "replicationcontrollers") => "controllers",
        ("", "nodes") => "minions",
        ("networking.k8s.io", "ingresses") => "ingress",
        (_, plural) => plural,
    }
}

/// Objects of some kinds are only changed by who says which version.
fn require_version(kind: &Kind, target: &Target, new: &Value) -> Result<(), Status> {
    let version = object::resource_version(new);
    if rules::of(kind).unconditional_update || !matches!(version, "" | "0") {
        return Ok(());
    }
    let mut errors = Errors::new();
    errors.push(
        k1s_core::field::Fault::Invalid,
        "metadata.resourceVersion",
        "Invalid value: 0: must be specified for an update",
    );
    // this refusal names the resource, where others name the kind
    Err(Status::invalid(
        kind.group,
        kind.plural,
        &target.name,
        errors,
    ))
}

/// A resource version in an object must be the present one.
pub(crate) fn check_version(
    kind: &Kind,
    target: &Target,
    new: &Value,
    revision: Revision,
) -> Result<(), Status> {
    let version = object::resource_version(new);
    if version.is_empty() || version == "0" {
        return Ok(());
    }
    let version = parse_uint(version).map_err(|words| Status::new(500, "", words))?;
    if version == revision.0 {
        Ok(())
    } else {
        Err(Status::conflict(kind, &target.name, MODIFIED))
    }
}

/// Lets the kind's rules look at a change.
fn prepare(
    api: &Api,
    kind: &'static Kind,
    rules: &'static Rules,
    new: &mut Value,
    old: &Value,
    exchange: &mut Exchange,
    part: Part,
) -> Result<Claims, Status> {
    let mut claims = Claims::default();
    let mut errors = Errors::new();
    match part {
        Part::Main => {
            claims = admission::update(api, kind, new, old, exchange)?;
            (rules.prepare_update)(new, old, &exchange.rule_request());
            if let Some(own) = kind.custom {
                custom::prepare_update(own, new, old);
            }
            meta::count_generation(rules, new, old);
            validate_metadata(rules, new, old, &mut errors);
            (rules.validate_update)(new, old, &mut errors);
            if let Some(own) = kind.custom {
                custom::validate_update(own, new, old, &mut errors);
            }
        }
        Part::Status => {
            (rules.prepare_status)(new, old, &exchange.rule_request());
            if kind.custom.is_some() {
                custom::prepare_status(new, old);
            }
            validate_metadata(rules, new, old, &mut errors);
            (rules.validate_status)(new, old, &mut errors);
            if let Some(own) = kind.custom {
                custom::validate_status(own, new, old, &mut errors);
            }
        }
        Part::Finalize | Part::Approval | Part::Resize | Part::EphemeralContainers => {
            let Some(sub) = rules
                .subresources
                .iter()
                .find(|s| s.name == part.subresource())
            else {
                return Err(Status::method_not_allowed());
            };
            (sub.prepare)(new, old, &exchange.rule_request());
            meta::count_generation(rules, new, old);
            validate_metadata(rules, new, old, &mut errors);
            (sub.validate)(new, old, &mut errors);
        }
        Part::Own | Part::Binding => {
            if part == Part::Own {
                meta::count_generation(rules, new, old);
            }
            validate_metadata(rules, new, old, &mut errors);
        }
    }
    if !errors.is_empty() {
        return Err(Status::invalid(
            convert::storage_kind(kind).group,
            kind.kind,
            object::name(old),
            errors,
        ));
    }
    if part == Part::Main {
        (rules.warnings)(new, Some(old), &mut exchange.warnings);
    }
    if !matches!(part, Part::Status | Part::Own | Part::Binding) {
        let namespace = object::namespace(old);
        admission::check_update(api, kind, namespace, new, old, exchange)?;
    }
    Ok(claims)
}

/// Checks changed metadata. Kubernetes does it for all objects and again for each kind, so that its answer has every cause twice.
fn validate_metadata(rules: &Rules, new: &Value, old: &Value, errors: &mut Errors) {
    meta::validate_update(rules, new, old, errors);
    meta::validate_update(rules, new, old, errors);
}

/// Whether a change takes away the last thing that holds a deleted object.
fn ends(kind: &Kind, new: &Value, old: &Value) -> bool {
    object::is_deleting(old)
        && object::finalizers(new).next().is_none()
        && object::int(new, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0) == 0
        && (kind.kind != "Namespace" || object::list(new, &["spec", "finalizers"]).is_empty())
        && (object::finalizers(old).next().is_some()
            || kind.kind == "Namespace" && !object::list(old, &["spec", "finalizers"]).is_empty())
}
