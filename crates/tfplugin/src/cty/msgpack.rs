// SPDX-License-Identifier: Apache-2.0
//! Values in MessagePack, as host and provider exchange them.
//!
//! Unknown is the extension 0; one that is known not to be null is the extension 12 with a map of refinements. Numbers that are
//! neither whole in 64 bits nor an exact float are decimal text. A value under the dynamic type is `[type in JSON, value]`.

use std::collections::BTreeMap;

use rmpv::Value as Pack;

use super::{MAX_DEPTH, Number, Type, Value, ValueError};

const UNKNOWN: i8 = 0;
const REFINED: i8 = 12;
/// In a map of refinements: whether the value is null.
const IS_NULL: u64 = 1;

impl Value {
    /// Encodes the value of a type.
    ///
    /// # Errors
    /// When the value is not of the type.
    pub fn to_msgpack(&self, of: &Type) -> Result<Vec<u8>, ValueError> {
        let pack = encode(self, of, "")?;
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &pack)
            .map_err(|e| ValueError::new("", e.to_string()))?;
        Ok(bytes)
    }

    /// Decodes a value of a type. Attributes that the type does not have are refused, those that are missing are null.
    ///
    /// # Errors
    /// When the bytes are not MessagePack, hold another type, or nest deeper than 64.
    pub fn from_msgpack(mut bytes: &[u8], of: &Type) -> Result<Self, ValueError> {
        let pack = rmpv::decode::read_value_with_max_depth(&mut bytes, 4 * MAX_DEPTH)
            .map_err(|e| ValueError::new("", format!("not MessagePack: {e}")))?;
        if !bytes.is_empty() {
            return Err(ValueError::new("", "more bytes than the value has"));
        }
        decode(&pack, of, "", 0)
    }
}

fn mismatch(path: &str, of: &Type, found: &str) -> ValueError {
    ValueError::new(path, format!("expected {}, found {found}", of.name()))
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Unknown | Value::UnknownNotNull => "unknown",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "list",
        Value::Map(_) => "map",
        Value::Dynamic(_) => "dynamic",
    }
}

