// SPDX-License-Identifier: Apache-2.0
//! `/portForward`: connections to a pod's ports within one to the node's own. Each is a pair of streams, one for its bytes and one for
//! why there are none. kubectl has them over SPDY/3.1 (`portforward.k8s.io`), as many as it likes; kube-rs and the Python client as
//! channels of a WebSocket (`v4.channel.k8s.io`), one connection for each port that the request names.
//!
//! To a container they are connections like any other ([`Agent::accept_on`]), but only this pod's containers are reached by them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use spdy::{Event, Frames, Headers, INVALID_STREAM, PROTOCOL_ERROR, REFUSED_STREAM, Writer};

use super::answer::{Answer, values};
use super::session::{PIECE, PING_MS, SILENT_MS};
use super::{Forwarded, MAX_FOLLOWERS, Rest};
use crate::Agent;
use crate::runtime::Runtime;
use crate::time::Ms;
use crate::websocket::{self, Event as Message, Upgrade};

const PROTOCOL: &str = "portforward.k8s.io";
const CHANNELS: &str = "v4.channel.k8s.io";
/// How many ports a request names at most.
const MAX_PORTS: usize = 8;
/// How many connections are open or wait to be, each.
const MAX_PAIRS: usize = 16;
/// Bytes that wait for a connection to take them, and of answers that wait because the peer takes none.
const WAITING: usize = 8192;
/// Numbers of connections from here on are the node's own.
pub(super) const FIRST_OWN: u32 = 0xffff_0000;

/// A connection to a port: two streams of the peer.
#[derive(Debug, Default)]
struct Pair {
    request: String,
    port: u16,
    /// 0 is none yet.
    error: u32,
    data: u32,
    /// Whether there was room for a connection to the container.
    is_connected: bool,
    /// What the peer has said and the connection has not taken.
    input: Vec<u8>,
    input_ended: bool,
    is_reset: bool,
}

/// How streams go over the connection.
enum Wire {
    Spdy {
        frames: Frames,
        writer: Writer,
        last_stream: u32,
        pings: u32,
    },
    /// The number of a channel is one less than its stream's.
    WebSocket {
        frames: websocket::Frames,
        channel: u8,
    },
}

impl Wire {
    fn say(&self, stream: u32, bytes: &[u8], ends: bool, out: &mut Vec<u8>) {
        match self {
            Self::Spdy { writer, .. } => writer.data(stream, bytes, ends, out),
            Self::WebSocket { .. } => {
                let channel = u8::try_from(stream - 1).unwrap_or_default();
                if !bytes.is_empty() {
                    websocket::message(&[&[channel], bytes], out);
                }
            }
        }
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Spdy { writer, pings, .. } => {
                *pings += 2;
                writer.ping(*pings, out);
            }
            Self::WebSocket { .. } => websocket::ping(out),
        }
    }
}

/// Ports of a pod that are forwarded to a peer.
pub(crate) struct Forward {
    wire: Wire,
    uid: String,
    pod: String,
    pairs: Vec<Pair>,
    replies: Vec<u8>,
    heard: Ms,
    pinged: Ms,
    is_over: bool,
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forward({}, {:?})", self.pod, self.pairs)
    }
}

impl Forward {
    fn new(wire: Wire, uid: String, pod: String, now: Ms) -> Self {
        Self {
            wire,
            uid,
            pod,
            pairs: Vec::new(),
            replies: Vec::new(),
            heard: now,
            pinged: now,
            is_over: false,
        }
    }

    fn spdy() -> Wire {
        Wire::Spdy {
            frames: Frames::of_client(),
            writer: Writer::default(),
            last_stream: 0,
            pings: 0,
        }
    }

    /// Opens the two channels of a port, and says so: the port is the first message on each.
    fn name(&mut self, n: usize, port: u16) {
        let data = u32::try_from(2 * n + 1).unwrap_or(u32::MAX);
        for stream in [data, data + 1] {
            self.wire
                .say(stream, &port.to_le_bytes(), false, &mut self.replies);
        }
        self.pairs.push(Pair {
            port,
            data,
            error: data + 1,
            ..Pair::default()
        });
    }

    /// When something is to be done about a peer that is silent.
    pub(super) fn due(&self) -> Ms {
        self.heard.max(self.pinged) + PING_MS
    }

