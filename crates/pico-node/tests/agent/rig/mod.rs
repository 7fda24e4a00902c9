// SPDX-License-Identifier: Apache-2.0
//! A node and an API in one deterministic world: time stands still until everybody has said what they have to say, and
//! then goes to the next deadline. What the API says can be cut into pieces, cut off, or replaced.

pub(crate) mod api;
pub(crate) mod board;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use pico_board::ResetReason;
use pico_node::http::RequestParser;
use pico_node::{Agent, Config, Hardware, Kinds, Order, SLOTS, Slot};

use api::{Answer, FakeApi};
use board::TestRuntime;

/// One connection as the server has it.
#[derive(Default)]
struct Connection {
    parser: RequestParser,
    /// A watch that is open on it: of which kind, and what was already sent.
    watch: Option<api::Watch>,
    /// Nothing more is said on it.
    silent: bool,
    /// What is said one byte at a time: the rest, how far apart, and when the next one comes.
    slow: Option<(VecDeque<u8>, u64, u64)>,
    /// The endpoint that it leads to, if it is none to the API.
    endpoint: Option<SocketAddr>,
}

/// The world.
pub(crate) struct Rig {
    pub(crate) agent: Agent,
    pub(crate) runtime: TestRuntime,
    pub(crate) api: FakeApi,
    pub(crate) now: u64,
    /// Bytes of a piece in which answers come.
    pub(crate) piece: usize,
    /// Whether connections can be made.
    pub(crate) reachable: bool,
    /// Endpoints that can be reached, and what status they answer with; 0 for none.
    pub(crate) endpoints: BTreeMap<SocketAddr, u16>,
    /// What they were asked: the endpoint and the whole request.
    pub(crate) asked: Vec<(SocketAddr, String)>,
    /// Whether orders are carried out.
    pub(crate) is_hung: bool,
    connections: [Option<Connection>; SLOTS],
    /// How often [`Agent::poll`] was called: nothing may spin.
    pub(crate) polls: u64,
}

