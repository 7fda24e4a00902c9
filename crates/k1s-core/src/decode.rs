// SPDX-License-Identifier: Apache-2.0
//! From any JSON to an object of a kind: types are checked, unknown fields taken out and told, leaves written in their canonical
//! form, and fields kept, dropped or filled with zero as the published Go types do when they are read and written.
//!
//! [`decode`] does it all; [`tidy`] only writes and drops zeros, for objects that rules have changed since.

use serde_json::{Map, Value};

use crate::schema::{Field, Form, Presence, Schema, Shape};
use crate::{base64_text, quantity, time};

/// A value that the kind cannot hold; the words are those of the JSON decoder in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

/// Decodes an object in place and returns the paths of fields that the schema does not know, which are taken out.
///
/// # Errors
/// When a value has another type than its field, or is a quantity, time or base64 text that cannot be read.
pub fn decode(schema: &'static Schema, value: &mut Value) -> Result<Vec<String>, DecodeError> {
    if let Some(custom) = schema.custom {
        return crate::custom::decode(custom, value);
    }
    let mut decoder = Decoder {
        unknown: Vec::new(),
        path: Vec::new(),
        within: schema.short_name(),
    };
    decoder.object(schema, value)?;
    Ok(decoder.unknown)
}

/// Drops zeros that are not written and fills in those that are.
pub fn tidy(schema: &'static Schema, value: &mut Value) {
    if schema.custom.is_some() {
        return crate::custom::tidy(value);
    }
    if schema.form != Form::Object {
        return;
    }
    if let Value::Object(map) = value {
        for (key, inner) in map.iter_mut() {
            if let Some(field) = schema.field(key) {
                tidy_shape(&field.shape, inner);
            }
        }
        presence(schema, map);
    }
}

fn tidy_shape(shape: &'static Shape, value: &mut Value) {
    match (shape, value) {
        (Shape::Object(schema), value) => tidy(schema, value),
        (Shape::List(of), Value::Array(items)) => items.iter_mut().for_each(|v| tidy_shape(of, v)),
        (Shape::Map(of), Value::Object(map)) => map.values_mut().for_each(|v| tidy_shape(of, v)),
        _ => {}
    }
}