    /// When it is given up.
    pub(super) fn expires_at(&self) -> Ms {
        if self.is_over {
            0
        } else {
            self.heard + SILENT_MS
        }
    }

    /// Takes what the peer says. Who breaks the rules is told so, and heard no more.
    pub(super) fn hear(&mut self, bytes: &[u8], now: Ms) {
        self.heard = now;
        if matches!(self.wire, Wire::WebSocket { .. }) {
            self.hear_messages(&mut bytes.to_vec());
        } else {
            self.hear_frames(bytes);
        }
    }

    fn hear_frames(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_over {
            let Wire::Spdy { frames, .. } = &mut self.wire else {
                return;
            };
            let is_understood = match frames.push(bytes) {
                Ok((used, event)) => {
                    bytes = &bytes[used..];
                    event.is_none_or(|event| self.event(event)) && self.replies.len() <= WAITING
                }
                Err(_) => false,
            };
            if let (
                false,
                Wire::Spdy {
                    writer,
                    last_stream,
                    ..
                },
            ) = (is_understood, &self.wire)
            {
                let replies = &mut self.replies;
                writer.go_away(*last_stream, PROTOCOL_ERROR, replies);
                self.is_over = true;
            }
        }
    }

    fn hear_messages(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() && !self.is_over {
            let Wire::WebSocket { frames, channel } = &mut self.wire else {
                return;
            };
            let event = match frames.push(&mut bytes[at..]) {
                Ok((used, event)) => {
                    at += used;
                    event
                }
                Err(fault) => return self.close(fault.code()),
            };
            match event {
                Some(Message::Data { bytes, starts }) => {
                    let rest = if starts {
                        *channel = bytes[0];
                        &bytes[1..]
                    } else {
                        bytes
                    };
                    let stream = u32::from(*channel) + 1;
                    // What comes on a channel that has ended has nobody to go to.
                    let _ = self.take(stream, rest, false);
                }
                Some(Message::Ping(bytes)) => websocket::pong(&bytes, &mut self.replies),
                Some(Message::Close(_)) => self.close(1000),
                Some(Message::Pong) | None => {}
            }
            if self.replies.len() > WAITING {
                self.close(1008);
            }
        }
    }

    /// Says that a WebSocket ends.
    fn close(&mut self, code: u16) {
        websocket::close(&code.to_be_bytes(), &mut self.replies);
        self.is_over = true;
    }

    /// Keeps what came on a stream until its connection takes it; `None` if there is no such stream, else whether it is kept.
    fn take(&mut self, stream: u32, bytes: &[u8], ends: bool) -> Option<bool> {
        let mut pairs = self.pairs.iter_mut();
        let pair = pairs.find(|p| stream != 0 && (p.data == stream || p.error == stream))?;
        if pair.data != stream || pair.input_ended {
            return Some(true);
        }
        pair.input.extend_from_slice(bytes);
        pair.input_ended = ends;
        // There is no way to stop a peer but to give the stream up.
        pair.is_reset |= pair.input.len() > WAITING;
        Some(!pair.is_reset)
    }

    /// Says whether the peer may say that.
    fn event(&mut self, event: Event<'_>) -> bool {
        match event {
            Event::Opened {
                stream,
                headers,
                ends,
            } => return self.open(stream, &headers, ends),
            Event::Data {
                stream,
                bytes,
                ends,
            } => match self.take(stream, bytes, ends) {
                None => self.reset(stream, INVALID_STREAM),
                Some(false) => self.reset(stream, REFUSED_STREAM),
                Some(true) => {}
            },
            Event::Reset { stream } => {
                if let Some(pair) = self.pairs.iter_mut().find(|p| p.data == stream) {
                    pair.is_reset = true;
                }
            }
            Event::Ping(id) if id % 2 == 1 => {
                if let Wire::Spdy { writer, .. } = &self.wire {
                    writer.ping(id, &mut self.replies);
                }
            }
            Event::Ping(_) | Event::Replied { .. } => {}
            Event::GoAway => self.is_over = true,
        }
        true
    }

    fn reset(&mut self, stream: u32, status: u32) {
        if let Wire::Spdy { writer, .. } = &self.wire {
            writer.reset(stream, status, &mut self.replies);
        }
    }

