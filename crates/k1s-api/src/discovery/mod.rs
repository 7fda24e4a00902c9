// SPDX-License-Identifier: Apache-2.0
//! The paths that name no resource: discovery, `/version`, health, OpenAPI, the list of paths.
//!
//! [`answer`] is a pure function of the request. It holds no state: documents are made from the kinds when they are asked for.

mod accept;
mod aggregated;
mod encode;
mod groups;
mod health;
mod legacy;
mod metrics;
mod openapi;
mod restful;
mod root;
mod version;

pub use health::Check;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use k1s_core::kinds::Kind;
use k1s_core::status::Status;
use percent_encoding::percent_decode_str;

/// A request as far as discovery looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, which starts with a slash.
    pub path: &'a str,
    /// The query without its question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The kinds that are served and not built in.
    pub own: &'a [&'static Kind],
}

impl Request<'_> {
    fn header(&self, name: HeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }

    fn host(&self) -> &str {
        self.header(HOST)
    }

    /// The values of a parameter of the query.
    fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.split('&').filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }

    /// Whether JSON is indented: the client says so, or a person looks at it.
    fn pretty(&self) -> bool {
        match self.parameters("pretty").find(|v| !v.is_empty()) {
            Some(value) => matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"),
            None => ["curl", "Wget", "Mozilla/5.0"]
                .iter()
                .any(|p| self.header(http::header::USER_AGENT).starts_with(p)),
        }
    }
}

/// Whether what a path answers may tell of kinds that are not built in.
#[must_use]
pub fn tells_of_kinds(path: &str) -> bool {
    ["/apis", "/openapi", "/index.html"]
        .iter()
        .any(|p| path.starts_with(p))
        || path == "/"
}

/// Answers a path that names no resource; `None` when the path lies below a group and version that are served.
///
/// `checks` are the health checks and whether each is well.
#[must_use]
pub fn answer(request: &Request<'_>, checks: &[Check]) -> Option<Response<Bytes>> {
    let path = &*percent_decode_str(request.path).decode_utf8_lossy();
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    // one slash at the end is nothing for the paths that a web service answers
    let service = match segments.as_slice() {
        [rest @ .., ""] if !rest.is_empty() => rest,
        all => all,
    };
    Some(match service {
        ["version"] => version::answer(request),
        ["version", ..] => not_found(request),
        ["api"] => legacy::versions(request),
        ["api", "v1"] => legacy::resources(request, "", "v1"),
        ["api", "v1", ..] => return None,
        ["api", ..] => not_found(request),
        ["apis"] => legacy::groups(request),
        ["apis", group, rest @ ..] => {
            let versions = groups::versions(request.own, group);
            match rest {
                _ if versions.is_empty() => no_page(),
                [] => legacy::group(request, group, &versions),
                [version, below @ ..] if versions.contains(version) => match below {
                    [] => legacy::resources(request, group, version),
                    _ if !groups::is_built_in(group, version) => no_page(),
                    _ => return None,
                },
                _ if !groups::is_built_in(group, "") => no_page(),
                _ => not_found(request),
            }
        }
        _ => match segments.as_slice() {
            [""] | ["index.html"] => root::answer(request, checks),
            [name @ ("healthz" | "livez" | "readyz")] => health::all(request, name, checks),
            ["healthz" | "livez" | "readyz", check] => health::one(check, checks),
            ["metrics"] => metrics::answer(),
            ["openapi", "v2"] => openapi::document_v2(request),
            ["openapi", "v3"] => openapi::index(request),
            ["openapi", "v3", ..] => {
                openapi::document_v3(request, path.trim_start_matches("/openapi/v3/"))
            }
            _ => no_page(),
        },
    })
}

/// A path that nothing serves, as Go's file server would say it.
fn no_page() -> Response<Bytes> {
    text(StatusCode::NOT_FOUND, "404 page not found\n".into())
}

/// A path that cannot be read.
pub(crate) fn bad_request() -> Response<Bytes> {
    text(StatusCode::BAD_REQUEST, "400 Bad Request".into())
}

/// A path that a web service has, but no route.
fn not_found(request: &Request<'_>) -> Response<Bytes> {
    failure(request, &Status::no_such_resource())
}

fn text(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = bare(status, body.into());
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        http::header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// An answer without a content type, not to be kept.
fn bare(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// A failure in the encoding that the client wants, or JSON.
fn failure(request: &Request<'_>, status: &Status) -> Response<Bytes> {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = status.to_json();
    match accept::whole(request) {
        Some(encoding) => encode::object(request, code, encoding, &body),
        None => encode::raw_json(code, &body),
    }
}

#[cfg(test)]
mod tests;
