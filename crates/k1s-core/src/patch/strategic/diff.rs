// SPDX-License-Identifier: Apache-2.0
//! Computing a patch from two or three states of an object.

use super::apply::{Mode, merge_maps};
use super::conflict::maps_conflict;
use super::list::{Elements, as_map, element_type, identity, sorted_like, without_repeats};
use super::{
    DELETE, DELETE_FROM_LIST, DIRECTIVE, Object, PatchField, PatchSchema, RETAIN_KEYS, Result,
    SET_ORDER, StrategicPatchError,
};
use crate::quote::Shown;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// Which differences count.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    changes: bool,
    deletions: bool,
    order: bool,
    /// The map at hand lists the keys to retain.
    retain_keys: bool,
}

/// The patch that makes `modified` out of `original`.
///
/// # Errors
/// When lists cannot be compared: an element lacks its merge key, or types are mixed.
pub fn create<S: PatchSchema>(original: &Object, modified: &Object, schema: S) -> Result<Object> {
    diff_maps(
        original,
        modified,
        schema,
        Wanted {
            changes: true,
            deletions: true,
            order: true,
            retain_keys: false,
        },
    )
}

/// The patch of client-side apply: what `modified`, the new configuration, leaves out of `original`,
/// the last one, is deleted; what it says otherwise than `current`, the live object, is changed.
///
/// With `overwrite` false the patch must not change what was changed in the live object since.
///
/// # Errors
/// When lists cannot be compared, or with [`StrategicPatchError::Conflict`].
pub fn create_three_way<S: PatchSchema>(
    original: &Object,
    modified: &Object,
    current: &Object,
    schema: S,
    overwrite: bool,
) -> Result<Object> {
    let changes = Wanted {
        changes: true,
        deletions: false,
        order: true,
        retain_keys: false,
    };
    let deletions = Wanted {
        changes: false,
        deletions: true,
        order: true,
        retain_keys: false,
    };
    let changes = diff_maps(current, modified, schema, changes)?;
    let deletions = diff_maps(original, modified, schema, deletions)?;
    let patch = merge_maps(deletions, changes, schema, Mode::Combine)?;
    if !overwrite {
        let all = Wanted {
            changes: true,
            deletions: true,
            order: false,
            retain_keys: false,
        };
        let changed = diff_maps(original, current, schema, all)?;
        if maps_conflict(&patch, &changed, schema)? {
            return Err(StrategicPatchError::Conflict {
                patch: crate::yaml::print(&Value::Object(patch)),
                changed: crate::yaml::print(&Value::Object(changed)),
            });
        }
    }
    Ok(patch)
}

/// A patch of client-side apply must leave `apiVersion`, `kind` and `metadata.name` alone.
///
/// # Errors
/// When it does not.
pub fn require_identity(patch: &Object) -> Result<()> {
    let renamed = patch
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .is_some();
    if renamed || patch.contains_key("apiVersion") || patch.contains_key("kind") {
        return Err(StrategicPatchError::Precondition(Value::Object(
            patch.clone(),
        )));
    }
    Ok(())
}

