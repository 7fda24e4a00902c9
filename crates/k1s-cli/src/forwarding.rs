// SPDX-License-Identifier: Apache-2.0
//! Local ports that lead to those of a pod: connections are pairs of streams of one SPDY/3.1 connection to the API, as
//! `portforward.k8s.io` has it.
//!
//! Entry point: [`Context::forward_ports`].

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::{StatusCode, header};
use hyper_util::rt::TokioIo;
use spdy::{Event, Frames, Writer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::Call;
use crate::context::Context;
use crate::error::{Error, Result};

const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const PROTOCOL: &str = "portforward.k8s.io";
/// How often the other side is asked whether it is still there, so that nobody between thinks that it is not.
const PING: Duration = Duration::from_secs(5);
/// Bytes of a piece of what is passed on.
const PIECE: usize = 8192;
/// The longest text of why there is no connection, in bytes.
const TROUBLE: usize = 4096;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// The addresses of this machine for itself, of which one is enough.
    Host,
    /// This one.
    Address(IpAddr),
}

/// A local port, 0 for any that is free, and the pod's port that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(crate) local: u16,
    pub(crate) remote: u16,
}

/// What is to be said to the other side; it goes in the order in which it was said.
enum Said {
    Open {
        stream: u32,
        kind: &'static str,
        port: u16,
        request: u32,
    },
    Data {
        stream: u32,
        bytes: Bytes,
        ends: bool,
    },
    Ping(u32),
}

/// What comes on the streams of a connection.
enum Came {
    Data(Bytes),
    /// Nothing more; of the stream that was given up, `false`.
    End(bool),
}

type Streams = Arc<Mutex<HashMap<u32, mpsc::Sender<Came>>>>;

/// A connection to a local port.
struct Arrived {
    stream: TcpStream,
    ports: Forwarded,
}

