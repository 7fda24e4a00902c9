// SPDX-License-Identifier: Apache-2.0
//! Objects as they are stored and sent: JSON without `kind` and `apiVersion`, with a place for the resource version.
//!
//! What is stored is what a list sends for the item; a GET puts the two names in front. So reads never parse.

use bytes::{BufMut as _, Bytes, BytesMut};
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
    // writing JSON into memory cannot fail
    let _ = serde_json::to_writer(&mut *out, key);
    out.push(b':');
    let _ = serde_json::to_writer(&mut *out, value);
}

/// `{"apiVersion":"v1","kind":"ConfigMap",`: what stands before a stored object when it is sent alone.
#[must_use]
pub(crate) fn opening(api_version: &str, kind: &str) -> String {
    format!("{{\"apiVersion\":\"{api_version}\",\"kind\":\"{kind}\",")
}

/// A stored object with its names in front.
#[must_use]
pub(crate) fn with_names(kind: &Kind, stored: &[u8]) -> Bytes {
    let opening = opening(&kind.api_version(), kind.kind);
    let mut out = BytesMut::with_capacity(opening.len() + stored.len());
    out.put_slice(opening.as_bytes());
    out.put_slice(stored.get(1..).unwrap_or(b"}"));
    out.freeze()
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
    fn names_stand_in_front() {
        let kind = k1s_core::kinds::of_kind("apps", "v1", "Deployment").unwrap();
        assert_eq!(
            with_names(kind, br#"{"metadata":{}}"#),
            r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{}}"#
        );
    }
}
