// SPDX-License-Identifier: Apache-2.0
//! Patches that are made or applied here: those of client-side apply, of `edit`, and of `patch` where nothing is sent.

use k1s_core::kinds;
use k1s_core::object::text;
use k1s_core::patch::strategic::{self, BuiltIn};
use k1s_core::patch::{JsonPatch, merge};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::mapping::Resource;
use crate::selection::Target;
use crate::writing::PatchType;

/// The object of a target with the patch applied.
///
/// # Errors
/// When the patch cannot be read or does not fit.
pub(crate) fn apply(target: &Target, kind: PatchType, patch: &[u8]) -> Result<Value> {
    let patch = k1s_core::json::read(patch)
        .map_err(|e| Error::message(format!("unable to parse the patch: {e}")))?;
    apply_with(built_in(&target.resource), &target.value, kind, patch)
}

/// An object that says what it is, with the patch applied.
///
/// # Errors
/// When the patch does not fit.
pub(crate) fn apply_to(object: &Value, kind: PatchType, patch: Value) -> Result<Value> {
    let (group, version) = kinds::split_api_version(text(object, &["apiVersion"]));
    let known = kinds::of_kind(group, version, text(object, &["kind"]));
    apply_with(known.map(|k| BuiltIn::new(k.schema)), object, kind, patch)
}

fn apply_with(
    schema: Option<BuiltIn>,
    object: &Value,
    kind: PatchType,
    patch: Value,
) -> Result<Value> {
    let refuse = |why: String| Error::message(why);
    let mut object = object.clone();
    match (kind, schema) {
        (PatchType::Json, _) => {
            let patch = JsonPatch::decode(patch).map_err(|e| refuse(e.to_string()))?;
            object = patch.apply(&object).map_err(|e| refuse(e.to_string()))?;
        }
        (PatchType::Strategic, Some(schema)) => {
            let Value::Object(patch) = patch else {
                return Err(refuse("the patch is not a map".to_owned()));
            };
            let patched =
                strategic::apply(map(&object), patch, schema).map_err(|e| refuse(e.to_string()))?;
            object = Value::Object(patched);
        }
        _ => merge::apply(&mut object, patch).map_err(|e| refuse(e.to_string()))?,
    }
    Ok(object)
}

/// The patch that makes one object of the other, and its type.
///
/// # Errors
/// When the objects are not of the kind that they say they are.
pub(crate) fn two_way(
    resource: &Resource,
    before: &Value,
    after: &Value,
) -> Result<(PatchType, Value)> {
    three_way(resource, before, after, before, true)
}

/// The patch of client-side apply: what left the file since the last time is removed, what the file says is set.
///
/// # Errors
/// When the changes contradict each other.
pub(crate) fn three_way(
    resource: &Resource,
    original: &Value,
    modified: &Value,
    current: &Value,
    overwrite: bool,
) -> Result<(PatchType, Value)> {
    let (original, modified, current) = (map(original), map(modified), map(current));
    if let Some(schema) = built_in(resource) {
        let patch = strategic::create_three_way(&original, &modified, &current, schema, overwrite)
            .map_err(|e| Error::message(e.to_string()))?;
        return Ok((PatchType::Strategic, Value::Object(patch)));
    }
    let patch = merge::create_three_way(&original, &modified, &current)
        .map_err(|e| Error::message(e.to_string()))?;
    Ok((PatchType::Merge, Value::Object(patch)))
}

/// The merge patch that makes one object of the other.
pub(crate) fn difference(from: &Value, to: &Value) -> Value {
    Value::Object(merge::create(&map(from), &map(to)))
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// How the lists of a built-in kind are merged; other kinds have no such rules.
fn built_in(resource: &Resource) -> Option<BuiltIn> {
    let kind = kinds::of_kind(&resource.group, &resource.version, &resource.kind)?;
    Some(BuiltIn::new(kind.schema))
}
