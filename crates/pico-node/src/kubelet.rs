// SPDX-License-Identifier: Apache-2.0
//! The kubelet API of this node: health, pods, logs, figures, and a fixed set of commands.
//!
//! There is no TLS and no identity here: whoever carries the bytes knows who asks, and says of a connection that its peer speaks
//! for the API. Anybody else is told whether the node is well, and nothing more. Answers are made piece by piece: the next piece once the one before was sent.

mod answer;
mod channels;
mod command;
mod figures;
#[cfg(feature = "spdy")]
mod forward;
#[cfg(feature = "spdy")]
mod multiplexed;
mod ports;
mod session;
mod session_request;
mod shell;
mod wire;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::Agent;
use crate::http::{Incoming, RequestParser};
use crate::runtime::Runtime;
use crate::time::{Ms, Wall};
#[cfg(feature = "spdy")]
use forward::Forward;
use ports::Visit;
use session::Session;

/// How many connections are served at a time.
pub const MAX_CONNECTIONS: usize = 5;
/// How many of them may follow a log or run commands: the others are for whoever only asks.
pub(crate) const MAX_FOLLOWERS: usize = MAX_CONNECTIONS - 1;
/// How long a connection may go without a request, or without taking what is said on it, in milliseconds.
const IDLE_MS: Ms = 60_000;

/// What is still to be said on a connection.
#[derive(Debug)]
pub(crate) enum Rest {
    Nothing,
    /// The pods from this one on, then the end of the list.
    Pods(usize),
    /// Lines of a log.
    Log(LogQuery),
    /// What a container answers.
    Visit(Visit),
    /// A command, or what a container says.
    Session(Box<Session>),
    /// Ports of a pod.
    #[cfg(feature = "spdy")]
    Forward(Box<Forward>),
}

impl Rest {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Whether another protocol than HTTP is spoken from now on.
    fn is_upgrade(&self) -> bool {
        match self {
            Self::Session(_) => true,
            #[cfg(feature = "spdy")]
            Self::Forward(_) => true,
            _ => false,
        }
    }

    /// Whether there may be more to say without a word of the peer.
    fn goes_on(&self) -> bool {
        matches!(self, Self::Log(_) | Self::Visit(_)) || self.is_upgrade()
    }
}

/// Of whom a connection comes that is within another one.
#[derive(Debug)]
struct Forwarded {
    /// The number of the other one.
    by: u32,
    /// Its stream within it.
    #[cfg(feature = "spdy")]
    stream: u32,
    /// The pod that is meant.
    uid: String,
}

/// Which lines of whose log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LogQuery {
    pub(crate) uid: String,
    pub(crate) container: String,
    pub(crate) previous: bool,
    pub(crate) timestamps: bool,
    pub(crate) follow: bool,
    pub(crate) since: Option<Ms>,
    pub(crate) since_time: Option<Wall>,
    pub(crate) next: u64,
    pub(crate) limit: Option<u64>,
    /// How often the container had been started again when it was asked for.
    pub(crate) restarts: u32,
}

#[derive(Debug)]
struct Connection {
    id: u32,
    /// The container's port that it came to; `None` for the node's own.
    port: Option<u16>,
    /// Whether the peer has proved that it speaks for the API.
    is_trusted: bool,
    /// Of a connection that is within another one.
    forwarded: Option<Forwarded>,
    parser: RequestParser,
    out: Vec<u8>,
    sent: usize,
    rest: Rest,
    /// Bytes that came while an answer was under way.
    waiting: Vec<u8>,
    /// Nothing more is answered; it is closed once all was sent.
    close: bool,
    /// The answer under way is the last one.
    is_last: bool,
    /// Since when it is waited for the peer.
    since: Ms,
}

impl Connection {
    /// Whether the peer has nothing to wait for.
    fn is_idle(&self) -> bool {
        self.out.is_empty() && self.rest.is_nothing()
    }

    /// When it is given up if the peer does nothing: never while there is nothing to be done but wait for a log.
    fn expires_at(&self) -> Option<Ms> {
        let within = match &self.rest {
            Rest::Session(session) => Some(session.expires_at()),
            #[cfg(feature = "spdy")]
            Rest::Forward(forward) => Some(forward.expires_at()),
            _ => None,
        };
        if let (Some(at), true) = (within, self.out.is_empty()) {
            return Some(at);
        }
        (self.is_idle() || !self.out.is_empty()).then_some(self.since + IDLE_MS)
    }
}

