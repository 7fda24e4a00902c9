// SPDX-License-Identifier: Apache-2.0
//! What the commands that change objects share: field validation, field managers, the requests themselves.

use http::Method;
use k1s_core::object::text;
use serde_json::Value;

use crate::client::Call;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::DryRun;
use crate::selection::Target;

/// The flag that says who writes, for the managed fields.
macro_rules! field_manager {
    ($name:literal) => {
        $crate::flag::Flag::text(
            "field-manager",
            "Name that the written fields are kept under.",
        )
        .default($name)
    };
}
pub(crate) use field_manager;

/// The flag that says what is done about fields that the kind does not have.
pub const VALIDATE: Flag = Flag::text(
    "validate",
    "strict (refuse unknown fields), warn or ignore; true and false are strict and ignore.",
)
.default("strict")
.bare("strict");

/// What is done about fields that the kind does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// The object is refused.
    Strict,
    /// A warning.
    Warn,
    /// Nothing.
    Ignore,
}

impl Validation {
    /// What the flag says.
    ///
    /// # Errors
    /// When it is none of its values.
    pub fn new(args: &Parsed) -> Result<Self> {
        match args.text("validate") {
            "strict" | "true" => Ok(Self::Strict),
            "warn" => Ok(Self::Warn),
            "ignore" | "false" => Ok(Self::Ignore),
            other => Err(Error::message(format!(
                "invalid - validate option {}; must be one of: strict (or true), warn, ignore (or false)",
                k1s_core::quote::Quoted(other)
            ))),
        }
    }

    fn query(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Warn => "Warn",
            Self::Ignore => "Ignore",
        }
    }
}

/// How a patch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// A list of operations.
    Json,
    /// A part of the object; null removes, lists are replaced.
    Merge,
    /// A part of the object; lists are merged by their keys.
    Strategic,
    /// What a manager wants to own.
    Apply,
}

impl PatchType {
    /// Its content type.
    #[must_use]
    pub fn content(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// How a command writes.
#[derive(Clone, Debug)]
pub struct Writer {
    /// Name that the written fields are kept under; empty leaves it to the API.
    pub manager: String,
    /// Whether it only pretends.
    pub dry_run: DryRun,
    /// What is done about unknown fields; none leaves it to the API.
    pub validation: Option<Validation>,
}

impl Writer {
    /// As the flags say.
    ///
    /// # Errors
    /// When a flag has a value that it does not take.
    pub fn new(args: &Parsed) -> Result<Self> {
        Ok(Self {
            manager: args.text("field-manager").to_owned(),
            dry_run: DryRun::new(args)?,
            validation: if args.has("validate") {
                Some(Validation::new(args)?)
            } else {
                None
            },
        })
    }

    /// The value of the query's `fieldValidation`.
    #[must_use]
    pub fn validation_query(&self) -> &'static str {
        self.validation.map_or("", Validation::query)
    }

    fn dress(&self, call: Call) -> Call {
        call.query("dryRun", self.dry_run.query())
            .query("fieldManager", self.manager.clone())
            .query("fieldValidation", self.validation_query())
    }

    /// Creates an object.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn create(&self, cx: &Context, target: &Target) -> Result<Value> {
        let path = target.resource.path(&target.namespace, "", "");
        cx.json(&self.dress(Call::with_json(Method::POST, path, &target.value)))
            .await
    }

    /// Replaces an object; one that names no version replaces whatever is there.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn replace(&self, cx: &Context, target: &Target, subresource: &str) -> Result<Value> {
        target.require_name()?;
        let path = target
            .resource
            .path(&target.namespace, &target.name, subresource);
        let mut value = target.value.clone();
        if text(&value, &["metadata", "resourceVersion"]).is_empty()
            && let Ok(there) = cx.json(&Call::get(path.clone())).await
        {
            value["metadata"]["resourceVersion"] =
                text(&there, &["metadata", "resourceVersion"]).into();
        }
        cx.json(&self.dress(Call::with_json(Method::PUT, path, &value)))
            .await
    }

    /// Patches an object.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn patch(
        &self,
        cx: &Context,
        target: &Target,
        subresource: &str,
        kind: PatchType,
        patch: impl Into<bytes::Bytes>,
    ) -> Result<Value> {
        target.require_name()?;
        let path = target
            .resource
            .path(&target.namespace, &target.name, subresource);
        let call = Call::new(Method::PATCH, path).body(kind.content(), patch);
        cx.json(&self.dress(call)).await
    }
}

/// The annotation that client-side apply keeps the last file in.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The object as the annotation keeps it: itself without the annotation, in one line.
#[must_use]
pub fn configuration(object: &Value) -> String {
    let mut object = object.clone();
    if object["metadata"].is_null() {
        object["metadata"] = serde_json::json!({});
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        let annotations = metadata.entry("annotations").or_insert(Value::Null);
        match annotations {
            Value::Object(map) => {
                map.remove(LAST_APPLIED);
            }
            other => *other = serde_json::json!({}),
        }
    }
    let mut text = k1s_core::json::print(&object);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// As [`configuration`], but without annotations where the object has none.
#[must_use]
pub(crate) fn server_side_configuration(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(annotations) = object
        .get_mut("metadata")
        .and_then(|m| m.get_mut("annotations"))
        .and_then(Value::as_object_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    let mut text = k1s_core::json::print(&object);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Puts the annotation into the object.
pub fn remember(object: &mut Value) {
    let text = configuration(object);
    if object["metadata"].is_null() {
        object["metadata"] = serde_json::json!({});
    }
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = serde_json::json!({});
    }
    object["metadata"]["annotations"][LAST_APPLIED] = text.into();
}

/// Puts the annotation into the object if it is asked for or there already.
pub(crate) fn remember_if(object: &mut Value, asked: bool) {
    if asked || object["metadata"]["annotations"][LAST_APPLIED].is_string() {
        remember(object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_annotation_holds_the_object_without_itself() {
        let mut object = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "1"}});
        remember(&mut object);
        let wanted = "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"1\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\"}}\n";
        assert_eq!(object["metadata"]["annotations"][LAST_APPLIED], wanted);
        remember(&mut object);
        assert_eq!(object["metadata"]["annotations"][LAST_APPLIED], wanted);
    }
}
