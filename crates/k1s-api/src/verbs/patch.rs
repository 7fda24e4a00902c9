// SPDX-License-Identifier: Apache-2.0
//! PATCH: JSON patch (RFC 6902), merge patch (RFC 7386) and strategic merge patch.

use http::HeaderMap;
use k1s_core::decode;
use k1s_core::field::{Errors, Fault, quote};
use k1s_core::json;
use k1s_core::patch::merge::{self, MergePatchError};
use k1s_core::patch::strategic::{self, BuiltIn, StrategicPatchError};
use k1s_core::patch::{JsonPatch, JsonPatchDecodeError};
use k1s_core::quote::Shown;
use k1s_core::rules;
use k1s_core::status::{Details, Status};
use serde_json::{Map, Value};

use crate::answer::{Answer, Include};
use crate::api::{Api, Exchange};
use crate::content::{self, Expected};
use crate::negotiate::Forms;
use crate::options::{FieldValidation, WriteKind, WriteOptions};
use crate::route::Target;
use crate::verbs::update::{Part, Terms, change, fit_name, nameless};

/// The media type of server-side apply.
const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// A patch that was read.
pub(crate) struct Patch {
    kind: PatchKind,
    /// Paths of keys that were given twice.
    duplicates: Vec<String>,
    /// Paths of members of operations that nobody knows.
    unknown: Vec<String>,
}

enum PatchKind {
    Json(JsonPatch),
    Merge(Value),
    Strategic(Map<String, Value>),
}

/// Changes the object that the path names.
pub(crate) async fn patch(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    patch_part(api, target, exchange, Part::Main).await
}

/// Changes a part of the object that the path names.
pub(crate) async fn patch_part(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
    part: Part,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::Objects)?;
    let include = Include::parse(&exchange.query, output)?;
    let kind = target.kind;
    if content::patch_type(&exchange.headers) == APPLY
        && api
            .storage()
            .get(kind, &target.namespace, &target.name)?
            .is_none()
    {
        api.check_namespace(kind, &target.namespace, &target.name)?;
    }
    if kind.custom.is_some() {
        refuse_strategic(&exchange.headers)?;
    }
    let (patch, options) = Patch::read(exchange)?;
    let terms = Terms {
        part,
        dry_run: options.dry_run,
        checks_version: true,
        uid_is_precondition: false,
    };
    let stored = change(api, target, exchange, terms, |old, exchange| {
        let mut new = patch.apply(
            old,
            &kind.into(),
            options.field_validation,
            &mut exchange.warnings,
        )?;
        fit_name(&mut new, target)?;
        (rules::of(kind).default)(&mut new);
        Ok(new)
    })
    .await?;
    Ok(Answer::Object {
        code: 200,
        kind,
        stored,
        output,
        include,
    })
}

/// Own kinds have no strategies.
pub(crate) fn refuse_strategic(headers: &HeaderMap) -> Result<(), Status> {
    if content::patch_type(headers) != STRATEGIC {
        return Ok(());
    }
    Err(Status::new(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    )
    .with_details(Details::default()))
}

impl Patch {
    /// Reads the patch in a body, and the options beside it: the options are looked at before the body is.
    pub(crate) fn read(exchange: &Exchange) -> Result<(Self, WriteOptions), Status> {
        let media = content::patch_type(&exchange.headers);
        let refused = |message: &str| {
            let status = Status::new(415, "UnsupportedMediaType", message);
            Err(status.with_details(Details::default()))
        };
        match media {
            APPLY => {
                return refused(
                    "server-side apply is not served yet: use a JSON, merge or strategic merge patch, or `kubectl apply` without --server-side",
                );
            }
            JSON | MERGE | STRATEGIC => {}
            _ => return refused("415: Unsupported Media Type"),
        }
        let options = WriteOptions::parse(&exchange.query, WriteKind::Patch)?;
        Ok((Self::decode(media, &exchange.body)?, options))
    }