fn diff_maps<S: PatchSchema>(
    original: &Object,
    modified: &Object,
    schema: S,
    wanted: Wanted,
) -> Result<Object> {
    let mut patch = Map::new();
    for (key, value) in modified {
        let Some(before) = original.get(key) else {
            if wanted.changes {
                patch.insert(key.clone(), value.clone());
            }
            continue;
        };
        if key == DIRECTIVE {
            let (Some(before), Some(after)) = (before.as_str(), value.as_str()) else {
                return Err(StrategicPatchError::DirectiveValue);
            };
            if before != after {
                patch.insert(key.clone(), value.clone());
            }
            continue;
        }
        match (before, value) {
            (Value::Object(before), Value::Object(after)) => {
                diff_map_field(key, before, after, &mut patch, schema, wanted)?;
            }
            (Value::Array(before), Value::Array(after)) => {
                diff_list_field(key, before, after, &mut patch, schema, wanted)?;
            }
            (before, after) => {
                if wanted.changes && before != after {
                    patch.insert(key.clone(), after.clone());
                }
            }
        }
    }
    if wanted.deletions {
        for key in original.keys().filter(|key| !modified.contains_key(*key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    let retained: Vec<&String> = modified
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, _)| key)
        .collect();
    let more_before = || {
        original
            .iter()
            .any(|(key, value)| !value.is_null() && !modified.contains_key(key))
    };
    if wanted.retain_keys && !retained.is_empty() && (!patch.is_empty() || more_before()) {
        patch.insert(RETAIN_KEYS.to_owned(), json!(retained));
    }
    Ok(patch)
}

fn diff_map_field<S: PatchSchema>(
    key: &str,
    before: &Object,
    after: &Object,
    patch: &mut Object,
    schema: S,
    wanted: Wanted,
) -> Result<()> {
    let Some(PatchField {
        strategy, child, ..
    }) = schema.field(key)
    else {
        return unknown(key, before == after);
    };
    if strategy.replace {
        if wanted.changes {
            patch.insert(key.to_owned(), Value::Object(after.clone()));
        }
        return Ok(());
    }
    let nested = diff_maps(
        before,
        after,
        child,
        Wanted {
            retain_keys: strategy.retain_keys,
            ..wanted
        },
    )?;
    if !nested.is_empty() {
        patch.insert(key.to_owned(), Value::Object(nested));
    }
    Ok(())
}

/// A field that the schema does not know may stay the same, but cannot be changed.
fn unknown(key: &str, same: bool) -> Result<()> {
    if same {
        Ok(())
    } else {
        Err(StrategicPatchError::UnknownField(key.to_owned()))
    }
}

fn diff_list_field<S: PatchSchema>(
    key: &str,
    before: &[Value],
    after: &[Value],
    patch: &mut Object,
    schema: S,
    wanted: Wanted,
) -> Result<()> {
    let Some(field) = schema.field(key) else {
        return unknown(key, before == after);
    };
    if !field.strategy.merge {
        if wanted.changes && before != after {
            patch.insert(key.to_owned(), Value::Array(after.to_vec()));
        }
        return Ok(());
    }
    if before.is_empty() {
        if wanted.changes && !after.is_empty() {
            patch.insert(key.to_owned(), Value::Array(after.to_vec()));
        }
        return Ok(());
    }
    let wanted = Wanted {
        retain_keys: field.strategy.retain_keys,
        ..wanted
    };
    let diff = match element_type(before, after)? {
        Elements::Maps => diff_maps_in_lists(before, after, &field, wanted)?,
        Elements::Scalars => diff_scalars(before, after, wanted)?,
    };
    if !diff.changes.is_empty() {
        patch.insert(key.to_owned(), Value::Array(diff.changes));
    }
    if !diff.deletions.is_empty() {
        patch.insert(
            format!("{DELETE_FROM_LIST}/{key}"),
            Value::Array(diff.deletions),
        );
    }
    if !diff.order.is_empty() {
        patch.insert(format!("{SET_ORDER}/{key}"), Value::Array(diff.order));
    }
    Ok(())
}

/// How two lists differ.
#[derive(Default)]
struct ListDiff {
    changes: Vec<Value>,
    /// Of scalars only; maps to delete are among the changes.
    deletions: Vec<Value>,
    order: Vec<Value>,
}

fn diff_maps_in_lists<S: PatchSchema>(
    before: &[Value],
    after: &[Value],
    field: &PatchField<S>,
    wanted: Wanted,
) -> Result<ListDiff> {
    let key = field.merge_key.unwrap_or_default();
    let (mut changes, mut deletions) = (Vec::new(), Vec::new());
    for pair in paired(by_key_text(before, key)?, by_key_text(after, key)?) {
        match pair {
            Pair::Both(old, new) => {
                let mut change = diff_maps(as_map(old)?, as_map(new)?, field.child, wanted)?;
                if !change.is_empty() {
                    change.insert(key.to_owned(), new.get(key).cloned().unwrap_or_default());
                    changes.push(Value::Object(change));
                }
            }
            Pair::New(new) if wanted.changes => changes.push(new.clone()),
            Pair::Old(old) if wanted.deletions => {
                deletions.push(json!({key: old.get(key), DIRECTIVE: DELETE}));
            }
            Pair::New(_) | Pair::Old(_) => {}
        }
    }
    let mut changes = sorted_like(changes, after, Some(key))?;
    changes.append(&mut deletions);
    let same_order = before.len() == after.len()
        && before
            .iter()
            .zip(after)
            .all(|(old, new)| old.get(key) == new.get(key));
    let ordered = wanted.changes && (!changes.is_empty() || !same_order)
        || wanted.deletions && !changes.is_empty();
    let order = if wanted.order && ordered {
        after
            .iter()
            .map(|element| json!({key: element.get(key)}))
            .collect()
    } else {
        Vec::new()
    };
    Ok(ListDiff {
        changes,
        deletions: Vec::new(),
        order,
    })
}

fn diff_scalars(before: &[Value], after: &[Value], wanted: Wanted) -> Result<ListDiff> {
    let sorted = |list: &[Value]| {
        let mut list: Vec<(String, Value)> = list
            .iter()
            .map(|value| (Shown(value).to_string(), value.clone()))
            .collect();
        list.sort_by(|left, right| left.0.cmp(&right.0));
        list
    };
    let (old_sorted, new_sorted) = (sorted(before), sorted(after));
    let old_pairs = old_sorted
        .iter()
        .map(|(text, value)| (text.clone(), value))
        .collect();
    let new_pairs = new_sorted
        .iter()
        .map(|(text, value)| (text.clone(), value))
        .collect();
    let (mut changes, mut deletions) = (Vec::new(), Vec::new());
    for pair in paired(old_pairs, new_pairs) {
        match pair {
            Pair::New(new) if wanted.changes => changes.push(new.clone()),
            Pair::Old(old) if wanted.deletions => deletions.push(old.clone()),
            _ => {}
        }
    }
    let deletions = without_repeats(deletions);
    let changes = sorted_like(changes, after, None)?;
    // As in Kubernetes the order is sent unless the new list is sorted and equal to the old one sorted.
    let differs = !old_sorted.iter().map(|(_, value)| value).eq(after);
    let ordered = wanted.deletions && !deletions.is_empty() || wanted.changes && differs;
    let order = if wanted.order && ordered {
        after.to_vec()
    } else {
        Vec::new()
    };
    Ok(ListDiff {
        changes,
        deletions,
        order,
    })
}

/// The elements with their keys as text, ordered by it.
fn by_key_text<'a>(list: &'a [Value], key: &str) -> Result<Vec<(String, &'a Value)>> {
    let mut sorted = Vec::with_capacity(list.len());
    for element in list {
        identity(element, Some(key))?;
        let text = element
            .get(key)
            .map(|value| Shown(value).to_string())
            .unwrap_or_default();
        sorted.push((text, element));
    }
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(sorted)
}

enum Pair<'a> {
    Both(&'a Value, &'a Value),
    Old(&'a Value),
    New(&'a Value),
}

/// Walks along two sorted lists.
fn paired<'a>(old: Vec<(String, &'a Value)>, new: Vec<(String, &'a Value)>) -> Vec<Pair<'a>> {
    let mut pairs = Vec::with_capacity(old.len().max(new.len()));
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        match order {
            Ordering::Less => pairs.extend(old.next().map(|(_, old)| Pair::Old(old))),
            Ordering::Greater => pairs.extend(new.next().map(|(_, new)| Pair::New(new))),
            Ordering::Equal => {
                pairs.extend(
                    old.next()
                        .zip(new.next())
                        .map(|((_, old), (_, new))| Pair::Both(old, new)),
                );
            }
        }
    }
}
