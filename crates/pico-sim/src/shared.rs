// SPDX-License-Identifier: Apache-2.0
//! A board's connection whose requests go over HTTP/2 that many boards share: what the board says is understood here, and said
//! again by the [`Pool`].
//!
//! There are thousands of these, and each waits most of the time. So none has a task, a channel or a buffer of its own: its board
//! polls it, and what a request needs is there only until it is answered.

use std::fmt::Write as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::Response;
use http::header::{DATE, RETRY_AFTER};
use hyper::body::{Body as _, Incoming};
use pico_node::http::RequestParser;

use crate::link::News;
use crate::pool::{Open, Pool};

/// Bytes of the body of a request.
const BODY: u64 = 64 * 1024;
/// What has come of an answer is said in pieces of about so many bytes.
const PIECE: usize = 2048;

/// A connection as its board has it.
pub(crate) struct SharedLink {
    pool: Rc<Pool>,
    state: State,
    /// Of a request that has not come whole.
    parser: Option<Box<RequestParser>>,
}

/// An answer, and that it is counted until its end.
type Answer = (Response<Incoming>, Open);

enum State {
    /// The board does not know yet that the connection is made.
    Opened,
    /// Nothing is asked.
    Idle,
    /// The head of an answer is waited for.
    Asked(Pin<Box<dyn Future<Output = Option<Answer>>>>),
    /// The body of an answer comes.
    Answered { body: Incoming, _open: Open },
    /// It is of no further use.
    Failed,
}

impl SharedLink {
    /// A connection that is made at once: whether the API can be reached is seen by the first request.
    pub(crate) fn new(pool: Rc<Pool>) -> Self {
        Self {
            pool,
            state: State::Opened,
            parser: None,
        }
    }

    /// Takes what the board says, up to the end of a request, and nothing before the one before is answered. Says how many bytes.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while used < bytes.len() && matches!(self.state, State::Idle) {
            let parser = self
                .parser
                .get_or_insert_with(|| Box::new(RequestParser::with_limit(BODY)));
            match parser.push(&bytes[used..]) {
                Ok((n, None)) => used += n,
                Ok((n, Some(request))) => {
                    used += n;
                    self.parser = None;
                    self.state = State::Asked(Box::pin(self.pool.clone().forward(request)));
                }
                Err(_) => self.state = State::Failed,
            }
        }
        used
    }

    /// What the connection says next.
    pub(crate) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        let mut said = Vec::new();
        while said.len() < PIECE {
            match &mut self.state {
                State::Opened => {
                    self.state = State::Idle;
                    return Poll::Ready(News::Up);
                }
                State::Asked(answer) => match answer.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => self.state = State::Failed,
                    Poll::Ready(Some((response, open))) => {
                        said.extend_from_slice(head(&response).as_bytes());
                        let body = response.into_body();
                        self.state = State::Answered { body, _open: open };
                    }
                },
                State::Answered { body, .. } => match Pin::new(body).poll_frame(cx) {
                    Poll::Pending => break,
                    Poll::Ready(None) => {
                        said.extend_from_slice(b"0\r\n\r\n");
                        self.state = State::Idle;
                    }
                    Poll::Ready(Some(Err(_))) => self.state = State::Failed,
                    Poll::Ready(Some(Ok(frame))) => {
                        // What is no data are trailers, which nobody here reads.
                        if let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) {
                            said.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                            said.extend_from_slice(data);
                            said.extend_from_slice(b"\r\n");
                        }
                    }
                },
                State::Failed if said.is_empty() => return Poll::Ready(News::Down),
                State::Idle | State::Failed => break,
            }
        }
        if said.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(News::Bytes(said.into()))
        }
    }
}

/// The head of a response as HTTP/1.1 says it.
fn head(response: &Response<Incoming>) -> String {
    let mut head = format!("HTTP/1.1 {} \r\n", response.status().as_u16());
    for name in [DATE, RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name).and_then(|v| v.to_str().ok()) {
            // Writing to a string does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    head
}