fn encode(value: &Value, of: &Type, path: &str) -> Result<Pack, ValueError> {
    let pack = match (value, of) {
        (Value::Null, _) => Pack::Nil,
        (Value::Unknown, _) => Pack::Ext(UNKNOWN, vec![0]),
        (Value::UnknownNotNull, _) => {
            let mut refinements = Vec::new();
            let map = Pack::Map(vec![(IS_NULL.into(), false.into())]);
            rmpv::encode::write_value(&mut refinements, &map)
                .map_err(|e| ValueError::new(path, e.to_string()))?;
            Pack::Ext(REFINED, refinements)
        }
        (Value::Dynamic(inner), Type::Dynamic) => Pack::Array(vec![
            Pack::Binary(inner.0.to_bytes()),
            encode(&inner.1, &inner.0, path)?,
        ]),
        (Value::Bool(b), Type::Bool) => (*b).into(),
        (Value::Number(n), Type::Number) => match n {
            Number::Int(n) => (*n).into(),
            Number::Float(x) => (*x).into(),
            Number::Decimal(text) => text.as_str().into(),
        },
        (Value::String(text), Type::String) => text.as_str().into(),
        (Value::List(items), Type::List(t) | Type::Set(t)) => Pack::Array(
            items
                .iter()
                .enumerate()
                .map(|(i, v)| encode(v, t, &format!("{path}[{i}]")))
                .collect::<Result<_, _>>()?,
        ),
        (Value::List(items), Type::Tuple(ts)) if items.len() == ts.len() => Pack::Array(
            items
                .iter()
                .zip(ts)
                .enumerate()
                .map(|(i, (v, t))| encode(v, t, &format!("{path}[{i}]")))
                .collect::<Result<_, _>>()?,
        ),
        (Value::Map(items), Type::Map(t)) => Pack::Map(
            items
                .iter()
                .map(|(n, v)| Ok((n.as_str().into(), encode(v, t, &join(path, n))?)))
                .collect::<Result<_, ValueError>>()?,
        ),
        (Value::Map(items), Type::Object(attributes, _)) => {
            if let Some(name) = items.keys().find(|n| !attributes.contains_key(*n)) {
                return Err(ValueError::new(
                    &join(path, name),
                    "the type has no such attribute",
                ));
            }
            Pack::Map(
                attributes
                    .iter()
                    .map(|(n, t)| {
                        let value = items.get(n).unwrap_or(&Value::Null);
                        Ok((n.as_str().into(), encode(value, t, &join(path, n))?))
                    })
                    .collect::<Result<_, ValueError>>()?,
            )
        }
        _ => return Err(mismatch(path, of, describe(value))),
    };
    Ok(pack)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn decode(pack: &Pack, of: &Type, path: &str, depth: usize) -> Result<Value, ValueError> {
    if depth > MAX_DEPTH {
        return Err(ValueError::new(path, "nested more than 64 deep"));
    }
    let found = || match pack {
        Pack::Boolean(_) => "bool",
        Pack::Integer(_) | Pack::F32(_) | Pack::F64(_) => "number",
        Pack::String(_) | Pack::Binary(_) => "string",
        Pack::Array(_) => "list",
        Pack::Map(_) => "map",
        Pack::Nil => "null",
        Pack::Ext(..) => "unknown",
    };
    let items = |array: &[Pack], types: &mut dyn Iterator<Item = &Type>| {
        array
            .iter()
            .zip(types)
            .enumerate()
            .map(|(i, (p, of))| decode(p, of, &format!("{path}[{i}]"), depth + 1))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match (pack, of) {
        (Pack::Nil, _) => Value::Null,
        (Pack::Ext(kind, refinements), _) => unknown(*kind, refinements),
        (Pack::Array(pair), Type::Dynamic) => {
            let [of, value] = &pair[..] else {
                return Err(mismatch(path, of, found()));
            };
            let bytes = match of {
                Pack::Binary(bytes) => &bytes[..],
                Pack::String(text) => text.as_bytes(),
                _ => return Err(ValueError::new(path, "a dynamic value without a type")),
            };
            let of = serde_json::from_slice(bytes)
                .map_err(|e| ValueError::new(path, e.to_string()))
                .and_then(|json| {
                    Type::from_json(&json).map_err(|e| ValueError::new(path, e.to_string()))
                })?;
            let value = decode(value, &of, path, depth + 1)?;
            Value::Dynamic(Box::new((of, value)))
        }
        (Pack::Boolean(b), Type::Bool) => Value::Bool(*b),
        (Pack::Integer(n), Type::Number) => Value::Number(match n.as_i64() {
            Some(n) => Number::Int(n),
            None => Number::Decimal(n.to_string()),
        }),
        (Pack::F32(x), Type::Number) => Value::Number(Number::Float(f64::from(*x))),
        (Pack::F64(x), Type::Number) => Value::Number(Number::Float(*x)),
        (Pack::String(text), Type::Number) => text
            .as_str()
            .and_then(Number::parse)
            .map(Value::Number)
            .ok_or_else(|| mismatch(path, of, "text that is no number"))?,
        (Pack::String(text), Type::String) => Value::String(
            text.as_str()
                .ok_or_else(|| ValueError::new(path, "text that is not UTF-8"))?
                .to_owned(),
        ),
        (Pack::Array(array), Type::List(t) | Type::Set(t)) => {
            Value::List(items(array, &mut std::iter::repeat(&**t))?)
        }
        (Pack::Array(array), Type::Tuple(ts)) if array.len() == ts.len() => {
            Value::List(items(array, &mut ts.iter())?)
        }
        (Pack::Map(entries), Type::Map(_) | Type::Object(..)) => {
            let mut map = BTreeMap::new();
            for (name, value) in entries {
                let name = name
                    .as_str()
                    .ok_or_else(|| ValueError::new(path, "a name that is not text"))?;
                let path = join(path, name);
                let of = match of {
                    Type::Map(t) => t,
                    Type::Object(attributes, _) => attributes
                        .get(name)
                        .ok_or_else(|| ValueError::new(&path, "the type has no such attribute"))?,
                    _ => return Err(mismatch(&path, of, found())),
                };
                map.insert(name.to_owned(), decode(value, of, &path, depth + 1)?);
            }
            if let Type::Object(attributes, _) = of {
                for name in attributes.keys() {
                    map.entry(name.clone()).or_insert(Value::Null);
                }
            }
            Value::Map(map)
        }
        _ => return Err(mismatch(path, of, found())),
    })
}

/// An unknown value; of what is known about it only that it is not null is kept.
fn unknown(kind: i8, mut refinements: &[u8]) -> Value {
    if kind != REFINED {
        return Value::Unknown;
    }
    match rmpv::decode::read_value_with_max_depth(&mut refinements, 8) {
        Ok(Pack::Map(entries))
            if entries
                .iter()
                .any(|(k, v)| k.as_u64() == Some(IS_NULL) && v.as_bool() == Some(false)) =>
        {
            Value::UnknownNotNull
        }
        _ => Value::Unknown,
    }
}