/// The connections to this node.
#[derive(Debug, Default)]
pub(crate) struct Kubelet {
    connections: Vec<Connection>,
    /// Connections that were given up, for the host to close.
    expired: Vec<u32>,
    pub(crate) requests: u64,
}

impl Kubelet {
    /// Gives up connections whose peer does nothing.
    pub(crate) fn expire(&mut self, now: Ms) {
        for connection in &mut self.connections {
            if let Rest::Visit(visit) = &mut connection.rest {
                visit.is_new = false;
            }
        }
        let expired = &mut self.expired;
        self.connections.retain(|connection| {
            let is_late = connection.expires_at().is_some_and(|at| now >= at);
            if is_late && connection.forwarded.is_none() {
                expired.push(connection.id);
            }
            !is_late
        });
    }

    /// Takes a connection. The node's own port and the containers' have room for as many each.
    fn accept(&mut self, id: u32, port: Option<u16>, is_trusted: bool, now: Ms) -> bool {
        let all = &mut self.connections;
        let is_alike = |c: &Connection| c.port.is_some() == port.is_some();
        if all.iter().filter(|c| is_alike(c)).count() >= MAX_CONNECTIONS {
            let idle = all.iter().enumerate();
            let idle = idle.filter(|(_, c)| is_alike(c) && c.is_idle());
            let Some((oldest, _)) = idle.min_by_key(|(_, c)| c.since) else {
                return false;
            };
            let given_up = all.remove(oldest);
            if given_up.forwarded.is_none() {
                self.expired.push(given_up.id);
            }
        }
        all.push(Connection {
            id,
            port,
            is_trusted,
            forwarded: None,
            parser: RequestParser::default(),
            out: Vec::new(),
            sent: 0,
            rest: Rest::Nothing,
            waiting: Vec::new(),
            close: false,
            is_last: false,
            since: now,
        });
        true
    }

    /// Takes a connection to a port that is within another one; returns its number if there is room for it.
    #[cfg(feature = "spdy")]
    fn accept_forwarded(&mut self, port: u16, forwarded: Forwarded, now: Ms) -> Option<u32> {
        let is_free = |id: &u32| self.connections.iter().all(|c| c.id != *id);
        let id = (forward::FIRST_OWN..).find(is_free)?;
        if !self.accept(id, Some(port), false, now) {
            return None;
        }
        self.connections.last_mut()?.forwarded = Some(forwarded);
        Some(id)
    }

    /// The number of the connection that is a stream within another one.
    #[cfg(feature = "spdy")]
    fn forwarded(&self, by: u32, stream: u32) -> Option<u32> {
        let is_meant = |within: &Forwarded| within.by == by && within.stream == stream;
        let mut all = self.connections.iter();
        let found = all.find(|c| c.forwarded.as_ref().is_some_and(is_meant));
        found.map(|c| c.id)
    }

    /// When something is to be done about requests that containers have not answered, and about peers that are silent.
    pub(crate) fn visits_due(&self, now: Ms) -> Option<Ms> {
        let due = self.connections.iter().filter_map(|c| match &c.rest {
            Rest::Visit(visit) => Some(visit.due(now)),
            Rest::Session(session) if c.out.is_empty() => session.due(),
            #[cfg(feature = "spdy")]
            Rest::Forward(forward) if c.out.is_empty() => Some(forward.due()),
            _ => None,
        });
        due.min()
    }

    /// When the next connection is to be given up.
    pub(crate) fn expires_at(&self) -> Option<Ms> {
        self.connections
            .iter()
            .filter_map(Connection::expires_at)
            .min()
    }

    /// How many connections follow a log, have a session or forward ports.
    pub(crate) fn followers(&self) -> usize {
        let follows = |c: &&Connection| match &c.rest {
            Rest::Log(query) => query.follow,
            rest => rest.is_upgrade(),
        };
        self.connections.iter().filter(follows).count()
    }
}

impl Agent {
    /// Takes a connection to the node's port. Says whether there is room for it; close it if not. Of connections
    /// without a request the oldest gives way: see [`Agent::served_expired`]. Numbers from `0xffff_0000` on are not for the host.
    pub fn accept(&mut self, id: u32, now: Ms) -> bool {
        self.kubelet.accept(id, None, false, now)
    }

    /// As [`Agent::accept`], of a peer that has proved that it speaks for the API, as with a client certificate: it may ask
    /// everything, and run commands in containers.
    pub fn accept_trusted(&mut self, id: u32, now: Ms) -> bool {
        self.kubelet.accept(id, None, true, now)
    }

