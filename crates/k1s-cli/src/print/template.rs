// SPDX-License-Identifier: Apache-2.0
//! `-o jsonpath=…` and its relatives.

use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::error::{Error, Result};

/// A template, read.
pub(crate) struct Template {
    text: String,
    as_json: bool,
    allow_missing: bool,
}

impl Template {
    /// Reads the template of a form: the text itself, or a file's.
    pub(crate) fn new(form: &str, text: &str, allow_missing: bool) -> Result<Self> {
        let text = if form.ends_with("file") {
            let bytes = std::fs::read(text).map_err(|e| {
                let why = match e.kind() {
                    std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                    _ => e.to_string(),
                };
                Error::message(format!(
                    "error reading --template {text}, open {text}: {why}"
                ))
            })?;
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            text.to_owned()
        };
        if !form.starts_with("jsonpath") {
            return Err(Error::message(format!(
                "the output format {} is not supported: jsonpath says the same in other words",
                Quoted(form)
            )));
        }
        Ok(Self {
            text,
            as_json: form == "jsonpath-as-json",
            allow_missing,
        })
    }

    /// The template filled with an object.
    pub(crate) fn render(&self, _object: &Value) -> Result<Vec<u8>> {
        Err(Error::message(format!(
            "jsonpath {} {} {}",
            self.text, self.as_json, self.allow_missing
        )))
    }
}

/// A value in the words of Go's `fmt`: `map[a:1]`, `[1 2]`, `<nil>`.
pub(crate) fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{k}:{}", go_value(v)))
                .collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}
