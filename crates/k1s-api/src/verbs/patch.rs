// SPDX-License-Identifier: Apache-2.0
//! PATCH: JSON patch (RFC 6902), merge patch (RFC 7386) and strategic merge patch.

use http::HeaderMap;
use k1s_core::decode;
use k1s_core::field::{Errors, Fault, quote};
use k1s_core::json;
use k1s_core::rules;
use k1s_core::status::{Details, Status};
use serde_json::Value;

use crate::answer::{Answer, Include};
use crate::api::{Api, Exchange};
use crate::content::{self, Expected};
use crate::negotiate::Forms;
use crate::options::{FieldValidation, WriteKind, WriteOptions};
use crate::route::Target;
use crate::verbs::update::{Part, Terms, change, fit_name};

/// A patch that was read.
pub(crate) struct Patch {
    kind: PatchKind,
    /// Paths of keys that were given twice.
    duplicates: Vec<String>,
}

enum PatchKind {
    Merge(Value),
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
    let patch = Patch::read(&exchange.headers, &exchange.body)?;
    let options = WriteOptions::parse(&exchange.query, WriteKind::Patch)?;
    let kind = target.kind;
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

impl Patch {
    /// Reads the patch in a body.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Status> {
        let decoding = |words: &dyn std::fmt::Display| {
            Status::bad_request(format!("error decoding patch: {words}"))
        };
        match content::essence(headers).as_str() {
            "application/merge-patch+json" => {
                let document = json::read_document(body, json::Limits::default()).map_err(|e| decoding(&e))?;
                match document.value {
                    value @ Value::Object(_) => Ok(Self { kind: PatchKind::Merge(value), duplicates: document.duplicates }),
                    Value::Null => Err(Status::bad_request("Invalid JSON Patch")),
                    other => Err(decoding(&format!("json: cannot unmarshal {} into Go value of type map[string]interface {{}}", json::type_name(&other)))),
                }
            }
            "application/apply-patch+yaml" => Err(Status::new(
                415,
                "UnsupportedMediaType",
                "server-side apply is not served yet: use a JSON, merge or strategic merge patch, or `kubectl apply` without --server-side",
            )
            .with_details(Details::default())),
            _ => Err(Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with_details(Details::default())),
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
            PatchKind::Merge(patch) => {
                let mut new = old.clone();
                merge(&mut new, patch);
                new
            }
        };
        let strategic = false;
        if !strategic {
            let names = ["apiVersion", "kind"].map(|key| {
                new.get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            });
            if !new.is_object() || names[0] != expected.api_version() || names[1] != expected.kind {
                // an object without kind or version cannot be told what it is, unless the patch took them both out
                let gone = names.iter().all(String::is_empty)
                    || (names[0].is_empty() && names[1] == expected.kind)
                    || (names[1].is_empty() && names[0] == expected.api_version());
                if !new.is_object() || !gone {
                    let words = format!(
                        "no kind {} is registered for version {}",
                        quote(&names[1]),
                        quote(&names[0])
                    );
                    return Err(undecodable(&new, &words));
                }
            }
        }
        let unknown = decode::decode(expected.schema, &mut new)
            .map_err(|e| undecodable(old, &e.to_string()))?;
        content::strict(validation, self.duplicates.clone(), unknown, warnings)
            .map_err(|words| undecodable(old, &words))?;
        new["apiVersion"] = expected.api_version().into();
        new["kind"] = expected.kind.into();
        Ok(new)
    }
}

/// 422 about the patch as a whole: what it makes cannot be an object of the kind.
fn undecodable(shown: &Value, words: &str) -> Status {
    let mut errors = Errors::new();
    errors.push(
        Fault::Invalid,
        "patch",
        format!("Invalid value: {}: {words}", quote(&shown.to_string())),
    );
    Status::invalid("", "", "", errors)
}

fn merge(to: &mut Value, patch: &Value) {
    if let Value::Object(p) = patch {
        if !to.is_object() {
            *to = Value::Object(Default::default());
        }
        for (k, v) in p {
            if v.is_null() {
                if let Some(m) = to.as_object_mut() {
                    m.remove(k);
                }
            } else {
                merge(&mut to[k.as_str()], v);
            }
        }
    } else {
        *to = patch.clone();
    }
}
