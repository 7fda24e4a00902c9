// SPDX-License-Identifier: Apache-2.0
//! The plan engine: from what is, what is proposed and what is configured to what will be.
//!
//! Defaults fill what the configuration leaves out; computed attributes become unknown where something changes; write-only attributes
//! are null; a change of an attribute that replaces names its path. What a resource knows beyond this it does in
//! [`crate::Resource::plan`], afterwards.

use std::collections::BTreeMap;

use crate::cty::{Type, Value};
use crate::path::Path;
use crate::schema::{Attribute, Block, Content, Nesting};

/// What the engine makes of a proposed change.
pub(crate) struct Planned {
    pub(crate) state: Value,
    pub(crate) requires_replace: Vec<Path>,
}

/// Plans a creation or an update; a deletion needs no plan.
pub(crate) fn plan(block: &Block, prior: &Value, proposed: Value, config: &Value) -> Planned {
    let mut state = proposed;
    fill(block, &mut state, config);
    let changed = prior.is_null() || !same(&block.value_type(), prior, &state);
    if changed {
        mark(block, prior, &mut state, config);
    }
    let mut requires_replace = Vec::new();
    if !prior.is_null() {
        replaced(block, prior, &state, &Path::root(), &mut requires_replace);
    }
    Planned {
        state,
        requires_replace,
    }
}

/// Whether two values of a type are equal; sets without regard to order.
pub(crate) fn same(of: &Type, a: &Value, b: &Value) -> bool {
    match (of, a, b) {
        (Type::Set(t), Value::List(a), Value::List(b)) => {
            a.len() == b.len()
                && a.iter().all(|x| b.iter().any(|y| same(t, x, y)))
                && b.iter().all(|y| a.iter().any(|x| same(t, x, y)))
        }
        (Type::List(t), Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(t, x, y))
        }
        (Type::Tuple(ts), Value::List(a), Value::List(b)) => {
            a.len() == b.len()
                && ts
                    .iter()
                    .zip(a.iter().zip(b))
                    .all(|(t, (x, y))| same(t, x, y))
        }
        (Type::Map(t), Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(n, x)| b.get(n).is_some_and(|y| same(t, x, y)))
        }
        (Type::Object(attributes, _), Value::Map(_), Value::Map(_)) => attributes
            .iter()
            .all(|(n, t)| same(t, a.attribute(n), b.attribute(n))),
        _ => a == b,
    }
}

/// The element of a set that became a planned one: the same, or else the one that says most of it and nothing else. What is null in it
/// was left to defaults and to the provider.
fn of_set<'v>(others: &'v [Value], planned: &Value) -> Option<&'v Value> {
    others.iter().find(|o| *o == planned).or_else(|| {
        let fitting = others.iter().filter(|o| fits(o, planned));
        fitting.max_by_key(|o| said(o))
    })
}

/// Whether all that a value says is in a planned one, too.
fn fits(value: &Value, planned: &Value) -> bool {
    match (value, planned) {
        (Value::Null, _) => true,
        (Value::Map(value), Value::Map(planned)) => value
            .iter()
            .all(|(name, v)| fits(v, planned.get(name).unwrap_or(&Value::Null))),
        (Value::List(value), Value::List(planned)) => {
            value.len() == planned.len() && value.iter().zip(planned).all(|(v, p)| fits(v, p))
        }
        _ => value == planned,
    }
}

/// How much a value says.
fn said(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Map(items) => items.values().map(said).sum(),
        Value::List(items) => items.iter().map(said).sum(),
        _ => 1,
    }
}

/// Calls with each object of a planned value and the one that stands for it in the configuration and in the prior value.
fn objects(
    nesting: Nesting,
    planned: &mut Value,
    beside: [&Value; 2],
    mut with: impl FnMut(&mut BTreeMap<String, Value>, [&Value; 2]),
) {
    static NULL: Value = Value::Null;
    match (nesting, planned) {
        (Nesting::Single, Value::Map(object)) => with(object, beside),
        (Nesting::List | Nesting::Set, Value::List(items)) => {
            for (i, item) in items.iter_mut().enumerate() {
                let at = |v: &'_ Value| match v {
                    // the elements of a set have no place by which to find them again
                    Value::List(others) if nesting == Nesting::List => others.get(i).cloned(),
                    Value::List(others) => of_set(others, item).cloned(),
                    _ => None,
                };
                let (a, b) = (at(beside[0]), at(beside[1]));
                if let Value::Map(object) = item {
                    with(
                        object,
                        [a.as_ref().unwrap_or(&NULL), b.as_ref().unwrap_or(&NULL)],
                    );
                }
            }
        }
        (Nesting::Map, Value::Map(items)) => {
            for (name, item) in items {
                if let Value::Map(object) = item {
                    with(object, beside.map(|v| v.attribute(name)));
                }
            }
        }
        _ => {}
    }
}

fn fill(block: &Block, planned: &mut Value, config: &Value) {
    let Value::Map(object) = planned else { return };
    fill_attributes(&block.attributes, object, config);
    for (name, nested) in &block.blocks {
        if let Some(value) = object.get_mut(name) {
            let config = config.attribute(name);
            objects(
                nested.nesting,
                value,
                [config, config],
                |object, [config, _]| {
                    let mut inner = Value::Map(std::mem::take(object));
                    fill(&nested.block, &mut inner, config);
                    if let Value::Map(inner) = inner {
                        *object = inner;
                    }
                },
            );
        }
    }
}