fn presence(schema: &'static Schema, map: &mut Map<String, Value>) {
    // an object has few of the fields that its kind may have
    map.retain(|key, value| match schema.field(key) {
        Some(field) => match field.presence {
            Presence::NonZero => !is_zero(&field.shape, value),
            Presence::Given => !value.is_null(),
            Presence::Always | Presence::Null => true,
        },
        None => true,
    });
    for field in schema.fields {
        match field.presence {
            Presence::NonZero | Presence::Given => {}
            Presence::Always => match map.get_mut(field.name) {
                None => {
                    map.insert(field.name.to_owned(), zero(field));
                }
                Some(v)
                    if v.is_null()
                        || is_empty(v) && matches!(field.shape, Shape::List(_) | Shape::Map(_)) =>
                {
                    *v = zero(field)
                }
                Some(_) => {}
            },
            Presence::Null => {
                if !map.contains_key(field.name) {
                    map.insert(field.name.to_owned(), Value::Null);
                }
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Array(a) if a.is_empty())
        || matches!(value, Value::Object(o) if o.is_empty())
}

fn is_zero(shape: &Shape, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        // a struct that is held by value is written even when it is empty, unless the type says `omitzero`
        Value::Object(o) => o.is_empty() && !matches!(shape, Shape::Any),
        Value::Array(a) => a.is_empty(),
    }
}

fn zero(field: &'static Field) -> Value {
    match &field.shape {
        Shape::String => Value::String(String::new()),
        Shape::Bool => Value::Bool(false),
        Shape::Int32 | Shape::Int64 | Shape::Double => Value::from(0),
        Shape::Bytes | Shape::Any | Shape::List(_) | Shape::Map(_) => Value::Null,
        Shape::Object(schema) => zero_of(schema),
    }
}

fn zero_of(schema: &'static Schema) -> Value {
    match schema.form {
        Form::Quantity => "0".into(),
        Form::IntOrString => 0.into(),
        Form::Time | Form::MicroTime | Form::Any => Value::Null,
        Form::Object => {
            let mut map = Map::new();
            presence(schema, &mut map);
            Value::Object(map)
        }
    }
}

struct Decoder {
    unknown: Vec<String>,
    path: Vec<Step>,
    /// Name of the innermost struct, for messages.
    within: &'static str,
}

enum Step {
    Field(&'static str),
    Index(usize),
    Key(String),
}

impl Decoder {
    fn object(&mut self, schema: &'static Schema, value: &mut Value) -> Result<(), DecodeError> {
        match schema.form {
            Form::Any => Ok(()),
            Form::Quantity => self.quantity(value),
            Form::Time => self.time(value, false),
            Form::MicroTime => self.time(value, true),
            Form::IntOrString => match value {
                Value::String(_) => Ok(()),
                Value::Number(n) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => Ok(()),
                Value::Number(n) => Err(self.mismatch_number(n, "int32")),
                other => Err(self.mismatch(other, "int32")),
            },
            Form::Object => {
                let Value::Object(map) = value else {
                    return Err(self.mismatch(value, &go_struct(schema)));
                };
                let outer = std::mem::replace(&mut self.within, schema.short_name());
                let mut strangers = Vec::new();
                for (key, inner) in map.iter_mut() {
                    let Some(field) = schema.field(key) else {
                        let mut path = self.strict_path();
                        push_name(&mut path, key);
                        self.unknown.push(path);
                        strangers.push(key.clone());
                        continue;
                    };
                    if inner.is_null() {
                        continue;
                    }
                    self.path.push(Step::Field(field.name));
                    self.shape(&field.shape, inner)?;
                    self.path.pop();
                }
                for key in strangers {
                    map.remove(&key);
                }
                presence(schema, map);
                self.within = outer;
                Ok(())
            }
        }
    }

    fn shape(&mut self, shape: &'static Shape, value: &mut Value) -> Result<(), DecodeError> {
        match shape {
            Shape::Any => Ok(()),
            Shape::String => match value {
                Value::String(_) => Ok(()),
                other => Err(self.mismatch(other, "string")),
            },
            Shape::Bool => match value {
                Value::Bool(_) => Ok(()),
                other => Err(self.mismatch(other, "bool")),
            },
            Shape::Int32 => self.int(value, "int32", |n| i32::try_from(n).is_ok()),
            Shape::Int64 => self.int(value, "int64", |_| true),
            Shape::Double => match value {
                Value::Number(_) => Ok(()),
                other => Err(self.mismatch(other, "float64")),
            },
            Shape::Bytes => self.bytes(value),
            Shape::Object(schema) => self.object(schema, value),
            Shape::List(of) => {
                let Value::Array(items) = value else {
                    return Err(self.mismatch(value, &go_type(shape)));
                };
                for (i, item) in items.iter_mut().enumerate() {
                    if item.is_null() {
                        *item = zero_element(of);
                        continue;
                    }
                    self.path.push(Step::Index(i));
                    self.shape(of, item)?;
                    self.path.pop();
                }
                Ok(())
            }
            Shape::Map(of) => {
                let Value::Object(map) = value else {
                    return Err(self.mismatch(value, &go_type(shape)));
                };
                for (key, item) in map.iter_mut() {
                    if item.is_null() {
                        *item = zero_element(of);
                        continue;
                    }
                    // text is the common case and needs no path
                    if matches!((of, &*item), (Shape::String, Value::String(_))) {
                        continue;
                    }
                    self.path.push(Step::Key(key.clone()));
                    self.shape(of, item)?;
                    self.path.pop();
                }
                Ok(())
            }
        }
    }

    fn int(&self, value: &Value, go: &str, fits: impl Fn(i64) -> bool) -> Result<(), DecodeError> {
        match value {
            Value::Number(n) if n.as_i64().is_some_and(fits) => Ok(()),
            Value::Number(n) => Err(self.mismatch_number(n, go)),
            other => Err(self.mismatch(other, go)),
        }
    }

    fn bytes(&self, value: &mut Value) -> Result<(), DecodeError> {
        let Value::String(text) = value else {
            return Err(self.mismatch(value, "[]uint8"));
        };
        let bytes = base64_text::decode(text).map_err(|e| DecodeError(e.to_string()))?;
        let canonical = base64_text::encode(&bytes);
        if *text != canonical {
            *text = canonical;
        }
        Ok(())
    }

    fn quantity(&self, value: &mut Value) -> Result<(), DecodeError> {
        let text = match &*value {
            Value::String(text) => text.clone(),
            Value::Number(n) => n.to_string(),
            other => return Err(self.mismatch(other, "string")),
        };
        let parsed = quantity::Quantity::parse(&text).map_err(|e| DecodeError(e.to_string()))?;
        *value = Value::String(parsed.to_string());
        Ok(())
    }

    fn time(&self, value: &mut Value, micro: bool) -> Result<(), DecodeError> {
        let Value::String(text) = &*value else {
            return Err(self.mismatch(value, "string"));
        };
        let canonical = if micro {
            time::parse_micro_time(text).map(time::print_micro_time)
        } else {
            time::parse_time(text).map(time::print_time)
        };
        *value = Value::String(canonical.map_err(|e| DecodeError(e.to_string()))?);
        Ok(())
    }

    fn mismatch(&self, value: &Value, go: &str) -> DecodeError {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        DecodeError(format!(
            "json: cannot unmarshal {found} into {} of type {go}",
            self.go_place()
        ))
    }

    fn mismatch_number(&self, number: &serde_json::Number, go: &str) -> DecodeError {
        DecodeError(format!(
            "json: cannot unmarshal number {number} into {} of type {go}",
            self.go_place()
        ))
    }

    /// `Go struct field PodSpec.spec.containers`, or `Go value` for the whole.
    fn go_place(&self) -> String {
        let fields: Vec<&str> = self
            .path
            .iter()
            .filter_map(|s| {
                if let Step::Field(name) = s {
                    Some(*name)
                } else {
                    None
                }
            })
            .collect();
        if fields.is_empty() {
            "Go value".into()
        } else {
            format!("Go struct field {}.{}", self.within, fields.join("."))
        }
    }

    /// `spec.containers[0]`, as strict decoding errors have it.
    fn strict_path(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                Step::Index(i) => out.push_str(&format!("[{i}]")),
                Step::Field(name) => push_name(&mut out, name),
                Step::Key(name) => push_name(&mut out, name),
            }
        }
        out
    }
}