impl Context {
    /// Passes connections to local ports on to the pod's, until it is interrupted.
    ///
    /// # Errors
    /// When the API or the kubelet refuses, no port can be listened on, or the connection is lost.
    pub(crate) async fn forward_ports(
        &self,
        call: &Call,
        ports: &[Forwarded],
        addresses: &[Local],
    ) -> Result {
        let (io, out) = split(self.open_streams(call).await?);
        let (arrived, mut arrivals) = mpsc::channel(16);
        self.listen(ports, addresses, &arrived).await?;
        let (say, said) = mpsc::channel(16);
        let (tell, mut troubles) = mpsc::channel(16);
        let streams = Streams::default();
        tokio::spawn(write(said, out));
        let mut reading = tokio::spawn(read(io, streams.clone(), say.clone()));
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0;
        let lost = || Error::message("lost connection to pod");
        loop {
            tokio::select! {
                Some(Arrived { stream, ports }) = arrivals.recv() => {
                    let local = stream.local_addr().map_or(ports.local, |at| at.port());
                    self.line(format_args!("Handling connection for {local}"))?;
                    self.flush()?;
                    let ports = Forwarded { local, ..ports };
                    let open = open(number, ports, &streams, &say).await;
                    number += 1;
                    let Some((ids, came)) = open else {
                        return Err(lost());
                    };
                    tokio::spawn(pass_on(stream, ports, ids, came, say.clone(), tell.clone()));
                }
                Some(trouble) = troubles.recv() => self.talk(format_args!("error: {trouble}")),
                // Numbers of ours are odd.
                _ = pings.tick() => {
                    let _ = say.send(Said::Ping(1)).await;
                }
                _ = &mut reading => return Err(lost()),
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    }

    async fn open_streams(&self, call: &Call) -> Result<TokioIo<hyper::upgrade::Upgraded>> {
        let mut request = self.request(call)?;
        let headers = request.headers_mut();
        for (name, value) in [
            (CONNECTION, "Upgrade"),
            (UPGRADE, "SPDY/3.1"),
            (STREAM_PROTOCOL, PROTOCOL),
            (header::CONTENT_LENGTH, "0"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let mut answer = self.transport()?.send(request).await?;
        self.show_warnings(answer.headers());
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refused(call, answer).await);
        }
        let upgraded = hyper::upgrade::on(&mut answer)
            .await
            .map_err(|e| self.lost(call, &e.to_string()))?;
        Ok(TokioIo::new(upgraded))
    }

    /// Listens on all ports that can be had, and says which.
    async fn listen(
        &self,
        ports: &[Forwarded],
        addresses: &[Local],
        arrived: &mpsc::Sender<Arrived>,
    ) -> Result {
        let mut is_any = false;
        for ports in ports {
            let mut ports = *ports;
            let mut refusals = Vec::new();
            let mut is_heard = false;
            for address in addresses {
                let all: &[IpAddr] = match address {
                    Local::Host => &[
                        IpAddr::V4(Ipv4Addr::LOCALHOST),
                        IpAddr::V6(Ipv6Addr::LOCALHOST),
                    ],
                    Local::Address(address) => std::slice::from_ref(address),
                };
                for address in all {
                    let at = SocketAddr::new(*address, ports.local);
                    let bound = TcpListener::bind(at)
                        .await
                        .and_then(|listener| Ok((listener.local_addr()?, listener)));
                    match bound {
                        Ok((at, listener)) => {
                            ports.local = at.port();
                            is_heard = true;
                            self.line(format_args!("Forwarding from {at} -> {}", ports.remote))?;
                            tokio::spawn(accept(listener, ports, arrived.clone()));
                        }
                        Err(why) => refusals.push(format!("listen {at}: {why}")),
                    }
                }
            }
            is_any |= is_heard;
            if !is_heard {
                self.talk(format_args!(
                    "Unable to listen on port {}: Listeners failed to create with the following errors: [{}]",
                    ports.local,
                    refusals.join(" ")
                ));
            }
        }
        self.flush()?;
        if is_any {
            return Ok(());
        }
        let all: Vec<String> = ports
            .iter()
            .map(|ports| format!("{{{} {}}}", ports.local, ports.remote))
            .collect();
        Err(Error::message(format!(
            "unable to listen on any of the requested ports: [{}]",
            all.join(" ")
        )))
    }
}

async fn accept(listener: TcpListener, ports: Forwarded, arrived: mpsc::Sender<Arrived>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if arrived.send(Arrived { stream, ports }).await.is_err() {
                    return;
                }
            }
            // The peer has gone already, or there is no descriptor left until another one closes.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// The numbers of a connection's streams, the one for errors first.
type Ids = (u32, u32);
/// What comes on them.
type Coming = (mpsc::Receiver<Came>, mpsc::Receiver<Came>);

/// Opens the two streams of a connection; `None` when nothing can be said any more.
async fn open(
    number: u32,
    ports: Forwarded,
    streams: &Streams,
    say: &mpsc::Sender<Said>,
) -> Option<(Ids, Coming)> {
    // Numbers of streams have 31 bits.
    let first = number.checked_mul(4).filter(|first| *first < 1 << 31)?;
    let ids = (first + 1, first + 3);
    let ((error, errors), (data, came)) = (mpsc::channel(4), mpsc::channel(4));
    {
        let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.insert(ids.0, error);
        streams.insert(ids.1, data);
    }
    for (stream, kind) in [(ids.0, "error"), (ids.1, "data")] {
        let open = Said::Open {
            stream,
            kind,
            port: ports.remote,
            request: number,
        };
        say.send(open).await.ok()?;
    }
    // Nothing is said on the stream for errors.
    let end = Said::Data {
        stream: ids.0,
        bytes: Bytes::new(),
        ends: true,
    };
    say.send(end).await.ok()?;
    Some((ids, (errors, came)))
}

/// Passes a connection on, both ways, and tells why it could not be.
async fn pass_on(
    stream: TcpStream,
    ports: Forwarded,
    (_, data): Ids,
    (mut errors, mut came): Coming,
    say: mpsc::Sender<Said>,
    tell: mpsc::Sender<String>,
) {
    let (mut from_client, mut to_client) = stream.into_split();
    let up = async {
        let mut buffer = vec![0; PIECE];
        loop {
            let n = from_client.read(&mut buffer).await.unwrap_or(0);
            let piece = Said::Data {
                stream: data,
                bytes: Bytes::copy_from_slice(&buffer[..n]),
                ends: n == 0,
            };
            if say.send(piece).await.is_err() || n == 0 {
                return;
            }
        }
    };
    let down = async {
        let mut trouble = Vec::new();
        while let Some(Came::Data(bytes)) = came.recv().await {
            if to_client.write_all(&bytes).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
        // What still comes has nobody to go to, and must not keep others from theirs.
        came.close();
        loop {
            match errors.recv().await {
                Some(Came::Data(bytes)) if trouble.len() < TROUBLE => {
                    trouble.extend_from_slice(&bytes);
                }
                Some(Came::Data(_)) => {}
                Some(Came::End(false)) if trouble.is_empty() => {
                    trouble.extend_from_slice(b"the node takes no more connections");
                    break;
                }
                Some(Came::End(_)) | None => break,
            }
        }
        trouble
    };
    tokio::pin!(up, down);
    let trouble = tokio::select! {
        trouble = &mut down => trouble,
        () = &mut up => down.await,
    };
    if !trouble.is_empty() {
        let Forwarded { local, remote } = ports;
        let why = String::from_utf8_lossy(&trouble);
        let _ = tell
            .send(format!(
                "an error occurred forwarding {local} -> {remote}: {why}"
            ))
            .await;
    }
}

/// Writes what is said until nobody says anything, or the connection is lost.
async fn write(mut said: mpsc::Receiver<Said>, mut io: impl AsyncWrite + Unpin) {
    let mut writer = Writer::default();
    while let Some(next) = said.recv().await {
        let mut out = Vec::new();
        match next {
            Said::Open {
                stream,
                kind,
                port,
                request,
            } => {
                let (port, request) = (port.to_string(), request.to_string());
                let headers = [
                    ("streamtype", kind),
                    ("port", &port),
                    ("requestid", &request),
                ];
                writer.open(stream, &headers, &mut out);
            }
            Said::Data {
                stream,
                bytes,
                ends,
            } => writer.data(stream, &bytes, ends, &mut out),
            Said::Ping(id) => writer.ping(id, &mut out),
        }
        if io.write_all(&out).await.is_err() || io.flush().await.is_err() {
            return;
        }
    }
}

/// Hands over what comes, until the connection ends or cannot be understood.
async fn read(mut io: impl AsyncRead + Unpin, streams: Streams, say: mpsc::Sender<Said>) {
    let mut frames = Frames::of_server();
    let mut buffer = vec![0; PIECE];
    while let Ok(n @ 1..) = io.read(&mut buffer).await {
        let mut piece = &buffer[..n];
        while !piece.is_empty() {
            let Ok((used, event)) = frames.push(piece) else {
                return;
            };
            piece = &piece[used..];
            match event {
                Some(Event::Data {
                    stream,
                    bytes,
                    ends,
                }) => {
                    if !bytes.is_empty() {
                        let bytes = Bytes::copy_from_slice(bytes);
                        hand_over(&streams, stream, Came::Data(bytes)).await;
                    }
                    if ends {
                        end(&streams, stream, true).await;
                    }
                }
                Some(Event::Replied { stream, ends: true }) => end(&streams, stream, true).await,
                Some(Event::Reset { stream }) => end(&streams, stream, false).await,
                Some(Event::Ping(id)) if id % 2 == 0 => {
                    let _ = say.send(Said::Ping(id)).await;
                }
                Some(Event::GoAway) => return,
                _ => {}
            }
        }
    }
}

async fn hand_over(streams: &Streams, stream: u32, came: Came) {
    let found = {
        let streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.get(&stream).cloned()
    };
    // Who has gone hears nothing more.
    if let Some(found) = found {
        let _ = found.send(came).await;
    }
}

async fn end(streams: &Streams, stream: u32, is_orderly: bool) {
    hand_over(streams, stream, Came::End(is_orderly)).await;
    let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
    streams.remove(&stream);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};

    /// The other side: what comes, as text.
    struct Peer {
        io: DuplexStream,
        frames: Frames,
        writer: Writer,
    }

    impl Peer {
        async fn say(&mut self, write: impl FnOnce(&mut Writer, &mut Vec<u8>)) {
            let mut out = Vec::new();
            write(&mut self.writer, &mut out);
            self.io.write_all(&out).await.unwrap();
        }

        /// Reads on until so many things have come.
        async fn hear(&mut self, count: usize) -> Vec<String> {
            let mut heard = Vec::new();
            while heard.len() < count {
                let byte = [self.io.read_u8().await.unwrap()];
                if let (_, Some(event)) = self.frames.push(&byte).unwrap() {
                    heard.push(format!("{event:?}"));
                }
            }
            heard
        }
    }

    /// A connection of a client that is passed on to a peer; what is told of trouble.
    async fn connected() -> (TcpStream, Peer, mpsc::Receiver<String>) {
        let (ours, io) = duplex(64);
        let (from_peer, to_peer) = split(ours);
        let (say, said) = mpsc::channel(16);
        let (tell, troubles) = mpsc::channel(16);
        let streams = Streams::default();
        tokio::spawn(write(said, to_peer));
        tokio::spawn(read(from_peer, streams.clone(), say.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let ports = Forwarded {
            local: 1,
            remote: 80,
        };
        let (ids, came) = open(0, ports, &streams, &say).await.unwrap();
        tokio::spawn(pass_on(stream, ports, ids, came, say, tell));
        let peer = Peer {
            io,
            frames: Frames::of_client(),
            writer: Writer::default(),
        };
        (client, peer, troubles)
    }

    #[tokio::test]
    async fn a_connection_is_two_streams() {
        let (mut client, mut peer, mut troubles) = connected().await;
        let heard = peer.hear(3).await;
        for (line, stream, kind) in [(&heard[0], 1, "error"), (&heard[1], 3, "data")] {
            assert!(
                line.starts_with(&format!("Opened {{ stream: {stream},")),
                "{line}"
            );
            for header in [("streamtype", kind), ("port", "80"), ("requestid", "0")] {
                assert!(line.contains(&format!("{header:?}")), "{line}");
            }
        }
        assert_eq!(heard[2], "Data { stream: 1, bytes: [], ends: true }");
        client.write_all(b"?").await.unwrap();
        assert_eq!(
            peer.hear(1).await,
            ["Data { stream: 3, bytes: [63], ends: false }"]
        );
        peer.say(|w, out| w.data(3, b"answer", false, out)).await;
        peer.say(|w, out| w.ping(2, out)).await;
        let mut said = [0; 6];
        client.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"answer");
        assert_eq!(peer.hear(1).await, ["Ping(2)"]);
        // The client has said all; the other side ends later.
        client.shutdown().await.unwrap();
        assert_eq!(
            peer.hear(1).await,
            ["Data { stream: 3, bytes: [], ends: true }"]
        );
        peer.say(|w, out| {
            w.data(3, b".", true, out);
            w.data(1, b"", true, out);
        })
        .await;
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b".");
        drop(peer);
        assert_eq!(troubles.recv().await, None);
    }

    #[tokio::test]
    async fn trouble_is_told_and_ends_the_connection() {
        let (mut client, mut peer, mut troubles) = connected().await;
        peer.hear(3).await;
        peer.say(|w, out| {
            w.data(3, b"", true, out);
            w.data(1, b"no such port", true, out);
        })
        .await;
        let told = troubles.recv().await;
        assert_eq!(
            told.as_deref(),
            Some("an error occurred forwarding 1 -> 80: no such port")
        );
        assert_eq!(client.read(&mut [0; 9]).await.unwrap(), 0);
        let (mut client, mut peer, mut troubles) = connected().await;
        peer.hear(3).await;
        peer.say(|w, out| {
            w.reset(1, 3, out);
            w.reset(3, 3, out);
        })
        .await;
        assert!(
            troubles
                .recv()
                .await
                .unwrap()
                .ends_with("takes no more connections")
        );
        assert_eq!(client.read(&mut [0; 9]).await.unwrap(), 0);
    }
}