fn fill_attributes(
    attributes: &[(String, Attribute)],
    object: &mut BTreeMap<String, Value>,
    config: &Value,
) {
    for (name, attribute) in attributes {
        let config = config.attribute(name);
        let value = object.entry(name.clone()).or_default();
        if attribute.write_only {
            *value = Value::Null;
        } else if config.is_null()
            && let Some(default) = &attribute.default
        {
            default.clone_into(value);
        } else if let Content::Nested(nesting, inner) = &attribute.content {
            objects(*nesting, value, [config, config], |object, [config, _]| {
                fill_attributes(inner, object, config);
            });
        }
    }
}

fn mark(block: &Block, prior: &Value, planned: &mut Value, config: &Value) {
    let Value::Map(object) = planned else { return };
    mark_attributes(&block.attributes, prior, object, config);
    for (name, nested) in &block.blocks {
        if let Some(value) = object.get_mut(name) {
            let beside = [config.attribute(name), prior.attribute(name)];
            objects(nested.nesting, value, beside, |object, [config, prior]| {
                let mut inner = Value::Map(std::mem::take(object));
                mark(&nested.block, prior, &mut inner, config);
                if let Value::Map(inner) = inner {
                    *object = inner;
                }
            });
        }
    }
}

fn mark_attributes(
    attributes: &[(String, Attribute)],
    prior: &Value,
    object: &mut BTreeMap<String, Value>,
    config: &Value,
) {
    for (name, attribute) in attributes {
        let (config, prior) = (config.attribute(name), prior.attribute(name));
        let value = object.entry(name.clone()).or_default();
        if attribute.write_only {
            continue;
        }
        if attribute.computed && config.is_null() && attribute.default.is_none() {
            *value = if attribute.keeps && !prior.is_null() {
                prior.clone()
            } else {
                Value::Unknown
            };
        } else if let Content::Nested(nesting, inner) = &attribute.content {
            objects(
                *nesting,
                value,
                [config, prior],
                |object, [config, prior]| {
                    mark_attributes(inner, prior, object, config);
                },
            );
        }
    }
}

fn replaced(block: &Block, prior: &Value, planned: &Value, at: &Path, out: &mut Vec<Path>) {
    replaced_attributes(&block.attributes, prior, planned, at, out);
    for (name, nested) in &block.blocks {
        let values = (prior.attribute(name), planned.attribute(name));
        let of = nested.block.value_type();
        let at = at.attribute(name);
        replaced_objects(nested.nesting, &of, values, &at, out, |values, at, out| {
            replaced(&nested.block, values.0, values.1, at, out);
        });
    }
}

fn replaced_attributes(
    attributes: &[(String, Attribute)],
    prior: &Value,
    planned: &Value,
    at: &Path,
    out: &mut Vec<Path>,
) {
    for (name, attribute) in attributes {
        let values = (prior.attribute(name), planned.attribute(name));
        let at = at.attribute(name);
        if attribute.replaces && !same(&attribute.value_type(), values.0, values.1) {
            out.push(at);
        } else if let Content::Nested(nesting, inner) = &attribute.content {
            let of = Type::object(inner.iter().map(|(n, a)| (n.clone(), a.value_type())));
            replaced_objects(*nesting, &of, values, &at, out, |values, at, out| {
                replaced_attributes(inner, values.0, values.1, at, out);
            });
        }
    }
}

/// Looks with `find` at each object that was there before and what became of it.
fn replaced_objects(
    nesting: Nesting,
    of: &Type,
    (before, after): (&Value, &Value),
    at: &Path,
    out: &mut Vec<Path>,
    find: impl Fn((&Value, &Value), &Path, &mut Vec<Path>),
) {
    match (nesting, before, after) {
        (Nesting::Single, before, after) => find((before, after), at, out),
        (Nesting::List, Value::List(before), Value::List(after)) => {
            for (i, pair) in before.iter().zip(after).enumerate() {
                find(pair, &at.index(i), out);
            }
        }
        (Nesting::Map, Value::Map(before), Value::Map(after)) => {
            for (name, one) in before {
                if let Some(other) = after.get(name) {
                    find((one, other), &at.key(name), out);
                }
            }
        }
        // as many as before: each that came may be one that went, if that asks for no replacement. Elements of a set have no path.
        (Nesting::Set, Value::List(before), Value::List(after)) if before.len() == after.len() => {
            let lacks = |all: &[Value], one: &Value| !all.iter().any(|other| same(of, one, other));
            let mut gone: Vec<_> = before.iter().filter(|one| lacks(after, one)).collect();
            for come in after.iter().filter(|one| lacks(before, one)) {
                let was = gone.iter().position(|gone| {
                    let mut paths = Vec::new();
                    find((gone, come), at, &mut paths);
                    paths.is_empty()
                });
                match was {
                    Some(was) => drop(gone.swap_remove(was)),
                    None => {
                        out.push(at.clone());
                        break;
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
