// SPDX-License-Identifier: Apache-2.0
//! Applying a patch, and combining two patches into one.

use super::list::{
    Elements, Positions, as_map, element_type, identity, in_final_order, partition, without_repeats,
};
use super::{
    DELETE, DELETE_FROM_LIST, DIRECTIVE, MERGE, Object, PatchField, PatchSchema, REPLACE,
    RETAIN_KEYS, Result, SET_ORDER, StrategicPatchError, parallel_field,
};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// What the first object of a merge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// An object: directives are carried out, nulls delete.
    Apply,
    /// Another patch: directives and nulls are kept for later.
    Combine,
}

/// Patches an object.
///
/// # Errors
/// When a directive is wrong, an element lacks its merge key, or the schema does not know a map or
/// list that both sides have. See [`StrategicPatchError::http_status`] for the answer of a server.
pub fn apply<S: PatchSchema>(object: Object, patch: Object, schema: S) -> Result<Object> {
    merge_maps(object, patch, schema, Mode::Apply)
}

pub(super) fn merge_maps<S: PatchSchema>(
    mut original: Object,
    mut patch: Object,
    schema: S,
    mode: Mode,
) -> Result<Object> {
    match patch.get(DIRECTIVE).map(Value::as_str) {
        None => {}
        Some(Some(REPLACE)) => {
            patch.remove(DIRECTIVE);
            return Ok(patch);
        }
        Some(Some(DELETE)) => return Ok(Map::new()),
        Some(_) => {
            let directive = patch.get(DIRECTIVE).cloned().unwrap_or_default();
            return Err(StrategicPatchError::Directive {
                directive,
                map: Value::Object(patch),
            });
        }
    }
    retain_keys(&mut original, &mut patch, mode)?;
    set_orders(&mut original, &mut patch, schema, mode)?;
    // The keys are sorted, so deletions from lists come before the lists themselves.
    for (key, value) in patch {
        let (key, from_list) = match parallel_key(&key, DELETE_FROM_LIST) {
            false => (key, false),
            true if mode == Mode::Combine => {
                original.insert(key, value);
                continue;
            }
            true => {
                let field = parallel_field(&key, DELETE_FROM_LIST)
                    .ok_or(StrategicPatchError::PrimitiveList)?;
                (field.to_owned(), true)
            }
        };
        merge_field(&mut original, key, value, schema, mode, from_list)?;
    }
    Ok(original)
}

/// Whether the key begins with the name of a directive for a parallel list.
fn parallel_key(key: &str, prefix: &str) -> bool {
    key.starts_with(prefix)
}

fn merge_field<S: PatchSchema>(
    original: &mut Object,
    key: String,
    value: Value,
    schema: S,
    mode: Mode,
    from_list: bool,
) -> Result<()> {
    if value.is_null() {
        original.remove(&key);
        if mode == Mode::Combine && !from_list {
            original.insert(key, Value::Null);
        }
        return Ok(());
    }
    let merged = match (original.remove(&key), value) {
        (None, _) if from_list => return Ok(()),
        (None, mut value) => {
            let retains = schema
                .field(&key)
                .is_some_and(|field| field.strategy.retain_keys);
            if let (Value::Object(map), true, Mode::Apply) = (&mut value, retains, mode) {
                map.remove(RETAIN_KEYS);
            }
            new_value(value, mode)
        }
        (Some(Value::Object(current)), Value::Object(patch)) => {
            let PatchField {
                strategy, child, ..
            } = field(schema, &key)?;
            let merged = if strategy.replace {
                patch
            } else {
                merge_maps(current, patch, child, mode)?
            };
            Some(Value::Object(merged))
        }
        (Some(Value::Array(current)), Value::Array(patch)) => {
            let field = field(schema, &key)?;
            let merged = if field.strategy.merge || from_list {
                merge_lists(current, patch, &field, &key, mode, from_list)?
            } else {
                patch
            };
            Some(Value::Array(merged))
        }
        (Some(current), _) if from_list => Some(current),
        (Some(_), value) => new_value(value, mode),
    };
    if let Some(merged) = merged {
        original.insert(key, merged);
    }
    Ok(())
}

fn field<S: PatchSchema>(schema: S, key: &str) -> Result<PatchField<S>> {
    schema
        .field(key)
        .ok_or_else(|| StrategicPatchError::UnknownField(key.to_owned()))
}

