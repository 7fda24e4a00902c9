// SPDX-License-Identifier: Apache-2.0
//! One connection to the API as the agent sees it: down, being made, or up with at most one request on it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::backoff::{Backoff, Random};
use crate::facts::Config;
use crate::http::{Head, Request, ResponseParser};
use crate::json::{Reader, Value};
use crate::time::Ms;

/// How long a connection may take to be made, in milliseconds.
pub(crate) const CONNECT_MS: Ms = 10_000;
/// How long a response may take to begin, and how long a body may pause; watches have their own time.
pub(crate) const RESPONSE_MS: Ms = 15_000;

/// What the host is asked to do with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Connect to the API; [`crate::Agent::connected`] or [`crate::Agent::disconnected`] says what became of it.
    Connect,
    /// Connect to this address, plainly: it is no API but what an Ingress leads to. What became of it is said as above.
    Dial(SocketAddr),
    /// Close, or stop connecting. Nothing is reported back.
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Down { retry_at: Ms },
    Connecting { until: Ms },
    Up,
}

/// A request under way and what has come of its answer.
#[derive(Debug)]
pub(crate) struct Exchange<P> {
    pub(crate) purpose: P,
    pub(crate) parser: ResponseParser,
    pub(crate) head: Option<Head>,
    pub(crate) reader: Option<Reader>,
    pub(crate) answer: Option<Value>,
    /// Whether there was more in it than is read.
    pub(crate) is_partial: bool,
    /// By when the next byte must have come.
    pub(crate) until: Ms,
}

#[derive(Debug)]
pub(crate) struct Connection<P> {
    pub(crate) phase: Phase,
    /// Boxed, because most connections wait most of the time.
    pub(crate) exchange: Option<Box<Exchange<P>>>,
    order: Option<Order>,
    /// Since when the order is not carried out.
    order_since: Ms,
    out: Vec<u8>,
    sent: usize,
    backoff: Backoff,
    /// Whether a response was completed on this connection: if it then closes, that is no failure of the server.
    proven: bool,
    /// How often a connection was made after the first.
    pub(crate) reconnects: u32,
    ever: bool,
}

impl<P> Connection<P> {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Down { retry_at: 0 },
            exchange: None,
            order: None,
            order_since: 0,
            out: Vec::new(),
            sent: 0,
            backoff: Backoff::new(500, 60_000),
            proven: false,
            reconnects: 0,
            ever: false,
        }
    }

    /// Whether a request can be put on it now.
    pub(crate) fn is_free(&self) -> bool {
        self.phase == Phase::Up && self.exchange.is_none() && self.outgoing().is_empty()
    }

    /// Asks for a connection if there is none and the waiting time is over.
    pub(crate) fn want(&mut self, now: Ms) {
        if let Phase::Down { retry_at } = self.phase
            && now >= retry_at
        {
            self.dial(Order::Connect, now);
        }
    }

    /// Has a connection made, whatever became of an earlier one.
    pub(crate) fn dial(&mut self, order: Order, now: Ms) {
        self.phase = Phase::Connecting {
            until: now + CONNECT_MS,
        };
        self.give(order, now);
    }

    fn give(&mut self, order: Order, now: Ms) {
        // One that is not carried out yet is replaced, and has waited all the same.
        if self.order.replace(order).is_none() {
            self.order_since = now;
        }
    }

    /// The order for the host; it is given once.
    pub(crate) fn take_order(&mut self) -> Option<Order> {
        self.order.take()
    }

    /// For how long the host has left an order undone, in milliseconds.
    pub(crate) fn neglected(&self, now: Ms) -> Ms {
        match self.order {
            Some(_) => now.saturating_sub(self.order_since),
            None => 0,
        }
    }

    pub(crate) fn connected(&mut self) {
        if matches!(self.phase, Phase::Connecting { .. }) {
            self.phase = Phase::Up;
            self.reconnects += u32::from(self.ever);
            self.ever = true;
        }
    }

    pub(crate) fn begin(&mut self, purpose: P, request: &Request, config: &Config, until: Ms) {
        let mut out = String::new();
        request.write(
            &config.api_host,
            &config.api_base,
            &config.authorization,
            &mut out,
        );
        self.ask(purpose, out, until);
    }

    /// Asks somebody who is no API: credentials are none of theirs.
    pub(crate) fn begin_elsewhere(&mut self, purpose: P, request: &Request, host: &str, until: Ms) {
        let mut out = String::new();
        request.write(host, "", "", &mut out);
        self.ask(purpose, out, until);
    }

    fn ask(&mut self, purpose: P, text: String, until: Ms) {
        (self.out, self.sent) = (text.into_bytes(), 0);
        self.exchange = Some(Box::new(Exchange {
            purpose,
            parser: ResponseParser::default(),
            head: None,
            reader: None,
            answer: None,
            is_partial: false,
            until,
        }));
    }

    /// Bytes that are still to be sent.
    pub(crate) fn outgoing(&self) -> &[u8] {
        self.out.get(self.sent..).unwrap_or_default()
    }

    pub(crate) fn sent(&mut self, n: usize) {
        self.sent += n;
        if self.sent >= self.out.len() {
            (self.out, self.sent) = (Vec::new(), 0);
        }
    }

    /// A response was received whole and the server is content with us.
    pub(crate) fn succeeded(&mut self) {
        self.proven = true;
        self.backoff.reset();
    }

    /// The connection is no more. Another is made after a while: at once if this one was only idle for too long.
    pub(crate) fn lost(
        &mut self,
        now: Ms,
        random: &mut Random,
        close: bool,
    ) -> Option<Box<Exchange<P>>> {
        let wait = if self.proven && !close {
            random.below(50)
        } else {
            self.backoff.failed(random)
        };
        self.drop_it(now + wait, now, close)
    }

    /// Ends the connection in good order, to be made again when it is wanted.
    pub(crate) fn retire(&mut self, now: Ms) {
        self.drop_it(now, now, true);
    }

    fn drop_it(&mut self, retry_at: Ms, now: Ms, close: bool) -> Option<Box<Exchange<P>>> {
        self.phase = Phase::Down { retry_at };
        self.proven = false;
        (self.out, self.sent) = (Vec::new(), 0);
        if close {
            self.give(Order::Close, now);
        } else {
            self.order = None;
        }
        self.exchange.take()
    }
}
