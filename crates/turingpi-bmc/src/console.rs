// SPDX-License-Identifier: Apache-2.0
//! A live console: the daemon's WebSocket where it works, polling where it does not.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};

use crate::bmc::Bmc;
use crate::connection::Stream;
use crate::error::{Error, Result};
use crate::generation::Generation;
use crate::slot::Slot;
use crate::uart::Encoding;

/// How long the daemon may take for the upgrade; some never finish it.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// The way a console goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A WebSocket: bytes as they come.
    WebSocket,
    /// Twice a second.
    Polling,
}

/// An open console.
#[derive(Debug)]
pub struct Console {
    /// How it goes.
    pub way: Way,
    input: mpsc::Sender<Vec<u8>>,
    output: mpsc::Receiver<Result<Vec<u8>>>,
}

impl Console {
    /// The next bytes from the module; `None` when the console was closed.
    ///
    /// # Errors
    /// When the board does not answer any more.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>>> {
        self.output.recv().await
    }

    /// Sends bytes to the module. By polling they are sent line by line: the daemon ends what it is given with a line's end.
    pub async fn send(&self, bytes: Vec<u8>) {
        // a closed console is told by `next`
        let _ = self.input.send(bytes).await;
    }

    /// What sends bytes while [`Console::next`] waits.
    #[must_use]
    pub fn sender(&self) -> mpsc::Sender<Vec<u8>> {
        self.input.clone()
    }
}

impl Bmc {
    /// Opens the console of a module.
    ///
    /// # Errors
    /// When the board cannot be reached or refuses.
    pub async fn console(&self, slot: Slot) -> Result<Console> {
        if self.generation().await? >= Generation::V2_1 {
            match tokio::time::timeout(HANDSHAKE, self.web_socket(slot)).await {
                Ok(Ok(socket)) => return Ok(over_socket(socket)),
                Ok(Err(e)) => log::info!("no WebSocket: {e}; polling"),
                Err(_) => {
                    log::info!("the daemon does not finish the WebSocket's handshake; polling")
                }
            }
        }
        self.polled(slot).await
    }

    async fn web_socket(&self, slot: Slot) -> Result<tokio_tungstenite::WebSocketStream<Stream>> {
        let token = self.token().await?;
        let connector = self.connector();
        let endpoint = &connector.endpoint;
        let scheme = if endpoint.secure { "wss" } else { "ws" };
        let uri = format!(
            "{scheme}://{}/api/bmc/serial/ws?node={}",
            endpoint.authority(),
            slot.index()
        );
        let refused = |text: String| Error::Refused {
            what: "the console".into(),
            status: 0,
            text,
        };
        let mut request = uri
            .into_client_request()
            .map_err(|e| refused(e.to_string()))?;
        if let Some(token) = token
            && let Ok(mut value) = http::HeaderValue::from_str(&format!("Bearer {token}"))
        {
            value.set_sensitive(true);
            request
                .headers_mut()
                .insert(http::header::AUTHORIZATION, value);
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(1 << 20))
            .max_frame_size(Some(1 << 20));
        let stream = connector.stream().await?;
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(request, stream, Some(config))
                .await
                .map_err(|e| refused(e.to_string()))?;
        Ok(socket)
    }

    async fn polled(&self, slot: Slot) -> Result<Console> {
        let mut log = self.boot_log(slot).await?;
        let (input, mut lines) = mpsc::channel::<Vec<u8>>(16);
        let (to, output) = mpsc::channel(64);
        let bmc = self.clone();
        tokio::spawn(async move {
            let mut line = Vec::new();
            let mut ticks = tokio::time::interval(Duration::from_millis(500));
            loop {
                tokio::select! {
                    typed = lines.recv() => {
                        let Some(typed) = typed else { return };
                        for byte in typed {
                            if byte != b'\r' && byte != b'\n' {
                                line.push(byte);
                                continue;
                            }
                            let text = String::from_utf8_lossy(&line).into_owned();
                            line.clear();
                            if let Err(e) = bmc.uart_send(slot, &text).await
                                && to.send(Err(e)).await.is_err()
                            {
                                return;
                            }
                        }
                    }
                    _ = ticks.tick() => match log.poll().await {
                        Ok(fresh) if fresh.is_empty() => {
                            if to.is_closed() {
                                return;
                            }
                        }
                        Ok(fresh) => {
                            if to.send(Ok(fresh.into_bytes())).await.is_err() {
                                return;
                            }
                        }
                        Err(e) => {
                            let fatal = !e.is_unreachable();
                            if to.send(Err(e)).await.is_err() || fatal {
                                return;
                            }
                        }
                    },
                }
            }
        });
        Ok(Console {
            way: Way::Polling,
            input,
            output,
        })
    }

    /// What the daemon holds of a module's output, as a console shows it before what is new.
    ///
    /// # Errors
    /// As [`Bmc::uart`].
    pub async fn console_history(&self, slot: Slot) -> Result<String> {
        self.uart(slot, Encoding::Utf8).await
    }
}

fn over_socket(socket: tokio_tungstenite::WebSocketStream<Stream>) -> Console {
    let (mut sink, mut stream) = socket.split();
    let (input, mut typed) = mpsc::channel::<Vec<u8>>(16);
    let (to, output) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                bytes = typed.recv() => {
                    let Some(bytes) = bytes else {
                        let _ = sink.close().await;
                        return;
                    };
                    if sink.send(Message::Binary(bytes.into())).await.is_err() {
                        return;
                    }
                }
                message = stream.next() => {
                    let bytes = match message {
                        Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
                        Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
                        // pings are answered by the library
                        Some(Ok(Message::Close(_))) | None => return,
                        Some(Ok(_)) => continue,
                        Some(Err(e)) => {
                            let error = Error::Refused {
                                what: "the console".into(),
                                status: 0,
                                text: e.to_string(),
                            };
                            let _ = to.send(Err(error)).await;
                            return;
                        }
                    };
                    if to.send(Ok(bytes)).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    Console {
        way: Way::WebSocket,
        input,
        output,
    }
}
