// SPDX-License-Identifier: Apache-2.0
//! `/portForward`: connections to a pod's ports within one to the node's own, over SPDY/3.1, as kubectl's `port-forward` has it
//! (`portforward.k8s.io`). Each connection is a pair of streams, one for its bytes and one for why there are none.
//!
//! To a container they are connections like any other ([`Agent::accept_on`]), but only this pod's containers are reached by them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use spdy::{Event, Frames, Headers, INVALID_STREAM, PROTOCOL_ERROR, REFUSED_STREAM, Writer};

use super::answer::Answer;
use super::session::{PIECE, PING_MS, SILENT_MS};
use super::{Forwarded, MAX_FOLLOWERS, Rest};
use crate::Agent;
use crate::runtime::Runtime;
use crate::time::Ms;
use crate::websocket::Upgrade;

const PROTOCOL: &str = "portforward.k8s.io";
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

/// Ports of a pod that are forwarded to a peer.
pub(crate) struct Forward {
    frames: Frames,
    writer: Writer,
    uid: String,
    pod: String,
    pairs: Vec<Pair>,
    last_stream: u32,
    replies: Vec<u8>,
    pings: u32,
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
    fn new(uid: String, pod: String, now: Ms) -> Self {
        Self {
            frames: Frames::of_client(),
            writer: Writer::default(),
            uid,
            pod,
            pairs: Vec::new(),
            last_stream: 0,
            replies: Vec::new(),
            pings: 0,
            heard: now,
            pinged: now,
            is_over: false,
        }
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
    pub(super) fn hear(&mut self, mut bytes: &[u8], now: Ms) {
        self.heard = now;
        while !bytes.is_empty() && !self.is_over {
            let is_understood = match self.frames.push(bytes) {
                Ok((used, event)) => {
                    bytes = &bytes[used..];
                    event.is_none_or(|event| self.event(event)) && self.replies.len() <= WAITING
                }
                Err(_) => false,
            };
            if !is_understood {
                let replies = &mut self.replies;
                self.writer
                    .go_away(self.last_stream, PROTOCOL_ERROR, replies);
                self.is_over = true;
            }
        }
    }

    /// Says whether the peer may say that.
    fn event(&mut self, event: Event<'_>) -> bool {
        let Self {
            pairs,
            writer,
            replies,
            ..
        } = self;
        let mut pairs = pairs.iter_mut();
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
            } => {
                let found = pairs.find(|p| stream != 0 && (p.data == stream || p.error == stream));
                match found {
                    None => writer.reset(stream, INVALID_STREAM, replies),
                    Some(pair) if pair.data == stream && !pair.input_ended => {
                        pair.input.extend_from_slice(bytes);
                        pair.input_ended = ends;
                        // There is no way to stop a peer but to give the stream up.
                        pair.is_reset |= pair.input.len() > WAITING;
                        if pair.is_reset {
                            writer.reset(stream, REFUSED_STREAM, replies);
                        }
                    }
                    Some(_) => {}
                }
            }
            Event::Reset { stream } => {
                if let Some(pair) = pairs.find(|p| p.data == stream) {
                    pair.is_reset = true;
                }
            }
            Event::Ping(id) if id % 2 == 1 => writer.ping(id, replies),
            Event::Ping(_) | Event::Replied { .. } => {}
            Event::GoAway => self.is_over = true,
        }
        true
    }

    fn open(&mut self, stream: u32, headers: &Headers, ends: bool) -> bool {
        if stream.is_multiple_of(2) || stream <= self.last_stream {
            return false;
        }
        self.last_stream = stream;
        let (kind, request) = (headers.get("streamtype"), headers.get("requestid"));
        let is_error = kind == "error";
        let port = headers.get("port").parse().unwrap_or(0);
        let replies = &mut self.replies;
        if !(is_error || kind == "data") || port == 0 || request.len() > 64 {
            self.writer.reset(stream, PROTOCOL_ERROR, replies);
            return true;
        }
        let is_half = |p: &Pair| {
            let taken = if is_error { p.error } else { p.data };
            p.request == request && p.port == port && taken == 0
        };
        let at = self.pairs.iter().position(is_half);
        let at = at.unwrap_or(self.pairs.len());
        if at >= MAX_PAIRS {
            self.writer.reset(stream, REFUSED_STREAM, replies);
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
        self.writer.reply(stream, replies);
        true
    }
}

impl Agent {
    /// Begins to forward ports of a pod, or says why not.
    pub(super) fn forward_request(
        &self,
        (namespace, pod): (&str, &str),
        upgrade: Option<&Upgrade>,
        now: Ms,
    ) -> Answer {
        let Some(work) = self.pods.by_name(namespace, pod) else {
            return Answer::text(404, "pod does not exist");
        };
        let Some(upgrade) = upgrade else {
            return Answer::text(400, "Upgrade request required");
        };
        if !upgrade.is_spdy() || upgrade.choose(&[PROTOCOL]).is_none() {
            let why = "this node forwards ports over SPDY/3.1 alone, as portforward.k8s.io";
            return Answer::text(400, why);
        }
        if self.kubelet.followers() >= MAX_FOLLOWERS {
            return Answer::text(429, super::session_request::too_many());
        }
        let forward = Forward::new(work.pod.uid.clone(), pod.into(), now);
        Answer {
            body: super::session_request::spdy_head(PROTOCOL),
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
        if is_free && out.is_empty() && now >= forward.due() {
            forward.pinged = now;
            forward.pings += 2;
            forward.writer.ping(forward.pings, &mut out);
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
            forward.writer.data(pair.data, &[], true, out);
            forward.writer.data(pair.error, why.as_bytes(), true, out);
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
            forward.writer.data(pair.data, &said[..n], false, out);
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
