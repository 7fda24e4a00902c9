// SPDX-License-Identifier: Apache-2.0
//! Types, and their form in JSON: `"string"`, `["list","number"]`, `["object",{…}]`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

/// A type of the host's type system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// A number of any size.
    Number,
    /// `true` or `false`.
    Bool,
    /// Any type; the value brings its own.
    Dynamic,
    /// Elements in order.
    List(Box<Type>),
    /// Elements without order, each once.
    Set(Box<Type>),
    /// Elements by name, all of one type.
    Map(Box<Type>),
    /// Attributes by name, each with its type, and the names of those that may be left out.
    Object(BTreeMap<String, Type>, BTreeSet<String>),
    /// Elements by place, each with its type.
    Tuple(Vec<Type>),
}

/// A type that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a type")]
pub struct TypeError(String);

impl Type {
    /// A list of this type.
    #[must_use]
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// A set of this type.
    #[must_use]
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// A map of this type.
    #[must_use]
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// An object with these attributes, none of which may be left out.
    #[must_use]
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        let attributes = attributes.into_iter().map(|(n, t)| (n.into(), t)).collect();
        Self::Object(attributes, BTreeSet::new())
    }

    /// The type in JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::String => json!("string"),
            Self::Number => json!("number"),
            Self::Bool => json!("bool"),
            Self::Dynamic => json!("dynamic"),
            Self::List(t) => json!(["list", t.to_json()]),
            Self::Set(t) => json!(["set", t.to_json()]),
            Self::Map(t) => json!(["map", t.to_json()]),
            Self::Tuple(ts) => json!(["tuple", ts.iter().map(Self::to_json).collect::<Vec<_>>()]),
            Self::Object(attributes, optional) => {
                let attributes: serde_json::Map<_, _> = attributes
                    .iter()
                    .map(|(n, t)| (n.clone(), t.to_json()))
                    .collect();
                if optional.is_empty() {
                    json!(["object", attributes])
                } else {
                    json!(["object", attributes, optional])
                }
            }
        }
    }

    /// The bytes that schemas carry.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }

    /// Reads a type from JSON.
    ///
    /// # Errors
    /// When it is none, or is nested more than 64 deep.
    pub fn from_json(json: &Json) -> Result<Self, TypeError> {
        Self::read(json, 0)
    }

    fn read(json: &Json, depth: usize) -> Result<Self, TypeError> {
        let wrong = || TypeError(json.to_string());
        if depth > super::MAX_DEPTH {
            return Err(TypeError("a deeper nesting than 64".into()));
        }
        let inner = |j: &Json| Self::read(j, depth + 1);
        match json {
            Json::String(name) => match name.as_str() {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(wrong()),
            },
            Json::Array(parts) => match (parts.first().and_then(Json::as_str), &parts[..]) {
                (Some("list"), [_, t]) => Ok(Self::list(inner(t)?)),
                (Some("set"), [_, t]) => Ok(Self::set(inner(t)?)),
                (Some("map"), [_, t]) => Ok(Self::map(inner(t)?)),
                (Some("tuple"), [_, Json::Array(ts)]) => {
                    Ok(Self::Tuple(ts.iter().map(inner).collect::<Result<_, _>>()?))
                }
                (Some("object"), [_, Json::Object(attributes), rest @ ..]) if rest.len() < 2 => {
                    let attributes = attributes
                        .iter()
                        .map(|(n, t)| Ok((n.clone(), inner(t)?)))
                        .collect::<Result<BTreeMap<_, _>, TypeError>>()?;
                    let optional = match rest.first() {
                        None => BTreeSet::new(),
                        Some(Json::Array(names)) => names
                            .iter()
                            .map(|n| n.as_str().map(str::to_owned).ok_or_else(wrong))
                            .collect::<Result<_, _>>()?,
                        Some(_) => return Err(wrong()),
                    };
                    Ok(Self::Object(attributes, optional))
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Dynamic => "dynamic",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Map(_) => "map",
            Self::Object(..) => "object",
            Self::Tuple(_) => "tuple",
        }
    }
}
