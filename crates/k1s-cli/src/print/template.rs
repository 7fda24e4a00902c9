// SPDX-License-Identifier: Apache-2.0
//! `-o jsonpath=…` and its relatives.

use k1s_core::jsonpath::JsonPath;
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::error::{Error, Result};

/// A template, read.
pub(crate) struct Template {
    text: String,
    path: JsonPath,
    as_json: bool,
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
        let path = JsonPath::parse(&text)
            .map_err(|e| Error::message(format!("error parsing jsonpath {text}, {e}")))?
            .allow_missing_keys(allow_missing);
        Ok(Self {
            text,
            path,
            as_json: form == "jsonpath-as-json",
        })
    }

    /// The template filled with an object.
    pub(crate) fn render(&self, object: &Value) -> Result<Vec<u8>> {
        let rendered = if self.as_json {
            self.path.render_json(object)
        } else {
            self.path.render(object)
        };
        rendered.map(String::into_bytes).map_err(|e| {
            let text = &self.text;
            Error::message(format!(
                "error executing jsonpath {}: Error executing template: {e}. \
                 Printing more information for debugging the template:\n\ttemplate was:\n\t\t{text}\n\t\
                 object given to jsonpath engine was:\n\t\t{}\n\n\n",
                Quoted(text),
                go_syntax(object)
            ))
        })
    }
}

/// A value as Go's source would have it: `map[string]interface {}{"a":1}`.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => Quoted(text).to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{}:{}", Quoted(k), go_syntax(v)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(text: &str, allow_missing: bool) -> String {
        let object = json!({"data": {"k": "v"}, "list": [1, true, null]});
        match Template::new("jsonpath", text, allow_missing).and_then(|t| t.render(&object)) {
            Ok(bytes) => String::from_utf8(bytes).unwrap(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn templates() {
        assert_eq!(render("k is {.data.k}", true), "k is v");
        assert_eq!(render("{.none}", true), "");
        assert_eq!(
            render("{.data", true),
            "error parsing jsonpath {.data, unclosed action"
        );
        assert_eq!(
            render("{.none}", false),
            "error executing jsonpath \"{.none}\": Error executing template: none is not found. Printing more information for \
             debugging the template:\n\ttemplate was:\n\t\t{.none}\n\tobject given to jsonpath engine was:\n\t\t\
             map[string]interface {}{\"data\":map[string]interface {}{\"k\":\"v\"}, \
             \"list\":[]interface {}{1, true, interface {}(nil)}}\n\n\n"
        );
    }

    #[test]
    fn values_in_go() {
        assert_eq!(
            go_value(&json!({"a": {"b": [1, "x"]}, "c": null})),
            "map[a:map[b:[1 x]] c:<nil>]"
        );
    }
}
