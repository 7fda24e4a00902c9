// SPDX-License-Identifier: Apache-2.0
//! Writes a discovery document as JSON, YAML or protobuf.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use k1s_openapi::protobuf::Writer;
use serde_json::Value;

use super::accept::Encoding;
use super::{Request, bare};

/// An object in an encoding.
pub(super) fn object(
    request: &Request<'_>,
    status: StatusCode,
    encoding: Encoding,
    object: &Value,
) -> Response<Bytes> {
    let body = match encoding {
        Encoding::Json => json(object, request.pretty()),
        Encoding::Yaml => k1s_core::yaml::print(object).into(),
        Encoding::Protobuf => protobuf(object).into(),
    };
    let mut response = bare(status, body);
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static(encoding.media_type()),
    );
    response
}

/// Indented JSON whatever the client wants.
pub(super) fn raw_json(status: StatusCode, object: &Value) -> Response<Bytes> {
    let mut response = bare(status, json(object, true));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static(Encoding::Json.media_type()),
    );
    response
}

fn json(object: &Value, pretty: bool) -> Bytes {
    let text = if pretty {
        format!("{object:#}")
    } else {
        format!("{object}\n")
    };
    text.into()
}

/// How a field is written.
#[derive(Debug)]
enum Wire {
    Text,
    Bool,
    Int,
    Texts,
    /// A message with a list of strings.
    Verbs,
    One(&'static Message),
    Many(&'static Message),
}

type Message = [(&'static str, u32, Wire)];

const GROUP_VERSION: &Message = &[("groupVersion", 1, Wire::Text), ("version", 2, Wire::Text)];
const ADDRESS: &Message = &[
    ("clientCIDR", 1, Wire::Text),
    ("serverAddress", 2, Wire::Text),
];
const API_VERSIONS: &Message = &[
    ("versions", 1, Wire::Texts),
    ("serverAddressByClientCIDRs", 2, Wire::Many(ADDRESS)),
];
const API_GROUP: &Message = &[
    ("name", 1, Wire::Text),
    ("versions", 2, Wire::Many(GROUP_VERSION)),
    ("preferredVersion", 3, Wire::One(GROUP_VERSION)),
];
const API_GROUP_LIST: &Message = &[("groups", 1, Wire::Many(API_GROUP))];
const API_RESOURCE: &Message = &[
    ("name", 1, Wire::Text),
    ("namespaced", 2, Wire::Bool),
    ("kind", 3, Wire::Text),
    ("verbs", 4, Wire::Verbs),
    ("shortNames", 5, Wire::Texts),
    ("singularName", 6, Wire::Text),
    ("categories", 7, Wire::Texts),
    ("group", 8, Wire::Text),
    ("version", 9, Wire::Text),
    ("storageVersionHash", 10, Wire::Text),
];
const API_RESOURCE_LIST: &Message = &[
    ("groupVersion", 1, Wire::Text),
    ("resources", 2, Wire::Many(API_RESOURCE)),
];
const KIND: &Message = &[
    ("group", 1, Wire::Text),
    ("version", 2, Wire::Text),
    ("kind", 3, Wire::Text),
];
const SUBRESOURCE: &Message = &[
    ("subresource", 1, Wire::Text),
    ("responseKind", 2, Wire::One(KIND)),
    ("verbs", 4, Wire::Texts),
];
const RESOURCE: &Message = &[
    ("resource", 1, Wire::Text),
    ("responseKind", 2, Wire::One(KIND)),
    ("scope", 3, Wire::Text),
    ("singularResource", 4, Wire::Text),
    ("verbs", 5, Wire::Texts),
    ("shortNames", 6, Wire::Texts),
    ("categories", 7, Wire::Texts),
    ("subresources", 8, Wire::Many(SUBRESOURCE)),
];
const VERSION: &Message = &[
    ("version", 1, Wire::Text),
    ("resources", 2, Wire::Many(RESOURCE)),
    ("freshness", 3, Wire::Text),
];
const OBJECT_META: &Message = &[("name", 1, Wire::Text)];
const GROUP: &Message = &[
    ("metadata", 1, Wire::One(OBJECT_META)),
    ("versions", 2, Wire::Many(VERSION)),
];
const GROUP_DISCOVERY_LIST: &Message = &[
    ("metadata", 1, Wire::One(&[])),
    ("items", 2, Wire::Many(GROUP)),
];
const STATUS: &Message = &[
    ("metadata", 1, Wire::One(&[])),
    ("status", 2, Wire::Text),
    ("message", 3, Wire::Text),
    ("reason", 4, Wire::Text),
    ("details", 5, Wire::One(&[])),
    ("code", 6, Wire::Int),
];

/// The four bytes before every protobuf object of Kubernetes.
const MAGIC: &[u8] = b"k8s\0";

fn protobuf(object: &Value) -> Vec<u8> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let message = match text("kind") {
        "APIVersions" => API_VERSIONS,
        "APIGroupList" => API_GROUP_LIST,
        "APIGroup" => API_GROUP,
        "APIResourceList" => API_RESOURCE_LIST,
        "APIGroupDiscoveryList" => GROUP_DISCOVERY_LIST,
        _ => STATUS,
    };
    let mut raw = Writer::new();
    write(&mut raw, message, object);
    let mut envelope = Writer::new();
    envelope.message(1, |w| {
        w.string(1, text("apiVersion"));
        w.string(2, text("kind"));
    });
    envelope.present_bytes(2, &raw.into_bytes());
    envelope.present_bytes(3, b"");
    envelope.present_bytes(4, b"");
    [MAGIC, &envelope.into_bytes()].concat()
}

fn write(out: &mut Writer, message: &Message, object: &Value) {
    for (name, number, wire) in message {
        let value = &object[*name];
        let texts = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        match wire {
            Wire::Text => out.string(*number, value.as_str().unwrap_or_default()),
            Wire::Bool => out.bool(*number, value == true),
            Wire::Int => out.integer(*number, value.as_i64().unwrap_or_default()),
            Wire::Texts => texts.for_each(|t| out.present_bytes(*number, t.as_bytes())),
            Wire::Verbs => out.message(*number, |w| {
                texts.for_each(|t| w.present_bytes(1, t.as_bytes()))
            }),
            Wire::One(inner) if !value.is_null() => {
                out.message(*number, |w| write(w, inner, value))
            }
            Wire::One(_) => {}
            Wire::Many(inner) => value
                .as_array()
                .into_iter()
                .flatten()
                .for_each(|v| out.message(*number, |w| write(w, inner, v))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_group_in_protobuf() {
        let group = json!({"kind": "APIGroup", "apiVersion": "v1", "name": "a", "versions": [{"groupVersion": "a/v1", "version": "v1"}]});
        let expected = b"k8s\0\x0a\x0e\x0a\x02v1\x12\x08APIGroup\x12\x0f\x0a\x01a\x12\x0a\x0a\x04a/v1\x12\x02v1\x1a\x00\x22\x00";
        assert_eq!(protobuf(&group), expected);
    }
}
