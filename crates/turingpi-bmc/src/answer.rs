// SPDX-License-Identifier: Apache-2.0
//! The envelopes of answers: with and without `result`, as one document or with a second one behind it.

use serde_json::Value;

use crate::error::{Error, Result};

/// The longest part of an unknown answer that is shown, in characters.
const SHOWN: usize = 300;

/// An answer of an unknown form, shown.
pub(crate) fn unknown(what: &str, shape: &str) -> Error {
    let mut text: String = shape.chars().take(SHOWN).collect();
    if text.len() < shape.len() {
        text.push('…');
    }
    Error::Shape {
        what: what.to_owned(),
        shape: text,
    }
}

/// The first document of a body; old daemons append a second one to some answers.
pub(crate) fn document(what: &str, body: &[u8]) -> Result<Value> {
    match serde_json::Deserializer::from_slice(body)
        .into_iter::<Value>()
        .next()
    {
        Some(Ok(value)) => Ok(value),
        _ => Err(unknown(what, &String::from_utf8_lossy(body))),
    }
}

/// What the envelope holds: `{"response":[{"result": X}]}` gives X, `{"response":[X]}` gives X.
///
/// Errors of 1.x come with the status 200: `{"response":[{"code":400,"result":"…"}]}`.
pub(crate) fn value(what: &str, body: &[u8]) -> Result<Value> {
    let document = document(what, body)?;
    let shape = || unknown(what, &document.to_string());
    let list = document
        .get("response")
        .and_then(Value::as_array)
        .ok_or_else(shape)?;
    let [first] = &list[..] else {
        // the key-value pairs that some clients have seen
        return Ok(Value::Array(list.clone()));
    };
    if let (Some(code), Some(text)) = (
        first.get("code").and_then(Value::as_u64),
        first.get("result").and_then(Value::as_str),
    ) {
        return Err(Error::Refused {
            what: what.to_owned(),
            status: u16::try_from(code).unwrap_or(400),
            text: text.to_owned(),
        });
    }
    Ok(first.get("result").unwrap_or(first).clone())
}

/// The one object that a value is or holds: `{…}` or `[{…}]`, or a list of pairs.
pub(crate) fn object(what: &str, value: &Value) -> Result<serde_json::Map<String, Value>> {
    match value {
        Value::Object(object) => Ok(object.clone()),
        Value::Array(items) => match &items[..] {
            [Value::Object(object)] => Ok(object.clone()),
            [] => Err(unknown(what, "[]")),
            pairs => pairs
                .iter()
                .map(|pair| match pair.as_array().map(Vec::as_slice) {
                    Some([Value::String(name), value]) => Ok((name.clone(), value.clone())),
                    _ => Err(unknown(what, &value.to_string())),
                })
                .collect(),
        },
        _ => Err(unknown(what, &value.to_string())),
    }
}

/// The text of an error: within the envelope, or the body as it is.
pub(crate) fn error_text(body: &str) -> String {
    let told = serde_json::from_str::<Value>(body).ok().and_then(|v| {
        let first = v.get("response")?.get(0)?;
        Some(first.get("result")?.as_str()?.to_owned())
    });
    let text = told.unwrap_or_else(|| body.trim().to_owned());
    if text.is_empty() {
        return "nothing".to_owned();
    }
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes() {
        let check = |body: &str, expected: &str| {
            let shown = match value("x", body.as_bytes()) {
                Ok(value) => value.to_string(),
                Err(e) => e.to_string(),
            };
            assert_eq!(shown, expected, "{body}");
        };
        check(r#"{"response":[{"result":[1]}]}"#, "[1]");
        check(r#"{"response":[{"result":"ok"}]}"#, "\"ok\"");
        check(r#"{"response":[{"node1":1}]}"#, r#"{"node1":1}"#);
        check(r#"{"response":[{"result":"ok"}]}{"response":[]}"#, "\"ok\"");
        check(r#"{"response":[["a",1],["b",2]]}"#, r#"[["a",1],["b",2]]"#);
        check(
            r#"{"response":[{"code":400,"result":"opt type error"}]}"#,
            "x: the BMC says: opt type error",
        );
        check("<html>", "x: the BMC answered in an unknown form: <html>");
        check(
            r#"{"a":1}"#,
            r#"x: the BMC answered in an unknown form: {"a":1}"#,
        );
    }

    #[test]
    fn an_unknown_form_is_shown_in_part() {
        let text = unknown("x", &"y".repeat(10_000)).to_string();
        assert!(text.len() < 400 && text.ends_with('…'));
    }
}
