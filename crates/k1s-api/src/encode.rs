// SPDX-License-Identifier: Apache-2.0
//! Objects as they are stored and sent: JSON without `kind` and `apiVersion`, with a place for the resource version.
//!
//! What is stored is what a list sends for the item; a GET puts the two names in front. So reads never parse.

use bytes::Bytes;
use k1s_core::kinds::Kind;
use k1s_store::Encoded;
use serde_json::{Map, Value};

/// Writes an object for the store.
#[must_use]
pub(crate) fn encode(object: &Value) -> Encoded {
    let mut out = Vec::with_capacity(512);
    let mut revision_at = 0;
    out.push(b'{');
    let empty = Map::new();
    let map = object.as_object().unwrap_or(&empty);
    let mut wrote_metadata = false;
    for (key, value) in map {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                revision_at = metadata(&mut out, value);
                wrote_metadata = true;
            }
            _ => member(&mut out, key, value),
        }
    }
    if !wrote_metadata {
        revision_at = metadata(&mut out, &Value::Null);
    }
    out.push(b'}');
    Encoded {
        bytes: out,
        revision_at: Some(revision_at),
    }
}

fn metadata(out: &mut Vec<u8>, value: &Value) -> usize {
    separate(out);
    out.extend_from_slice(b"\"metadata\":{");
    let mut at = None;
    let empty = Map::new();
    for (key, value) in value.as_object().unwrap_or(&empty) {
        match key.as_str() {
            "resourceVersion" => continue,
            // keys are sorted; the version stands before the first that comes behind it
            later if at.is_none() && later > "resourceVersion" => at = Some(version(out)),
            _ => {}
        }
        member(out, key, value);
    }
    let at = at.unwrap_or_else(|| version(out));
    out.push(b'}');
    at
}

fn version(out: &mut Vec<u8>) -> usize {
    separate(out);
    out.extend_from_slice(b"\"resourceVersion\":\"");
    let at = out.len();
    out.push(b'"');
    at
}

fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

fn member(out: &mut Vec<u8>, key: &str, value: &Value) {
    separate(out);
    write_text(out, key);
    out.push(b':');
    write(out, value);
}

/// Writes a value as `serde_json` does.
fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(map) => {
            out.push(b'{');
            for (key, value) in map {
                member(out, key, value);
            }
            out.push(b'}');
        }
        Value::Array(list) => {
            out.push(b'[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, value);
            }
            out.push(b']');
        }
        Value::String(text) => write_text(out, text),
        // writing JSON into memory cannot fail
        plain => drop(serde_json::to_writer(out, plain)),
    }
}

/// Writes a text. To see that it needs no escapes is many times faster than to look for them one by one.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let plain = text.bytes().fold(true, |plain, byte| {
        plain & (byte >= b' ') & (byte != b'"') & (byte != b'\\')
    });
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        drop(serde_json::to_writer(out, text));
    }
}

/// `{"apiVersion":"v1","kind":"ConfigMap",`: what stands before a stored object when it is sent alone.
#[must_use]
pub(crate) fn opening(kind: &Kind, name: &str) -> String {
    open(kind, name, 0)
}

/// A stored object with its names in front.
#[must_use]
pub(crate) fn with_names(kind: &Kind, stored: &[u8]) -> Bytes {
    let mut out = open(kind, kind.kind, stored.len()).into_bytes();
    out.extend_from_slice(stored.get(1..).unwrap_or(b"}"));
    out.into()
}

/// The opening, with room for what follows.
fn open(kind: &Kind, name: &str, room: usize) -> String {
    let parts = [
        "{\"apiVersion\":\"",
        kind.group,
        if kind.group.is_empty() { "" } else { "/" },
        kind.version,
        "\",\"kind\":\"",
        name,
        "\",",
    ];
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = String::with_capacity(length + room);
    parts.iter().for_each(|part| out.push_str(part));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(object: Value, expected: &str) {
        let encoded = encode(&object);
        let mut bytes = encoded.bytes;
        let at = encoded.revision_at.unwrap();
        bytes.splice(at..at, b"7".iter().copied());
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn the_version_has_its_place() {
        check(
            json!({"kind": "X", "metadata": {"name": "a"}}),
            r#"{"metadata":{"name":"a","resourceVersion":"7"}}"#,
        );
        check(
            json!({"data": {"resourceVersion": ""}, "metadata": {"name": "a", "resourceVersion": "5", "uid": "u"}, "z": 1}),
            r#"{"data":{"resourceVersion":""},"metadata":{"name":"a","resourceVersion":"7","uid":"u"},"z":1}"#,
        );
        check(
            json!({"metadata": {"uid": "u"}}),
            r#"{"metadata":{"resourceVersion":"7","uid":"u"}}"#,
        );
        check(json!({}), r#"{"metadata":{"resourceVersion":"7"}}"#);
    }

    #[test]
    fn values_are_written_as_others_write_them() {
        let object = json!({
            "a\"b": ["\u{1}", "\\", "\n", "\u{7f}", "ü<&>\u{2028}", "", 1, -2, 1.5, 3.0, true, false, null, {}, [], [[]]],
            "nested": {"x": {"y": "z"}, "\t": 0},
            "plain": "text",
        });
        let mut out = Vec::new();
        write(&mut out, &object);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            serde_json::to_string(&object).unwrap()
        );
    }

    #[test]
    fn names_stand_in_front() {
        let kind = k1s_core::kinds::of_kind("apps", "v1", "Deployment").unwrap();
        assert_eq!(
            with_names(kind, br#"{"metadata":{}}"#),
            r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{}}"#
        );
    }
}
