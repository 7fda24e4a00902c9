// SPDX-License-Identifier: Apache-2.0
//! The listener: TCP, TLS, HTTP/1.1 and HTTP/2, and nothing of Kubernetes.
//!
//! Entry points: [`Listener::bind`], then [`Listener::serve`] with the service that answers. Each connection is a
//! task of its own; when the server stops, each finishes its open requests within [`Limits::grace`].

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::body::RequestBody;
use crate::connection;
use crate::limits::Limits;
use crate::pki::KeyedCertificate;
use crate::stop::Stop;

/// The listener could not be started.
#[derive(Debug, Error)]
pub enum Error {
    /// Another process listens there.
    #[error(
        "{0} is in use: another k1s may be serving there; choose another address with --listen, or port 0 for any"
    )]
    InUse(SocketAddr),
    /// The system does not let us listen there.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificates do not fit together.
    #[error("cannot set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A bound address and how to speak on it.
pub struct Listener {
    tcp: TcpListener,
    tls: TlsAcceptor,
    limits: Limits,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address` (port 0: any). Clients see `certificate`; a certificate of theirs must come from
    /// `client_authority`, and is not required.
    ///
    /// # Errors
    /// [`Error::InUse`] and [`Error::Listen`] name the address; [`Error::Tls`] if the certificate and key do not fit.
    pub async fn bind(
        address: SocketAddr,
        certificate: &KeyedCertificate,
        client_authority: &CertificateDer<'static>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let tls = tls_config(certificate, client_authority).map_err(Error::Tls)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::InUse(address),
            _ => Error::Listen { address, source },
        };
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Self {
            tcp,
            tls: TlsAcceptor::from(Arc::new(tls)),
            limits,
            address,
        })
    }

    /// The address that is listened on, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a client on this machine reaches the listener: `https://127.0.0.1:6443`.
    pub fn url(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("https://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// Answers requests with `service` until `stop`; returns when the last connection has ended, or has been cut off
    /// because its grace period was over.
    pub async fn serve<S, B>(self, service: S, mut stop: Stop)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Held by every connection; receiving ends when the last is gone.
        let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.stopped() => break,
                accepted = self.tcp.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let connection = connection::Connection {
                        tls: self.tls.clone(),
                        limits: self.limits.clone(),
                        service: service.clone(),
                        stop: stop.clone(),
                    };
                    let open = open.clone();
                    tokio::spawn(async move {
                        connection.run(stream).await;
                        drop(open);
                    });
                }
                // A client that left before it was accepted, or no more files may be open: others may close soon.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
        drop((self.tcp, open));
        while all_closed.recv().await.is_some() {}
    }
}

fn tls_config(
    certificate: &KeyedCertificate,
    client_authority: &CertificateDer<'static>,
) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(client_authority.clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()?;
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![certificate.certificate.clone()],
            certificate.key.clone_key(),
        )?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}