    /// A connection that is to be closed because its peer did nothing for too long; each is named once.
    pub fn served_expired(&mut self) -> Option<u32> {
        self.kubelet.expired.pop()
    }

    /// Bytes came on a connection to the node's port.
    pub fn served(&mut self, id: u32, bytes: &[u8], now: Ms, runtime: &mut dyn Runtime) {
        if let Some(n) = self.kubelet_index(id) {
            let connection = &mut self.kubelet.connections[n];
            if let Rest::Session(session) = &mut connection.rest {
                session.hear(bytes, now);
                self.kubelet_go_on(n, now, runtime);
                return;
            }
            #[cfg(feature = "spdy")]
            if let Rest::Forward(forward) = &mut connection.rest {
                forward.hear(bytes, now);
                self.go_on_forwarding(id, now, runtime);
                return;
            }
            // A client that talks on and on while it is answered is no client.
            if connection.waiting.len() + bytes.len() > 16 * 1024 {
                connection.close = true;
                return;
            }
            connection.waiting.extend_from_slice(bytes);
            self.kubelet_go_on(n, now, runtime);
        }
    }

    /// Bytes that wait to be sent on a connection to the node's port.
    #[must_use]
    pub fn serving(&self, id: u32) -> &[u8] {
        self.kubelet_index(id).map_or(&[], |n| {
            let connection = &self.kubelet.connections[n];
            connection.out.get(connection.sent..).unwrap_or_default()
        })
    }

    /// So many of those bytes were taken. Says whether the connection is to be closed now.
    pub fn served_sent(
        &mut self,
        id: u32,
        taken: usize,
        now: Ms,
        runtime: &mut dyn Runtime,
    ) -> bool {
        let Some(n) = self.kubelet_index(id) else {
            return true;
        };
        let connection = &mut self.kubelet.connections[n];
        connection.sent += taken;
        if taken > 0 {
            connection.since = now;
        }
        if connection.sent >= connection.out.len() {
            connection.out.clear();
            connection.sent = 0;
            self.kubelet_go_on(n, now, runtime);
            #[cfg(feature = "spdy")]
            self.go_on_forwarding(id, now, runtime);
        }
        let connection = self.kubelet_index(id);
        let connection = connection.map(|n| &self.kubelet.connections[n]);
        connection.is_none_or(|c| c.close && c.out.is_empty())
    }

    /// The peer has gone.
    pub fn served_closed(&mut self, id: u32) {
        let is_gone = |c: &Connection| {
            c.id == id || c.forwarded.as_ref().is_some_and(|within| within.by == id)
        };
        let all = &mut self.kubelet.connections;
        let within: Vec<u32> = all.iter().filter(|c| is_gone(c)).map(|c| c.id).collect();
        all.retain(|c| !is_gone(c));
        for id in within.into_iter().chain([id]) {
            self.forget_visitor(id);
        }
    }

