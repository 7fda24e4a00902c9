// SPDX-License-Identifier: Apache-2.0
//! JSON merge patch (RFC 7386): maps are merged, null deletes, everything else is replaced.
//!
//! Nulls inside a map that is new are dropped, also within lists. [`create`] and
//! [`create_three_way`] compute patches; the latter is what `kubectl apply` sends for custom resources.

use crate::json::type_name;
use serde_json::{Map, Value};

/// Why a merge patch cannot be applied or computed; `Display` is the message that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergePatchError {
    /// The patch is null.
    #[error("Invalid JSON Patch")]
    Null,
    /// The patch is neither a map nor null.
    #[error("json: cannot unmarshal {0} into Go value of type map[string]interface {{}}")]
    NotAMap(&'static str),
    /// The object to patch is no map.
    #[error("Invalid JSON Document")]
    Document,
    /// The change and the deletion of a three-way patch contradict each other.
    #[error(
        "patch:\n{changes}\nconflicts with changes made from original to current:\n{deletions}\n"
    )]
    Conflict {
        /// What is to be changed, as JSON.
        changes: String,
        /// What is to be deleted, as JSON.
        deletions: String,
    },
}

/// Applies a patch to an object.
///
/// # Errors
/// When one of both is no map.
///
/// # Examples
/// ```
/// use serde_json::json;
/// let mut object = json!({"a": {"b": 1, "c": 2}});
/// k1s_core::patch::merge::apply(&mut object, json!({"a": {"b": null}, "d": {"e": null}})).unwrap();
/// assert_eq!(object, json!({"a": {"c": 2}, "d": {}}));
/// ```
pub fn apply(object: &mut Value, patch: Value) -> Result<(), MergePatchError> {
    let patch = match patch {
        Value::Object(patch) => patch,
        Value::Null => return Err(MergePatchError::Null),
        other => return Err(MergePatchError::NotAMap(type_name(&other))),
    };
    merge_maps(
        object.as_object_mut().ok_or(MergePatchError::Document)?,
        patch,
    );
    Ok(())
}

fn merge_maps(object: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, mut value) in patch {
        match object.get_mut(&key) {
            _ if value.is_null() => {
                object.remove(&key);
            }
            None | Some(Value::Null) => {
                prune(&mut value);
                object.insert(key, value);
            }
            Some(current) => merge_values(current, value),
        }
    }
}

fn merge_values(current: &mut Value, patch: Value) {
    match (&mut *current, patch) {
        (Value::Object(current), Value::Object(patch)) => merge_maps(current, patch),
        // What replaces a map is taken as it is, what replaces anything else is pruned.
        (Value::Object(_), other) => *current = other,
        (_, mut other) => {
            prune(&mut other);
            *current = other;
        }
    }
}

/// Drops the nulls of maps, also of those within lists; the nulls of lists stay.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune);
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

/// The patch that makes `modified` out of `original`: changed keys, and null for missing ones.
pub fn create(original: &Map<String, Value>, modified: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, value) in modified {
        match (original.get(key), value) {
            (Some(Value::Object(original)), Value::Object(modified)) => {
                let nested = create(original, modified);
                if !nested.is_empty() {
                    patch.insert(key.clone(), Value::Object(nested));
                }
            }
            (Some(original), modified) if same(original, modified) => {}
            _ => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in original.keys().filter(|key| !modified.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// Equality in which `1` and `1.0` are the same number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

/// The patch of client-side apply: what the new configuration deletes from the last one, and what it
/// changes in or adds to the live object.
///
/// # Errors
/// When both contradict each other.
pub fn create_three_way(
    original: &Map<String, Value>,
    modified: &Map<String, Value>,
    current: &Map<String, Value>,
) -> Result<Map<String, Value>, MergePatchError> {
    let changes = filtered(create(current, modified), false);
    let mut deletions = filtered(create(original, modified), true);
    if maps_conflict(&changes, &deletions) {
        return Err(MergePatchError::Conflict {
            changes: crate::json::print(&Value::Object(changes)),
            deletions: crate::json::print(&Value::Object(deletions)),
        });
    }
    merge_maps(&mut deletions, changes);
    Ok(deletions)
}

/// Only the nulls of a patch, or everything but the nulls.
fn filtered(patch: Map<String, Value>, nulls: bool) -> Map<String, Value> {
    let keep = |(key, value): (String, Value)| match value {
        Value::Null => nulls.then_some((key, Value::Null)),
        // An empty map is a value, not a patch without content.
        Value::Object(map) if map.is_empty() => (!nulls).then_some((key, Value::Object(map))),
        Value::Object(map) => {
            let map = filtered(map, nulls);
            (!map.is_empty()).then_some((key, Value::Object(map)))
        }
        other => (!nulls).then_some((key, other)),
    };
    patch.into_iter().filter_map(keep).collect()
}

/// Whether two patches set something to different values.
pub(super) fn maps_conflict(left: &Map<String, Value>, right: &Map<String, Value>) -> bool {
    left.iter()
        .any(|(key, value)| right.get(key).is_some_and(|other| conflict(value, other)))
}

fn conflict(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => maps_conflict(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() != right.len()
                || left
                    .iter()
                    .zip(right)
                    .any(|(left, right)| conflict(left, right))
        }
        _ => left != right,
    }
}
