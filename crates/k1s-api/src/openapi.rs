// SPDX-License-Identifier: Apache-2.0
//! `/openapi/v2` and `/openapi/v3`.

use bytes::Bytes;
use http::Response;

use crate::discovery::Request;

/// Answers a path below `/openapi`; `None` for all others.
pub(crate) fn answer(request: &Request<'_>) -> Option<Response<Bytes>> {
    let _ = request;
    None
}
