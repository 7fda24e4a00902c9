// SPDX-License-Identifier: Apache-2.0
//! JSONPath templates as kubectl has them: `{.items[*].metadata.name}`, `{range …}…{end}`.
//!
//! A template is text with actions in braces. [`JsonPath::parse`] reads it once; then
//! [`JsonPath::values`] finds values and [`JsonPath::render`] prints them, lists and maps as JSON,
//! scalars as they are, values of one action separated by spaces. Used for `-o jsonpath`, custom
//! columns, `--sort-by`, `wait --for=jsonpath` and the columns of custom resources.
//!
//! Maps are walked in the order of their keys. Filters know one comparison: `==`, `!=`, `<`, `<=`,
//! `>`, `>=`, or that something exists; there is no "and", "or" or regular expression.

mod compare;
mod evaluate;
mod parse;
mod relaxed;
#[cfg(test)]
mod tests;

pub use relaxed::{RelaxedPathError, relaxed};

use crate::json;
use evaluate::Item;
use parse::Node;
use serde_json::Value;
use std::borrow::Cow;

/// Why a template could not be read or carried out; `Display` is the message that kubectl gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPathError {
    /// The template is not well formed.
    #[error("{0}")]
    Syntax(String),
    /// The template does not fit the data.
    #[error("{0}")]
    Data(String),
    /// More values would be found than can be kept.
    #[error("too many values found")]
    TooMany,
}

/// A template that has been read.
///
/// # Examples
/// ```
/// use k1s_core::jsonpath::JsonPath;
/// let path = JsonPath::parse(r#"{range .items[?(@.ready==true)]}{.name}{"\n"}{end}"#).unwrap();
/// let data = serde_json::json!({"items": [{"name": "a", "ready": true}, {"name": "b", "ready": false}]});
/// assert_eq!(path.render(&data).unwrap(), "a\n");
/// ```
#[derive(Clone, Debug)]
pub struct JsonPath {
    nodes: Vec<Node>,
    allow_missing_keys: bool,
}

impl JsonPath {
    /// Reads a template.
    ///
    /// # Errors
    /// When an action, a string, an index or a filter is not well formed.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        Ok(Self {
            nodes: parse::parse(text)?,
            allow_missing_keys: false,
        })
    }

    /// Whether a key that is not there gives nothing instead of an error.
    #[must_use]
    pub fn allow_missing_keys(mut self, allow: bool) -> Self {
        self.allow_missing_keys = allow;
        self
    }

    /// The values that each action finds, in the order of the template; text is a value too.
    ///
    /// # Errors
    /// When a key is missing, an index is out of bounds, or types do not fit.
    pub fn values<'a>(
        &'a self,
        data: &'a Value,
    ) -> Result<Vec<Vec<Cow<'a, Value>>>, JsonPathError> {
        let groups = self.groups(data)?;
        Ok(groups
            .into_iter()
            .map(|group| group.into_iter().map(Item::into_value).collect())
            .collect())
    }

    fn groups<'a>(&'a self, data: &'a Value) -> Result<Vec<Vec<Item<'a>>>, JsonPathError> {
        evaluate::evaluate(&self.nodes, data, self.allow_missing_keys)
    }

    /// The text of the template with the values in it.
    ///
    /// # Errors
    /// As [`JsonPath::values`].
    pub fn render(&self, data: &Value) -> Result<String, JsonPathError> {
        let mut text = String::new();
        for group in self.groups(data)? {
            for (index, item) in group.iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(&item.text());
            }
        }
        Ok(text)
    }

    /// The values of each action as an indented JSON list, as `-o jsonpath-as-json` prints them.
    ///
    /// # Errors
    /// As [`JsonPath::values`].
    pub fn render_json(&self, data: &Value) -> Result<String, JsonPathError> {
        let mut text = String::new();
        for group in self.values(data)? {
            let list = Value::Array(group.into_iter().map(Cow::into_owned).collect());
            text.push_str(&json::print_pretty(&list));
            text.push('\n');
        }
        Ok(text)
    }
}
