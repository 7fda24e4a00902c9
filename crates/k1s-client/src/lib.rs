// SPDX-License-Identifier: Apache-2.0
//! `kube::Client` on the API service in this process: kube-rs code runs unchanged, with no socket, no TLS and no server.
//!
//! Entry points: [`client`] and [`client_as`]. A request is handed over as it is and answered by the same service that a
//! server would ask, so everything that `kube` offers on HTTP works: typed and dynamic objects, watches, reflectors,
//! controllers, finalizers, discovery. What needs an upgraded connection (exec, attach, port-forward) does not.
//!
//! A client needs a running tokio runtime, as every `kube::Client` does.

use k1s_api::{Api, Identity};
use kube::Client;

/// A client that asks as the administrator.
#[must_use]
pub fn client(api: Api, default_namespace: impl Into<String>) -> Client {
    client_as(api, Identity::admin(), default_namespace)
}

/// A client that asks as somebody else.
#[must_use]
pub fn client_as(api: Api, identity: Identity, default_namespace: impl Into<String>) -> Client {
    Client::new(api.identified(identity), default_namespace)
}
