// SPDX-License-Identifier: Apache-2.0
//! Bytes to and from a BMC: TCP, TLS, HTTP/1.1. One idle connection is kept; the daemon has two workers.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::endpoint::{Endpoint, Trust};
use crate::error::{Error, Result};

/// A body that is sent.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The largest answer that is read into memory.
const MAX_ANSWER: usize = 1 << 20;

/// A body that is known.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A stream with or without TLS.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    // so that HTTP hands pieces of an image on as they are, and does not copy them together first
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Self::Tls(s) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(s) => s.is_write_vectored(),
            Self::Tls(s) => s.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: http::StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as text, for messages.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }
}

/// The way to one BMC.
pub(crate) struct Connector {
    pub(crate) endpoint: Endpoint,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
    idle: Mutex<Option<SendRequest<Body>>>,
}

impl Connector {
    pub(crate) fn new(endpoint: Endpoint, trust: &Trust, timeout: Duration) -> Result<Self> {
        let tls = if endpoint.secure {
            let name =
                ServerName::try_from(endpoint.host.clone()).map_err(|_| Error::Endpoint {
                    endpoint: endpoint.to_string(),
                    why: "its host is no name that a certificate can have".into(),
                })?;
            let config = crate::trust::client(&endpoint, trust)?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        Ok(Self {
            endpoint,
            tls,
            timeout,
            idle: Mutex::default(),
        })
    }

    fn unreachable(&self, why: impl Into<String>) -> Error {
        Error::Unreachable {
            endpoint: self.endpoint.authority(),
            why: why.into(),
        }
    }

    pub(crate) fn timed_out(&self, what: &str, after: Duration) -> Error {
        Error::Timeout {
            endpoint: self.endpoint.authority(),
            what: what.to_owned(),
            after,
        }
    }

    /// A new stream to the BMC.
    pub(crate) async fn stream(&self) -> Result<Stream> {
        let connecting = async {
            let address = (self.endpoint.host.as_str(), self.endpoint.port);
            let tcp = TcpStream::connect(address)
                .await
                .map_err(|e| self.unreachable(e.to_string()))?;
            let _ = tcp.set_nodelay(true);
            match &self.tls {
                None => Ok(Stream::Plain(tcp)),
                Some((connector, name)) => match connector.connect(name.clone(), tcp).await {
                    Ok(tls) => Ok(Stream::Tls(Box::new(tls))),
                    Err(e) => Err(self.tls_error(&e)),
                },
            }
        };
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(stream) => stream,
            Err(_) => Err(self.timed_out("a connection", self.timeout)),
        }
    }

    fn tls_error(&self, error: &std::io::Error) -> Error {
        let inner = error
            .get_ref()
            .and_then(|e| e.downcast_ref::<rustls::Error>());
        let why = match inner {
            Some(rustls::Error::General(why)) => why.clone(),
            Some(rustls::Error::InvalidCertificate(e)) => match e {
                rustls::CertificateError::UnknownIssuer => {
                    "its certificate is signed by itself or by an unknown authority".to_owned()
                }
                other => format!("its certificate is not valid: {other}"),
            },
            Some(other) => return self.unreachable(format!("TLS: {other}")),
            None => return self.unreachable(format!("TLS: {error}")),
        };
        Error::Untrusted {
            endpoint: self.endpoint.authority(),
            why,
        }
    }

    /// Lets the idle connection go.
    pub(crate) fn close_idle(&self) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn sender(&self) -> Result<SendRequest<Body>> {
        let stream = self.stream().await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| self.unreachable(e.to_string()))?;
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                log::debug!("a connection to the BMC ended: {e}");
            }
        });
        Ok(sender)
    }

    /// Sends a request and gives the head of the answer. An idle connection is used if there is one that still stands.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<(Response<Incoming>, SendRequest<Body>)> {
        let authority = self.endpoint.authority();
        if let Ok(host) = authority.parse() {
            request.headers_mut().insert(http::header::HOST, host);
        }
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut sender = match idle {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.sender().await?,
        };
        match sender.try_send_request(request).await {
            Ok(response) => Ok((response, sender)),
            Err(mut failed) => match failed.take_message() {
                // the idle connection was closed before anything was sent
                Some(request) => {
                    let mut sender = self.sender().await?;
                    let response = sender
                        .send_request(request)
                        .await
                        .map_err(|e| self.unreachable(in_words(&e)))?;
                    Ok((response, sender))
                }
                None => Err(self.unreachable(in_words(failed.error()))),
            },
        }
    }

    /// Sends a request and reads the whole answer, at most 1 MiB.
    pub(crate) async fn call(
        &self,
        what: &str,
        request: Request<Body>,
        within: Duration,
    ) -> Result<Answer> {
        let calling = async {
            let (response, sender) = self.send(request).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER)
                .collect()
                .await
                .map_err(|e| self.unreachable(format!("the answer broke off: {e}")))?
                .to_bytes();
            *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body,
            })
        };
        match tokio::time::timeout(within, calling).await {
            Ok(answer) => answer,
            Err(_) => Err(self.timed_out(what, within)),
        }
    }
}

/// What a user can make of an error of HTTP.
fn in_words(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_closed() {
        "it closed the connection without an answer".to_owned()
    } else if error.is_parse() {
        "it does not speak HTTP".to_owned()
    } else {
        error.to_string()
    }
}
