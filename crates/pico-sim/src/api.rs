// SPDX-License-Identifier: Apache-2.0
//! Where the API is and how it is reached; credentials stay on this side of the simulated wire.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How the bytes of an API come and go.
#[derive(Clone)]
pub enum Wire {
    /// Over TCP: the host's name or address, without brackets, and the port.
    Tcp(String, u16),
    /// Through memory of this process, with no socket: each call is a new connection.
    Memory(Arc<dyn Fn() -> io::Result<DuplexStream> + Send + Sync>),
}

/// A Kubernetes API.
#[derive(Clone)]
pub struct Api {
    /// How its bytes come and go.
    pub wire: Wire,
    /// The `Host` header.
    pub authority: String,
    /// What stands before every path.
    pub base: String,
    /// TLS, with the name that the certificate must have; `None` for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The value of the `Authorization` header.
    pub authorization: String,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// A stream of bytes to the API, whatever carries it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Api {
    /// Connects; `protocol` is offered in the TLS handshake.
    pub(crate) async fn dial(&self, protocol: &[u8]) -> io::Result<Box<dyn Stream>> {
        let stream: Box<dyn Stream> = match &self.wire {
            Wire::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Wire::Memory(connect) => Box::new(connect()?),
        };
        let Some((config, name)) = &self.tls else {
            return Ok(stream);
        };
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Box::new(connector.connect(name.clone(), stream).await?))
    }
}
