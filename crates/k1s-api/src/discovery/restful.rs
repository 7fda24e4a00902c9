// SPDX-License-Identifier: Apache-2.0
//! What a web service refuses before its handler sees the request: methods, body types, answers of another type.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Response};
use k1s_core::status::{Details, Status};

use super::{Request, failure};

/// The types of a document that is written in every encoding.
pub(super) const OBJECTS: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

/// Refuses a request that is no GET, has a body of an unknown type, or accepts none of the types.
pub(super) fn refused(request: &Request<'_>, types: &[&str]) -> Option<Response<Bytes>> {
    if request.method != Method::GET {
        return Some(failure(request, &Status::method_not_allowed()));
    }
    let content_type = request.header(CONTENT_TYPE);
    if !content_type.is_empty() && !any(content_type, types) {
        let status = Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
            .with_details(Details::default());
        return Some(failure(request, &status));
    }
    let accept = request.header(ACCEPT);
    if !accept.is_empty() && !any(accept, types) {
        let message = format!(
            "406: Not Acceptable\n\nAvailable representations: {}",
            types.join(", ")
        );
        return Some(failure(
            request,
            &Status::new(406, "NotAcceptable", message).with_details(Details::default()),
        ));
    }
    None
}

fn any(header: &str, types: &[&str]) -> bool {
    header.split(',').any(|clause| {
        let essence = clause.split(';').next().unwrap_or_default().trim();
        essence == "*/*" || types.contains(&essence)
    })
}
