// SPDX-License-Identifier: Apache-2.0
//! Many nodes in one process: a few threads, each with its boards; or on the caller's own, by the caller's clock.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::SinkExt as _;
use pico_board::Profile;
use pico_eci::PublicKey;
use pico_node::Kinds;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};
use tokio::task::LocalSet;

use crate::api::Api;
use crate::fetcher::{Registries, Registry};
use crate::node::{self, Ask, Deed, NodeOptions, Plan, Seen, Uplink};
use crate::pool::Pool;
use crate::serving::Clients;
use crate::trouble::Troubles;
use crate::{runtime, serving};

/// What is to be simulated.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many boards.
    pub nodes: usize,
    /// What their names begin with; a number follows.
    pub prefix: String,
    /// Where they stand: boards of one name at two places are two boards.
    pub place: String,
    /// The board.
    pub profile: &'static Profile,
    /// Whether boards share HTTP/2 connections instead of having their own.
    pub shared: bool,
    /// The ConfigMap that sets pins, as namespace and name.
    pub pins_map: Option<(String, String)>,
    /// Which kinds the boards act upon besides Pods.
    pub kinds: Kinds,
    /// The SNTP server that they ask.
    pub time_server: Option<SocketAddr>,
    /// Where the boards' flash is kept, one file a board; without it it is gone with the process.
    pub flash_dir: Option<PathBuf>,
    /// Keys that sign images, besides the examples'.
    pub trusted: Vec<PublicKey>,
    /// Over how many milliseconds the boards are switched on.
    pub spread_ms: u64,
    /// Authorities in PEM, which sign the certificate that the API server shows on a node's own port: without it a client is
    /// told whether the node is well, and nothing more.
    pub client_authorities: Vec<u8>,
    /// Which of their clients is the API server; without it every one.
    pub clients: Option<Arc<dyn Clients>>,
    /// Whether anybody may read `/metrics`, `/metrics/resource` and `/stats/summary` there.
    pub open_metrics: bool,
    /// Who fetches images that are not in the boards' flash; without it there are no others.
    pub registry: Option<Arc<dyn Registry>>,
    /// Whether each board listens on a port of loopback, as a kubelet does.
    pub serve: bool,
    /// What everything random follows from, the same in every run; `None` for the machine's randomness.
    pub seed: Option<u64>,
}

/// One Pico W with connections of its own, that acts upon Pods alone, keeps nothing and listens nowhere.
impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 1,
            prefix: "pico-".to_owned(),
            place: String::new(),
            profile: &pico_board::PICO_W,
            shared: false,
            pins_map: None,
            kinds: Kinds::NONE,
            time_server: None,
            flash_dir: None,
            trusted: Vec::new(),
            spread_ms: 0,
            client_authorities: Vec::new(),
            clients: None,
            open_metrics: false,
            registry: None,
            serve: false,
            seed: None,
        }
    }
}