fn push_name(out: &mut String, name: &str) {
    if !out.is_empty() {
        out.push('.');
    }
    out.push_str(name);
}

fn zero_element(shape: &'static Shape) -> Value {
    match shape {
        Shape::String => Value::String(String::new()),
        Shape::Bool => Value::Bool(false),
        Shape::Int32 | Shape::Int64 | Shape::Double => 0.into(),
        Shape::Bytes => Value::String(String::new()),
        Shape::Object(schema) => zero_of(schema),
        Shape::Any | Shape::List(_) | Shape::Map(_) => Value::Null,
    }
}

fn go_struct(schema: &Schema) -> String {
    let mut parts = schema.name.rsplit('.');
    let (name, version) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    format!("{version}.{name}")
}

fn go_type(shape: &Shape) -> String {
    match shape {
        Shape::String => "string".into(),
        Shape::Bytes => "[]uint8".into(),
        Shape::Bool => "bool".into(),
        Shape::Int32 => "int32".into(),
        Shape::Int64 => "int64".into(),
        Shape::Double => "float64".into(),
        Shape::Any => "interface {}".into(),
        Shape::Object(schema) => go_struct(schema),
        Shape::List(of) => format!("[]{}", go_type(of)),
        Shape::Map(of) => format!("map[string]{}", go_type(of)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use serde_json::json;

    fn check(kind: (&str, &str), given: Value, expected: Result<(Value, &[&str]), &str>) {
        let schema = kinds::of_kind(kind.0, "v1", kind.1).unwrap().schema;
        let mut value = given;
        match (decode(schema, &mut value), expected) {
            (Ok(unknown), Ok((want, strangers))) => {
                assert_eq!(value, want);
                assert_eq!(unknown, strangers);
            }
            (Err(error), Err(want)) => assert_eq!(error.to_string(), want),
            (got, want) => panic!("{got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn decoding() {
        let cm = ("", "ConfigMap");
        check(
            cm,
            json!({"data": {"k": "v"}}),
            Ok((json!({"data": {"k": "v"}, "metadata": {}}), &[])),
        );
        check(
            cm,
            json!({"data": {"k": null}, "binaryData": {}}),
            Ok((json!({"data": {"k": ""}, "metadata": {}}), &[])),
        );
        check(
            cm,
            json!({"data": {"k": 1}}),
            Err("json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        );
        check(
            cm,
            json!({"immutable": false, "nope": 1}),
            Ok((json!({"immutable": false, "metadata": {}}), &["nope"])),
        );
        check(
            cm,
            json!({"metadata": {"nope": {}}}),
            Ok((json!({"metadata": {}}), &["metadata.nope"])),
        );
        check(
            ("apps", "Deployment"),
            json!({"spec": {"replicas": "3"}}),
            Err(
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
        );
        check(
            ("", "Pod"),
            json!({"spec": {"hostNetwork": false, "containers": [{"name": "c", "nope": 1, "resources": {"limits": {"cpu": "1.5", "memory": 1024}}}]}}),
            Ok((
                json!({"metadata": {}, "status": {}, "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1500m", "memory": "1024"}}}]}}),
                &["spec.containers[0].nope"],
            )),
        );
    }
}