pub(crate) fn config(name: &str) -> Config {
    Config {
        name: name.to_owned(),
        api_host: "api".to_owned(),
        api_base: String::new(),
        authorization: String::new(),
        address: "10.0.0.7".to_owned(),
        kubelet_port: 10250,
        kubelet_certificate: "ab".repeat(32),
        hardware: Hardware::of(&pico_board::PICO_W, 512 * 1024),
        unique_id: 7,
        boot_id: 99,
        images: vec!["test/ok:v1".to_owned()],
        crashes: 0,
        pins_map: None,
        kinds: Kinds::ALL,
        open_metrics: false,
        led_matrix: 1,
        time_server: None,
        reset: ResetReason::PowerOn,
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::of(config("pico"))
    }

    pub(crate) fn of(config: Config) -> Self {
        Self {
            agent: Agent::new(config, 0),
            runtime: TestRuntime::default(),
            api: FakeApi::default(),
            now: 0,
            piece: usize::MAX,
            reachable: true,
            endpoints: BTreeMap::new(),
            asked: Vec::new(),
            is_hung: false,
            connections: [const { None }; SLOTS],
            polls: 0,
        }
    }

    /// Lets time go on by so many milliseconds.
    pub(crate) fn run(&mut self, ms: u64) {
        let until = self.now + ms;
        loop {
            self.polls += 1;
            let deadline = self.agent.poll(self.now, &mut self.runtime);
            if self.agent.is_followed() {
                self.agent.follow(self.now, &mut self.runtime);
            }
            if self.exchange() {
                continue;
            }
            let is_slow = self.connections.iter().flatten().any(|c| c.slow.is_some());
            if deadline >= until && (!is_slow || self.now >= until) {
                self.now = until;
                return;
            }
            let slow = self.connections.iter().flatten();
            let next = slow.filter_map(|c| c.slow.as_ref().map(|s| s.2)).min();
            // A deadline that has passed would stop the world.
            self.now = deadline.min(next.unwrap_or(u64::MAX)).max(self.now + 1);
        }
    }

    /// Moves everything that waits. Says whether anything did.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        if self.is_hung {
            return false;
        }
        for n in 0..SLOTS {
            let slot = Slot(u8::try_from(n).expect("it is there"));
            match self.agent.order(slot) {
                Some(Order::Close) => self.connections[n] = None,
                Some(Order::Connect) => {
                    moved = true;
                    if self.reachable {
                        self.connections[n] = Some(Connection::default());
                        self.agent.connected(slot);
                    } else {
                        self.agent.disconnected(slot, self.now, &mut self.runtime);
                    }
                }
                Some(Order::Dial(to)) => {
                    moved = true;
                    if self.endpoints.contains_key(&to) {
                        self.connections[n] = Some(Connection {
                            endpoint: Some(to),
                            ..Connection::default()
                        });
                        self.agent.connected(slot);
                    } else {
                        self.agent.disconnected(slot, self.now, &mut self.runtime);
                    }
                }
                None => {}
            }
            let out = self.agent.outgoing(slot).to_vec();
            if !out.is_empty() {
                moved = true;
                self.agent.sent(slot, out.len());
                self.hear(slot, &out);
            }
            moved |= self.drip(slot);
            moved |= self.push(slot);
        }
        moved
    }

    fn hear(&mut self, slot: Slot, mut bytes: &[u8]) {
        let n = usize::from(slot.0);
        if let Some(to) = self.connections[n].as_ref().and_then(|c| c.endpoint) {
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            self.asked.push((to, text));
            let status = self.endpoints[&to];
            if status > 0 {
                let date = "Date: Thu, 01 Jan 1998 00:00:00 GMT";
                let head = format!("HTTP/1.1 {status} X\r\n{date}\r\nContent-Length: 2\r\n\r\n<>");
                self.say(slot, head.as_bytes());
            }
            return;
        }
        while !bytes.is_empty() {
            let Some(connection) = self.connections[n].as_mut() else {
                return;
            };
            if connection.silent {
                return;
            }
            let (used, request) = connection
                .parser
                .push(bytes)
                .expect("the agent speaks HTTP");
            bytes = &bytes[used..];
            let Some(request) = request else {
                continue;
            };
            match self.api.answer(&request, self.now) {
                Answer::Silence => connection.silent = true,
                Answer::Slow(bytes, ms) => {
                    connection.slow = Some((bytes.into(), ms, self.now + ms));
                }
                Answer::Bytes(bytes) => self.say(slot, &bytes),
                Answer::Cut(bytes) => {
                    self.say(slot, &bytes);
                    self.hang_up(slot);
                }
                Answer::Watch(head, watch) => {
                    connection.watch = Some(watch);
                    self.say(slot, &head);
                }
            }
        }
    }

    fn say(&mut self, slot: Slot, bytes: &[u8]) {
        for piece in bytes.chunks(self.piece.min(bytes.len()).max(1)) {
            if self.connections[usize::from(slot.0)].is_some() {
                self.agent
                    .received(slot, piece, self.now, &mut self.runtime);
            }
            if self.agent.order(slot) == Some(Order::Close) {
                self.connections[usize::from(slot.0)] = None;
            }
        }
    }

    /// The next byte of an answer that comes slowly.
    fn drip(&mut self, slot: Slot) -> bool {
        let Some(connection) = self.connections[usize::from(slot.0)].as_mut() else {
            return false;
        };
        let byte = match &mut connection.slow {
            Some((rest, ms, at)) if *at <= self.now => {
                *at = self.now + *ms;
                rest.pop_front()
            }
            _ => return false,
        };
        match byte {
            Some(byte) => self.say(slot, &[byte]),
            None => connection.slow = None,
        }
        true
    }

    /// What a watch has to say.
    fn push(&mut self, slot: Slot) -> bool {
        let n = usize::from(slot.0);
        let Some(watch) = self.connections[n].as_mut().and_then(|c| c.watch.as_mut()) else {
            return false;
        };
        let said = self.api.push(watch, self.now);
        let ended = watch.is_over;
        if let (true, Some(connection)) = (ended, self.connections[n].as_mut()) {
            connection.watch = None;
        }
        if !said.is_empty() {
            self.say(slot, &said);
        }
        !said.is_empty() || ended
    }

    /// The server closes a connection.
    pub(crate) fn hang_up(&mut self, slot: Slot) {
        if self.connections[usize::from(slot.0)].take().is_some() {
            self.agent.disconnected(slot, self.now, &mut self.runtime);
        }
    }

    /// All connections are gone, and nobody was told.
    pub(crate) fn swallow(&mut self) {
        for connection in self.connections.iter_mut().flatten() {
            connection.silent = true;
            connection.watch = None;
        }
    }
}

impl Rig {
    /// Asks the node's own port, and gives the body of the answer.
    pub(crate) fn kubelet(&mut self, request: &[u8]) -> String {
        self.kubelet_answer(request).1
    }

    /// Asks the node's own port, and gives the head of the answer, its body, and whether the node closed then.
    pub(crate) fn kubelet_answer(&mut self, request: &[u8]) -> (String, String, bool) {
        assert!(
            self.agent.accept_trusted(1, self.now),
            "there is room for a connection"
        );
        let mut said = Vec::new();
        let mut is_closed = false;
        self.agent.served(1, request, self.now, &mut self.runtime);
        while !is_closed {
            let piece = self.agent.serving(1).to_vec();
            if piece.is_empty() {
                break;
            }
            said.extend_from_slice(&piece);
            is_closed = self
                .agent
                .served_sent(1, piece.len(), self.now, &mut self.runtime);
        }
        self.agent.served_closed(1);
        let end = said.windows(4).position(|w| w == b"\r\n\r\n");
        let head = String::from_utf8(said[..end.expect("a head")].to_vec()).expect("text");
        let mut parser = pico_node::http::ResponseParser::default();
        let (mut rest, mut body) = (&said[..], Vec::new());
        loop {
            let (used, event) = parser.push(rest).expect("the node speaks HTTP");
            rest = &rest[used..];
            match event {
                pico_node::http::Event::Data(data) => body.extend_from_slice(data),
                pico_node::http::Event::Head(_) => {}
                pico_node::http::Event::End | pico_node::http::Event::More => break,
            }
        }
        (head, String::from_utf8(body).expect("text"), is_closed)
    }
}
