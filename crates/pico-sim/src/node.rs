// SPDX-License-Identifier: Apache-2.0
//! One simulated node: a board, its agent, and the loop that a firmware has as well.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::StreamExt as _;
use pico_board::{Board as _, Clock as _, Profile, Reset as _, ResetReason};
use pico_eci::PublicKey;
use pico_flash::FlashFile;
use pico_node::backoff::Random;
use pico_node::{Agent, Config, Hardware, Kinds, Order, SLOTS, Slot};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::api::Api;
use crate::backend;
use crate::board::{BoardEntropy, Panel, SimBoard};
use crate::clock::TimeSocket;
use crate::fetcher::{Fetcher, Registries};
use crate::link::{self, Connection, Event, Faults, News};
use crate::matrix::{LedMatrix, MODULES};
use crate::pool::Pool;
use crate::runtime::{self, SimRuntime};
use crate::serving::{self, Inbound};
use crate::shared::SharedLink;
use crate::trouble::Troubles;

/// How a board reaches the API.
#[derive(Clone)]
pub(crate) enum Uplink {
    /// Connections of its own.
    Direct(Arc<Api>),
    /// A share in HTTP/2 connections.
    Shared(Rc<Pool>, Arc<Api>),
}

/// What is to be simulated.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The node's name.
    pub name: String,
    /// The board.
    pub profile: &'static Profile,
    /// The number that tells the board from others.
    pub id: u64,
    /// The ConfigMap that sets pins, as namespace and name.
    pub pins_map: Option<(String, String)>,
    /// Which kinds it acts upon besides Pods.
    pub kinds: Kinds,
    /// The SNTP server that it asks.
    pub time_server: Option<SocketAddr>,
    /// Whether its watchdog runs.
    pub watchdog: bool,
    /// Keys that sign images, besides the examples'.
    pub trusted: Arc<[PublicKey]>,
    /// What everything random follows from; `None` for the machine's randomness.
    pub seed: Option<u64>,
    /// Who fetches images that are not in flash.
    pub(crate) registry: Option<Arc<Registries>>,
    /// Where it is told what goes wrong with the machine.
    pub(crate) troubles: Arc<Troubles>,
    /// What the node's own port is served with, on loopback; without it there is none.
    pub(crate) serve: Option<Arc<serving::Identity>>,
    /// Whether anybody may read figures on that port.
    pub(crate) open_metrics: bool,
}

/// A question or an order to a node, from outside of the simulation.
pub(crate) enum Ask {
    /// What is seen, and what is run.
    Look(oneshot::Sender<Seen>),
    /// Something is done to the board; the answer says what went wrong.
    Do(Deed, oneshot::Sender<Result<(), String>>),
}

/// What can be done to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A pin is driven from outside, or let go.
    Drive(u8, Option<pico_board::Level>),
    /// An analogue channel reads this, full scale 65535.
    Analogue(u8, u16),
    /// The chip has this temperature, in thousandths of a degree Celsius.
    Temperature(i32),
    /// The link does this from now on.
    Link(Faults),
    /// The power is cut and comes back.
    PowerCycle,
    /// The supply falls below its threshold and recovers.
    BrownOut,
    /// From now on the power goes in the middle of the program or erase operation of the flash that follows after this many
    /// others, and comes back; again and again, until it is told `None`.
    CutEvery(Option<u64>),
    /// Every program and erase operation of the flash holds the board up for so many milliseconds.
    SlowFlash(u32),
    /// The clock runs so many millionths too fast, or too slow where it is negative.
    Drift(i32),
    /// The firmware hangs: a watchdog that runs starts the board again when its time is over.
    Hang,
}

/// What is seen of a node from outside.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Whether the API knows it.
    pub is_ready: bool,
    /// The board.
    pub panel: Panel,
    /// The LED modules on its SPI device.
    pub matrix: LedMatrix,
    /// Its pods, `namespace/name`.
    pub pods: Vec<String>,
    /// The link.
    pub faults: Faults,
    /// Requests to the API and bytes sent and received.
    pub counters: pico_node::Counters,
    /// Where its own port is served, if it is.
    pub port: u16,
}