/// Boards that run until this is dropped.
pub struct Simulation {
    handle: Handle,
    stop: Arc<Notify>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// Boards that the caller runs, on its own thread and by its own clock: while tokio's is paused, a week of theirs takes as
/// long as what they do in it. The boards are off when what [`Boards::run`] returns is dropped.
pub struct Boards {
    handle: Handle,
    plans: Vec<Plan>,
    api: Arc<Api>,
    shared: bool,
}

/// A way to the boards of a simulation.
#[derive(Clone)]
pub struct Handle {
    boards: Arc<HashMap<String, mpsc::Sender<Ask>>>,
    names: Arc<Vec<String>>,
    ready: Arc<Ready>,
    troubles: Arc<Troubles>,
}

#[derive(Default)]
struct Ready {
    count: AtomicUsize,
    changed: Notify,
}

impl Simulation {
    /// Switches the boards on.
    ///
    /// # Errors
    /// When a flash cannot be read, the system gives no threads or open files, or no certificate can be made.
    pub fn start(api: Api, options: &Options) -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(options.nodes.max(1))
            .min(8);
        let boards = Boards::new(api, options)?;
        let handle = boards.handle.clone();
        let stop = Arc::new(Notify::new());
        let mut parts: Vec<Vec<Plan>> = Vec::new();
        parts.resize_with(threads, Vec::new);
        for (n, plan) in boards.plans.into_iter().enumerate() {
            parts[n % threads].push(plan);
        }
        // all of them before a board runs: boards take what files may still be opened
        let runtimes = parts
            .iter()
            .map(|_| {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        let threads = parts
            .into_iter()
            .zip(runtimes)
            .enumerate()
            .map(|(n, (plans, runtime))| {
                let stop = stop.clone();
                let part = Boards {
                    handle: handle.clone(),
                    plans,
                    api: boards.api.clone(),
                    shared: boards.shared,
                };
                std::thread::Builder::new()
                    .name(format!("boards-{n}"))
                    .spawn(move || boards_of_a_thread(&runtime, part, &stop))
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self {
            handle,
            stop,
            threads,
        })
    }

    /// A way to the boards.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Switches the boards off.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // Each thread waits for one permit or is already waiting.
        for thread in self.threads.drain(..) {
            while !thread.is_finished() {
                self.stop.notify_waiters();
                self.stop.notify_one();
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// The number of a board is that of its place and its name: the same board has the same one in every run, and of two with one name
/// at two places one finds the name taken.
fn identity(place: &str, name: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in place.bytes().chain(name.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    hash
}

fn boards_of_a_thread(runtime: &Runtime, boards: Boards, stop: &Notify) {
    runtime.block_on(async {
        tokio::select! {
            () = boards.run() => {}
            () = stop.notified() => {}
        }
    });
}

impl Boards {
    /// Makes the boards ready to be switched on.
    ///
    /// # Errors
    /// When a flash cannot be read, or no certificate can be made.
    pub fn new(api: Api, options: &Options) -> std::io::Result<Self> {
        let port_identity = if options.serve {
            let made = serving::Identity::new(&options.client_authorities, options.clients.clone())
                .map_err(std::io::Error::other)?;
            Some(Arc::new(made))
        } else {
            None
        };
        let troubles = Arc::new(Troubles::default());
        let registry = options
            .registry
            .clone()
            .map(|registry| Arc::new(Registries::new(registry)));
        let trusted: Arc<[PublicKey]> = options.trusted.clone().into();
        let mut boards = HashMap::new();
        let mut names = Vec::new();
        let mut plans = Vec::new();
        for n in 0..options.nodes {
            let name = format!("{}{n}", options.prefix);
            let (to_board, asked) = mpsc::channel(1);
            let node = NodeOptions {
                id: identity(&options.place, &name),
                name: name.clone(),
                profile: options.profile,
                pins_map: options.pins_map.clone(),
                kinds: options.kinds,
                time_server: options.time_server,
                // Thousands in a process are not looked after every few seconds each.
                watchdog: !options.shared,
                trusted: trusted.clone(),
                seed: options.seed,
                registry: registry.clone(),
                troubles: troubles.clone(),
                serve: port_identity.clone(),
                open_metrics: options.open_metrics,
            };
            let file = options
                .flash_dir
                .as_ref()
                .map(|directory| directory.join(format!("{name}.flash")));
            let flash = runtime::flash(options.profile, node.id, file.as_deref())?;
            let delay = options.spread_ms * n as u64 / options.nodes.max(1) as u64;
            plans.push(Plan {
                options: node,
                flash,
                asked,
                delay,
            });
            boards.insert(name.clone(), to_board);
            names.push(name);
        }
        Ok(Self {
            handle: Handle {
                boards: Arc::new(boards),
                names: Arc::new(names),
                ready: Arc::new(Ready::default()),
                troubles,
            },
            plans,
            api: Arc::new(api),
            shared: options.shared,
        })
    }

    /// A way to the boards.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Switches the boards on, and runs them for ever. It needs a tokio runtime of one thread.
    pub async fn run(self) {
        let local = LocalSet::new();
        let uplink = if self.shared {
            let pool = Pool::new(self.api.clone(), self.handle.troubles.clone());
            Uplink::Shared(pool, self.api)
        } else {
            Uplink::Direct(self.api)
        };
        for plan in self.plans {
            let plan = Box::new(plan);
            let uplink = uplink.clone();
            let ready = self.handle.ready.clone();
            local.spawn_local(async move {
                if plan.delay > 0 {
                    tokio::time::sleep(Duration::from_millis(plan.delay)).await;
                }
                let on_ready = Rc::new(move || {
                    ready.count.fetch_add(1, Ordering::Relaxed);
                    ready.changed.notify_waiters();
                });
                node::run(plan, uplink, on_ready).await;
            });
        }
        // The boards end with their orders, which the handles hold.
        drop(self.handle);
        local.await;
    }
}

impl Handle {
    /// The names of the boards.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many boards have become Ready since they were switched on.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.count.load(Ordering::Relaxed)
    }

    /// Waits until all boards have become Ready.
    pub async fn all_ready(&self) {
        loop {
            let changed = self.ready.changed.notified();
            if self.ready() >= self.names.len() {
                return;
            }
            // Another thread may have told between the two lines above.
            let _ = tokio::time::timeout(Duration::from_millis(100), changed).await;
        }
    }

    /// What has gone wrong with the machine that simulates the boards, after the first so many lines; waits until there is
    /// something.
    pub async fn troubles(&self, known: usize) -> Vec<String> {
        self.troubles.after(known).await
    }

    /// Looks at a board; `None` if there is none of this name.
    pub async fn look(&self, name: &str) -> Option<Seen> {
        let (to, answer) = oneshot::channel();
        let mut board = self.boards.get(name)?.clone();
        board.send(Ask::Look(to)).await.ok()?;
        answer.await.ok()
    }

    /// Does something to a board.
    ///
    /// # Errors
    /// When there is no such board, or it cannot be done.
    pub async fn act(&self, name: &str, deed: Deed) -> Result<(), String> {
        let missing = || format!("there is no board {name:?}");
        let (to, answer) = oneshot::channel();
        let mut board = self.boards.get(name).ok_or_else(missing)?.clone();
        board.send(Ask::Do(deed, to)).await.map_err(|_| missing())?;
        answer.await.map_err(|_| missing())?
    }
}
