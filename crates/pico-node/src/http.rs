// SPDX-License-Identifier: Apache-2.0
//! HTTP/1.1 without sockets: requests out, responses in (the API), requests in, responses out (the kubelet's own port).
//!
//! Where a message ends is decided by its framing or by the peer's close, never by time. Heads are bounded.

mod head;
mod request;
mod response;

pub use head::Error;
pub use request::{Incoming, RequestParser};
pub use response::{Event, Head, ResponseParser};

use alloc::string::String;
use core::fmt::Write as _;

/// A request to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PATCH`, `DELETE`.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// The media type of the body; empty if there is none.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn get(target: String) -> Self {
        Self {
            method: "GET",
            target,
            content_type: "",
            body: String::new(),
        }
    }

    /// Writes the request as it goes over the wire. `base` stands before the path; `authorization` is the whole value of that header, or empty.
    pub fn write(&self, host: &str, base: &str, authorization: &str, out: &mut String) {
        let _ = write!(
            out,
            "{} {base}{} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: pico-node/{}\r\nAccept: application/json\r\n",
            self.method,
            self.target,
            env!("CARGO_PKG_VERSION")
        );
        if !authorization.is_empty() {
            let _ = write!(out, "Authorization: {authorization}\r\n");
        }
        if !self.content_type.is_empty() {
            let _ = write!(
                out,
                "Content-Type: {}\r\nContent-Length: {}\r\n",
                self.content_type,
                self.body.len()
            );
        }
        out.push_str("\r\n");
        out.push_str(&self.body);
    }
}

/// Text as it may stand in a path or a query.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
