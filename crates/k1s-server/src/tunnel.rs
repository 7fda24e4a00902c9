// SPDX-License-Identifier: Apache-2.0
//! Two connections that have gone over to another protocol, joined: what one says is passed on to the other, unread. One of them may
//! say it in binary messages of a WebSocket.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, split};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use crate::stop::Stop;

/// How long one side may go on once the other has ended.
const LINGER: Duration = Duration::from_secs(15);

/// The longest message of a client, in bytes; kubectl's have 32 KiB and a few.
const MESSAGE_BYTES: usize = 1 << 20;
/// Bytes of a message to a client.
const PIECE_BYTES: usize = 16 * 1024;

/// Passes on both ways until both sides have ended, one has ended for a while, or the server stops. Who is slow slows the other
/// down; nothing is kept but a piece each way.
/// With `is_tunnelled` the first one speaks WebSocket, and what the other one speaks is within.
pub(crate) async fn join(one: OnUpgrade, other: OnUpgrade, is_tunnelled: bool, mut stop: Stop) {
    let both = async {
        // Who leaves before it has begun leaves nothing to be joined.
        let (Ok(one), Ok(other)) = (one.await, other.await) else {
            return;
        };
        let (one, other) = (TokioIo::new(one), TokioIo::new(other));
        if is_tunnelled {
            relay_messages(one, other).await;
        } else {
            relay(one, other).await;
        }
    };
    tokio::select! {
        () = both => {}
        () = stop.stopped() => {}
    }
}

async fn relay<A, B>(one: A, other: B)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (mut from_one, mut to_one) = split(one);
    let (mut from_other, mut to_other) = split(other);
    // How a side ends is of no interest but to the other one, which sees an end.
    let mut up = pin!(async {
        let _ = copy(&mut from_one, &mut to_other).await;
        let _ = to_other.shutdown().await;
    });
    let mut down = pin!(async {
        let _ = copy(&mut from_other, &mut to_one).await;
        let _ = to_one.shutdown().await;
    });
    tokio::select! {
        () = up.as_mut() => { let _ = timeout(LINGER, down).await; }
        () = down.as_mut() => { let _ = timeout(LINGER, up).await; }
    }
}

/// As [`relay`], with a client whose messages are pieces of what the node speaks.
async fn relay_messages<A, B>(client: A, node: B)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite,
{
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let socket = WebSocketStream::from_raw_socket(client, Role::Server, Some(config)).await;
    let (mut to_client, mut from_client) = socket.split();
    let (mut from_node, mut to_node) = split(node);
    let mut up = pin!(async {
        while let Some(Ok(message)) = from_client.next().await {
            let written = match message {
                Message::Binary(bytes) => to_node.write_all(&bytes).await,
                Message::Close(_) => break,
                // Pings are answered by the library.
                _ => Ok(()),
            };
            if written.is_err() {
                break;
            }
        }
        let _ = to_node.shutdown().await;
    });
    let mut down = pin!(async {
        let mut buffer = vec![0; PIECE_BYTES];
        while let Ok(n @ 1..) = from_node.read(&mut buffer).await {
            let message = Message::Binary(Bytes::copy_from_slice(&buffer[..n]));
            if to_client.send(message).await.is_err() {
                break;
            }
        }
        let _ = to_client.close().await;
    });
    tokio::select! {
        () = up.as_mut() => { let _ = timeout(LINGER, down).await; }
        () = down.as_mut() => { let _ = timeout(LINGER, up).await; }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    #[tokio::test(start_paused = true)]
    async fn messages_are_pieces() {
        let (client, one) = duplex(64);
        let (mut node, other) = duplex(64);
        let relayed = tokio::spawn(relay_messages(one, other));
        let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        for piece in [&b"ques"[..], b"tion"] {
            client.send(Message::binary(piece)).await.unwrap();
            client.send(Message::Ping(Bytes::new())).await.unwrap();
        }
        let mut said = [0; 8];
        node.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"question");
        node.write_all(b"answer").await.unwrap();
        let mut heard = Vec::new();
        while heard.len() < 6 {
            if let Message::Binary(bytes) = client.next().await.unwrap().unwrap() {
                heard.extend_from_slice(&bytes);
            }
        }
        assert_eq!(heard, b"answer");
        client.close(None).await.unwrap();
        assert_eq!(node.read(&mut said).await.unwrap(), 0);
        drop(node);
        while client.next().await.is_some_and(|message| message.is_ok()) {}
        relayed.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_websocket_ends_both() {
        let (mut client, one) = duplex(64);
        let (mut node, other) = duplex(64);
        let relayed = tokio::spawn(relay_messages(one, other));
        // A frame that is not masked.
        client.write_all(b"\x82\x03abc").await.unwrap();
        let mut said = [0; 8];
        assert_eq!(node.read(&mut said).await.unwrap(), 0);
        drop(node);
        relayed.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn both_ways_until_both_have_ended() {
        let (mut client, one) = duplex(8);
        let (mut node, other) = duplex(8);
        let relayed = tokio::spawn(relay(one, other));
        client.write_all(b"question").await.unwrap();
        let mut said = [0; 8];
        node.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"question");
        client.shutdown().await.unwrap();
        assert_eq!(node.read(&mut said).await.unwrap(), 0);
        // The other side may still answer.
        node.write_all(b"answer").await.unwrap();
        drop(node);
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"answer");
        relayed.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_does_not_end_is_given_up() {
        let (client, one) = duplex(8);
        let (mut node, other) = duplex(8);
        let relayed = tokio::spawn(relay(one, other));
        drop(client);
        let mut said = [0; 8];
        assert_eq!(node.read(&mut said).await.unwrap(), 0);
        // It says nothing and stays: the clock goes on by itself as long as nobody does anything.
        relayed.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_never_reads_stops_the_other() {
        let (client, one) = duplex(8);
        let (mut node, other) = duplex(8);
        let relayed = tokio::spawn(relay(one, other));
        // No more than the pipes and the pieces hold is taken.
        let flood = timeout(Duration::from_secs(60), async {
            let mut taken = 0;
            while node.write_all(&[0; 1024]).await.is_ok() {
                taken += 1024;
                assert!(taken < 1 << 20);
            }
        });
        assert!(flood.await.is_err(), "it waits");
        drop((client, node));
        relayed.await.unwrap();
    }
}
