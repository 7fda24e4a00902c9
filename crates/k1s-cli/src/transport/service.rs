// SPDX-License-Identifier: Apache-2.0
//! The way into a service in this process.

use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Service, ServiceExt as _};

use crate::error::{Error, Result};
use crate::transport::{Body, BodyError, Transport};

/// A [`Transport`] over any service for HTTP requests.
pub struct InProcess<S> {
    service: S,
}

impl<S> InProcess<S> {
    /// A transport that calls clones of this service.
    pub fn new(service: S) -> Self {
        Self { service }
    }
}

impl<S, B> Transport for InProcess<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + 'static,
    S::Error: std::fmt::Display,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    fn send(&self, request: Request<Bytes>) -> LocalBoxFuture<'_, Result<Response<Body>>> {
        Box::pin(async move {
            let answer = self
                .service
                .clone()
                .oneshot(request.map(Full::new))
                .await
                .map_err(|e| Error::message(e.to_string()))?;
            Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }

    fn in_process(&self) -> bool {
        true
    }
}
