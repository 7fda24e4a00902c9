// SPDX-License-Identifier: Apache-2.0
//! Values in JSON, as states are stored.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{MAX_DEPTH, Number, Type, Value, ValueError};

impl Value {
    /// Reads a value of a type from JSON. Attributes that the type does not have are left out, so that a state written by an older
    /// version of a provider can be read; those that are missing are null.
    ///
    /// # Errors
    /// When the JSON holds another type, or nests deeper than 64.
    pub fn from_json(json: &Json, of: &Type) -> Result<Self, ValueError> {
        decode(json, of, "", 0)
    }

    /// The value in JSON; unknown values have no form in it and become null.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null | Self::Unknown | Self::UnknownNotNull => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Number(Number::Int(n)) => (*n).into(),
            Self::Number(Number::Float(x)) => (*x).into(),
            Self::Number(Number::Decimal(text)) => Json::String(text.clone()),
            Self::String(text) => Json::String(text.clone()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(items) => Json::Object(
                items
                    .iter()
                    .map(|(n, v)| (n.clone(), v.to_json()))
                    .collect(),
            ),
            Self::Dynamic(inner) => {
                serde_json::json!({"type": inner.0.to_json(), "value": inner.1.to_json()})
            }
        }
    }
}

fn decode(json: &Json, of: &Type, path: &str, depth: usize) -> Result<Value, ValueError> {
    if depth > MAX_DEPTH {
        return Err(ValueError::new(path, "nested more than 64 deep"));
    }
    let wrong = || ValueError::new(path, format!("expected {}", of.name()));
    Ok(match (json, of) {
        (Json::Null, _) => Value::Null,
        (Json::Object(inner), Type::Dynamic) => {
            let (Some(of), Some(value)) = (inner.get("type"), inner.get("value")) else {
                return Err(wrong());
            };
            let of = Type::from_json(of).map_err(|e| ValueError::new(path, e.to_string()))?;
            let value = decode(value, &of, path, depth + 1)?;
            Value::Dynamic(Box::new((of, value)))
        }
        (Json::Bool(b), Type::Bool) => Value::Bool(*b),
        // a state of older hosts has primitive values as text
        (Json::String(text), Type::Bool) => match text.as_str() {
            "true" | "1" => Value::Bool(true),
            "false" | "0" => Value::Bool(false),
            _ => return Err(wrong()),
        },
        (Json::Number(n), Type::Number) => {
            Value::Number(Number::parse(&n.to_string()).ok_or_else(wrong)?)
        }
        (Json::String(text), Type::Number) => Value::Number(Number::parse(text).ok_or_else(wrong)?),
        (Json::String(text), Type::String) => Value::String(text.clone()),
        (Json::Number(n), Type::String) => Value::String(n.to_string()),
        (Json::Bool(b), Type::String) => Value::String(b.to_string()),
        (Json::Array(items), Type::List(t) | Type::Set(t)) => Value::List(
            items
                .iter()
                .enumerate()
                .map(|(i, v)| decode(v, t, &format!("{path}[{i}]"), depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        (Json::Array(items), Type::Tuple(ts)) if items.len() == ts.len() => Value::List(
            items
                .iter()
                .zip(ts)
                .enumerate()
                .map(|(i, (v, t))| decode(v, t, &format!("{path}[{i}]"), depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        (Json::Object(items), Type::Map(t)) => Value::Map(
            items
                .iter()
                .map(|(n, v)| Ok((n.clone(), decode(v, t, &format!("{path}.{n}"), depth + 1)?)))
                .collect::<Result<_, ValueError>>()?,
        ),
        (Json::Object(items), Type::Object(attributes, _)) => {
            let mut map = BTreeMap::new();
            for (name, of) in attributes {
                let value = items.get(name).unwrap_or(&Json::Null);
                let value = decode(value, of, &format!("{path}.{name}"), depth + 1)?;
                map.insert(name.clone(), value);
            }
            Value::Map(map)
        }
        _ => return Err(wrong()),
    })
}
