// SPDX-License-Identifier: Apache-2.0
//! Patches that are made or applied here: those of client-side apply, of `edit`, and of `patch` where nothing is sent.

use k1s_core::patch::{JsonPatch, merge};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::mapping::Resource;
use crate::selection::Target;
use crate::writing::PatchType;

/// The object with the patch applied.
///
/// # Errors
/// When the patch cannot be read or does not fit.
pub(crate) fn apply(target: &Target, kind: PatchType, patch: &[u8]) -> Result<Value> {
    let refuse = |why: String| Error::message(why);
    let patch = k1s_core::json::read(patch)
        .map_err(|e| refuse(format!("unable to parse the patch: {e}")))?;
    let mut object = target.value.clone();
    match kind {
        PatchType::Json => {
            let patch = JsonPatch::decode(patch).map_err(|e| refuse(e.to_string()))?;
            object = patch.apply(&object).map_err(|e| refuse(e.to_string()))?;
        }
        PatchType::Merge | PatchType::Strategic | PatchType::Apply => {
            merge::apply(&mut object, patch).map_err(|e| refuse(e.to_string()))?;
        }
    }
    Ok(object)
}

/// The patch of client-side apply: what left the file since the last time is removed, what the file says is set.
///
/// # Errors
/// When the changes contradict each other.
pub(crate) fn three_way(
    _resource: &Resource,
    original: &Value,
    modified: &Value,
    current: &Value,
) -> Result<(PatchType, Value)> {
    let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let patch = merge::create_three_way(&map(original), &map(modified), &map(current))
        .map_err(|e| Error::message(e.to_string()))?;
    Ok((PatchType::Merge, Value::Object(patch)))
}

/// The merge patch that makes one object of the other.
pub(crate) fn difference(from: &Value, to: &Value) -> Value {
    let empty = Map::new();
    let map = |value: &Value| value.as_object().cloned().unwrap_or_else(|| empty.clone());
    Value::Object(merge::create(&map(from), &map(to)))
}
