// SPDX-License-Identifier: Apache-2.0
//! How requests reach an API: over a socket, or straight into the service in this process.
//!
//! Entry points: the [`Transport`] trait, [`service::InProcess`] and [`remote::Remote`].

use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;

use crate::error::Result;

pub mod remote;
pub mod service;
pub mod tls;

/// Why a body ended early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer; a watch's goes on until it is dropped.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A way to an API. Requests hold a path and a query; host, credentials and the user agent are the transport's.
pub trait Transport {
    /// Sends one request; the answer's body is read by the caller. A connection that goes over to another protocol (101) is in the
    /// answer's extensions, as hyper has it.
    fn send(&self, request: Request<Bytes>) -> LocalBoxFuture<'_, Result<Response<Body>>>;

    /// Whether the API is the one of this program, so that its built-in kinds are known without asking.
    fn in_process(&self) -> bool {
        false
    }

    /// The address before the path, for messages: `https://127.0.0.1:6443`.
    fn address(&self) -> String {
        String::new()
    }
}
