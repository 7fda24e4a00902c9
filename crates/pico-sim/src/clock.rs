// SPDX-License-Identifier: Apache-2.0
//! Packets between a board and its SNTP server.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Poll, ready};

use pico_node::PACKET;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// A socket for the questions of one board, opened with the first one.
#[derive(Default)]
pub(crate) struct TimeSocket(Option<UdpSocket>);

impl TimeSocket {
    /// Sends a question. Nothing is as good as a lost packet: the board asks again.
    pub(crate) async fn send(&mut self, to: SocketAddr, packet: &[u8]) -> io::Result<()> {
        let socket = match self.0.take() {
            Some(socket) => socket,
            None if to.is_ipv4() => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?,
            None => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?,
        };
        self.0.insert(socket).send_to(packet, to).await.map(drop)
    }

    /// The next packet; waits for ever while nothing was sent.
    pub(crate) async fn receive(&self) -> Option<(SocketAddr, Vec<u8>)> {
        let Some(socket) = &self.0 else {
            return std::future::pending().await;
        };
        // One byte more than an answer may have shows one that is longer.
        poll_fn(|cx| {
            let mut buffer = [0; PACKET + 1];
            let mut buffer = ReadBuf::new(&mut buffer);
            let from = ready!(socket.poll_recv_from(cx, &mut buffer));
            // If nobody listens there, that is no answer either.
            Poll::Ready(from.ok().map(|from| (from, buffer.filled().to_vec())))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_and_what_is_too_long_is_seen_to_be() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let server = UdpSocket::bind(("127.0.0.1", 0)).await.expect("a port");
            let to = server.local_addr().expect("an address");
            let mut socket = TimeSocket::default();
            socket.send(to, &[1; PACKET]).await.expect("it is sent");
            let mut question = [0; 100];
            let (n, peer) = server.recv_from(&mut question).await.expect("a packet");
            assert_eq!(n, PACKET);
            server.send_to(&[2; 90], peer).await.expect("it is sent");
            let (from, answer) = socket.receive().await.expect("an answer");
            assert_eq!((from, answer), (to, vec![2; PACKET + 1]));
        });
    }
}
