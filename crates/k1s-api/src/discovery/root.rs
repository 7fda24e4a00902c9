// SPDX-License-Identifier: Apache-2.0
//! `/`: the paths that there are.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::{Check, Request, encode, groups};

pub(super) fn answer(request: &Request<'_>, checks: &[Check]) -> Response<Bytes> {
    let mut paths: Vec<String> = [
        "/api",
        "/api/v1",
        "/apis",
        "/apis/",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/",
        "/readyz",
        "/version",
    ]
    .map(String::from)
    .into();
    for group in groups::names(request.own) {
        paths.push(format!("/apis/{group}"));
        paths.extend(
            groups::versions(request.own, group)
                .iter()
                .map(|version| format!("/apis/{group}/{version}")),
        );
    }
    for endpoint in ["healthz", "livez", "readyz"] {
        paths.extend(
            checks
                .iter()
                .map(|check| format!("/{endpoint}/{}", check.name)),
        );
    }
    paths.sort_unstable();
    encode::raw_json(StatusCode::OK, &json!({"paths": paths}))
}
