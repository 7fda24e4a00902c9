// SPDX-License-Identifier: Apache-2.0
//! A node's own port, on loopback and over TLS: connections in, bytes both ways.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

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

/// How long a peer may take to begin.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a peer may leave what was said to it untaken.
const STALLED: Duration = Duration::from_secs(60);
/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the ports of all boards of a process present: the board has no TLS of its own, whoever carries its bytes does it.
pub(crate) struct Identity {
    acceptor: TlsAcceptor,
    /// The SHA-256 of the certificate.
    pub(crate) fingerprint: String,
}

impl Identity {
    /// A new key, and a certificate that it signs itself.
    pub(crate) fn new() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let key = rcgen::KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names)?.self_signed(&key)?;
        let fingerprint = Sha256::digest(certificate.der())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            fingerprint,
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

/// Listens on any free port of loopback; returns it.
pub(crate) async fn listen(to_node: mpsc::Sender<Inbound>, identity: &Identity) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let acceptor = identity.acceptor.clone();
    tokio::task::spawn_local(async move {
        let mut id = 0u32;
        loop {
            let accepted = listener.accept().await;
            if to_node.is_closed() {
                return;
            }
            let Ok((stream, _)) = accepted else {
                // The peer has gone already, or the process has no descriptor left until another one closes.
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            id = id.wrapping_add(1);
            let (to_node, acceptor) = (to_node.clone(), acceptor.clone());
            tokio::task::spawn_local(async move {
                let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else {
                    return;
                };
                let _ = connection(stream, id, &to_node).await;
                let _ = to_node.send(Inbound::Closed(id)).await;
            });
        }
    });
    Ok(port)
}

async fn connection(
    stream: TlsStream<TcpStream>,
    id: u32,
    to_node: &mpsc::Sender<Inbound>,
) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let (out, mut from_node) = mpsc::channel::<Bytes>(4);
    to_node
        .send(Inbound::Opened(Peer { id, out }))
        .await
        .map_err(gone)?;
    let (mut read, mut write) = split(stream);
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
                Some(bytes) => {
                    timeout(STALLED, async {
                        write.write_all(&bytes).await?;
                        write.flush().await
                    })
                    .await??;
                }
                None => return write.shutdown().await,
            },
        }
    }
}
