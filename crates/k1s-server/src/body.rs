// SPDX-License-Identifier: Apache-2.0
//! The bodies of requests and responses, as the listener passes them on.
//!
//! A [`RequestBody`] fails when its client pauses too long. A [`ResponseBody`] ends when the server stops and there
//! is nothing left to send at the moment: that is how watches, which never end by themselves, let a server stop.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use thiserror::Error;
use tokio::time::{Sleep, sleep};

use crate::stop::Stop;

/// A request's body could not be read to its end.
#[derive(Debug, Error)]
pub enum RequestBodyError {
    /// The client sent nothing for too long.
    #[error("the client sent nothing for {} s in the middle of a request", .0.as_secs())]
    TimedOut(Duration),
    /// The connection broke, or what came was not HTTP.
    #[error("the request's body cannot be read")]
    Broken(#[from] hyper::Error),
}

/// The body of a request that came over the network.
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    pause: Duration,
    /// Runs while the client is waited for. Most bodies are there at once and never need it.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, pause: Duration) -> Self {
        Self {
            inner,
            pause,
            waiting: None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.waiting = None;
            return Poll::Ready(frame.map(|result| result.map_err(Into::into)));
        }
        let pause = self.pause;
        ready!(
            self.waiting
                .get_or_insert_with(|| Box::pin(sleep(pause)))
                .as_mut()
                .poll(cx)
        );
        Poll::Ready(Some(Err(RequestBodyError::TimedOut(pause))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// How long a response must have had nothing to send, once the server stops, to be taken for a watch.
const QUIET: Duration = Duration::from_millis(100);

/// The body of a response on its way to the network.
pub(crate) struct ResponseBody<B> {
    inner: Pin<Box<B>>,
    stop: Stop,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<B> ResponseBody<B> {
    pub(crate) fn new(inner: B, stop: Stop) -> Self {
        Self {
            inner: Box::pin(inner),
            stop,
            waiting: None,
        }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if let Poll::Ready(frame) = self.inner.as_mut().poll_frame(cx) {
            // A watch that goes on talking while the server stops is cut by the connection's grace period.
            return Poll::Ready(frame);
        }
        let this = &mut *self;
        let waiting = this.waiting.get_or_insert_with(|| {
            let mut stop = this.stop.clone();
            Box::pin(async move {
                stop.stopped().await;
                sleep(QUIET).await;
            })
        });
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
