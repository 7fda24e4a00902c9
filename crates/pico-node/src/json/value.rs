// SPDX-License-Identifier: Apache-2.0
//! A small JSON tree: what a [`super::Reader`] kept of a document.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// A JSON value. Numbers keep their text, so that none is rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written.
    Number(Box<str>),
    /// A string, with escapes resolved.
    String(Box<str>),
    /// An array.
    Array(Vec<Value>),
    /// An object in the order of the document; of two equal keys the later one counts.
    Object(Vec<(Box<str>, Value)>),
}

impl Value {
    /// The value under a path of keys; `None` if there is none or it is `null`.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        let mut value = self;
        for key in path {
            let Self::Object(entries) = value else {
                return None;
            };
            value = &entries.iter().rev().find(|(k, _)| **k == **key)?.1;
        }
        (*value != Self::Null).then_some(value)
    }

    /// The string under a path, or an empty one.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> &str {
        match self.at(path) {
            Some(Self::String(text)) => text,
            _ => "",
        }
    }

    /// The whole number under a path.
    #[must_use]
    pub fn integer(&self, path: &[&str]) -> Option<i64> {
        match self.at(path) {
            Some(Self::Number(text)) => text.parse().ok(),
            _ => None,
        }
    }

    /// A quantity or port under a path: a string, or a number as it was written.
    #[must_use]
    pub fn scalar(&self, path: &[&str]) -> &str {
        match self.at(path) {
            Some(Self::String(text) | Self::Number(text)) => text,
            _ => "",
        }
    }

    /// Whether `true` stands under a path.
    #[must_use]
    pub fn is_true(&self, path: &[&str]) -> bool {
        matches!(self.at(path), Some(Self::Bool(true)))
    }

    /// The elements of the array under a path; none if there is no array.
    #[must_use]
    pub fn list(&self, path: &[&str]) -> &[Self] {
        match self.at(path) {
            Some(Self::Array(list)) => list,
            _ => &[],
        }
    }

    /// The entries of the object under a path; none if there is no object.
    #[must_use]
    pub fn entries(&self, path: &[&str]) -> &[(Box<str>, Self)] {
        match self.at(path) {
            Some(Self::Object(entries)) => entries,
            _ => &[],
        }
    }

    /// The value as a string, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}
