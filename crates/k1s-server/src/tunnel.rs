// SPDX-License-Identifier: Apache-2.0
//! Two connections that have gone over to another protocol, joined: what one says is passed on to the other, unread.

use std::pin::pin;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, split};
use tokio::time::timeout;

use crate::stop::Stop;

/// How long one side may go on once the other has ended.
const LINGER: Duration = Duration::from_secs(15);

/// Passes on both ways until both sides have ended, one has ended for a while, or the server stops. Who is slow slows the other
/// down; nothing is kept but a piece each way.
pub(crate) async fn join(one: OnUpgrade, other: OnUpgrade, mut stop: Stop) {
    let both = async {
        // Who leaves before it has begun leaves nothing to be joined.
        let (Ok(one), Ok(other)) = (one.await, other.await) else {
            return;
        };
        relay(TokioIo::new(one), TokioIo::new(other)).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, duplex};

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
