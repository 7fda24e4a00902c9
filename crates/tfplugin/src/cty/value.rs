// SPDX-License-Identifier: Apache-2.0
//! Values, and the ways in which a provider reads and builds them.

use std::collections::BTreeMap;

use super::{Number, Type};

/// A value. Its type is told beside it, by the schema.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// Not there.
    #[default]
    Null,
    /// Known only after apply.
    Unknown,
    /// Known only after apply, and certainly not null then.
    UnknownNotNull,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// Elements of a list, a set or a tuple.
    List(Vec<Value>),
    /// Elements of a map, attributes of an object.
    Map(BTreeMap<String, Value>),
    /// A value under the dynamic type, with the type that it has.
    Dynamic(Box<(Type, Value)>),
}

impl Value {
    /// An object of these attributes.
    #[must_use]
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Map(attributes.into_iter().map(|(n, v)| (n.into(), v)).collect())
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Dynamic(d) => d.1.is_null(),
            _ => false,
        }
    }

    /// Whether it is unknown itself.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown | Self::UnknownNotNull)
    }

    /// Whether nothing in it is unknown.
    #[must_use]
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown | Self::UnknownNotNull => false,
            Self::List(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(items) => items.values().all(Self::is_wholly_known),
            Self::Dynamic(d) => d.1.is_wholly_known(),
            _ => true,
        }
    }

    /// The attribute of this name; null where there is none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &Self {
        static NULL: Value = Value::Null;
        match self {
            Self::Map(attributes) => attributes.get(name).unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    /// Sets an attribute of an object; nothing happens to what is none.
    pub fn set(&mut self, name: &str, value: impl Into<Self>) {
        if let Self::Map(attributes) = self {
            attributes.insert(name.to_owned(), value.into());
        }
    }

    /// The text, if it is known text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth, if it is known.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The whole number, if it is a known one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(n) => n.as_i64(),
            _ => None,
        }
    }

    /// The elements of a list, a set or a tuple.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The elements of a map, the attributes of an object.
    #[must_use]
    pub fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(items) => Some(items),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Number(n.into())
    }
}

impl From<i32> for Value {
    fn from(n: i32) -> Self {
        Self::Number(i64::from(n).into())
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Number(i64::from(n).into())
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Number(x.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> From<BTreeMap<String, T>> for Value {
    fn from(items: BTreeMap<String, T>) -> Self {
        Self::Map(items.into_iter().map(|(n, v)| (n, v.into())).collect())
    }
}
