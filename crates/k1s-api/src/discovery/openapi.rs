// SPDX-License-Identifier: Apache-2.0
//! `/openapi/v2` and `/openapi/v3`: the index, and documents that clients keep by their hash.

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, HeaderValue, IF_NONE_MATCH,
    LOCATION, VARY,
};
use http::{Method, Response, StatusCode};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use k1s_openapi::Format;

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
pub(super) fn index() -> Response<Bytes> {
    let mut response = bare(
        StatusCode::OK,
        Bytes::from_static(k1s_openapi::index().as_bytes()),
    );
    set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

/// `/openapi/v3/NAME`
pub(super) fn document_v3(request: &Request<'_>, name: &str) -> Response<Bytes> {
    let Some(hash) = k1s_openapi::hash(name) else {
        return bare(StatusCode::NOT_FOUND, Bytes::new());
    };
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
                k1s_openapi::document_v3(name, format).unwrap_or_default()
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
            document(request, k1s_openapi::hash_v2(), content_type, || {
                k1s_openapi::document_v2(format)
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
