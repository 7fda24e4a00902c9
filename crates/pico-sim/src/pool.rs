// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 connections that many boards share. A board speaks HTTP/1.1 to its end of it, as to any server.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use crate::api::Api;
use crate::trouble::Troubles;

/// Requests at a time on one connection; servers allow 100 and more.
const STREAMS: usize = 100;
/// Requests of the boards of a thread that are asked at a time; the others wait for the heads of their answers. Until it has that, a
/// request costs hyper a task of 3 KB, and ten thousand boards that are switched on ask together.
const ASKED: usize = 128;

/// One connection and how many requests are on it.
struct Shared {
    sender: SendRequest<Full<Bytes>>,
    open: Rc<Cell<usize>>,
}

/// The connections of one thread.
pub(crate) struct Pool {
    api: Arc<Api>,
    troubles: Arc<Troubles>,
    connections: RefCell<Vec<Shared>>,
    /// One board after another dials, so that a thousand that come together find the connection of the first.
    dialling: tokio::sync::Mutex<()>,
    turns: Semaphore,
}

/// Counts a request for as long as it lasts.
pub(crate) struct Open(Rc<Cell<usize>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// Runs what hyper wants to run on this thread.
#[derive(Clone)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

impl Pool {
    pub(crate) fn new(api: Arc<Api>, troubles: Arc<Troubles>) -> Rc<Self> {
        Rc::new(Self {
            api,
            troubles,
            connections: RefCell::default(),
            dialling: tokio::sync::Mutex::new(()),
            turns: Semaphore::new(ASKED),
        })
    }

    fn free(&self) -> Option<(SendRequest<Full<Bytes>>, Open)> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|shared| !shared.sender.is_closed());
        let shared = connections
            .iter()
            .find(|shared| shared.open.get() < STREAMS)?;
        shared.open.set(shared.open.get() + 1);
        Some((shared.sender.clone(), Open(shared.open.clone())))
    }

    async fn sender(&self) -> Option<(SendRequest<Full<Bytes>>, Open)> {
        if let Some(free) = self.free() {
            return Some(free);
        }
        let _one = self.dialling.lock().await;
        if let Some(free) = self.free() {
            return Some(free);
        }
        // Boxed, because a request seldom needs it, and has room for it otherwise.
        let sender = Box::pin(self.dial()).await?;
        let open = Rc::new(Cell::new(1));
        self.connections.borrow_mut().push(Shared {
            sender: sender.clone(),
            open: open.clone(),
        });
        Some((sender, Open(open)))
    }

    async fn dial(&self) -> Option<SendRequest<Full<Bytes>>> {
        let stream = self
            .api
            .dial(b"h2")
            .await
            .inspect_err(|error| self.troubles.dialling(error))
            .ok()?;
        let (sender, connection) = http2::handshake(Local, TokioIo::new(stream)).await.ok()?;
        tokio::task::spawn_local(async move {
            // How it ends is told to whoever waits for an answer.
            let _ = connection.await;
        });
        Some(sender)
    }

    /// Asks what a board asks, with the credentials that the board does not have.
    pub(crate) async fn forward(
        self: Rc<Self>,
        request: pico_node::http::Incoming,
    ) -> Option<(Response<Incoming>, Open)> {
        let _turn = self.turns.acquire().await.ok()?;
        let request = self.said_again(request)?;
        let (mut sender, open) = self.sender().await?;
        sender.ready().await.ok()?;
        let response = sender.send_request(request).await.ok()?;
        Some((response, open))
    }

    fn said_again(&self, request: pico_node::http::Incoming) -> Option<Request<Full<Bytes>>> {
        let scheme = if self.api.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let mut forwarded = Request::builder()
            .method(request.method.as_str())
            .uri(format!(
                "{scheme}://{}{}",
                self.api.authority, request.target
            ))
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("pico-sim/", env!("CARGO_PKG_VERSION")));
        if !request.content_type.is_empty() {
            forwarded = forwarded.header(CONTENT_TYPE, request.content_type);
        }
        if !self.api.authorization.is_empty() {
            forwarded = forwarded.header(AUTHORIZATION, self.api.authorization.as_str());
        }
        forwarded.body(Full::new(Bytes::from(request.body))).ok()
    }
}
