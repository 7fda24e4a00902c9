// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 connections that many boards share. A board speaks HTTP/1.1 to its end of it, as to any server.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use pico_node::Slot;
use pico_node::http::RequestParser;
use tokio::sync::mpsc;

use crate::api::Api;
use crate::link::{Event, News};
use crate::trouble::Troubles;

/// Requests at a time on one connection; servers allow 100 and more.
const STREAMS: usize = 100;
/// Bytes of the body of a request.
const BODY: u64 = 64 * 1024;

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
}

/// Counts a request for as long as it lasts.
struct Open(Rc<Cell<usize>>);

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
        let open = Rc::new(Cell::new(1));
        self.connections.borrow_mut().push(Shared {
            sender: sender.clone(),
            open: open.clone(),
        });
        Some((sender, Open(open)))
    }

    /// Answers what a board asks on one of its connections, until either end has enough.
    pub(crate) async fn serve(
        &self,
        mut from_board: mpsc::Receiver<Bytes>,
        slot: Slot,
        number: u32,
        events: mpsc::Sender<Event>,
    ) {
        let tell = |news| events.send(Event { slot, number, news });
        if tell(News::Up).await.is_err() {
            return;
        }
        let mut parser = RequestParser::with_limit(BODY);
        while let Some(bytes) = from_board.recv().await {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let Ok((used, request)) = parser.push(rest) else {
                    let _ = tell(News::Down).await;
                    return;
                };
                rest = &rest[used..];
                let Some(request) = request else {
                    continue;
                };
                let answered = match self.forward(request).await {
                    // Boxed, because most boards only wait for a watch to say something.
                    Some((response, open)) => answer(response, &tell, open).await,
                    None => false,
                };
                if !answered {
                    let _ = tell(News::Down).await;
                    return;
                }
            }
        }
    }

    async fn forward(
        &self,
        request: pico_node::http::Incoming,
    ) -> Option<(Response<Incoming>, Open)> {
        let (mut sender, open) = self.sender().await?;
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
        let forwarded = forwarded.body(Full::new(Bytes::from(request.body))).ok()?;
        sender.ready().await.ok()?;
        let response = sender.send_request(forwarded).await.ok()?;
        Some((response, open))
    }
}

/// Says a response as HTTP/1.1. Says whether it came to its end.
async fn answer<F>(response: Response<Incoming>, tell: &impl Fn(News) -> F, _open: Open) -> bool
where
    F: Future<Output = Result<(), mpsc::error::SendError<Event>>>,
{
    let mut head = format!("HTTP/1.1 {} \r\n", response.status().as_u16());
    for name in [DATE, RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name).and_then(|v| v.to_str().ok()) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    if tell(News::Bytes(head.into())).await.is_err() {
        return false;
    }
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.is_empty() {
            continue;
        }
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend_from_slice(&data);
        chunk.extend_from_slice(b"\r\n");
        if tell(News::Bytes(chunk.into())).await.is_err() {
            return false;
        }
    }
    tell(News::Bytes(Bytes::from_static(b"0\r\n\r\n")))
        .await
        .is_ok()
}
