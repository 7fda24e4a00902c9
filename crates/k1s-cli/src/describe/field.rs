// SPDX-License-Identifier: Apache-2.0
//! Reading fields of JSON objects where a missing field, a null and an empty value are all the same.

use serde_json::{Map, Value};

static NOTHING: Value = Value::Null;
static NO_FIELDS: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

/// Fields by dotted path (`spec.nodeName`); the names on a path hold no dots themselves.
pub(crate) trait Fields {
    /// The value at `path`, null where it is not there.
    fn at(&self, path: &str) -> &Value;
    /// The string at `path`, empty where there is none.
    fn text(&self, path: &str) -> &str;
    /// The items of the list at `path`.
    fn list(&self, path: &str) -> &[Value];
    /// The fields of the object at `path`.
    fn map(&self, path: &str) -> &Map<String, Value>;
    /// The integer at `path`, 0 where there is none.
    fn int(&self, path: &str) -> i64;
    /// Whether `true` stands at `path`.
    fn flag(&self, path: &str) -> bool;
    /// Whether there is a value other than null at `path`.
    fn has(&self, path: &str) -> bool;
    /// The value at `path` as Go prints it: strings bare, lists in brackets.
    fn shown(&self, path: &str) -> String;
    /// The strings of the list at `path`.
    fn strings(&self, path: &str) -> Vec<&str>;
}

impl Fields for Value {
    fn at(&self, path: &str) -> &Value {
        path.split('.')
            .try_fold(self, |value, name| value.get(name))
            .unwrap_or(&NOTHING)
    }

    fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    fn list(&self, path: &str) -> &[Value] {
        self.at(path)
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    fn map(&self, path: &str) -> &Map<String, Value> {
        self.at(path).as_object().unwrap_or(&NO_FIELDS)
    }

    fn int(&self, path: &str) -> i64 {
        self.at(path).as_i64().unwrap_or_default()
    }

    fn flag(&self, path: &str) -> bool {
        self.at(path).as_bool().unwrap_or_default()
    }

    fn has(&self, path: &str) -> bool {
        !self.at(path).is_null()
    }

    fn shown(&self, path: &str) -> String {
        shown(self.at(path))
    }

    fn strings(&self, path: &str) -> Vec<&str> {
        self.list(path).iter().filter_map(Value::as_str).collect()
    }
}

/// A value as Go's `%v` prints it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(shown).collect::<Vec<_>>().join(" ")
        ),
        Value::Object(fields) => {
            format!(
                "map[{}]",
                fields
                    .iter()
                    .map(|(name, value)| format!("{name}:{}", shown(value)))
                    .collect::<Vec<_>>()
                    .join(" ")
            )
        }
    }
}