    /// Whether a log is being followed, a container is to answer, a session is open or ports are forwarded, so that there may be
    /// more to say after each [`Agent::poll`].
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.kubelet.connections.iter().any(|c| c.rest.goes_on())
    }

    /// Whether a container has been asked something since the last [`Agent::poll`]: the next one is due at once.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        let is_new = |c: &Connection| matches!(&c.rest, Rest::Visit(visit) if visit.is_new);
        self.kubelet.connections.iter().any(is_new)
    }

    /// Looks for new lines of logs that are followed, and for answers of containers.
    pub fn follow(&mut self, now: Ms, runtime: &mut dyn Runtime) {
        for n in 0..self.kubelet.connections.len() {
            if self.kubelet.connections[n].rest.goes_on() {
                self.kubelet_go_on(n, now, runtime);
            }
        }
        #[cfg(feature = "spdy")]
        self.forward_all(now, runtime);
    }

    fn kubelet_index(&self, id: u32) -> Option<usize> {
        self.kubelet.connections.iter().position(|c| c.id == id)
    }

    /// Says what can be said now: the next piece of an answer, or the answer to the next request.
    fn kubelet_go_on(&mut self, n: usize, now: Ms, runtime: &mut dyn Runtime) {
        loop {
            if !self.kubelet.connections[n].out.is_empty() || self.kubelet.connections[n].close {
                return;
            }
            if matches!(self.kubelet.connections[n].rest, Rest::Visit(_)) {
                if self.go_on_with_visit(n, now) {
                    continue;
                }
                return;
            }
            match &self.kubelet.connections[n].rest {
                Rest::Session(_) => return self.go_on_with_session(n, now, runtime),
                // Other connections come and go with it, so it is gone on with where none is at hand.
                #[cfg(feature = "spdy")]
                Rest::Forward(_) => return,
                _ => {}
            }
            if !self.kubelet.connections[n].rest.is_nothing() {
                let rest = core::mem::replace(&mut self.kubelet.connections[n].rest, Rest::Nothing);
                let mut piece = String::new();
                let rest = self.piece(rest, now, &mut piece);
                let connection = &mut self.kubelet.connections[n];
                if !piece.is_empty() {
                    chunk(&piece, &mut connection.out);
                }
                if rest.is_nothing() {
                    connection.out.extend_from_slice(b"0\r\n\r\n");
                    connection.close = connection.is_last;
                }
                connection.rest = rest;
                // A log that is followed has nothing more to say for now.
                if connection.out.is_empty() {
                    return;
                }
                continue;
            }
            let connection = &mut self.kubelet.connections[n];
            let waiting = core::mem::take(&mut connection.waiting);
            if waiting.is_empty() {
                return;
            }
            match connection.parser.push(&waiting) {
                Ok((used, request)) => {
                    connection.waiting.extend_from_slice(&waiting[used..]);
                    let Some(request) = request else {
                        return;
                    };
                    match connection.port {
                        Some(port) => self.visit(n, port, request, now),
                        None if request.target.starts_with("/proxy/") => {
                            let keep_alive = request.keep_alive;
                            if let Err((status, why)) = self.visit_pod(n, request, now) {
                                let mut out = String::new();
                                let length = Some(why.len());
                                let is_last = !keep_alive;
                                let text = "text/plain; charset=utf-8";
                                head(status, text, length, is_last, &mut out);
                                out.push_str(why);
                                let connection = &mut self.kubelet.connections[n];
                                connection.out = out.into_bytes();
                                connection.close |= is_last;
                                connection.since = now;
                            }
                        }
                        None => self.kubelet_answer(n, &request, now, runtime),
                    }
                }
                Err(error) => {
                    let mut out = String::new();
                    let body = alloc::format!("{error}\n");
                    let length = Some(body.len());
                    head(400, "text/plain; charset=utf-8", length, true, &mut out);
                    out.push_str(&body);
                    connection.out = out.into_bytes();
                    connection.close = true;
                    connection.since = now;
                }
            }
        }
    }

    fn kubelet_answer(&mut self, n: usize, request: &Incoming, now: Ms, runtime: &mut dyn Runtime) {
        self.kubelet.requests += 1;
        let is_trusted = self.kubelet.connections[n].is_trusted;
        let answer = self.kubelet_request(request, is_trusted, now, runtime);
        let mut out = String::new();
        if answer.rest.is_upgrade() {
            let _ = write!(
                out,
                "HTTP/1.1 101 Switching Protocols\r\n{}\r\n",
                answer.body
            );
            let connection = &mut self.kubelet.connections[n];
            connection.since = now;
            connection.out = out.into_bytes();
            connection.rest = answer.rest;
            return;
        }
        let streams = !answer.rest.is_nothing();
        let length = (!streams).then_some(answer.body.len());
        let is_last = !request.keep_alive;
        head(
            answer.status,
            answer.content_type,
            length,
            is_last,
            &mut out,
        );
        let connection = &mut self.kubelet.connections[n];
        connection.since = now;
        connection.out = out.into_bytes();
        if streams {
            if !answer.body.is_empty() {
                chunk(&answer.body, &mut connection.out);
            }
        } else {
            connection.out.extend_from_slice(answer.body.as_bytes());
        }
        connection.rest = answer.rest;
        connection.is_last = is_last;
        connection.close |= is_last && !streams;
    }
}

fn chunk(text: &str, out: &mut Vec<u8>) {
    let mut size = String::new();
    let _ = write!(size, "{:x}\r\n", text.len());
    out.extend_from_slice(size.as_bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn head(status: u16, content_type: &str, length: Option<usize>, is_last: bool, out: &mut String) {
    let reason = match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Answer",
    };
    let _ = write!(
        out,
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\n"
    );
    if is_last {
        out.push_str("Connection: close\r\n");
    }
    match length {
        Some(length) => {
            let _ = write!(out, "Content-Length: {length}\r\n\r\n");
        }
        None => out.push_str("Transfer-Encoding: chunked\r\n\r\n"),
    }
}
