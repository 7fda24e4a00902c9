// SPDX-License-Identifier: Apache-2.0
//! A plain connection of a board to an endpoint that an Ingress leads to.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::link::{Board, Carrier, Connection, Faults, News};

/// Begins a connection. A link that is cut or half open carries nothing; what else it does concerns the way to the API.
pub(crate) fn connect(
    to: SocketAddr,
    mut board: Board,
    faults: &watch::Receiver<Faults>,
) -> Connection {
    let number = board.number;
    let (out, mut from_board) = mpsc::channel::<Bytes>(4);
    let (faults, mut changes) = (faults.clone(), faults.clone());
    let task = tokio::task::spawn_local(async move {
        let is_up = || {
            let faults = faults.borrow();
            !faults.cut && !faults.half_open
        };
        if is_up() {
            let carried = async {
                let mut stream = TcpStream::connect(to).await.ok()?;
                stream.set_nodelay(true).ok()?;
                board.tell(News::Up).await.then_some(())?;
                let mut buffer = vec![0; 1024];
                while is_up() {
                    tokio::select! {
                        n = stream.read(&mut buffer) => match n.ok()? {
                            0 => return None,
                            n => {
                                let news = News::Bytes(Bytes::copy_from_slice(&buffer[..n]));
                                board.tell(news).await.then_some(())?;
                            }
                        },
                        bytes = from_board.recv() => stream.write_all(&bytes?).await.ok()?,
                        changed = changes.changed() => changed.ok()?,
                    }
                }
                None::<()>
            };
            // However it ended, it has ended.
            let _ = carried.await;
        }
        // The board may have gone.
        board.tell(News::Down).await;
    });
    Connection::Own(Carrier { number, out, task })
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use tokio::net::TcpListener;
    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn bytes_go_both_ways_until_the_link_is_cut() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let endpoint = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            let to = endpoint.local_addr().expect("an address");
            let (events, mut heard) = futures_channel::mpsc::channel(4);
            let (faults, seen) = watch::channel(Faults::default());
            let board = |number| Board {
                slot: pico_node::BACKEND,
                number,
                events: events.clone(),
            };
            let mut connection = connect(to, board(7), &seen);
            let (mut peer, _) = endpoint.accept().await.expect("a connection");
            let event = heard.next().await.expect("an event");
            assert!(matches!(event.news, News::Up) && event.number == 7);
            let asked = Bytes::from_static(b"POST / HTTP/1.1\r\n\r\n");
            assert_eq!(connection.say(&asked), asked.len());
            let mut buffer = vec![0; asked.len()];
            peer.read_exact(&mut buffer).await.expect("bytes");
            assert_eq!(buffer, asked);
            peer.write_all(b"HTTP/1.1 204")
                .await
                .expect("it takes bytes");
            let event = heard.next().await.expect("an event");
            assert!(matches!(event.news, News::Bytes(bytes) if bytes == "HTTP/1.1 204"));
            drop(peer);
            let event = heard.next().await.expect("an event");
            assert!(matches!(event.news, News::Down));

            faults.send_replace(Faults {
                cut: true,
                ..Faults::default()
            });
            let _connection = connect(to, board(8), &seen);
            let event = heard.next().await.expect("an event");
            assert!(matches!(event.news, News::Down) && event.number == 8);
        });
    }
}
