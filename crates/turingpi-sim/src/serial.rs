// SPDX-License-Identifier: Apache-2.0
//! The live console: a WebSocket, with the daemon's pings.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use crate::answer::{self, Answer};
use crate::board::Shared;
use crate::module;

/// How often the daemon pings.
const PING: Duration = Duration::from_secs(5);

/// Takes over a connection for a console.
pub(crate) fn upgrade(shared: Shared, node: usize, mut request: Request<Incoming>) -> Answer {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
        return answer::text(StatusCode::BAD_REQUEST, "no WebSocket");
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(stream) => {
                let stream = TokioIo::new(stream);
                let config = WebSocketConfig::default()
                    .max_message_size(Some(64 << 10))
                    .max_frame_size(Some(64 << 10));
                let socket =
                    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
                console(shared, node, socket).await;
            }
            Err(e) => log::debug!("no console: {e}"),
        }
    });
    let mut response = answer::empty();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

async fn console<S>(shared: Shared, node: usize, socket: WebSocketStream<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut sink, mut stream) = socket.split();
    let mut output = shared.board().uarts[node].listen();
    loop {
        tokio::select! {
            bytes = output.recv() => match bytes {
                Ok(bytes) => {
                    if sink.send(Message::Binary(bytes.into())).await.is_err() {
                        return;
                    }
                }
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            },
            message = stream.next() => {
                let bytes = match message {
                    Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
                    Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    _ => return,
                };
                // raw bytes: a line ends where its sender ends it
                module::typed(&shared, node, &bytes);
            }
            () = shared.clock.sleep(PING) => {
                if sink.send(Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
            }
        }
    }
}
