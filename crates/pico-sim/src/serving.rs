// SPDX-License-Identifier: Apache-2.0
//! A node's ports on loopback, its own over TLS and its containers' without: connections in, bytes both ways.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use futures_channel::mpsc::Sender;
use futures_util::SinkExt as _;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// What comes in on the port.
pub(crate) enum Inbound {
    Opened(Peer),
    Bytes(u32, Bytes),
    Closed(u32),
}

/// A connection to the node. It is closed when this is dropped.
pub(crate) struct Peer {
    pub(crate) id: u32,
    /// The container's port that it came to; `None` for the node's own.
    pub(crate) port: Option<u16>,
    /// Whether it showed a client certificate of an authority that is trusted.
    pub(crate) is_trusted: bool,
    pub(crate) out: mpsc::Sender<Bytes>,
}

/// Numbers of connections, which no two in the process share.
static NUMBERS: AtomicU32 = AtomicU32::new(1);

/// How long a peer may take to begin.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a peer may leave what was said to it untaken.
const STALLED: Duration = Duration::from_secs(60);
/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the ports of all boards of a process present: the board has no TLS of its own, whoever carries its bytes does it.
pub(crate) struct Identity {
    door: Door,
    /// The SHA-256 of the certificate.
    pub(crate) fingerprint: String,
}

impl Identity {
    /// A new key, and a certificate that it signs itself. Whoever shows a client certificate of one of `authorities` (PEM) that
    /// `clients` takes for the API server's is trusted; whoever shows none or another one is anybody.
    pub(crate) fn new(
        authorities: &[u8],
        clients: Option<Arc<dyn Clients>>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let key = rcgen::KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names)?.self_signed(&key)?;
        let fingerprint = Sha256::digest(certificate.der())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities) {
            roots.add(authority?)?;
        }
        let trusted = if roots.is_empty() {
            None
        } else {
            let roots = Arc::new(roots);
            Some(WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build()?)
        };
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = match &trusted {
            None => builder.with_no_client_auth(),
            Some(trusted) => builder.with_client_cert_verifier(Arc::new(Anybody(trusted.clone()))),
        };
        let config = builder.with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Self {
            door: Door {
                acceptor: TlsAcceptor::from(Arc::new(config)),
                trusted,
                clients,
            },
            fingerprint,
        })
    }
}

/// Says which client is the API server, of those whose certificate an authority has signed that the boards trust: the same one
/// signs those of users and of other nodes.
pub trait Clients: Send + Sync + fmt::Debug {
    /// Whether a client with this certificate (DER) speaks for the API.
    fn speaks_for_api(&self, certificate: &[u8]) -> bool;
}

/// Takes any client certificate whose key the client has: an API server has one of whatever authority, and is answered all the
/// same. Whether it is trusted is decided by the one within.
#[derive(Debug)]
struct Anybody(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    // Without a hint a client shows what it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// How a client is taken on the node's own port.
#[derive(Clone)]
struct Door {
    acceptor: TlsAcceptor,
    trusted: Option<Arc<dyn ClientCertVerifier>>,
    clients: Option<Arc<dyn Clients>>,
}

impl Door {
    /// Whether a client's certificates are those of somebody who is trusted.
    fn trusts(&self, certificates: Option<&[CertificateDer<'_>]>) -> bool {
        match (&self.trusted, certificates) {
            (Some(trusted), Some([own, chain @ ..])) => {
                let speaks_for_api =
                    |clients: &Arc<dyn Clients>| clients.speaks_for_api(own.as_ref());
                trusted
                    .verify_client_cert(own, chain, UnixTime::now())
                    .is_ok()
                    && self.clients.as_ref().is_none_or(speaks_for_api)
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

/// A port that is listened on as long as this is kept.
pub(crate) struct Listener(AbortHandle);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens on any free port of loopback, with TLS, for the node itself; returns the port.
pub(crate) async fn listen(to_node: Sender<Inbound>, identity: &Identity) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let door = identity.door.clone();
    tokio::task::spawn_local(accept(listener, to_node, None, Some(door)));
    Ok(port)
}

/// Listens on a container's port of loopback.
pub(crate) fn listen_on(port: u16, to_node: Sender<Inbound>) -> io::Result<Listener> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let task = tokio::task::spawn_local(accept(listener, to_node, Some(port), None));
    Ok(Listener(task.abort_handle()))
}

async fn accept(
    listener: TcpListener,
    to_node: Sender<Inbound>,
    port: Option<u16>,
    door: Option<Door>,
) {
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
        let id = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let (mut to_node, door) = (to_node.clone(), door.clone());
        tokio::task::spawn_local(async move {
            // How it ends is of no interest but to the node, which is told so.
            let _ = match door {
                None => connection(stream, id, port, false, &mut to_node).await,
                Some(door) => match timeout(HANDSHAKE, door.acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let (_, session) = stream.get_ref();
                        let is_trusted = door.trusts(session.peer_certificates());
                        connection(stream, id, port, is_trusted, &mut to_node).await
                    }
                    _ => return,
                },
            };
            let _ = to_node.send(Inbound::Closed(id)).await;
        });
    }
}

async fn connection<S: AsyncRead + AsyncWrite>(
    stream: S,
    id: u32,
    port: Option<u16>,
    is_trusted: bool,
    to_node: &mut Sender<Inbound>,
) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let (out, mut from_node) = mpsc::channel::<Bytes>(4);
    to_node
        .send(Inbound::Opened(Peer {
            id,
            port,
            is_trusted,
            out,
        }))
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
