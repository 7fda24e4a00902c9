// SPDX-License-Identifier: Apache-2.0
//! Bodies of answers: nothing, bytes, a row of pieces that is written out as it is asked for, or a stream of events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::{Frame, SizeHint};

/// What can go wrong while a body is sent: the watch behind it was closed.
#[derive(Debug, thiserror::Error)]
#[error("the answer ended early: {0}")]
pub struct BodyError(pub String);

/// The body of an answer.
pub struct Body(Inner);

enum Inner {
    Empty,
    Full(Bytes),
    Pieces(VecDeque<Bytes>),
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>),
}

/// Small pieces are sent together up to this many bytes.
const FRAME_BYTES: usize = 64 * 1024;

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self(Inner::Empty)
    }

    /// Pieces that are sent one after the other. They are shared with the store where its engine allows it, so that a long list is
    /// never held twice.
    #[must_use]
    pub fn pieces(pieces: VecDeque<Bytes>) -> Self {
        Self(Inner::Pieces(pieces))
    }

    /// A stream without an end of its own, such as a watch.
    pub fn stream(stream: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static) -> Self {
        Self(Inner::Stream(Box::pin(stream)))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::empty()
        } else {
            Self(Inner::Full(bytes))
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Inner::Empty => f.write_str("Body(empty)"),
            Inner::Full(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Inner::Pieces(pieces) => write!(f, "Body({} pieces)", pieces.len()),
            Inner::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Empty => Poll::Ready(None),
            Inner::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Inner::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Inner::Pieces(pieces) => {
                Poll::Ready(next_frame(pieces).map(|bytes| Ok(Frame::data(bytes))))
            }
            Inner::Stream(stream) => stream
                .as_mut()
                .poll_next(cx)
                .map(|item| item.map(|r| r.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Empty => true,
            Inner::Pieces(pieces) => pieces.is_empty(),
            Inner::Full(_) | Inner::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Pieces(pieces) => {
                SizeHint::with_exact(pieces.iter().map(|p| p.len() as u64).sum())
            }
            Inner::Stream(_) => SizeHint::default(),
        }
    }
}

fn next_frame(pieces: &mut VecDeque<Bytes>) -> Option<Bytes> {
    let first = pieces.pop_front()?;
    if first.len() >= FRAME_BYTES || pieces.is_empty() {
        return Some(first);
    }
    // Room for what the frame will have and no more: most lists are short, and frames wait for clients.
    let (mut bytes, mut count) = (first.len(), 0);
    for next in pieces.iter() {
        if bytes + next.len() > FRAME_BYTES {
            break;
        }
        (bytes, count) = (bytes + next.len(), count + 1);
    }
    let mut frame = BytesMut::with_capacity(bytes);
    frame.extend_from_slice(&first);
    for next in pieces.drain(..count) {
        frame.extend_from_slice(&next);
    }
    Some(frame.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn pieces_are_sent_in_order_and_counted() {
        let big = Bytes::from(vec![b'x'; FRAME_BYTES + 1]);
        let body = Body::pieces(
            [
                Bytes::from_static(b"a"),
                Bytes::from_static(b"b"),
                big.clone(),
                Bytes::from_static(b"c"),
            ]
            .into(),
        );
        assert_eq!(
            http_body::Body::size_hint(&body).exact(),
            Some(big.len() as u64 + 3)
        );
        let all = body.collect().await.unwrap().to_bytes();
        assert!(all.starts_with(b"abx") && all.ends_with(b"xc"));
        assert_eq!(all.len(), big.len() + 3);
    }
}
