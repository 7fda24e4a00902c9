// SPDX-License-Identifier: Apache-2.0
//! The forms in which the daemon answers.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::profile::Profile;

/// An answer.
pub(crate) type Answer = Response<Full<Bytes>>;

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
}

/// A value in its envelope. The 1.x generation has none and prints prettily as plain text.
pub(crate) fn value(profile: Profile, value: &Value) -> Answer {
    if profile == Profile::V1 {
        // what is a list of one object elsewhere is the object
        let first = value.get(0).unwrap_or(value);
        let body = json!({ "response": [first] });
        let text = serde_json::to_string_pretty(&body).unwrap_or_default();
        return respond(StatusCode::OK, "text/plain", text);
    }
    let body = json!({"response": [{"result": value}]}).to_string();
    respond(StatusCode::OK, "application/json", body)
}

/// The answer of an operation.
pub(crate) fn done(profile: Profile) -> Answer {
    if profile == Profile::V1 {
        return value(profile, &json!({"result": "ok"}));
    }
    value(profile, &json!("ok"))
}

/// An error in its envelope; the 1.x generation answers 200.
pub(crate) fn error(profile: Profile, status: StatusCode, text: &str) -> Answer {
    if profile == Profile::V1 {
        return value(profile, &json!({"code": status.as_u16(), "result": text}));
    }
    let body = json!({"response": [{"result": text}]}).to_string();
    respond(status, "application/json", body)
}

/// Bare text, as the flash family answers.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    respond(status, "text/plain; charset=utf-8", text)
}

/// Bare JSON with its own type.
pub(crate) fn json_body(value: &Value) -> Answer {
    respond(StatusCode::OK, "application/json", value.to_string())
}

/// No body.
pub(crate) fn empty() -> Answer {
    Response::new(Full::new(Bytes::new()))
}
