// SPDX-License-Identifier: Apache-2.0
//! One client's connection, from the TLS handshake to its last answer.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use k1s_api::{Identity, Tunnelled};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower::Service;

use crate::body::{RequestBody, ResponseBody};
use crate::limits::Limits;
use crate::stall::Stall;
use crate::stop::Stop;
use crate::{tunnel, x509};

/// What a connection is served with.
pub(crate) struct Connection<S> {
    pub(crate) tls: TlsAcceptor,
    pub(crate) limits: Limits,
    pub(crate) service: S,
    pub(crate) stop: Stop,
}

/// What a browser or a mistyped URL gets: they would see only a broken connection otherwise.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

impl<S, B> Connection<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves the connection until the client leaves, misbehaves, or the server stops. What goes wrong here concerns
    /// this client alone, who learns of it; there is nobody else to tell.
    pub(crate) async fn run(mut self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let keep_alive = socket2::TcpKeepalive::new().with_time(self.limits.keep_alive);
        let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keep_alive);
        let Some(tls) = self.handshake(stream).await else {
            return;
        };
        let (_, session) = tls.get_ref();
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        let client = session
            .peer_certificates()
            .and_then(<[_]>::first)
            .and_then(|certificate| identity(certificate));
        let io = TokioIo::new(Stall::new(tls, self.limits.write_stall));
        let adapter = Adapter {
            service: self.service.clone(),
            client,
            stop: self.stop.clone(),
            body_pause: self.limits.body_pause,
        };
        let grace = self.limits.grace;
        if is_http2 {
            let mut connection = pin!(self.http2().serve_connection(io, adapter));
            let ended = tokio::select! {
                _ = connection.as_mut() => true,
                () = self.stop.stopped() => false,
            };
            if !ended {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(grace, connection).await;
            }
        } else {
            let connection = self.http1().serve_connection(io, adapter);
            let mut connection = pin!(connection.with_upgrades());
            let ended = tokio::select! {
                _ = connection.as_mut() => true,
                () = self.stop.stopped() => false,
            };
            if !ended {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(grace, connection).await;
            }
        }
    }

    async fn handshake(&mut self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let accept = timeout(
            self.limits.handshake,
            self.tls.accept(stream).into_fallible(),
        );
        let result = tokio::select! {
            result = accept => result.ok()?,
            () = self.stop.stopped() => return None,
        };
        match result {
            Ok(tls) => Some(tls),
            Err((error, mut stream)) => {
                if is_not_tls(&error) {
                    let _ = timeout(Duration::from_secs(1), stream.write_all(PLAIN_HTTP)).await;
                }
                None
            }
        }
    }

    fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_header_size(self.limits.head_bytes as usize);
        builder
    }

    fn http2(&self) -> http2::Builder<TokioExecutor> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.streams)
            .max_header_list_size(self.limits.head_bytes)
            .initial_stream_window_size(256 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024)
            .keep_alive_interval(self.limits.keep_alive)
            .keep_alive_timeout(self.limits.keep_alive);
        builder
    }
}

/// Whom a certificate that the handshake verified names, as Kubernetes reads it; one without a common name is nobody's.
fn identity(certificate: &[u8]) -> Option<Identity> {
    let subject = x509::Certificate::parse(certificate).ok()?;
    (!subject.common_name.is_empty()).then_some(Identity {
        user: subject.common_name,
        groups: subject.organizations,
        ..Identity::default()
    })
}

fn is_not_tls(error: &io::Error) -> bool {
    let tls = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    matches!(
        tls,
        Some(rustls::Error::InvalidMessage(
            rustls::InvalidMessage::InvalidContentType
        ))
    )
}

/// Presents a tower service to hyper, with who the client is beside each request.
struct Adapter<S> {
    service: S,
    client: Option<Identity>,
    stop: Stop,
    body_pause: Duration,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Adapter<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (pause, stop) = (self.body_pause, self.stop.clone());
        // Whether the connection is to go over to another protocol, if the answer says so.
        let client = request.extensions_mut().remove::<OnUpgrade>();
        let key = request.headers().get(SEC_WEBSOCKET_KEY).cloned();
        let mut request = request.map(|body| RequestBody::new(body, pause));
        if let Some(client) = &self.client {
            request.extensions_mut().insert(client.clone());
        }
        let mut service = self.service.clone();
        Box::pin(async move {
            std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
            let mut response = service.call(request).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let other = response.extensions_mut().remove::<OnUpgrade>();
                let is_tunnelled = response.extensions_mut().remove::<Tunnelled>().is_some();
                if is_tunnelled
                    && let Some(key) = key
                    && let Ok(accepted) = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
                {
                    response
                        .headers_mut()
                        .insert(SEC_WEBSOCKET_ACCEPT, accepted);
                }
                if let (Some(client), Some(other)) = (client, other) {
                    tokio::spawn(tunnel::join(client, other, is_tunnelled, stop.clone()));
                }
            }
            Ok(response.map(|body| ResponseBody::new(body, stop)))
        })
    }
}
