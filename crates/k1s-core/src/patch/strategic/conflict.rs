// SPDX-License-Identifier: Apache-2.0
//! Whether two patches set something to different values.

use super::list::{Elements, element_type};
use super::{
    DELETE_FROM_LIST, DIRECTIVE, Object, PatchField, PatchSchema, RETAIN_KEYS, Result, SET_ORDER,
    StrategicPatchError,
};
use crate::quote::Shown;
use serde_json::Value;
use std::collections::BTreeMap;

/// Compares two patches key by key; only keys that both have can be in conflict.
pub(super) fn maps_conflict<S: PatchSchema>(
    left: &Object,
    right: &Object,
    schema: S,
) -> Result<bool> {
    let markers = (left.get(DIRECTIVE), right.get(DIRECTIVE));
    if markers.0 != markers.1 {
        return Ok(true);
    }
    for (key, value) in left {
        if key == DIRECTIVE
            || key == RETAIN_KEYS
            || key.starts_with(DELETE_FROM_LIST)
            || key.starts_with(SET_ORDER)
        {
            continue;
        }
        let Some(other) = right.get(key) else {
            continue;
        };
        let conflict = match (value, other) {
            (Value::Object(value), Value::Object(other)) => {
                let PatchField {
                    strategy, child, ..
                } = field(schema, key)?;
                if strategy.replace {
                    value.get(DIRECTIVE) != other.get(DIRECTIVE)
                } else {
                    maps_conflict(value, other, child)?
                }
            }
            (Value::Array(value), Value::Array(other)) => {
                lists_conflict(value, other, &field(schema, key)?)?
            }
            _ => value != other,
        };
        if conflict {
            return Ok(true);
        }
    }
    Ok(false)
}

fn field<S: PatchSchema>(schema: S, key: &str) -> Result<PatchField<S>> {
    schema
        .field(key)
        .ok_or_else(|| StrategicPatchError::UnknownField(key.to_owned()))
}

fn lists_conflict<S: PatchSchema>(
    left: &[Value],
    right: &[Value],
    field: &PatchField<S>,
) -> Result<bool> {
    let kind = element_type(left, right)?;
    match (field.strategy.merge, kind) {
        (true, Elements::Scalars) => Ok(false),
        (true, Elements::Maps) => {
            let left = by_key(left, field.merge_key.unwrap_or_default())?;
            let right = by_key(right, field.merge_key.unwrap_or_default())?;
            for (key, element) in left {
                if let Some(other) = right.get(&key)
                    && maps_conflict(element, other, field.child)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (false, _) if left.len() != right.len() => Ok(true),
        (false, Elements::Scalars) => {
            let sorted = |list: &[Value]| {
                let mut texts: Vec<String> = list.iter().map(Value::to_string).collect();
                texts.sort();
                texts
            };
            Ok(sorted(left) != sorted(right))
        }
        (false, Elements::Maps) => {
            for (element, other) in left.iter().zip(right) {
                let (Value::Object(element), Value::Object(other)) = (element, other) else {
                    return Ok(true);
                };
                if maps_conflict(element, other, field.child)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn by_key<'a>(list: &'a [Value], key: &str) -> Result<BTreeMap<String, &'a Object>> {
    let mut named = BTreeMap::new();
    for element in list {
        let map = super::list::as_map(element)?;
        let value = map
            .get(key)
            .ok_or_else(|| StrategicPatchError::no_merge_key(map, key))?;
        named.insert(Shown(value).to_string(), map);
    }
    Ok(named)
}
