// SPDX-License-Identifier: Apache-2.0
//! The agent: what it wants of the API, in which order, and what it makes of the answers.
//!
//! The host owns the sockets and the clock. It calls [`Agent::poll`] when the deadline has come or something happened,
//! carries out the [`Order`]s, and moves bytes. Nothing here waits.

mod answers;
mod deliver;
mod requests;
mod watch;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use pico_board::ResetReason;

use crate::backoff::{Backoff, Random};
use crate::conditions::Conditions;
use crate::connection::{Connection, Order, Phase};
use crate::custom::{Controllers, Matrices};
use crate::event::{About, Events};
use crate::facts::{CRASHES, Config, Usage};
use crate::http::Event;
use crate::ingress::Ingresses;
use crate::json::Taken;
use crate::kubelet::Kubelet;
use crate::pinmap::PinMap;
use crate::pod::{World, earlier};
use crate::pods::Pods;
use crate::runtime::Runtime;
use crate::services::Services;
use crate::sntp::Sntp;
use crate::time::{Clock, Ms, Wall};
use watch::Watch;

/// One of the agent's connections to the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u8);

/// The connection for everything but watches.
pub const REQUESTS: Slot = Slot(0);
/// The connection of the pods' watch.
pub const PODS: Slot = Slot(1);
/// The connection of the watch of the ConfigMap that sets pins; used only where one is configured.
pub const PINS: Slot = Slot(2);
/// The connection of the watch of Services; used only while a pod here has a port.
pub const SERVICES: Slot = Slot(3);
/// The connection of the watch of Ingresses.
pub const INGRESSES: Slot = Slot(4);
/// The connection of the watch of GPIOControllers.
pub const CONTROLLERS: Slot = Slot(5);
/// The connection of the watch of LEDMatrices.
pub const MATRICES: Slot = Slot(6);
/// The connection to a backend of an Ingress, while it is asked.
pub const BACKEND: Slot = Slot(7);
/// How many connections there are at most.
pub const SLOTS: usize = 8;
/// The connections of watches.
const WATCHES: [Slot; 6] = [PODS, PINS, SERVICES, INGRESSES, CONTROLLERS, MATRICES];

/// How long the host may leave an order undone until the watchdog is not fed any more, in milliseconds.
const NEGLECT_MS: Ms = 30_000;

/// How often a Lease is renewed, in milliseconds.
pub const LEASE_MS: Ms = 10_000;
/// How often the status is sent when nothing in it changed.
pub const STATUS_MS: Ms = 300_000;
/// How often what is in use is looked at.
const OBSERVE_MS: Ms = 10_000;
/// How long safe mode lasts, and how long a board must run with its pods until earlier crashes are forgotten.
const PROOF_MS: Ms = 600_000;

/// What an answer belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    Register,
    Adopt,
    CheckLease,
    Relabel,
    RenewLease,
    CreateLease,
    Status,
    PodStatus(String),
    PodDelete(String),
    Fetch {
        uid: String,
        is_secret: bool,
        name: String,
    },
    Event,
    List,
    Watch,
    /// Of an object of our own kinds.
    CustomStatus(String),
    /// The Service that a press is to go to.
    Backend,
    /// Its endpoints.
    Endpoints,
    /// The press itself, to one of them.
    Press,
}

/// How far the node has come with its Node object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is to be created.
    Unknown,
    /// It is there: whose is it?
    Exists,
    /// It is another board's, so it seems; its Lease tells whether that board lives.
    Foreign,
    /// It is ours, from an earlier life: labels and annotations are brought up to date.
    Adopted,
    /// It is ours.
    Registered,
}

/// Numbers for `/metrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests to the API that were answered.
    pub requests: u64,
    /// Of those, the ones that were answered with 400 and above.
    pub errors: u64,
    /// Bytes sent to and received from the API.
    pub sent: u64,
    /// Bytes received from the API.
    pub received: u64,
    /// How long the last answered request took, in milliseconds.
    pub latency_ms: u64,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Lists of pods, after the first one because a watch could not go on.
    pub lists: u64,
    /// Edges at inputs of Ingresses that a backend has taken.
    pub presses: u64,
}

