// SPDX-License-Identifier: Apache-2.0
//! A node's own port, on loopback: connections in, bytes both ways.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What comes in on the port.
pub(crate) enum Inbound {
    Opened(Peer),
    Bytes(u32, Bytes),
    Closed(u32),
}

/// A connection to the node. It is closed when this is dropped.
pub(crate) struct Peer {
    pub(crate) id: u32,
    pub(crate) out: mpsc::Sender<Bytes>,
}

/// Listens on any free port of loopback; returns it.
pub(crate) async fn listen(to_node: mpsc::Sender<Inbound>) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::task::spawn_local(async move {
        let mut id = 0u32;
        while let Ok((stream, _)) = listener.accept().await {
            id = id.wrapping_add(1);
            let to_node = to_node.clone();
            if to_node.is_closed() {
                return;
            }
            tokio::task::spawn_local(async move {
                let _ = connection(stream, id, &to_node).await;
                let _ = to_node.send(Inbound::Closed(id)).await;
            });
        }
    });
    Ok(port)
}

async fn connection(
    mut stream: TcpStream,
    id: u32,
    to_node: &mpsc::Sender<Inbound>,
) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let (out, mut from_node) = mpsc::channel::<Bytes>(4);
    to_node
        .send(Inbound::Opened(Peer { id, out }))
        .await
        .map_err(gone)?;
    let (mut read, mut write) = stream.split();
    let mut buffer = vec![0; 1024];
    loop {
        tokio::select! {
            n = read.read(&mut buffer) => match n? {
                0 => return Ok(()),
                n => to_node
                    .send(Inbound::Bytes(id, Bytes::copy_from_slice(&buffer[..n])))
                    .await
                    .map_err(gone)?,
            },
            bytes = from_node.recv() => match bytes {
                Some(bytes) => write.write_all(&bytes).await?,
                None => return write.shutdown().await,
            },
        }
    }
}
