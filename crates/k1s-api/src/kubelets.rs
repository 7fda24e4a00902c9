// SPDX-License-Identifier: Apache-2.0
//! The way to the kubelets of nodes. The service opens no connections itself; whoever has sockets brings them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::body::Body;

/// The annotation of a Node with the SHA-256 of the certificate that its kubelet presents, in hexadecimal digits: what a node
/// says of itself over a connection to the API that is verified, so that the one to the node is, too.
pub const CERTIFICATE_ANNOTATION: &str = "pico.io/kubelet-certificate-sha256";

/// Where a kubelet listens, and how it is told from anybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubelet {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What its certificate must be.
    pub trust: Trust,
}

/// What the certificate of a kubelet must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The one with this SHA-256.
    Certificate([u8; 32]),
    /// Any: the request asked for it (`insecureSkipTLSVerifyBackend`).
    Any,
}

/// What a request to a kubelet comes to, or in words why it came to nothing.
pub type KubeletAnswer = Pin<Box<dyn Future<Output = Result<Response<Body>, String>> + Send>>;

/// In the extensions of an answer with which a connection goes over to another protocol: the client speaks WebSocket, and its binary
/// messages are pieces of what the kubelet speaks. Who has the connection completes the answer with `Sec-WebSocket-Accept`.
#[derive(Clone, Copy, Debug)]
pub struct Tunnelled;

/// Sends requests to kubelets.
pub trait Kubelets: Send + Sync {
    /// Sends one request, whose URI has a path and a query.
    fn send(&self, kubelet: Kubelet, request: Request<Bytes>) -> KubeletAnswer;
}

/// [`Kubelets`], or none.
#[derive(Clone, Default)]
pub struct NodeAccess(pub(crate) Option<Arc<dyn Kubelets>>);

impl NodeAccess {
    /// Kubelets are reached in this way.
    #[must_use]
    pub fn new(kubelets: Arc<dyn Kubelets>) -> Self {
        Self(Some(kubelets))
    }
}

impl fmt::Debug for NodeAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "NodeAccess(…)"
        } else {
            "NodeAccess(none)"
        })
    }
}
