// SPDX-License-Identifier: Apache-2.0
//! `/openapi/v2` and `/openapi/v3`: the index, and documents that clients keep by their hash.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, HeaderValue, IF_NONE_MATCH,
    LOCATION, VARY,
};
use http::{Method, Response, StatusCode};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use k1s_core::kinds::Kind;
use k1s_openapi::Format;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Request, accept, bare};

/// The encodings of a version: subtype of `application`, what it means, and the type that is answered.
type Types = [(&'static str, Format, &'static str); 3];

const V2: Types = [
    ("json", Format::Json, "application/json"),
    (
        "com.github.proto-openapi.spec.v2@v1.0+protobuf",
        Format::Protobuf,
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    ),
    (
        "com.github.proto-openapi.spec.v2.v1.0+protobuf",
        Format::Protobuf,
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    ),
];

const V3: Types = [
    ("json", Format::Json, "application/json"),
    (
        "com.github.proto-openapi.spec.v3@v1.0+protobuf",
        Format::Protobuf,
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
    ),
    (
        "com.github.proto-openapi.spec.v3.v1.0+protobuf",
        Format::Protobuf,
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
    ),
];

/// `/openapi/v3`
pub(super) fn index(request: &Request<'_>) -> Response<Bytes> {
    let body = if request.own.is_empty() {
        Bytes::from_static(k1s_openapi::index().as_bytes())
    } else {
        index_with(request.own).into()
    };
    let mut response = bare(StatusCode::OK, body);
    set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

/// The index with the documents of own kinds in it.
fn index_with(own: &[&'static Kind]) -> Vec<u8> {
    // the index is made by this program
    let mut index: Value = serde_json::from_str(k1s_openapi::index()).unwrap_or_default();
    for kind in own {
        let group = format!("apis/{}", kind.group);
        let version = format!("{group}/{}", kind.version);
        for name in [group, version] {
            if k1s_openapi::hash(&name).is_some() {
                continue;
            }
            if let Some(hash) = own_hash(own, &name) {
                index["paths"][&name] =
                    json!({"serverRelativeURL": format!("/openapi/v3/{name}?hash={hash}")});
            }
        }
    }
    serde_json::to_vec(&index).unwrap_or_default()
}

/// The hash of a document about own kinds.
fn own_hash(own: &[&'static Kind], name: &str) -> Option<String> {
    let mut kinds = own
        .iter()
        .filter(|k| {
            let group = format!("apis/{}", k.group);
            name == group || name == format!("{group}/{}", k.version)
        })
        .peekable();
    kinds.peek()?;
    Some(digest(name, kinds))
}

/// A hash of what a document about these kinds is made of.
fn digest<'a>(start: &str, kinds: impl Iterator<Item = &'a &'static Kind>) -> String {
    let mut hash = Sha256::new();
    hash.update(k1s_openapi::hash_v2());
    hash.update(start);
    for kind in kinds {
        let subresources: Vec<&str> = kind.subresources.iter().map(|s| s.name).collect();
        let schema = kind.custom.map(|c| &c.openapi);
        let content = json!([
            kind.schema.name,
            kind.plural,
            kind.list_kind(),
            kind.namespaced,
            subresources,
            schema
        ]);
        hash.update(content.to_string());
    }
    let hash: String = hash.finalize().iter().map(|b| format!("{b:02X}")).collect();
    hash
}

/// `/openapi/v3/NAME`
pub(super) fn document_v3(request: &Request<'_>, name: &str) -> Response<Bytes> {
    let built_in = k1s_openapi::hash(name).map(Cow::Borrowed);
    let Some(hash) = built_in
        .clone()
        .or_else(|| own_hash(request.own, name).map(Cow::Owned))
    else {
        return bare(StatusCode::NOT_FOUND, Bytes::new());
    };
    let hash = &*hash;
    let Some((format, content_type)) = negotiate(request, &V3) else {
        return not_acceptable();
    };
    match request.parameters("hash").find(|h| !h.is_empty()) {
        Some(asked) if asked != hash => {
            let mut response = bare(StatusCode::MOVED_PERMANENTLY, Bytes::new());
            set(
                &mut response,
                LOCATION,
                &format!("/openapi/v3/{name}?hash={hash}"),
            );
            set(&mut response, CONTENT_TYPE, content_type);
            tag(&mut response, hash);
            response
        }
        asked => {
            let mut response = document(request, hash, content_type, || {
                if built_in.is_some() {
                    k1s_openapi::document_v3(name, format).unwrap_or_default()
                } else {
                    k1s_openapi::document_v3_of(request.own, name, format).unwrap_or_default()
                }
            });
            if asked.is_some() {
                set(&mut response, CACHE_CONTROL, "public, immutable");
                set(&mut response, EXPIRES, &in_a_year());
            }
            response
        }
    }
}

/// `/openapi/v2`
pub(super) fn document_v2(request: &Request<'_>) -> Response<Bytes> {
    match negotiate(request, &V2) {
        Some((format, content_type)) => {
            let hash = if request.own.is_empty() {
                Cow::Borrowed(k1s_openapi::hash_v2())
            } else {
                Cow::Owned(digest(k1s_openapi::hash_v2(), request.own.iter()))
            };
            document(request, &hash, content_type, || {
                k1s_openapi::document_v2(request.own, format)
            })
        }
        None => not_acceptable(),
    }
}

fn negotiate(request: &Request<'_>, types: &Types) -> Option<(Format, &'static str)> {
    let accept = match request.header(ACCEPT) {
        "" => "*/*",
        accept => accept,
    };
    accept::clauses(accept).iter().find_map(|clause| {
        let fits = |subtype: &str| {
            matches!(clause.kind, "application" | "*")
                && (clause.subtype == subtype || clause.subtype == "*")
        };
        types
            .iter()
            .find(|(subtype, ..)| fits(subtype))
            .map(|(_, format, content_type)| (*format, *content_type))
    })
}

fn not_acceptable() -> Response<Bytes> {
    let mut response = bare(StatusCode::NOT_ACCEPTABLE, Bytes::new());
    set(&mut response, VARY, "Accept");
    response
}

/// A document, or only its tag when the client has it.
fn document(
    request: &Request<'_>,
    hash: &str,
    content_type: &str,
    make: impl FnOnce() -> Bytes,
) -> Response<Bytes> {
    let quoted = format!("\"{hash}\"");
    let known = request
        .header(IF_NONE_MATCH)
        .split(',')
        .map(|t| t.trim().trim_start_matches("W/"))
        .any(|t| t == "*" || t == quoted);
    let mut response = if known && matches!(*request.method, Method::GET | Method::HEAD) {
        bare(StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        let mut response = bare(StatusCode::OK, make());
        set(&mut response, CONTENT_TYPE, content_type);
        response
    };
    tag(&mut response, hash);
    response
}

fn tag(response: &mut Response<Bytes>, hash: &str) {
    set(response, ETAG, &format!("\"{hash}\""));
    set(response, VARY, "Accept");
}

fn set(response: &mut Response<Bytes>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A document with its hash in the address never changes.
fn in_a_year() -> String {
    let then = Timestamp::now()
        .saturating_add((365 * 24).hours())
        .map(|t| t.to_zoned(TimeZone::UTC));
    then.map(|t| t.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}
