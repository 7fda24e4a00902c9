// SPDX-License-Identifier: Apache-2.0
//! `kube::Client` on the API service in this process: kube-rs code runs unchanged, with no socket, no TLS and no server.
//!
//! Entry points: [`client`] and [`client_as`]. A request is handed over as it is and answered by the same service that a
//! server would ask, so everything that `kube` offers on HTTP works: typed and dynamic objects, watches, reflectors,
//! controllers, finalizers, discovery. What needs an upgraded connection (exec, attach, port-forward) does not.
//!
//! A client needs a running tokio runtime, as every `kube::Client` does.

use http::Request;
use k1s_api::{Api, Identity};
use kube::Client;
use kube::client::Body;
use tower::ServiceExt as _;

/// A client that asks as the administrator.
#[must_use]
pub fn client(api: Api, default_namespace: impl Into<String>) -> Client {
    client_as(api, Identity::admin(), default_namespace)
}

/// A client that asks as somebody else.
#[must_use]
pub fn client_as(api: Api, identity: Identity, default_namespace: impl Into<String>) -> Client {
    // The identity goes where the listener would put a certificate's.
    let identified = api.map_request(move |mut request: Request<Body>| {
        request.extensions_mut().insert(identity.clone());
        request
    });
    Client::new(identified, default_namespace)
}