/// A value for a key that was not there, or had another type: without what deletes.
fn new_value(mut value: Value, mode: Mode) -> Option<Value> {
    if mode == Mode::Apply {
        discard_nulls(&mut value);
    }
    without_directives(value)
}

fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// Drops the maps that have a `$patch`.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let kept = map
                .into_iter()
                .filter_map(|(key, value)| Some((key, without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(list) => Some(Value::Array(
            list.into_iter().filter_map(without_directives).collect(),
        )),
        scalar => Some(scalar),
    }
}

/// An element that the list lacks. Kubernetes lets its directives through and drops them later.
fn new_element(element: Value, mode: Mode) -> Value {
    if mode == Mode::Combine {
        return element;
    }
    let mut element = new_value(element, mode).unwrap_or_default();
    drop_parallel_keys(&mut element);
    element
}

fn drop_parallel_keys(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| {
                key != RETAIN_KEYS
                    && !parallel_key(key, DELETE_FROM_LIST)
                    && !parallel_key(key, SET_ORDER)
            });
            map.values_mut().for_each(drop_parallel_keys);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_parallel_keys),
        _ => {}
    }
}

/// Carries out `$retainKeys`: removes what it does not list.
fn retain_keys(original: &mut Object, patch: &mut Object, mode: Mode) -> Result<()> {
    let Some(wanted) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    if mode == Mode::Combine {
        return match original.get(RETAIN_KEYS) {
            Some(known) if *known != wanted => {
                Err(StrategicPatchError::RetainKeysDiffer(known.clone(), wanted))
            }
            Some(_) => Ok(()),
            None => {
                original.insert(RETAIN_KEYS.to_owned(), wanted);
                Ok(())
            }
        };
    }
    let Value::Array(wanted) = wanted else {
        return Err(StrategicPatchError::RetainKeys);
    };
    let wanted: HashSet<&str> = wanted.iter().filter_map(Value::as_str).collect();
    for (key, value) in patch.iter() {
        let parallel = parallel_key(key, DELETE_FROM_LIST) || parallel_key(key, SET_ORDER);
        if !value.is_null() && !parallel && !wanted.contains(key.as_str()) {
            return Err(StrategicPatchError::RetainKeys);
        }
    }
    original.retain(|key, _| wanted.contains(key.as_str()));
    Ok(())
}

/// Merges the lists for which the patch gives an order, and takes them out of it.
fn set_orders<S: PatchSchema>(
    original: &mut Object,
    patch: &mut Object,
    schema: S,
    mode: Mode,
) -> Result<()> {
    let keys: Vec<String> = patch
        .keys()
        .filter(|key| parallel_key(key, SET_ORDER))
        .cloned()
        .collect();
    for key in keys {
        let Some(order) = patch.remove(&key) else {
            continue;
        };
        if mode == Mode::Combine {
            match original.get(&key) {
                Some(known) if *known != order => return Err(StrategicPatchError::SetElementOrder),
                Some(_) => {}
                None => {
                    original.insert(key.clone(), order.clone());
                }
            }
        }
        let Value::Array(order) = order else {
            return Err(StrategicPatchError::not_a_list(&order));
        };
        let name = parallel_field(&key, SET_ORDER).ok_or(StrategicPatchError::SetElementOrder)?;
        let list = |value: Option<&Value>| match value {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list.clone())),
            Some(other) => Err(StrategicPatchError::not_a_list(other)),
        };
        let current = list(original.get(name))?;
        let change = list(patch.get(name))?;
        let field = field(schema, name)?;
        let merge_key = field.merge_key.filter(|key| !key.is_empty());
        check_order(change.as_deref().unwrap_or_default(), &order, merge_key)?;
        let before = current.clone().unwrap_or_default();
        let elements = (before.clone(), change.clone().unwrap_or_default());
        let merged = match (current, change) {
            (None, None) => continue,
            (Some(current), None) => current,
            (None, Some(change)) => {
                let kept = change.into_iter().filter_map(without_directives);
                kept.map(|element| new_element(element, mode)).collect()
            }
            (Some(current), Some(change)) if field.strategy.merge => {
                merge_lists(current, change, &field, name, mode, false)?
            }
            (Some(_), Some(change)) => change,
        };
        let (named, others) = partition(merged, &order, merge_key)?;
        let kind = element_type(&elements.0, &elements.1)?;
        let sort_key = if kind == Elements::Maps {
            Some(merge_key.unwrap_or_default())
        } else {
            None
        };
        let sorted = in_final_order(named, others, &order, &before, sort_key)?;
        original.insert(name.to_owned(), Value::Array(sorted));
        patch.remove(name);
    }
    Ok(())
}

