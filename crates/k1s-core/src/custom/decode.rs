// SPDX-License-Identifier: Apache-2.0
//! From any JSON to an object of an own kind: metadata is decoded, unknown fields are taken out and told, nulls that nothing
//! allows are dropped, defaults are filled in.

use serde_json::{Map, Value};

use super::structural::{Additional, List, Structural};
use crate::decode::{self as built_in, DecodeError};
use crate::field;
use crate::schema::Schema;

/// The fields that every object has, and so every embedded one.
const OWN: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Decodes an object in place and gives the paths of what was unknown and is taken out.
///
/// # Errors
/// When metadata, its own or an embedded resource's, has values of wrong types.
pub fn decode(schema: &Structural, value: &mut Value) -> Result<Vec<String>, DecodeError> {
    let mut walk = Walk::default();
    walk.root(schema, value);
    let Value::Object(map) = value else {
        return Err(DecodeError("json: cannot unmarshal into an object".into()));
    };
    if map.get("metadata").is_none_or(Value::is_null) {
        map.insert("metadata".into(), Value::Object(Map::new()));
    }
    if let Some(metadata) = map.get_mut("metadata") {
        let unknown = decode_metadata(metadata)?;
        walk.unknown
            .extend(unknown.iter().map(|u| format!("metadata.{u}")));
    }
    walk.embedded(schema, value, true)?;
    drop_nulls(schema, value);
    default(schema, value);
    round_large(value);
    Ok(walk.unknown)
}

/// Drops empty parts of metadata that are not written.
pub fn tidy(value: &mut Value) {
    if let (Some(schema), Some(metadata)) = (meta_schema(), value.get_mut("metadata")) {
        built_in::tidy(schema, metadata);
    }
}

fn meta_schema() -> Option<&'static Schema> {
    Schema::named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
}

fn decode_metadata(metadata: &mut Value) -> Result<Vec<String>, DecodeError> {
    meta_schema().map_or(Ok(Vec::new()), |schema| built_in::decode(schema, metadata))
}

/// Where a walk is, and what it found unknown.
#[derive(Default)]
struct Walk {
    path: Vec<String>,
    unknown: Vec<String>,
}

