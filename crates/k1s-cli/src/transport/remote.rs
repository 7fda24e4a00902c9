// SPDX-License-Identifier: Apache-2.0
//! The way to a server: HTTP/1.1 over TCP, with TLS where its address says `https`. Connections are used again when they are idle.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use http::header::{AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::{Error, Result, Unreachable};
use crate::kubeconfig::Access;
use crate::transport::{Body, Transport, tls};

/// A server and the connections to it.
pub struct Remote {
    server: String,
    host: String,
    port: u16,
    base: String,
    authorization: Option<HeaderValue>,
    host_header: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
}

impl Remote {
    /// A transport to the server; nothing is connected yet.
    ///
    /// # Errors
    /// When the address or the certificates cannot be used.
    pub fn new(access: Access) -> Result<Self> {
        let refuse =
            |why: &str| Error::message(format!("the server's address {:?} {why}", access.server));
        let uri: Uri = access.server.parse().map_err(|_| refuse("is not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("is neither http nor https")),
        };
        let host = uri.host().ok_or_else(|| refuse("has no host"))?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let authority = uri.authority().map_or(host, http::uri::Authority::as_str);
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let tls = if secure {
            let name = if access.tls_server_name.is_empty() {
                bare.clone()
            } else {
                access.tls_server_name.clone()
            };
            let name = ServerName::try_from(name)
                .map_err(|_| refuse("has no host that a certificate can name"))?;
            Some((TlsConnector::from(Arc::new(tls::client(&access)?)), name))
        } else {
            None
        };
        let authorization = match &access.authorization {
            None => None,
            Some(text) => {
                let mut value = HeaderValue::from_str(text).map_err(|_| {
                    Error::message("the token of the kubeconfig cannot be sent in a header")
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            host: bare,
            port,
            base: uri.path().trim_end_matches('/').to_owned(),
            host_header: HeaderValue::from_str(authority)
                .map_err(|_| refuse("cannot be sent in a header"))?,
            server: access.server,
            authorization,
            tls,
            idle: RefCell::default(),
        })
    }

    async fn connect(&self) -> std::result::Result<SendRequest<Full<Bytes>>, String> {
        let stream = self.dial().await?;
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => handshake(TokioIo::new(stream)).await,
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|e| tls::in_words(&e))?;
                handshake(TokioIo::new(stream)).await
            }
        }
    }

    async fn dial(&self) -> std::result::Result<TcpStream, String> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|_| format!("dial tcp: lookup {}: no such host", self.host))?;
        let mut why = format!("dial tcp: lookup {}: no such host", self.host);
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(e) => {
                    let cause = match e.kind() {
                        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                        std::io::ErrorKind::TimedOut => "connection timed out".to_owned(),
                        std::io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
                        std::io::ErrorKind::NetworkUnreachable => {
                            "network is unreachable".to_owned()
                        }
                        _ => e.to_string(),
                    };
                    why = format!("dial tcp {address}: connect: {cause}");
                }
            }
        }
        Err(why)
    }

    /// A connection that is free, or a new one.
    async fn connection(&self) -> std::result::Result<SendRequest<Full<Bytes>>, String> {
        while let Some(mut sender) = self.take_idle() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        self.connect().await
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|sender| !sender.is_closed());
        let free = idle.iter().position(SendRequest::is_ready)?;
        Some(idle.swap_remove(free))
    }
}

async fn handshake<T>(io: TokioIo<T>) -> std::result::Result<SendRequest<Full<Bytes>>, String>
where
    TokioIo<T>: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(io).await.map_err(|e| e.to_string())?;
    // How it ends is told to whoever waits for an answer.
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

impl Transport for Remote {
    fn send(&self, request: Request<Bytes>) -> LocalBoxFuture<'_, Result<Response<Body>>> {
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let target = head.uri.path_and_query().map_or("/", |t| t.as_str());
            let target = format!("{}{target}", self.base);
            let unreachable = Unreachable {
                method: head.method.to_string(),
                url: format!("{}{}", self.server, head.uri),
                why: String::new(),
            };
            let lost = |why: String| {
                Error::from(Unreachable {
                    why,
                    ..unreachable.clone()
                })
            };
            let uri: Uri = target
                .parse()
                .map_err(|_| Error::message(format!("{target:?} is not a path")))?;
            let mut sender = self.connection().await.map_err(&lost)?;
            let mut request = Request::new(Full::new(body));
            *request.method_mut() = head.method.clone();
            *request.uri_mut() = uri;
            *request.headers_mut() = std::mem::take(&mut head.headers);
            let headers = request.headers_mut();
            headers.insert(HOST, self.host_header.clone());
            headers.insert(
                USER_AGENT,
                HeaderValue::from_static(concat!("k1s/", env!("CARGO_PKG_VERSION"))),
            );
            if let Some(value) = &self.authorization {
                headers.insert(AUTHORIZATION, value.clone());
            }
            let answer = sender
                .send_request(request)
                .await
                .map_err(|e| lost(tls::chain(&e)))?;
            self.idle.borrow_mut().push(sender);
            Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }

    fn address(&self) -> String {
        self.server.clone()
    }
}
