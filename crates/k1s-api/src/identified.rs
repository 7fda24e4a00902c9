// SPDX-License-Identifier: Apache-2.0
//! The service as somebody: every request is one identity's, as the listener makes it a certificate's.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use crate::api::Api;
use crate::body::Body;
use crate::identity::Identity;

/// An [`Api`] that is asked by one identity. Clones share the API.
#[derive(Clone)]
pub struct Identified {
    api: Api,
    identity: Identity,
}

impl Api {
    /// The service for requests of this identity.
    #[must_use]
    pub fn identified(self, identity: Identity) -> Identified {
        Identified {
            api: self,
            identity,
        }
    }
}

impl<B> Service<Request<B>> for Identified
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Api as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.api, cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.identity.clone());
        self.api.call(request)
    }
}
