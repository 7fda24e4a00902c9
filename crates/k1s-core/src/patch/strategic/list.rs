// SPDX-License-Identifier: Apache-2.0
//! Lists: what their elements are, and in which order they stand after a merge.

use super::{Object, Result, StrategicPatchError, deletes};
use serde_json::Value;
use std::collections::HashMap;

/// What the elements of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elements {
    Maps,
    Scalars,
}

/// The one type of the elements of both lists.
pub(super) fn element_type(left: &[Value], right: &[Value]) -> Result<Elements> {
    let mut all = left.iter().chain(right);
    let first = all.next().ok_or(StrategicPatchError::NoElements)?;
    if first.is_array() {
        return Err(StrategicPatchError::ListOfLists);
    }
    let kind = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(number) if number.is_f64() => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    };
    if first.is_null() || all.any(|other| kind(other) != kind(first)) {
        let lists = vec![Value::Array(left.to_vec()), Value::Array(right.to_vec())];
        return Err(StrategicPatchError::MixedElements(Value::Array(lists)));
    }
    Ok(if first.is_object() {
        Elements::Maps
    } else {
        Elements::Scalars
    })
}

/// The map of an element.
pub(super) fn as_map(element: &Value) -> Result<&Object> {
    element
        .as_object()
        .ok_or_else(|| StrategicPatchError::not_a_map(element))
}

/// What names an element: the value of its merge key, or a scalar itself; as text, so that it can be
/// looked up. Values of different types never have the same text.
pub(super) fn identity(element: &Value, merge_key: Option<&str>) -> Result<String> {
    match merge_key {
        None => Ok(element.to_string()),
        Some(key) => {
            let map = as_map(element)?;
            let value = map
                .get(key)
                .ok_or_else(|| StrategicPatchError::no_merge_key(map, key))?;
            Ok(value.to_string())
        }
    }
}

/// Where each element stands first.
pub(super) struct Positions(HashMap<String, usize>);

impl Positions {
    pub(super) fn of(list: &[Value], merge_key: Option<&str>) -> Result<Self> {
        let mut positions = HashMap::with_capacity(list.len());
        for (index, element) in list.iter().enumerate() {
            positions
                .entry(identity(element, merge_key)?)
                .or_insert(index);
        }
        Ok(Self(positions))
    }

    /// The same for a list in which elements may lack the key.
    pub(super) fn named(list: &[Value], key: &str) -> Self {
        let mut positions = Self(HashMap::with_capacity(list.len()));
        for (index, element) in list.iter().enumerate() {
            if let Some(value) = element.get(key) {
                positions.insert(value.to_string(), index);
            }
        }
        positions
    }

    pub(super) fn get(&self, identity: &str) -> Option<usize> {
        self.0.get(identity).copied()
    }

    pub(super) fn insert(&mut self, identity: String, index: usize) {
        self.0.entry(identity).or_insert(index);
    }
}

/// The elements that a list names, and the others, each in the order they have.
pub(super) fn partition(
    list: Vec<Value>,
    named: &[Value],
    merge_key: Option<&str>,
) -> Result<(Vec<Value>, Vec<Value>)> {
    // Elements without the key name nothing; lists of scalars may name anything.
    let mut names = HashMap::new();
    for (index, element) in named.iter().enumerate() {
        let name = match (merge_key, element) {
            (None, scalar) => Some(scalar.to_string()),
            (Some(key), Value::Object(map)) => map.get(key).map(Value::to_string),
            (Some(_), _) => return Err(StrategicPatchError::NotAMap(index)),
        };
        names.extend(name.map(|name| (name, ())));
    }
    let (mut in_named, mut others) = (Vec::new(), Vec::new());
    for element in list {
        let there = names.contains_key(&identity(&element, merge_key)?);
        if there {
            in_named.push(element)
        } else {
            others.push(element)
        }
    }
    Ok((in_named, others))
}

/// Brings elements into the order of another list; elements to delete go to the end.
pub(super) fn sorted_like(
    list: Vec<Value>,
    order: &[Value],
    merge_key: Option<&str>,
) -> Result<Vec<Value>> {
    let positions = Positions::of(order, merge_key)?;
    let mut kept = Vec::with_capacity(list.len());
    let mut deleted = Vec::new();
    for element in list {
        let position = positions.get(&identity(&element, merge_key)?);
        if merge_key.is_some() && deletes(&element) {
            deleted.push(element);
        } else {
            kept.push((position, element));
        }
    }
    if kept.iter().all(|(position, _)| position.is_some()) {
        kept.sort_by_key(|(position, _)| *position);
    } else {
        // Insertion sort, in which an element that the order does not know comes before any other.
        for end in 1..kept.len() {
            let mut at = end;
            while at > 0 && comes_before(&kept, at) {
                kept.swap(at, at - 1);
                at -= 1;
            }
        }
    }
    Ok(kept
        .into_iter()
        .map(|(_, element)| element)
        .chain(deleted)
        .collect())
}

fn comes_before(list: &[(Option<usize>, Value)], at: usize) -> bool {
    match (list.get(at), list.get(at - 1)) {
        (Some((Some(this), _)), Some((Some(previous), _))) => this < previous,
        _ => true,
    }
}

/// Merges the elements that only the server knows into those of the patch: one goes before another
/// that stands behind it in the list of the server.
pub(super) fn in_final_order(
    patched: Vec<Value>,
    server_only: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    merge_key: Option<&str>,
) -> Result<Vec<Value>> {
    let patched = sorted_like(patched, patch_order, merge_key)?;
    let server_only = sorted_like(server_only, server_order, merge_key)?;
    let positions = Positions::of(server_order, merge_key)?;
    let place = |element: &Value| {
        identity(element, merge_key)
            .ok()
            .and_then(|name| positions.get(&name))
    };
    let mut merged = Vec::with_capacity(patched.len() + server_only.len());
    let mut patched = patched.into_iter().peekable();
    for element in server_only {
        let own = place(&element);
        while let Some(next) = patched.peek() {
            let before = matches!((own, place(next)), (Some(own), Some(next)) if own < next);
            if before {
                break;
            }
            merged.extend(patched.next());
        }
        merged.push(element);
    }
    merged.extend(patched);
    Ok(merged)
}

/// Drops repeated scalars; the last element takes the place of a dropped one.
pub(super) fn without_repeats(mut list: Vec<Value>) -> Vec<Value> {
    if list.len() > 1000 {
        // In long lists the order of repeats does not matter enough to look at every pair.
        let mut seen = std::collections::HashSet::new();
        list.retain(|value| seen.insert(value.to_string()));
        return list;
    }
    let mut at = 0;
    while at < list.len() {
        let mut other = at + 1;
        while other < list.len() {
            if list.get(at) == list.get(other) {
                list.swap_remove(other);
            } else {
                other += 1;
            }
        }
        at += 1;
    }
    list
}