impl Walk {
    fn place(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            if !out.is_empty() && !step.starts_with('[') {
                out.push('.');
            }
            out.push_str(step);
        }
        out
    }

    fn within<T>(&mut self, step: String, what: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let out = what(self);
        self.path.pop();
        out
    }

    fn root(&mut self, schema: &Structural, value: &mut Value) {
        self.map(schema, value, true);
    }

    /// Takes out of a map what its schema does not know.
    fn map(&mut self, schema: &Structural, value: &mut Value, is_object: bool) {
        let Value::Object(map) = value else { return };
        let mut strangers = Vec::new();
        for (key, inner) in map.iter_mut() {
            if is_object && OWN.contains(&key.as_str()) {
                continue;
            }
            if let Some(property) = schema.properties.get(key) {
                self.within(key.clone(), |w| w.prune(Some(property), inner));
            } else if let Some(additional) = &schema.additional {
                let of = match additional {
                    Additional::Of(of) => Some(&**of),
                    Additional::Any(_) => None,
                };
                self.within(key.clone(), |w| w.prune(of, inner));
            } else if !schema.preserves {
                strangers.push(key.clone());
            }
        }
        for key in strangers {
            map.remove(&key);
            let place = self.within(key, |w| w.place());
            self.unknown.push(place);
        }
    }

    fn prune(&mut self, schema: Option<&Structural>, value: &mut Value) {
        match (schema, &mut *value) {
            (Some(schema), Value::Object(_)) => self.map(schema, value, schema.embedded),
            (Some(schema), Value::Array(items)) => {
                if schema.preserves && schema.items.is_none() {
                    return;
                }
                for (i, item) in items.iter_mut().enumerate() {
                    self.within(format!("[{i}]"), |w| w.prune(schema.items.as_deref(), item));
                }
            }
            (None, Value::Object(_)) => self.map(&Structural::default(), value, false),
            (None, Value::Array(items)) => {
                for (i, item) in items.iter_mut().enumerate() {
                    self.within(format!("[{i}]"), |w| w.prune(None, item));
                }
            }
            _ => {}
        }
    }

    /// Decodes the metadata of embedded resources.
    fn embedded(
        &mut self,
        schema: &Structural,
        value: &mut Value,
        is_root: bool,
    ) -> Result<(), DecodeError> {
        match value {
            Value::Object(map) => {
                if schema.embedded
                    && !is_root
                    && let Some(metadata) = map.get_mut("metadata").filter(|m| !m.is_null())
                {
                    let given = metadata.clone();
                    let place = self.within("metadata".into(), |w| w.place());
                    let unknown = decode_metadata(metadata).map_err(|e| {
                        DecodeError(format!(
                            "{place}: Invalid value: {}: {e}",
                            field::show(&given)
                        ))
                    })?;
                    self.unknown
                        .extend(unknown.iter().map(|u| format!("{place}.{u}")));
                }
                for (key, inner) in map.iter_mut() {
                    if let Some(property) = schema.property(key) {
                        self.within(key.clone(), |w| w.embedded(property, inner, false))?;
                    }
                }
            }
            Value::Array(items) => {
                if let Some(of) = &schema.items {
                    for (i, item) in items.iter_mut().enumerate() {
                        self.within(format!("[{i}]"), |w| w.embedded(of, item, false))?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whole numbers that 64 bits with a sign do not hold are kept as floating point.
fn round_large(value: &mut Value) {
    match value {
        Value::Number(n) if n.is_u64() && !n.is_i64() => {
            if let Some(rounded) = n.as_f64().and_then(serde_json::Number::from_f64) {
                *n = rounded;
            }
        }
        Value::Object(map) => map.values_mut().for_each(round_large),
        Value::Array(items) => items.iter_mut().for_each(round_large),
        _ => {}
    }
}

/// Drops nulls of fields that are not nullable; those with a default are filled in later.
fn drop_nulls(schema: &Structural, value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, inner| {
                let dropped = inner.is_null() && schema.property(key).is_some_and(|p| !p.nullable);
                !dropped
            });
            for (key, inner) in map.iter_mut() {
                if let Some(property) = schema.property(key) {
                    drop_nulls(property, inner);
                }
            }
        }
        Value::Array(items) => {
            if let Some(of) = &schema.items {
                items.iter_mut().for_each(|item| drop_nulls(of, item));
            }
        }
        _ => {}
    }
}

/// Fills in the defaults of what is missing.
pub(super) fn default(schema: &Structural, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in &schema.properties {
                if let Some(default) = &property.default
                    && !map.contains_key(name)
                {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (key, inner) in map.iter_mut() {
                if let Some(property) = schema.property(key) {
                    default(property, inner);
                }
            }
        }
        Value::Array(items) => {
            if let Some(of) = &schema.items {
                for item in items.iter_mut() {
                    if let (true, false, Some(given)) = (item.is_null(), of.nullable, &of.default) {
                        *item = given.clone();
                    }
                    default(of, item);
                }
            }
        }
        _ => {}
    }
}

/// Whether pruning would take anything out of a value of this schema.
pub(super) fn has_unknown(schema: &Structural, value: &Value) -> bool {
    let mut walk = Walk::default();
    walk.prune(Some(schema), &mut value.clone());
    !walk.unknown.is_empty()
}

/// The key of an element of a list that is a map: its key fields, with their defaults.
pub(super) fn key_of(list: &List, item: &Value) -> Value {
    match list {
        List::Map(keys) => {
            let mut out = Map::new();
            for key in keys {
                if let Some(value) = item.get(key) {
                    out.insert(key.clone(), value.clone());
                }
            }
            Value::Object(out)
        }
        List::Set | List::Atomic => item.clone(),
    }
}