/// A Kubernetes node.
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    connections: [Connection<Purpose>; SLOTS],
    standing: Standing,
    node_uid: String,
    conditions: Conditions,
    usage: Usage,
    status_due: Ms,
    /// Whether the whole status is to be sent, and not only the conditions.
    status_whole: bool,
    /// Whether labels and annotations are to be sent although the Node is ours: there are other images.
    relabel: bool,
    lease_exists: bool,
    lease_works: bool,
    lease_due: Ms,
    observe_due: Ms,
    backoff: Backoff,
    hold_until: Ms,
    event_hold: Ms,
    watches: [Watch; WATCHES.len()],
    pub(crate) pods: Pods,
    pub(crate) services: Services,
    pub(crate) ingresses: Ingresses,
    controllers: Controllers,
    matrices: Matrices,
    sntp: Sntp,
    pub(crate) pin_map: PinMap,
    pub(crate) events: Events,
    pub(crate) counters: Counters,
    pub(crate) kubelet: Kubelet,
    pub(crate) started: Ms,
    /// Until when no containers are started because the board has crashed again and again.
    safe_until: Option<Ms>,
    /// When the board has run long enough; `None` once that was told.
    stable_at: Option<Ms>,
    asked_at: Ms,
    was_ready: bool,
    fuel_left: u64,
    fuel_at: Ms,
    pub(crate) fuel_used: u64,
    fuel_seen: (u64, Ms),
    /// Cores in use over the last while, in billionths.
    pub(crate) cpu_rate: u64,
}