    fn decode(media: &str, body: &[u8]) -> Result<Self, Status> {
        let decoding = |words: &dyn std::fmt::Display| {
            Status::bad_request(format!("error decoding patch: {words}"))
        };
        match media {
            JSON => {
                let document =
                    json::read_document(body, json::Limits::default()).map_err(|e| decoding(&e))?;
                let patch = JsonPatch::decode(document.value).map_err(|e| match e {
                    JsonPatchDecodeError::TooMany(_) => Status::new(
                        413,
                        "RequestEntityTooLarge",
                        format!("Request entity too large: {e}"),
                    ),
                    other => decoding(&other),
                })?;
                let unknown = patch.unknown_fields().to_vec();
                Ok(Self {
                    kind: PatchKind::Json(patch),
                    duplicates: document.duplicates,
                    unknown,
                })
            }
            MERGE => {
                let document =
                    json::read_document(body, json::Limits::default()).map_err(|e| decoding(&e))?;
                match document.value {
                    value @ Value::Object(_) => Ok(Self {
                        kind: PatchKind::Merge(value),
                        duplicates: document.duplicates,
                        unknown: Vec::new(),
                    }),
                    Value::Null => Err(Status::bad_request(MergePatchError::Null.to_string())),
                    other => Err(decoding(&MergePatchError::NotAMap(json::type_name(&other)))),
                }
            }
            _ => {
                let document = json::read_document(body, json::Limits::default())
                    .map_err(|e| Status::bad_request(e.to_string()))?;
                let map = match document.value {
                    Value::Object(map) => map,
                    Value::Null => Map::new(),
                    other => {
                        return Err(Status::bad_request(
                            MergePatchError::NotAMap(json::type_name(&other)).to_string(),
                        ));
                    }
                };
                let mut patch = Value::Object(map);
                json::settle_whole_numbers(&mut patch);
                let Value::Object(map) = patch else {
                    return Err(Status::internal("a map is a map"));
                };
                Ok(Self {
                    kind: PatchKind::Strategic(map),
                    duplicates: document.duplicates,
                    unknown: Vec::new(),
                })
            }
        }
    }

    /// The patched object, decoded.
    pub(crate) fn apply(
        &self,
        old: &Value,
        expected: &Expected,
        validation: FieldValidation,
        warnings: &mut Vec<String>,
    ) -> Result<Value, Status> {
        let mut new = match &self.kind {
            PatchKind::Json(patch) => patch.apply(old).map_err(|_| {
                Status::new(
                    422,
                    "Invalid",
                    "the server rejected our request due to an error in our request",
                )
                .with_details(Details::default())
            })?,
            PatchKind::Merge(patch) => {
                let mut new = old.clone();
                merge::apply(&mut new, patch.clone())
                    .map_err(|e| Status::bad_request(e.to_string()))?;
                new
            }
            PatchKind::Strategic(patch) => {
                let object = old.as_object().cloned().unwrap_or_default();
                Value::Object(
                    strategic::apply(object, patch.clone(), BuiltIn::new(expected.schema))
                        .map_err(|e| strategic_failure(&e))?,
                )
            }
        };
        if !matches!(self.kind, PatchKind::Strategic(_)) {
            check_names(&new, old, expected)?;
        }
        let unknown = decode::decode(expected.schema, &mut new)
            .map_err(|e| undecodable(&self.shown(old), &e.to_string()))?;
        content::strict(
            validation,
            self.duplicates.iter().map(|d| content::twice(d)).collect(),
            self.unknown.iter().cloned().chain(unknown).collect(),
            warnings,
        )
        .map_err(|words| undecodable(&self.shown(old), &words))?;
        new["apiVersion"] = expected.api_version().into();
        new["kind"] = expected.kind.into();
        Ok(new)
    }

    /// What a refusal shows: a strategic patch as Go prints a map, else the object that was patched.
    fn shown(&self, old: &Value) -> String {
        match &self.kind {
            PatchKind::Strategic(patch) => Shown(&Value::Object(patch.clone())).to_string(),
            PatchKind::Json(_) | PatchKind::Merge(_) => old.to_string(),
        }
    }
}

/// A patched object is still one of its kind. One that lost its kind is taken as what it was; one that lost its version is read as
/// one that has nothing.
fn check_names(new: &Value, old: &Value, expected: &Expected) -> Result<(), Status> {
    let name = |key: &str| new.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (name("apiVersion"), name("kind"));
    if expected.schema.custom.is_some() && new.is_object() && kind != expected.kind {
        let mut errors = Errors::new();
        errors.invalid_text("kind", kind, format!("must be {}", expected.kind));
        let name = k1s_core::object::name(new);
        return Err(Status::invalid(expected.group, kind, name, errors));
    }
    if expected.schema.custom.is_none() && api_version.is_empty() && kind == expected.kind {
        return Err(nameless(k1s_core::object::name(old)));
    }
    let right = |given: &str, own: &str| given.is_empty() || given == own;
    if new.is_object() && right(api_version, &expected.api_version()) && right(kind, expected.kind)
    {
        return Ok(());
    }
    Err(undecodable(
        &new.to_string(),
        &format!(
            "no kind {} is registered for version {}",
            quote(kind),
            quote(api_version)
        ),
    ))
}

/// 422 about the patch as a whole: what it makes cannot be an object of the kind.
fn undecodable(shown: &str, words: &str) -> Status {
    let mut errors = Errors::new();
    errors.push(
        Fault::Invalid,
        "patch",
        format!("Invalid value: {}: {words}", quote(shown)),
    );
    Status::invalid("", "", "", errors)
}

fn strategic_failure(error: &StrategicPatchError) -> Status {
    match error.http_status() {
        400 => Status::bad_request(error.to_string()),
        422 => Status::new(422, "Invalid", error.to_string()).with_details(Details::default()),
        code => Status::new(code, "", error.to_string()),
    }
}