    fn open(&mut self, stream: u32, headers: &Headers, ends: bool) -> bool {
        let Wire::Spdy { last_stream, .. } = &mut self.wire else {
            return false;
        };
        if stream.is_multiple_of(2) || stream <= *last_stream {
            return false;
        }
        *last_stream = stream;
        let (kind, request) = (headers.get("streamtype"), headers.get("requestid"));
        let is_error = kind == "error";
        let port = headers.get("port").parse().unwrap_or(0);
        if !(is_error || kind == "data") || port == 0 || request.len() > 64 {
            self.reset(stream, PROTOCOL_ERROR);
            return true;
        }
        let is_half = |p: &Pair| {
            let taken = if is_error { p.error } else { p.data };
            p.request == request && p.port == port && taken == 0
        };
        let at = self.pairs.iter().position(is_half);
        let at = at.unwrap_or(self.pairs.len());
        if at >= MAX_PAIRS {
            self.reset(stream, REFUSED_STREAM);
            return true;
        }
        if at == self.pairs.len() {
            self.pairs.push(Pair {
                request: request.into(),
                port,
                ..Pair::default()
            });
        }
        let pair = &mut self.pairs[at];
        if is_error {
            pair.error = stream;
        } else {
            (pair.data, pair.input_ended) = (stream, ends);
        }
        if let Wire::Spdy { writer, .. } = &mut self.wire {
            writer.reply(stream, &mut self.replies);
        }
        true
    }
}

impl Agent {
    /// Begins to forward ports of a pod, or says why not.
    pub(super) fn forward_request(
        &self,
        (namespace, pod): (&str, &str),
        query: &str,
        upgrade: Option<&Upgrade>,
        now: Ms,
    ) -> Answer {
        let Some(work) = self.pods.by_name(namespace, pod) else {
            return Answer::text(404, "pod does not exist");
        };
        let Some(upgrade) = upgrade else {
            return Answer::text(400, "Upgrade request required");
        };
        let (uid, pod) = (work.pod.uid.clone(), pod.into());
        let (forward, head) = if upgrade.is_spdy() && upgrade.choose(&[PROTOCOL]).is_some() {
            let forward = Forward::new(Forward::spdy(), uid, pod, now);
            (forward, super::session_request::spdy_head(PROTOCOL))
        } else if upgrade.is_websocket() && upgrade.choose(&[CHANNELS]).is_some() {
            let frames = websocket::Frames::default();
            let mut forward = Forward::new(Wire::WebSocket { frames, channel: 0 }, uid, pod, now);
            let ports: Vec<u16> = values(query, "port")
                .map(|port| port.and_then(|port| port.parse().ok()).unwrap_or(0))
                .collect();
            if ports.is_empty() || ports.contains(&0) || ports.len() > MAX_PORTS {
                let why = format!("the request is to name 1 to {MAX_PORTS} ports with port=NUMBER");
                return Answer::text(400, why);
            }
            for (n, port) in ports.into_iter().enumerate() {
                forward.name(n, port);
            }
            (forward, upgrade.head(CHANNELS))
        } else {
            let why = "this node forwards ports over SPDY/3.1, as portforward.k8s.io, or over WebSocket of version 13, as v4.channel.k8s.io";
            return Answer::text(400, why);
        };
        if self.kubelet.followers() >= MAX_FOLLOWERS {
            return Answer::text(429, super::session_request::too_many());
        }
        Answer {
            body: head,
            rest: Rest::Forward(Box::new(forward)),
            ..Answer::text(101, "")
        }
    }

    /// Goes on with all that forward ports.
    pub(super) fn forward_all(&mut self, now: Ms, runtime: &mut dyn Runtime) {
        let all = self.kubelet.connections.iter();
        let forwards = all.filter(|c| matches!(c.rest, Rest::Forward(_)));
        let ids: Vec<u32> = forwards.map(|c| c.id).collect();
        for id in ids {
            self.go_on_forwarding(id, now, runtime);
        }
    }