/// How long a board may make no progress until its watchdog resets it, in milliseconds.
const WATCHDOG_MS: u32 = 8000;
/// When a port that could not be listened on is tried again, in milliseconds.
const PORT_AGAIN_MS: u64 = 10_000;

/// How many have registered, for whoever waits for all of them.
pub(crate) type ReadyCount = Rc<dyn Fn()>;

/// A board that is to be switched on.
pub(crate) struct Plan {
    pub(crate) options: NodeOptions,
    pub(crate) flash: FlashFile,
    pub(crate) asked: mpsc::Receiver<Ask>,
    /// After how many milliseconds it is switched on.
    pub(crate) delay: u64,
}

/// A board whatever becomes of its power.
struct Node {
    options: NodeOptions,
    asked: mpsc::Receiver<Ask>,
    runtime: SimRuntime,
    random: Random,
    /// Names of the images in flash.
    images: Vec<String>,
    faults: watch::Sender<Faults>,
    strain: Strain,
}

impl Node {
    /// Nothing here waits: what is moved into a future is in it twice, and there are thousands of these.
    fn new(plan: Box<Plan>) -> Self {
        let Plan {
            options,
            flash,
            asked,
            ..
        } = *plan;
        let mut board = SimBoard::new(options.profile, options.id);
        let mut random = Random::new(match options.seed {
            Some(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ options.id,
            None => {
                let mut seed = [0; 8];
                // Without randomness two runs look alike, which is no harm here.
                let _ = getrandom::fill(&mut seed);
                u64::from_le_bytes(seed)
            }
        });
        if options.seed.is_some() {
            board.entropy = BoardEntropy::Seeded(Random::new(random.number()));
        }
        let has_file = flash.has_file();
        let mut runtime = runtime::new(board, flash, &options.trusted);
        // What a blank flash is given is known; it is not opened before it is needed.
        let images = if has_file {
            runtime.images().unwrap_or_else(|error| {
                eprintln!("error: the flash of {}: {error}", options.name);
                Vec::new()
            })
        } else {
            runtime::images().into_iter().map(str::to_owned).collect()
        };
        let (faults, faults_seen) = watch::channel(Faults::default());
        if let Some(registry) = &options.registry {
            let fetcher = Fetcher::new(registry.clone(), faults_seen);
            runtime.fetch_with(Box::new(fetcher));
        }
        Self {
            options,
            asked,
            runtime,
            random,
            images,
            faults,
            strain: Strain::default(),
        }
    }

    /// Starts the firmware.
    fn agent(&mut self, uplink: &Uplink, port: u16) -> Agent {
        let runtime = &mut self.runtime;
        let crashes = runtime.boot();
        if self.options.watchdog
            && let Err(error) = runtime.start_watchdog(WATCHDOG_MS)
        {
            eprintln!("error: the watchdog of {}: {error}", self.options.name);
        }
        Agent::new(
            Config {
                crashes,
                reset: runtime.board.reset().reason(),
                images: self.images.clone(),
                boot_id: self.random.number(),
                ..config(&self.options, uplink, port, runtime.storage_bytes())
            },
            runtime.board.clock().monotonic_ms(),
        )
    }

    /// What is not in flash is lost.
    fn restart(&mut self, reason: ResetReason) {
        self.runtime.board.restart(reason);
        self.runtime.restart();
        if let Some(flash) = self.runtime.flash() {
            flash.chip().power_on();
        }
        self.strain.arm(&mut self.runtime);
    }
}

/// Runs a board until nobody can ask for it any more.
pub(crate) async fn run(plan: Box<Plan>, uplink: Uplink, on_ready: ReadyCount) {
    let mut node = Node::new(plan);
    let (inbound_to_us, mut inbound) = mpsc::channel(4);
    let port = match &node.options.serve {
        Some(identity) => serving::listen(inbound_to_us.clone(), identity)
            .await
            .unwrap_or_else(|error| {
                node.options
                    .troubles
                    .say(format!("a board has no kubelet port: {error}"));
                0
            }),
        None => 0,
    };
    let mut told_ready = false;
    loop {
        let mut life = Life {
            agent: node.agent(&uplink, port),
            node: &mut node,
            connections: [const { None }; SLOTS],
            number: 0,
            uplink: &uplink,
            port,
            served: Vec::new(),
            listening: BTreeMap::new(),
            inbound_to_us: &inbound_to_us,
            time: TimeSocket::default(),
            is_hung: false,
        };
        let on_ready: Option<&dyn Fn()> = if told_ready { None } else { Some(&*on_ready) };
        told_ready = true;
        let end = life.live(&mut inbound, on_ready).await;
        // Those that were pulled meanwhile are in flash.
        life.node.images.clone_from(&life.agent.config().images);
        match end {
            End::Reset(reason) => node.restart(reason),
            End::Forgotten => return,
        }
    }
}

fn config(options: &NodeOptions, uplink: &Uplink, port: u16, storage: u64) -> Config {
    let (api, authorization) = match uplink {
        Uplink::Direct(api) => (api, api.authorization.clone()),
        // Whoever shares says it again with credentials.
        Uplink::Shared(_, api) => (api, String::new()),
    };
    Config {
        name: options.name.clone(),
        api_host: api.authority.clone(),
        api_base: api.base.clone(),
        authorization,
        address: "127.0.0.1".to_owned(),
        kubelet_port: port,
        kubelet_certificate: options
            .serve
            .as_ref()
            .map_or_else(String::new, |identity| identity.fingerprint.clone()),
        hardware: Hardware::of(options.profile, storage),
        unique_id: options.id,
        boot_id: 0,
        images: Vec::new(),
        crashes: 0,
        pins_map: options.pins_map.clone(),
        kinds: options.kinds,
        open_metrics: options.open_metrics,
        led_matrix: if options.kinds.led_matrix { MODULES } else { 0 },
        time_server: options.time_server,
        reset: ResetReason::PowerOn,
    }
}

enum End {
    Reset(ResetReason),
    Forgotten,
}

/// So much that has come is taken before the agent looks at the time again.
const AT_A_TIME: usize = 8;

/// What a board has to bear.
#[derive(Debug, Default)]
struct Strain {
    cut_every: Option<u64>,
    flash_ms: u32,
    /// Operations of the flash that have taken their time.
    operations: u64,
}

impl Strain {
    /// Lets the next cut come.
    fn arm(&self, runtime: &mut SimRuntime) {
        let Some(flash) = runtime.flash() else {
            return;
        };
        match self.cut_every {
            Some(operations) => flash.chip().cut_after(operations),
            None => flash.chip().power_on(),
        }
    }

