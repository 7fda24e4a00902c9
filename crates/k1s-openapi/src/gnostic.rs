// SPDX-License-Identifier: Apache-2.0
//! OpenAPI in protobuf, as the messages of `openapi.v2` and `openapi.v3` that gnostic defines.
//!
//! Path items and schemas are taken as JSON and written field by field: a table says which field of a message a key is.

pub(crate) mod v2;
pub(crate) mod v3;

use serde_json::Value;

use crate::protobuf::Writer;

/// Writes a value as the fields of a message.
type Fill = fn(&mut Writer, &Value);

/// How a key of JSON is written.
enum Wire {
    Text,
    Texts,
    Bool,
    Integer,
    Double,
    /// Any value, as YAML text.
    Any,
    Anys,
    One(Fill),
    Many(Fill),
    /// A map, as a message of entries that have a name and a value.
    Entries(Fill),
}

/// The keys that a message knows: key, field number, how it is written.
type Keys = [(&'static str, u32, Wire)];

/// Writes the keys of an object that a message knows, and its extensions.
fn fill(out: &mut Writer, value: &Value, keys: &Keys, extensions: u32) {
    let Some(map) = value.as_object() else { return };
    for (key, number, wire) in keys {
        if let Some(value) = map.get(*key) {
            write(out, *number, wire, value);
        }
    }
    for (key, value) in map.iter().filter(|(key, _)| key.starts_with("x-")) {
        out.message(extensions, |w| {
            w.string(1, key);
            w.message(2, |w| any(w, value));
        });
    }
}

fn write(out: &mut Writer, number: u32, wire: &Wire, value: &Value) {
    let list = || value.as_array().into_iter().flatten();
    match wire {
        Wire::Text => out.string(number, value.as_str().unwrap_or_default()),
        Wire::Texts => list()
            .filter_map(Value::as_str)
            .for_each(|t| out.present_bytes(number, t.as_bytes())),
        Wire::Bool => out.bool(number, value == true),
        Wire::Integer => out.integer(number, value.as_i64().unwrap_or_default()),
        Wire::Double => out.double(number, value.as_f64().unwrap_or_default()),
        Wire::Any => out.message(number, |w| any(w, value)),
        Wire::Anys => list().for_each(|v| out.message(number, |w| any(w, v))),
        Wire::One(inner) => out.message(number, |w| inner(w, value)),
        Wire::Many(inner) => list().for_each(|v| out.message(number, |w| inner(w, v))),
        Wire::Entries(inner) => out.message(number, |w| entries(w, 1, value, *inner)),
    }
}

/// Each entry of a map as a message with a name and a value.
fn entries(out: &mut Writer, number: u32, value: &Value, inner: Fill) {
    for (name, value) in value.as_object().into_iter().flatten() {
        entry(out, number, name, value, inner);
    }
}

/// A message with a name and a value.
pub(crate) fn entry(out: &mut Writer, number: u32, name: &str, value: &Value, inner: Fill) {
    out.message(number, |w| {
        w.string(1, name);
        w.message(2, |w| inner(w, value));
    });
}

/// Every JSON is YAML.
fn any(out: &mut Writer, value: &Value) {
    out.string(2, &format!("{value}\n"));
}

#[cfg(test)]
mod tests;