    /// Passes on, both ways, what can be passed on now.
    pub(super) fn go_on_forwarding(&mut self, id: u32, now: Ms, runtime: &mut dyn Runtime) {
        let Some(n) = self.kubelet_index(id) else {
            return;
        };
        let connection = &mut self.kubelet.connections[n];
        let mut forward = match core::mem::replace(&mut connection.rest, Rest::Nothing) {
            Rest::Forward(forward) => forward,
            other => {
                connection.rest = other;
                return;
            }
        };
        let waiting = core::mem::take(&mut connection.waiting);
        let is_free = connection.out.is_empty();
        forward.hear(&waiting, now);
        let mut out = Vec::new();
        if is_free {
            out.append(&mut forward.replies);
        }
        let mut pairs = core::mem::take(&mut forward.pairs);
        pairs.retain_mut(|pair| {
            let goes_on = !forward.is_over
                && !pair.is_reset
                && self.go_on_with_pair((id, &forward), pair, is_free, now, runtime, &mut out);
            if let (false, Some(own)) = (goes_on, self.kubelet.forwarded(id, pair.data)) {
                self.served_closed(own);
            }
            goes_on
        });
        forward.pairs = pairs;
        let is_done = forward.pairs.is_empty() && !forward.is_over;
        if is_done && matches!(forward.wire, Wire::WebSocket { .. }) {
            // There are no more ports than those that the request named.
            forward.close(1000);
        }
        if is_free && out.is_empty() && now >= forward.due() {
            forward.pinged = now;
            forward.wire.ping(&mut out);
        }
        // What was done may have changed which one it is.
        let Some(n) = self.kubelet_index(id) else {
            return;
        };
        let connection = &mut self.kubelet.connections[n];
        if !out.is_empty() {
            (connection.out, connection.since) = (out, now);
        }
        connection.close |= forward.is_over && forward.replies.is_empty();
        connection.rest = Rest::Forward(forward);
    }

    /// Says whether the pair goes on. With `is_free` the peer has taken all that was said.
    fn go_on_with_pair(
        &mut self,
        (id, forward): (u32, &Forward),
        pair: &mut Pair,
        is_free: bool,
        now: Ms,
        runtime: &mut dyn Runtime,
        out: &mut Vec<u8>,
    ) -> bool {
        if pair.error == 0 || pair.data == 0 {
            return true;
        }
        let end = |why: &str, out: &mut Vec<u8>| {
            forward.wire.say(pair.data, &[], true, out);
            forward.wire.say(pair.error, why.as_bytes(), true, out);
            false
        };
        let own = match self.kubelet.forwarded(id, pair.data) {
            Some(own) => own,
            // It has given way.
            None if pair.is_connected && is_free => return end("", out),
            None if !is_free => return true,
            None if !self.has_port(&forward.uid, pair.port) => {
                let (port, pod) = (pair.port, &forward.pod);
                let why = format!(
                    "error forwarding port {port} to pod {pod}: no container of it that runs has port {port}"
                );
                return end(&why, out);
            }
            // There is little room: who says nothing yet takes none, and of those that were answered the oldest gives way.
            None if pair.input.is_empty() && !pair.input_ended => return true,
            None => {
                let by = Forwarded {
                    by: id,
                    stream: pair.data,
                    uid: forward.uid.clone(),
                };
                let Some(own) = self.kubelet.accept_forwarded(pair.port, by, now) else {
                    // There is room once another one has ended.
                    return true;
                };
                pair.is_connected = true;
                own
            }
        };
        let is_waiting = |n: usize| !self.kubelet.connections[n].waiting.is_empty();
        if !pair.input.is_empty() && !self.kubelet_index(own).is_some_and(is_waiting) {
            let input = core::mem::take(&mut pair.input);
            self.served(own, &input, now, runtime);
        }
        if !is_free {
            return true;
        }
        let said = self.serving(own);
        let n = said.len().min(PIECE);
        if n > 0 {
            forward.wire.say(pair.data, &said[..n], false, out);
        }
        let is_closed = self.served_sent(own, n, now, runtime);
        let is_idle = self.kubelet_index(own).is_none_or(|n| {
            let connection = &self.kubelet.connections[n];
            connection.is_idle() && connection.waiting.is_empty()
        });
        if is_closed || pair.input_ended && is_idle && pair.input.is_empty() {
            return end("", out);
        }
        true
    }

    /// Whether a container of the pod listens on a port.
    fn has_port(&self, uid: &str, port: u16) -> bool {
        let mut all = self.pods.all.iter();
        all.find(|work| work.pod.uid == uid).is_some_and(|work| {
            let mut pairs = work.pod.containers.iter().zip(&work.containers);
            pairs.any(|(spec, runner)| spec.port == Some(port) && runner.is_running())
        })
    }
}