/// The elements of the patch must stand in the order that the order list gives.
fn check_order(list: &[Value], order: &[Value], merge_key: Option<&str>) -> Result<()> {
    if list.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut wanted = order.iter();
    for element in list {
        if merge_key.is_some() {
            as_map(element)?;
        }
        if element.get(DIRECTIVE).is_some() {
            continue;
        }
        let name = identity(element, merge_key)?;
        loop {
            match wanted.next() {
                Some(next) if identity(next, merge_key)? == name => break,
                Some(_) => {}
                None => {
                    let (list, order) = (Value::Array(list.to_vec()), Value::Array(order.to_vec()));
                    return Err(StrategicPatchError::Order { list, order });
                }
            }
        }
    }
    Ok(())
}

fn merge_lists<S: PatchSchema>(
    original: Vec<Value>,
    patch: Vec<Value>,
    field: &PatchField<S>,
    name: &str,
    mode: Mode,
    from_list: bool,
) -> Result<Vec<Value>> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    let merge_key = field.merge_key.filter(|key| !key.is_empty());
    let kind = element_type(&original, &patch)?;
    let (merged, order, before) = match kind {
        Elements::Scalars => {
            if from_list && mode == Mode::Apply {
                let unwanted: HashSet<String> = patch.iter().map(Value::to_string).collect();
                return Ok(original
                    .into_iter()
                    .filter(|value| !unwanted.contains(&value.to_string()))
                    .collect());
            }
            let both = original.iter().chain(&patch).cloned().collect();
            (without_repeats(both), patch, original)
        }
        Elements::Maps => {
            let key =
                merge_key.ok_or_else(|| StrategicPatchError::NoKeyDeclared(name.to_owned()))?;
            let (original, patch) = special_elements(original, patch, key)?;
            let merged = merge_elements(original.clone(), &patch, key, field.child, mode)?;
            (merged, patch, original)
        }
    };
    let (patched, server_only) = partition(merged, &order, merge_key)?;
    in_final_order(patched, server_only, &order, &before, merge_key)
}

/// Carries out the elements that have a `$patch`: what is left of both lists.
fn special_elements(
    original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut plain = Vec::with_capacity(patch.len());
    let mut deleted = HashSet::new();
    let mut replace = false;
    for element in patch {
        let Some(directive) = element.get(DIRECTIVE) else {
            plain.push(element);
            continue;
        };
        match directive.as_str() {
            Some(DELETE) => {
                deleted.insert(identity(&element, Some(key))?);
            }
            Some(REPLACE) => replace = true,
            Some(MERGE) => return Err(StrategicPatchError::MergeDirective),
            _ => {
                return Err(StrategicPatchError::Directive {
                    directive: directive.clone(),
                    map: element,
                });
            }
        }
    }
    if replace {
        return Ok((plain, Vec::new()));
    }
    let stays = |element: &Value| {
        element
            .get(key)
            .is_none_or(|value| !deleted.contains(&value.to_string()))
    };
    Ok((original.into_iter().filter(stays).collect(), plain))
}

fn merge_elements<S: PatchSchema>(
    mut original: Vec<Value>,
    patch: &[Value],
    key: &str,
    schema: S,
    mode: Mode,
) -> Result<Vec<Value>> {
    let mut positions = Positions::named(&original, key);
    for element in patch {
        let change = as_map(element)?;
        let name = identity(element, Some(key))?;
        match positions.get(&name).and_then(|at| original.get_mut(at)) {
            Some(slot) => {
                let current = match slot.take() {
                    Value::Object(current) => current,
                    _ => Map::new(),
                };
                *slot = Value::Object(merge_maps(current, change.clone(), schema, mode)?);
            }
            None => {
                positions.insert(name, original.len());
                original.push(new_element(element.clone(), mode));
            }
        }
    }
    Ok(original)
}