impl core::fmt::Debug for Agent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Agent")
            .field("name", &self.config.name)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// A node that has not said anything yet.
    #[must_use]
    pub fn new(config: Config, now: Ms) -> Self {
        let mut random = Random::new(config.boot_id);
        let offset = random.below(LEASE_MS);
        let mut events = Events::default();
        if let Some(why) = rebooted(config.reset) {
            let is_warning = config.reset != ResetReason::Software;
            events.add(
                About::node(&config),
                is_warning,
                "Rebooted",
                why.into(),
                None,
            );
        }
        Self {
            clock: Clock::default(),
            connections: core::array::from_fn(|_| Connection::new()),
            standing: Standing::Unknown,
            node_uid: String::new(),
            conditions: Conditions::new(config.crashes >= CRASHES),
            usage: Usage::default(),
            status_due: 0,
            status_whole: true,
            relabel: false,
            lease_exists: false,
            lease_works: true,
            lease_due: 0,
            // A thousand boards that are switched on together do not all look at the same moment.
            observe_due: now + offset,
            backoff: Backoff::new(1000, 120_000),
            hold_until: 0,
            event_hold: 0,
            watches: core::array::from_fn(|_| Watch::default()),
            pods: Pods::default(),
            services: Services::default(),
            ingresses: Ingresses::new(&config.name),
            controllers: Controllers::new(&config.name),
            matrices: Matrices::new(&config.name),
            sntp: Sntp::new(config.time_server, now),
            pin_map: PinMap::new(config.pins_map.clone()),
            events,
            counters: Counters::default(),
            kubelet: Kubelet::default(),
            started: now,
            safe_until: (config.crashes >= CRASHES).then_some(now + PROOF_MS),
            stable_at: (config.crashes > 0).then_some(now + PROOF_MS),
            asked_at: 0,
            was_ready: false,
            fuel_left: 0,
            fuel_at: now,
            fuel_used: 0,
            fuel_seen: (0, now),
            cpu_rate: 0,
            random,
            config,
        }
    }

    /// Whether the API knows the node and has its status.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.standing == Standing::Registered && self.was_ready
    }

    /// The numbers for metrics.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            reconnects: self
                .connections
                .iter()
                .map(|c| u64::from(c.reconnects))
                .sum(),
            ..self.counters
        }
    }

    /// What the node is configured with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the server's clock shows, as far as it is known.
    #[must_use]
    pub fn wall(&self, now: Ms) -> Option<Wall> {
        self.clock.now(now)
    }

    /// What the host is asked to do with a connection; each order is given once.
    pub fn order(&mut self, slot: Slot) -> Option<Order> {
        self.connections.get_mut(usize::from(slot.0))?.take_order()
    }

    /// Bytes that wait to be sent on a connection.
    #[must_use]
    pub fn outgoing(&self, slot: Slot) -> &[u8] {
        self.connections
            .get(usize::from(slot.0))
            .map_or(&[], |connection| connection.outgoing())
    }

    /// So many of those bytes were taken.
    pub fn sent(&mut self, slot: Slot, n: usize) {
        self.counters.sent += n as u64;
        if let Some(connection) = self.connections.get_mut(usize::from(slot.0)) {
            connection.sent(n);
        }
    }

    /// A connection was made.
    pub fn connected(&mut self, slot: Slot) {
        if let Some(connection) = self.connections.get_mut(usize::from(slot.0)) {
            connection.connected();
        }
    }

    /// A connection could not be made, was closed by the server, or broke.
    pub fn disconnected(&mut self, slot: Slot, now: Ms, runtime: &mut dyn Runtime) {
        let n = usize::from(slot.0);
        if n >= SLOTS || matches!(self.connections[n].phase, Phase::Down { .. }) {
            return;
        }
        // Where the response has no other end, this is its end.
        let complete = self.connections[n]
            .exchange
            .as_mut()
            .is_some_and(|e| e.head.is_some() && e.parser.finish().is_ok());
        if complete {
            self.end(slot, now, runtime);
        }
        let exchange = self.connections[n].lost(now, &mut self.random, false);
        if let Some(exchange) = exchange {
            self.unanswered(exchange.purpose, now);
        }
    }

    /// Bytes came. All of them are used.
    pub fn received(&mut self, slot: Slot, bytes: &[u8], now: Ms, runtime: &mut dyn Runtime) {
        let n = usize::from(slot.0);
        if n >= SLOTS || self.connections[n].phase != Phase::Up {
            return;
        }
        self.counters.received += bytes.len() as u64;
        let mut rest = bytes;
        loop {
            let Some(exchange) = &mut self.connections[n].exchange else {
                if !rest.is_empty() {
                    // Nobody asked.
                    self.fail(slot, now);
                }
                return;
            };
            let event = exchange.parser.push(rest);
            let (used, event) = match event {
                Ok(found) => found,
                Err(_) => return self.fail(slot, now),
            };
            rest = &rest[used..];
            match event {
                Event::More => return,
                Event::Head(head) => {
                    if let Some(date) = head.date.filter(|_| slot != BACKEND) {
                        self.learn_time(date, now);
                    }
                    let watch_until = self.watch_deadline(slot, now);
                    if let Some(exchange) = &mut self.connections[n].exchange {
                        exchange.head = Some(head);
                        exchange.reader = answers::reader(slot, &exchange.purpose, head.status);
                        exchange.until = if exchange.purpose == Purpose::Watch && head.status == 200
                        {
                            watch_until
                        } else {
                            now + crate::connection::RESPONSE_MS
                        };
                    }
                }
                Event::Data(data) => {
                    if self.body(slot, data, now).is_err() {
                        return self.fail(slot, now);
                    }
                    if self.connections[n].phase != Phase::Up {
                        return;
                    }
                }
                Event::End => {
                    self.end(slot, now, runtime);
                    if self.connections[n].phase != Phase::Up {
                        return;
                    }
                }
            }
        }
    }

    /// Reads a piece of a body.
    fn body(&mut self, slot: Slot, data: &[u8], now: Ms) -> Result<(), crate::json::Error> {
        let n = usize::from(slot.0);
        let mut rest = data;
        while !rest.is_empty() {
            let Some(exchange) = self.connections[n].exchange.as_mut() else {
                return Ok(());
            };
            if exchange.purpose != Purpose::Watch {
                exchange.until = now + crate::connection::RESPONSE_MS;
            }
            let Some(reader) = exchange.reader.as_mut() else {
                return Ok(());
            };
            let (used, taken) = reader.push(rest)?;
            rest = &rest[used..];
            let status = exchange.head.map_or(0, |head| head.status);
            match taken {
                None => {}
                Some(taken)
                    if status == 200
                        && matches!(exchange.purpose, Purpose::List | Purpose::Watch) =>
                {
                    self.streamed(slot, taken, now);
                }
                Some(Taken::Item(slice) | Taken::Partial(slice))
                    if status == 200 && exchange.purpose == Purpose::Endpoints =>
                {
                    self.endpoints_found(&slice);
                }
                Some(taken) => {
                    exchange.is_partial = matches!(taken, Taken::Partial(_));
                    let (Taken::Document(value) | Taken::Partial(value) | Taken::Item(value)) =
                        taken;
                    exchange.answer = Some(value);
                }
            }
        }
        Ok(())
    }

    /// A response is complete.
    fn end(&mut self, slot: Slot, now: Ms, runtime: &mut dyn Runtime) {
        let n = usize::from(slot.0);
        let connection = &mut self.connections[n];
        let Some(exchange) = connection.exchange.take() else {
            return;
        };
        let Some(head) = exchange.head else {
            return;
        };
        if head.status < 500 {
            connection.succeeded();
        }
        if !head.keep_alive {
            connection.retire(now);
        }
        if slot != BACKEND {
            self.counters.requests += 1;
            self.counters.errors += u64::from(head.status >= 400);
        }
        if slot == REQUESTS {
            self.counters.latency_ms = now.saturating_sub(self.asked_at);
        }
        self.answered(slot, *exchange, head, now, runtime);
    }

    /// The connection is of no use any more.
    fn fail(&mut self, slot: Slot, now: Ms) {
        let exchange = self.connections[usize::from(slot.0)].lost(now, &mut self.random, true);
        if let Some(exchange) = exchange {
            self.unanswered(exchange.purpose, now);
        }
    }

    fn learn_time(&mut self, date: Wall, now: Ms) {
        if self.clock.learn(date, now).is_some_and(|off| off != 0) {
            // A clock that was wrong has dated what the API holds: it is said again.
            self.status_due = self.status_due.min(now);
            self.lease_due = self.lease_due.min(now);
        }
    }

    /// Does everything that is to be done now. Says when to call again at the latest, if nothing happens before.
    pub fn poll(&mut self, now: Ms, runtime: &mut dyn Runtime) -> Ms {
        self.time_out(now);
        if now >= self.observe_due {
            self.observe_due = now + OBSERVE_MS;
            self.observe(now, runtime);
        }
        self.prove(now, runtime);
        self.kubelet.expire(now);
        let work = self.work(now, runtime);
        self.pods.sweep(runtime);
        self.pin_map.apply(
            &mut self.pods,
            &self.config,
            &mut self.events,
            self.clock.now(now),
            runtime,
        );
        let parts = self.poll_parts(now, runtime);
        let press = self.deliver(now);
        self.ask(now);
        let mut next = now + OBSERVE_MS;
        let mut at = |time: Option<Ms>| next = next.min(time.unwrap_or(Ms::MAX));
        at(work);
        at(parts);
        at(press);
        // What is due already waits for the host to take it.
        at(self.sntp.due().filter(|due| *due > now));
        at(Some(self.observe_due));
        at(self.safe_until);
        at(self.stable_at);
        at(self.kubelet.expires_at());
        at(self.kubelet.visits_due(now));
        for n in 0..SLOTS {
            at(self.slot_due(n, now));
        }
        if let Some(within) = runtime.watchdog_ms() {
            // All of the above has come to its end, and the host does what it is asked for.
            let is_neglected = |c: &Connection<Purpose>| c.neglected(now) > NEGLECT_MS;
            if !self.connections.iter().any(is_neglected) {
                runtime.feed();
            }
            at_most(&mut next, now + Ms::from(within) / 2);
        }
        next.max(now)
    }

    /// What objects of other kinds than Pod want of the board.
    fn poll_parts(&mut self, now: Ms, runtime: &mut dyn Runtime) -> Option<Ms> {
        let wall = self.clock.now(now);
        self.sntp.poll(now, &mut self.random);
        if self.config.kinds.service {
            if self.services.look_at(&self.pods.all) {
                self.list_anew(SERVICES, now);
            }
            if let Some(why) = self.services.take_refused() {
                let about = About::node(&self.config);
                self.events.add(about, true, "PortRefused", why, wall);
            }
        }
        let mut next = None;
        if self.config.kinds.gpio_controller {
            next = self
                .controllers
                .poll(&mut self.pods, &self.config, now, wall, runtime);
        }
        if self.config.kinds.led_matrix {
            let at = self.matrices.poll(&self.config, now, wall, runtime);
            next = earlier(next, at);
        }
        if self.config.kinds.ingress {
            let at = self.ingresses.poll(
                &mut self.pods,
                &self.config,
                &mut self.events,
                now,
                wall,
                runtime,
            );
            next = earlier(next, at);
        }
        next
    }

    /// A packet for an SNTP server that waits to be sent; it is given once. Ask after each [`Agent::poll`].
    pub fn datagram(&mut self, now: Ms) -> Option<(SocketAddr, [u8; crate::sntp::PACKET])> {
        self.sntp.ask(now, &mut self.random)
    }

    /// A packet came.
    pub fn datagram_received(&mut self, from: SocketAddr, bytes: &[u8], now: Ms) {
        let answered = self.sntp.answered(from, bytes, now, &mut self.random);
        let why = match answered {
            Ok(None) => return,
            Ok(Some(time)) => match self.clock.refine(time, now) {
                Ok(None) => return,
                Ok(Some(_)) => {
                    self.status_due = self.status_due.min(now);
                    self.lease_due = self.lease_due.min(now);
                    // What waited for the time can go on.
                    self.hold_until = self.hold_until.min(now);
                    return;
                }
                Err(off) => format!(
                    "the time server is {} s {} the API server, whose time is used",
                    off.unsigned_abs().div_ceil(1000),
                    if off < 0 { "behind" } else { "ahead of" }
                ),
            },
            Err(refusal) => format!("the time server {refusal}"),
        };
        let wall = self.clock.now(now);
        self.events
            .add(About::node(&self.config), true, "TimeServer", why, wall);
    }

    /// Ends safe mode when its time is over, and tells the board when it has run long enough.
    fn prove(&mut self, now: Ms, runtime: &mut dyn Runtime) {
        if self.safe_until.is_some_and(|until| now >= until) {
            self.safe_until = None;
            // It proves itself with its pods from now on.
            self.stable_at = Some(now + PROOF_MS);
            self.conditions.leave_safe_mode(self.clock.now(now));
            self.status_due = self.status_due.min(now);
            for work in &mut self.pods.all {
                work.look_again("SafeMode", now);
            }
        }
        if self.stable_at.is_some_and(|at| now >= at) {
            self.stable_at = None;
            runtime.stable();
        }
        if let Some(failure) = runtime.take_failure() {
            let about = About::node(&self.config);
            let now = self.clock.now(now);
            self.events.add(about, true, "FlashFailed", failure, now);
        }
    }

    /// Whether containers are not started because the board has crashed again and again.
    #[must_use]
    pub fn is_safe_mode(&self) -> bool {
        self.safe_until.is_some()
    }

    /// When a connection needs attention, if no byte comes before.
    fn slot_due(&self, n: usize, now: Ms) -> Option<Ms> {
        let due = || match n {
            0 => self.next_request_at(now),
            _ if self.wants(n) => Some(self.watch_due(n)),
            _ => None,
        };
        match (self.connections[n].phase, &self.connections[n].exchange) {
            (Phase::Down { .. }, _) if !self.may_connect(n) => None,
            (Phase::Down { retry_at }, _) => due().map(|at| at.max(retry_at)),
            (Phase::Connecting { until }, _) => Some(until),
            (Phase::Up, Some(exchange)) => Some(exchange.until),
            // What is due already was asked; what could not be asked is not due before long.
            (Phase::Up, None) => due().map(|at| if at <= now { now + 50 } else { at }),
        }
    }

    /// Lets containers run.
    fn work(&mut self, now: Ms, runtime: &mut dyn Runtime) -> Option<Ms> {
        // One core runs containers: no more than its speed in all, and no more than a tenth of a second saved up.
        let speed = u64::from(runtime.fuel_per_second());
        let earned = now.saturating_sub(self.fuel_at).saturating_mul(speed) / 1000;
        self.fuel_at = now;
        self.fuel_left = (self.fuel_left + earned).min(speed / 10);
        let fuel = u32::try_from(self.fuel_left).unwrap_or(u32::MAX);
        let mut world = World {
            now,
            wall: self.clock.now(now),
            memory_free: self
                .config
                .hardware
                .memory_allocatable
                .saturating_sub(self.pods.memory()),
            is_safe_mode: self.safe_until.is_some(),
            config: &self.config,
            runtime,
            events: &mut self.events,
            random: &mut self.random,
            fuel,
            starved: false,
            in_use: Vec::new(),
            has_pulled: false,
            dirty: false,
            about: None,
        };
        let next = self.pods.poll(&mut world);
        let (left, starved, has_pulled) = (world.fuel, world.starved, world.has_pulled);
        if has_pulled {
            self.config.images = runtime.image_names();
            self.relabel = true;
        }
        self.fuel_used += u64::from(fuel - left);
        self.fuel_left -= u64::from(fuel - left);
        // Without fuel there is nothing to be done for a few milliseconds, however much is due.
        if starved {
            Some(next.map_or(now + 10, |at| at.max(now + 10)))
        } else {
            next
        }
    }

    fn time_out(&mut self, now: Ms) {
        for n in 0..SLOTS {
            let slot = Slot(u8::try_from(n).unwrap_or_default());
            let late = match self.connections[n].phase {
                Phase::Down { .. } => false,
                Phase::Connecting { until } => now >= until,
                Phase::Up => self.connections[n]
                    .exchange
                    .as_ref()
                    .is_some_and(|e| now >= e.until),
            };
            if !late {
                continue;
            }
            let was_up = self.connections[n].phase == Phase::Up;
            self.fail(slot, now);
            if was_up && slot == REQUESTS {
                // The link carries nothing: a watch that says nothing is not better off.
                for other in WATCHES {
                    if self.connections[usize::from(other.0)].phase == Phase::Up {
                        self.fail(other, now);
                    }
                }
            }
        }
    }

    fn observe(&mut self, now: Ms, runtime: &dyn Runtime) {
        let mut usage = runtime.usage();
        usage.memory += self.pods.memory();
        self.usage = usage;
        let speed = u64::from(runtime.fuel_per_second()).max(1);
        let rate =
            |fuel: u64, over: Ms| fuel.saturating_mul(1_000_000_000) / speed * 1000 / over.max(1);
        let over = now.saturating_sub(self.fuel_seen.1);
        self.cpu_rate = rate(self.fuel_used - self.fuel_seen.0, over);
        self.fuel_seen = (self.fuel_used, now);
        for work in &mut self.pods.all {
            for runner in work.init.iter_mut().chain(&mut work.containers) {
                runner.cpu_rate = rate(runner.fuel - runner.fuel_seen, over);
                runner.fuel_seen = runner.fuel;
            }
        }
        if self.conditions.observe(usage, self.clock.now(now)) {
            self.status_due = self.status_due.min(now);
        }
    }

    /// What is in use, as it was last looked at.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Every pod that the node has, by namespace and name, and its phase.
    #[must_use]
    pub fn pod_names(&self) -> Vec<(&str, &str)> {
        self.pods
            .all
            .iter()
            .map(|work| (work.pod.namespace.as_str(), work.pod.name.as_str()))
            .collect()
    }
}

/// Lowers a time to another one.
fn at_most(time: &mut Ms, limit: Ms) {
    *time = (*time).min(limit);
}

/// Why the board started, where that is worth an event.
fn rebooted(reason: ResetReason) -> Option<&'static str> {
    match reason {
        ResetReason::Watchdog => {
            Some("the watchdog was not fed: a task hung, and the board was reset")
        }
        ResetReason::Panic => Some("the firmware panicked, and the board was reset"),
        ResetReason::BrownOut => {
            Some("the supply fell below its threshold, and the board was reset")
        }
        ResetReason::External => Some("the board was reset by its pin or a debugger"),
        ResetReason::Software => Some("the firmware started the board again"),
        _ => None,
    }
}
