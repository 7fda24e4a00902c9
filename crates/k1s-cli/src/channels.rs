// SPDX-License-Identifier: Apache-2.0
//! A command in a container, or the container itself, over WebSocket: the channels of Kubernetes' `v5.channel.k8s.io` and
//! `v4.channel.k8s.io` from the client's side (KEP-4006).
//!
//! Entry point: [`Context::run_channels`].

use std::io::Read as _;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use crate::client::Call;
use crate::context::Context;
use crate::error::{Error, Refusal, Result};
use crate::terminal;
use crate::transport::Body;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// Of `v5` alone: nothing more comes on the channel that is named.
const CLOSE: u8 = 255;
const V5: &str = "v5.channel.k8s.io";
const OFFERED: &str = "v5.channel.k8s.io, v4.channel.k8s.io";
/// So much is read of a refusal.
const REFUSAL_BYTES: usize = 64 * 1024;
/// The longest message that is taken, in bytes.
const MESSAGE_BYTES: usize = 16 << 20;

/// The streams of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    /// Whether standard input is passed on.
    pub(crate) stdin: bool,
    /// Whether the other side is to have a terminal.
    pub(crate) tty: bool,
}

impl Context {
    /// Runs a session: standard input there, what comes from there to standard output and standard error, until it ends.
    ///
    /// # Errors
    /// When the API or the kubelet refuses, or the connection is lost. A command that ends with a code is [`Error::Exit`].
    pub(crate) async fn run_channels(&self, call: &Call, streams: Streams) -> Result {
        let (mut socket, is_v5) = self.open_channels(call).await?;
        let raw = streams.tty.then(terminal::Raw::new);
        let mut input = streams.stdin.then(read_stdin);
        let mut resized = if streams.tty {
            send_size(&mut socket).await;
            signal(SignalKind::window_change()).ok()
        } else {
            None
        };
        let mut status = Vec::new();
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Binary(bytes))) => self.take(&bytes, &mut status)?,
                    Some(Ok(Message::Text(text))) => self.take(text.as_bytes(), &mut status)?,
                    Some(Ok(Message::Close(_))) | None => break,
                    Some(Ok(_)) => {}
                    // What was said before is what counts.
                    Some(Err(_)) if !status.is_empty() => break,
                    Some(Err(e)) => {
                        return Err(Error::message(format!("the connection was lost: {e}")));
                    }
                },
                bytes = next(&mut input) => {
                    let message = match &bytes {
                        Some(bytes) => [&[STDIN], &bytes[..]].concat(),
                        None => vec![CLOSE, STDIN],
                    };
                    if bytes.is_none() {
                        input = None;
                    }
                    // Version 4 has no end of input. Who does not listen any more has said why, or will.
                    if bytes.is_some() || is_v5 {
                        let _ = socket.send(Message::Binary(message.into())).await;
                    }
                },
                () = changed(&mut resized) => send_size(&mut socket).await,
            }
        }
        self.flush()?;
        drop(raw);
        match outcome(&status) {
            Ok(0) => Ok(()),
            Ok(code) => {
                self.talk(format_args!("command terminated with exit code {code}"));
                Err(Error::Exit(code))
            }
            Err(why) => Err(Error::message(why)),
        }
    }

    /// What came on a channel.
    fn take(&self, message: &[u8], status: &mut Vec<u8>) -> Result {
        match message {
            [STDOUT, bytes @ ..] => {
                self.bytes(bytes)?;
                self.flush()?;
            }
            [STDERR, bytes @ ..] => self.talk_bytes(bytes),
            [ERROR, bytes @ ..] => status.extend_from_slice(bytes),
            _ => {}
        }
        Ok(())
    }

    async fn open_channels(&self, call: &Call) -> Result<(Socket, bool)> {
        let key = generate_key();
        let mut request = self.request(call)?;
        let headers = request.headers_mut();
        for (name, value) in [
            (CONNECTION, "Upgrade"),
            (UPGRADE, "websocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_PROTOCOL, OFFERED),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let value = HeaderValue::from_str(&key).map_err(|e| Error::message(e.to_string()))?;
        headers.insert(SEC_WEBSOCKET_KEY, value);
        let mut answer = self.transport()?.send(request).await?;
        self.show_warnings(answer.headers());
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refused(call, answer).await);
        }
        let text = |headers: &HeaderMap, name| {
            let value = headers.get(name).and_then(|v| v.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        if text(answer.headers(), SEC_WEBSOCKET_ACCEPT) != derive_accept_key(key.as_bytes()) {
            let why = "the server speaks no WebSocket: its answer does not belong to the key";
            return Err(Error::message(why));
        }
        let protocol = text(answer.headers(), SEC_WEBSOCKET_PROTOCOL);
        let upgraded = hyper::upgrade::on(&mut answer)
            .await
            .map_err(|e| self.lost(call, &e.to_string()))?;
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES));
        let io = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await;
        Ok((socket, protocol == V5))
    }

    /// A `Status` is the API's; anything else is what a kubelet says.
    pub(crate) async fn refused(&self, call: &Call, answer: Response<Body>) -> Error {
        let (head, body) = answer.into_parts();
        let body = match Limited::new(body, REFUSAL_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(e) => return self.lost(call, &e.to_string()),
        };
        let status: Option<Value> = serde_json::from_slice(&body).ok();
        if status.is_some_and(|status| status["kind"] == "Status") || body.is_empty() {
            let refusal = Refusal::from_answer(head.status.as_u16(), &body);
            return Error::Api(Box::new(refusal));
        }
        let said = String::from_utf8_lossy(&body);
        Error::message(format!("unable to upgrade connection: {}", said.trim_end()))
    }
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Standard input in pieces. The thread that reads it ends with the process: a read cannot be given up.
fn read_stdin() -> mpsc::Receiver<Bytes> {
    let (out, pieces) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin();
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = stdin.read(&mut buffer) {
            let piece = Bytes::copy_from_slice(&buffer[..n]);
            if out.blocking_send(piece).is_err() {
                return;
            }
        }
    });
    pieces
}