    /// How long the flash has held the board up since this was last asked; `None` if the power went.
    fn bear(&mut self, runtime: &mut SimRuntime) -> Option<Duration> {
        let Some(flash) = runtime.flash() else {
            return Some(Duration::ZERO);
        };
        let chip = flash.chip();
        if chip.is_off() {
            return None;
        }
        let since = chip.operations() - self.operations;
        self.operations = chip.operations();
        Some(Duration::from_millis(
            since.saturating_mul(self.flash_ms.into()),
        ))
    }
}

/// A board between two cuts of its power.
struct Life<'a> {
    agent: Agent,
    node: &'a mut Node,
    connections: [Option<Connection>; SLOTS],
    number: u32,
    uplink: &'a Uplink,
    port: u16,
    served: Vec<serving::Peer>,
    /// The ports of containers and Services; for one that cannot be listened on, when that is tried again.
    listening: BTreeMap<u16, Result<serving::Listener, u64>>,
    inbound_to_us: &'a mpsc::Sender<Inbound>,
    time: TimeSocket,
    /// Whether the firmware does nothing any more.
    is_hung: bool,
}

impl Life<'_> {
    fn now(&self) -> u64 {
        self.node.runtime.board.clock().monotonic_ms()
    }

    /// Borrows itself: what is moved into a future is in it twice, and there are thousands of these.
    async fn live(
        &mut self,
        inbound: &mut mpsc::Receiver<Inbound>,
        mut on_ready: Option<&dyn Fn()>,
    ) -> End {
        let (events_to_us, mut events) = mpsc::channel::<Event>(4);
        loop {
            if self.is_hung {
                match self.hang().await {
                    Some(end) => return end,
                    None => continue,
                }
            }
            let now = self.now();
            let deadline = self.agent.poll(now, &mut self.node.runtime);
            match self.node.strain.bear(&mut self.node.runtime) {
                // What it was about to say is lost with it.
                None => return End::Reset(ResetReason::PowerOn),
                Some(Duration::ZERO) => {}
                Some(busy) => sleep(busy).await,
            }
            if self.agent.is_followed() {
                self.agent.follow(now, &mut self.node.runtime);
            }
            self.listen(now);
            self.carry_out(&events_to_us);
            if let Some((server, packet)) = self.agent.datagram(now) {
                // One that is lost is asked again.
                // Boxed, because it is seldom.
                let _ = Box::pin(self.time.send(server, &packet)).await;
            }
            self.serve(now);
            if self.agent.is_ready()
                && let Some(tell) = on_ready.take()
            {
                tell();
            }
            let deadline = if self.agent.is_asked() { now } else { deadline };
            let wait = self
                .node
                .runtime
                .board
                .clock()
                .until(deadline.saturating_sub(self.now()));
            // In this order, for runs that are to be the same; none starves, because all that has come is taken below.
            tokio::select! {
                biased;
                ask = self.node.asked.next() => match ask {
                    None => return End::Forgotten,
                    Some(ask) => if let Some(reason) = self.answer(ask) {
                        return End::Reset(reason);
                    },
                },
                answer = self.time.receive() => if let Some((from, bytes)) = answer {
                    let now = self.now();
                    self.agent.datagram_received(from, &bytes, now);
                },
                event = events.next() => if let Some(event) = event {
                    self.hear(event);
                },
                (slot, news) = next_news(&mut self.connections) => self.heard(slot, news),
                visit = inbound.next() => if let Some(visit) = visit {
                    self.visited(visit);
                },
                () = sleep_until(Instant::now() + wait) => {}
            }
            for _ in 0..AT_A_TIME {
                match (events.try_recv(), inbound.try_recv()) {
                    (Err(_), Err(_)) => break,
                    (event, visit) => {
                        if let Ok(event) = event {
                            self.hear(event);
                        }
                        if let Ok(visit) = visit {
                            self.visited(visit);
                        }
                    }
                }
            }
        }
    }

    /// Does nothing until the watchdog resets the board, if one runs. What is done to the board from outside is done.
    async fn hang(&mut self) -> Option<End> {
        let resets_at = self.node.runtime.board.system.resets_at();
        let watchdog = async {
            match resets_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = watchdog => Some(End::Reset(ResetReason::Watchdog)),
            ask = self.node.asked.next() => match ask {
                None => Some(End::Forgotten),
                Some(ask) => self.answer(ask).map(End::Reset),
            },
        }
    }

    /// Does what the agent asks for, and hands over what it says.
    fn carry_out(&mut self, events: &mpsc::Sender<Event>) {
        for n in 0..SLOTS {
            let slot = Slot(u8::try_from(n).unwrap_or_default());
            match self.agent.order(slot) {
                Some(Order::Close) => self.connections[n] = None,
                Some(Order::Dial(to)) => {
                    let faults = self.node.faults.subscribe();
                    let board = self.next(slot, events);
                    self.connections[n] = Some(backend::connect(to, board, &faults));
                }
                Some(Order::Connect) => {
                    self.connections[n] = Some(match self.uplink {
                        Uplink::Direct(api) => link::connect(
                            api.clone(),
                            self.next(slot, events),
                            self.node.faults.subscribe(),
                            Random::new(self.node.random.number()),
                            self.node.options.troubles.clone(),
                        ),
                        Uplink::Shared(pool, _) => {
                            Connection::Shared(Box::new(SharedLink::new(pool.clone())))
                        }
                    });
                }
                None => {}
            }
            let Some(connection) = &mut self.connections[n] else {
                continue;
            };
            let bytes = self.agent.outgoing(slot);
            if bytes.is_empty() {
                continue;
            }
            // A full link takes nothing; the loop comes by again when it says something or time passes.
            let taken = connection.say(bytes);
            if taken > 0 {
                self.agent.sent(slot, taken);
            }
        }
    }

    /// What the next connection in a slot tells us with.
    fn next(&mut self, slot: Slot, events: &mpsc::Sender<Event>) -> link::Board {
        self.number += 1;
        link::Board {
            slot,
            number: self.number,
            events: events.clone(),
        }
    }

    fn hear(&mut self, event: Event) {
        let connection = self.connections.get(usize::from(event.slot.0));
        let connection = connection.and_then(Option::as_ref);
        if connection.is_some_and(|connection| connection.is(event.number)) {
            self.heard(event.slot, event.news);
        }
    }

    fn heard(&mut self, slot: Slot, news: News) {
        let now = self.now();
        match news {
            News::Up => self.agent.connected(slot),
            News::Bytes(bytes) => {
                self.agent
                    .received(slot, &bytes, now, &mut self.node.runtime);
            }
            News::Down => {
                self.connections[usize::from(slot.0)] = None;
                self.agent.disconnected(slot, now, &mut self.node.runtime);
            }
        }
    }

    /// Answers from outside. Says whether the board starts again, and why.
    fn answer(&mut self, ask: Ask) -> Option<ResetReason> {
        match ask {
            Ask::Look(to) => {
                let seen = Seen {
                    name: self.agent.config().name.clone(),
                    is_ready: self.agent.is_ready(),
                    panel: self.node.runtime.board.panel.clone(),
                    matrix: self.node.runtime.board.matrix.clone(),
                    pods: self
                        .agent
                        .pod_names()
                        .into_iter()
                        .map(|(namespace, name)| format!("{namespace}/{name}"))
                        .collect(),
                    faults: *self.node.faults.borrow(),
                    counters: self.agent.counters(),
                    port: self.port,
                };
                // Whoever asked may have gone.
                let _ = to.send(seen);
                None
            }
            Ask::Do(deed, to) => {
                self.is_hung |= deed == Deed::Hang;
                let reset = match deed {
                    Deed::PowerCycle => Some(ResetReason::PowerOn),
                    Deed::BrownOut => Some(ResetReason::BrownOut),
                    _ => None,
                };
                let done = self.undergo(deed);
                let _ = to.send(done);
                reset
            }
        }
    }

    fn undergo(&mut self, deed: Deed) -> Result<(), String> {
        let panel = &mut self.node.runtime.board.panel;
        match deed {
            Deed::Drive(pin, level) => panel
                .drive(pin, level)
                .map_err(|error| format!("GP{pin}: {error}")),
            Deed::Analogue(channel, reading) => match panel.adc.get_mut(usize::from(channel)) {
                Some(at) => {
                    *at = reading;
                    Ok(())
                }
                None => Err(format!("the board has no analogue channel {channel}")),
            },
            Deed::Temperature(millicelsius) => {
                panel.temperature = millicelsius;
                Ok(())
            }
            Deed::Link(faults) => match self.uplink {
                Uplink::Direct(_) => {
                    self.node.faults.send_replace(faults);
                    Ok(())
                }
                Uplink::Shared(..) => {
                    Err("boards that share connections have no link of their own".into())
                }
            },
            Deed::CutEvery(operations) => {
                self.node.strain.cut_every = operations;
                self.node.strain.arm(&mut self.node.runtime);
                Ok(())
            }
            Deed::SlowFlash(ms) => {
                self.node.strain.flash_ms = ms;
                Ok(())
            }
            Deed::Drift(ppm) => {
                self.node.runtime.board.drift(ppm);
                Ok(())
            }
            Deed::PowerCycle | Deed::BrownOut | Deed::Hang => Ok(()),
        }
    }

    fn visited(&mut self, visit: Inbound) {
        let now = self.now();
        match visit {
            Inbound::Opened(peer) => {
                let is_taken = match peer.port {
                    Some(port) => self.agent.accept_on(peer.id, port, now),
                    None if peer.is_trusted => self.agent.accept_trusted(peer.id, now),
                    None => self.agent.accept(peer.id, now),
                };
                if is_taken {
                    self.served.push(peer);
                }
            }
            Inbound::Bytes(id, bytes) => self.agent.served(id, &bytes, now, &mut self.node.runtime),
            Inbound::Closed(id) => {
                self.agent.served_closed(id);
                self.served.retain(|peer| peer.id != id);
            }
        }
    }

    /// Listens on the ports of the containers that run, and of their Services. All boards of a process have one address: the first one gets
    /// a port.
    fn listen(&mut self, now: u64) {
        if self.port == 0 {
            return;
        }
        let wanted: BTreeSet<u16> = self.agent.ports().collect();
        self.listening.retain(|port, _| wanted.contains(port));
        for port in wanted {
            let is_first = match self.listening.get(&port) {
                None => true,
                Some(Err(at)) if now >= *at => false,
                Some(_) => continue,
            };
            let listener = serving::listen_on(port, self.inbound_to_us.clone());
            if let Err(error) = &listener
                && is_first
            {
                self.agent.port_refused(port, &error.to_string(), now);
            }
            let listener = listener.map_err(|_| now + PORT_AGAIN_MS);
            self.listening.insert(port, listener);
        }
    }

    /// Hands over what the node says on its own port.
    fn serve(&mut self, now: u64) {
        let mut closed = Vec::new();
        for peer in &self.served {
            loop {
                let bytes = self.agent.serving(peer.id);
                if bytes.is_empty() {
                    break;
                }
                let n = bytes.len();
                if peer.out.try_send(Bytes::copy_from_slice(bytes)).is_err() {
                    break;
                }
                if self
                    .agent
                    .served_sent(peer.id, n, now, &mut self.node.runtime)
                {
                    closed.push(peer.id);
                    break;
                }
            }
        }
        closed.extend(core::iter::from_fn(|| self.agent.served_expired()));
        for id in closed {
            self.agent.served_closed(id);
            self.served.retain(|peer| peer.id != id);
        }
    }
}

