// SPDX-License-Identifier: Apache-2.0
//! `/metrics`: what the server is, in the text format of Prometheus.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::bare;
use super::version::GIT_VERSION;

pub(super) fn answer() -> Response<Bytes> {
    let body = format!(
        "# HELP kubernetes_build_info The version of the API and of the server.\n# TYPE kubernetes_build_info gauge\n\
         kubernetes_build_info{{git_version=\"{GIT_VERSION}\",major=\"1\",minor=\"35\",platform=\"{}/{}\"}} 1\n",
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    let mut response = bare(StatusCode::OK, body.into());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}