/// The next piece of the input, or its end; never where nothing is read.
async fn next(input: &mut Option<mpsc::Receiver<Bytes>>) -> Option<Bytes> {
    match input {
        Some(input) => input.recv().await,
        None => std::future::pending().await,
    }
}

async fn changed(resized: &mut Option<Signal>) {
    match resized {
        Some(resized) => {
            resized.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Says how large the terminal is. That it cannot be said changes nothing.
async fn send_size(socket: &mut Socket) {
    if let Some((width, height)) = terminal::size() {
        let size = json!({"Width": width, "Height": height}).to_string();
        let message = [&[RESIZE], size.as_bytes()].concat();
        let _ = socket.send(Message::Binary(message.into())).await;
    }
}

/// How a session ended, as the `Status` on the error channel has it: the code of the command, or why there is none.
fn outcome(status: &[u8]) -> std::result::Result<i32, String> {
    let Ok(status) = serde_json::from_slice::<Value>(status) else {
        return Err(if status.is_empty() {
            "the connection ended before the command did".to_owned()
        } else {
            String::from_utf8_lossy(status).into_owned()
        });
    };
    if status["status"] == "Success" {
        return Ok(0);
    }
    let message = status["message"].as_str().unwrap_or("it failed").to_owned();
    if status["reason"] != "NonZeroExitCode" {
        return Err(message);
    }
    let causes = status["details"]["causes"].as_array();
    causes
        .into_iter()
        .flatten()
        .find(|cause| cause["reason"] == "ExitCode")
        .and_then(|cause| cause["message"].as_str()?.parse().ok())
        .ok_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_sessions() {
        let check = |status: &str, expected: std::result::Result<i32, &str>| {
            assert_eq!(
                outcome(status.as_bytes()),
                expected.map_err(str::to_owned),
                "{status}"
            );
        };
        check(r#"{"metadata":{},"status":"Success"}"#, Ok(0));
        check(
            r#"{"status":"Failure","reason":"NonZeroExitCode","message":"m","details":{"causes":[{"reason":"X"},{"reason":"ExitCode","message":"127"}]}}"#,
            Ok(127),
        );
        check(
            r#"{"status":"Failure","reason":"NonZeroExitCode","message":"m"}"#,
            Err("m"),
        );
        check(
            r#"{"status":"Failure","reason":"InternalError","message":"Internal error occurred: x"}"#,
            Err("Internal error occurred: x"),
        );
        check(r#"{"status":"Failure"}"#, Err("it failed"));
        check("no JSON", Err("no JSON"));
        check("", Err("the connection ended before the command did"));
    }
}