/// What a connection that is shared says next, and in which slot it is.
fn next_news(connections: &mut [Option<Connection>; SLOTS]) -> impl Future<Output = (Slot, News)> {
    poll_fn(move |cx| {
        for (slot, connection) in (0..).map(Slot).zip(connections.iter_mut()) {
            if let Some(Connection::Shared(link)) = connection
                && let Poll::Ready(news) = link.poll_news(cx)
            {
                return Poll::Ready((slot, news));
            }
        }
        Poll::Pending
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand boards wait most of the time: what only some of them need now and then is boxed, and costs the others
    /// nothing. The rest of a board is its agent, of which `pico-node` has such a test of its own.
    #[test]
    fn the_task_of_a_board_is_small() {
        let (_orders, asked) = mpsc::channel(1);
        let plan = Plan {
            options: NodeOptions {
                name: "pico-0".to_owned(),
                profile: &pico_board::PICO_W,
                id: 1,
                pins_map: None,
                kinds: Kinds::NONE,
                time_server: None,
                watchdog: false,
                trusted: Arc::new([]),
                seed: None,
                registry: None,
                troubles: Arc::default(),
                serve: None,
                open_metrics: false,
            },
            flash: FlashFile::without_file(pico_board::PICO_W.flash_bytes, 1),
            asked,
            delay: 0,
        };
        let api = Arc::new(Api {
            wire: crate::Wire::Tcp("127.0.0.1".to_owned(), 443),
            authority: "127.0.0.1".to_owned(),
            base: String::new(),
            tls: None,
            authorization: String::new(),
        });
        let task = run(Box::new(plan), Uplink::Direct(api), Rc::new(|| {}));
        let beside = size_of_val(&task) - size_of::<Agent>();
        assert!(beside <= 3000, "{beside} bytes beside the agent");
        assert!(size_of::<SharedLink>() <= 128);
    }
}
