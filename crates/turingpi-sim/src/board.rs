// SPDX-License-Identifier: Apache-2.0
//! The board as a whole: what is in it, what it remembers, and the port on which it answers.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::auth::Auth;
use crate::clock::Clock;
use crate::fault::Fault;
use crate::inside::{self, Clusters, Inside, Port, Storage};
use crate::module::{self, Kind};
use crate::profile::Profile;
use crate::script::Script;
use crate::seen::{Log, Seen};
use crate::settings::Settings;
use crate::tls::tls;
use crate::transfer::Transfer;
use crate::uart::Uart;

/// What board it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its firmware.
    pub profile: Profile,
    /// Where it listens; port 0 is any.
    pub listen: SocketAddr,
    /// Where plain HTTP is sent to HTTPS, if anywhere. Boards of the 1.x generation listen in plain anyway.
    pub listen_plain: Option<SocketAddr>,
    /// What is in the slots.
    pub modules: [Kind; 4],
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// How fast its time goes.
    pub speed: f64,
    /// Directory of what its modules have on their eMMC; kept from one start to the next.
    pub dir: PathBuf,
    /// Size of an eMMC in bytes.
    pub emmc_bytes: u64,
    /// How many bytes an eMMC takes in a second of the board's time; 0 is as fast as it goes.
    pub emmc_rate: u64,
    /// Whether clients on this machine need no login, as on the real thing.
    pub loopback_exempt: bool,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What goes wrong later.
    pub script: Script,
    /// File of its certificate and key, PEM, made where it is not there: the same board at each start. A new one each time if none.
    pub identity: Option<PathBuf>,
    /// What answers SSH in a module that is up.
    pub ssh: Ssh,
    /// Where the module in slot 1 answers SSH; the others have the ports after it. Port 0 is any for each of them.
    pub ssh_listen: SocketAddr,
    /// Lines for `authorized_keys` of the user of each image, as if the image had them.
    pub authorized_keys: Vec<String>,
}

/// What answers SSH in a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ssh {
    /// Nothing; the serial console is the only way in.
    #[cfg_attr(not(feature = "ssh"), default)]
    Off,
    /// A server of the simulator's own, with the users of the module.
    #[cfg(feature = "ssh")]
    #[default]
    Own,
    /// Debian's `sshd`, for whoever runs the simulator.
    #[cfg(unix)]
    OpenSsh {
        /// The command that `sshd` runs for a session: a program that calls [`crate::relay`] with the socket that it gets as its last word.
        relay: Vec<String>,
    },
}

impl Options {
    /// A Turing Pi 2.5 with four RK1 in real time.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            profile: Profile::V2_3_7,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            listen_plain: None,
            modules: [Kind::Rk1; 4],
            username: "root".into(),
            password: "turing".into(),
            speed: 1.0,
            dir,
            emmc_bytes: 32 << 30,
            emmc_rate: 30 << 20,
            loopback_exempt: false,
            faults: Vec::new(),
            script: Script::default(),
            identity: None,
            ssh: Ssh::default(),
            ssh_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            authorized_keys: Vec::new(),
        }
    }
}

/// Why a board does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The directory.
    #[error("cannot use {0}")]
    Dir(PathBuf, #[source] std::io::Error),
    /// The certificate.
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The file of its certificate.
    #[error("cannot use the certificate in {0}")]
    Identity(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// TLS.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// `sshd`, in words that say what to do.
    #[error("cannot put sshd before the modules: {0}")]
    OpenSsh(String),
}

/// A slot.
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) on: bool,
    /// Counts the starts, so that what belongs to an old one can tell.
    pub(crate) starts: u64,
    /// When it was switched on, in the board's time.
    pub(crate) since: Duration,
    /// Takes what is typed on the console, once the module is up.
    pub(crate) console: Option<mpsc::Sender<Vec<u8>>>,
    /// What is inside, while it is up.
    pub(crate) inside: Option<Arc<Inside>>,
    /// What its disks hold, while it is not.
    pub(crate) storage: Storage,
}

impl Slot {
    /// Ends what ran in it: it gets another start, or none.
    pub(crate) fn cut(&mut self) {
        self.starts += 1;
        self.console = None;
        if let Some(inside) = self.inside.take() {
            self.storage = inside.end();
        }
    }
}

/// The USB switch.
#[derive(Clone, Copy)]
pub(crate) struct Usb {
    pub(crate) node: usize,
    /// Bits 0 and 1: host, device, flash; bit 2: towards the BMC.
    pub(crate) mode: u8,
}

/// All that changes.
pub(crate) struct State {
    pub(crate) auth: Auth,
    pub(crate) slots: [Slot; 4],
    pub(crate) uarts: [Uart; 4],
    pub(crate) usb: Usb,
    /// Counts what a module on the USB switch takes for a pulled cable.
    pub(crate) usb_moves: u64,
    pub(crate) usb_node1: bool,
    pub(crate) usb_boot: [bool; 4],
    pub(crate) fan_speed: u64,
    pub(crate) transfer: Transfer,
    pub(crate) transfers: u32,
    /// Until when the daemon does not answer, in the board's time.
    pub(crate) down_until: Duration,
    /// Out of memory: down until it is restarted from outside.
    pub(crate) dead: bool,
    pub(crate) faults: Vec<Fault>,
    pub(crate) settings: Settings,
    /// Counts the daemons: each restart has a new one.
    daemons: u64,
    pub(crate) seen: Log,
    connections: u64,
    open: usize,
}

impl State {
    /// Takes a fault that happens once.
    pub(crate) fn take(&mut self, fault: impl Fn(&Fault) -> bool) -> bool {
        let found = self.faults.iter().position(fault);
        if let Some(i) = found {
            self.faults.remove(i);
        }
        found.is_some()
    }

    pub(crate) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    pub(crate) fn never_boots(&self, slot: usize) -> bool {
        self.faults
            .iter()
            .any(|f| matches!(f, Fault::NeverBoots(n) if usize::from(*n) == slot + 1))
    }
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    /// When the board's time was zero, since 1970.
    began: Duration,
    pub(crate) clusters: Clusters,
    pub(crate) ports: [Option<Port>; 4],
    state: Mutex<State>,
    /// Counts what drops all connections.
    pub(crate) drops: watch::Sender<u64>,
}

/// The board, for all that goes on in it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Shared {
    pub(crate) fn board(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn emmc(&self, slot: usize) -> PathBuf {
        self.options.dir.join(format!("emmc{}", slot + 1))
    }

    /// Switches a slot; a module that gets power boots.
    pub(crate) fn set_power(&self, slot: usize, on: bool) {
        let start = {
            let now = self.clock.now();
            let mut board = self.board();
            let one = &mut board.slots[slot];
            if one.on == on {
                return;
            }
            one.on = on;
            one.cut();
            one.since = now;
            one.starts
        };
        if on {
            tokio::spawn(module::boot(self.clone(), slot, start));
        }
    }

    /// Time since 1970 as the board has it.
    pub(crate) fn wall_clock(&self) -> Duration {
        self.began + self.clock.now()
    }

    /// A module reboots, or halts and leaves its slot with power; nothing when it has another start already.
    pub(crate) fn module_goes_down(&self, slot: usize, start: u64, again: bool) {
        let start = {
            let mut board = self.board();
            let board = &mut *board;
            let one = &mut board.slots[slot];
            if one.starts != start || !one.on {
                return;
            }
            one.cut();
            let words = if again {
                "reboot: Restarting system"
            } else {
                "reboot: Power down"
            };
            board.uarts[slot].write(format!("[   99.000000] {words}\r\n").as_bytes());
            one.starts
        };
        if again {
            tokio::spawn(module::boot(self.clone(), slot, start));
        }
    }

    /// Takes the power from a module for a moment.
    pub(crate) async fn reset(&self, slot: usize) {
        let was_on = self.board().slots[slot].on;
        self.clock.sleep(Duration::from_millis(1200)).await;
        if was_on {
            self.set_power(slot, false);
            self.set_power(slot, true);
        }
    }

    /// The daemon ends and starts again: sessions, bans and the state of transfers are gone. `off` says for how long it is away, in the
    /// board's time.
    pub(crate) fn restart(&self, off: Duration) {
        let mut board = self.board();
        board.auth.restart();
        board.transfer = Transfer::default();
        board.transfers = 0;
        board.dead = false;
        board.daemons += 1;
        board.down_until = self.clock.now() + off;
        drop(board);
        self.drop_connections();
    }

    /// The whole BMC restarts, as the daemon does after a moment in which the old one still answers: modules lose their power.
    pub(crate) fn restart_bmc(&self) {
        for slot in 0..4 {
            self.set_power(slot, false);
        }
        {
            let now = self.clock.now();
            let mut board = self.board();
            if board.take(|f| *f == Fault::SettingsLost) {
                board.settings.lose();
            }
            board.settings.restart(now);
        }
        self.restart(Duration::from_secs(20));
    }

    /// Waits as long as an old daemon goes on answering after it was told to restart.
    pub(crate) async fn linger(&self) {
        self.clock.sleep(Duration::from_millis(500)).await;
        while self.board().has(&Fault::Lingers) {
            self.clock.sleep(Duration::from_secs(1)).await;
        }
    }

    pub(crate) fn drop_connections(&self) {
        self.drops.send_modify(|n| *n += 1);
    }

    pub(crate) fn is_down(&self) -> bool {
        let board = self.board();
        board.dead || self.clock.now() < board.down_until
    }
}

/// A board that answers. It goes on until it is dropped.
pub struct Board {
    shared: Shared,
    address: SocketAddr,
    plain: Option<SocketAddr>,
    certificate: Option<String>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Board({})", self.url())
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.drop_connections();
        for slot in 0..4 {
            let mut board = self.shared.board();
            let one = &mut board.slots[slot];
            one.cut();
            let storage = std::mem::take(&mut one.storage);
            drop(board);
            inside::save(&self.shared.options.dir, slot, &storage);
        }
    }
}

impl Board {
    /// Starts a board.
    ///
    /// # Errors
    /// When its port or its directory cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        std::fs::create_dir_all(&options.dir)
            .map_err(|e| StartError::Dir(options.dir.clone(), e))?;
        #[cfg(unix)]
        if let Ssh::OpenSsh { .. } = options.ssh {
            inside::check_openssh().map_err(StartError::OpenSsh)?;
        }
        let mut ports = [const { None }; 4];
        for (i, port) in ports.iter_mut().enumerate() {
            if options.ssh == Ssh::Off || options.modules[i] == Kind::Empty {
                continue;
            }
            let mut at = options.ssh_listen;
            if at.port() != 0 {
                let offset = u16::try_from(i).unwrap_or(0);
                let next = at.port().checked_add(offset).ok_or_else(|| {
                    StartError::Listen(at, std::io::Error::other("there is no port for each slot"))
                })?;
                at.set_port(next);
            }
            *port = Some(Port::hold(at).map_err(|e| StartError::Listen(at, e))?);
        }
        let slot = |i: usize| Slot {
            kind: options.modules[i],
            on: false,
            starts: 0,
            since: Duration::ZERO,
            console: None,
            inside: None,
            storage: inside::load(&options.dir, i),
        };
        let state = State {
            auth: Auth::new(
                options.profile,
                options.username.clone(),
                options.password.clone(),
            ),
            slots: std::array::from_fn(slot),
            uarts: std::array::from_fn(|_| Uart::default()),
            usb: Usb { node: 0, mode: 0 },
            usb_moves: 0,
            usb_node1: false,
            usb_boot: [false; 4],
            fan_speed: 4,
            transfer: Transfer::default(),
            transfers: 0,
            down_until: Duration::ZERO,
            dead: false,
            faults: options.faults.clone(),
            settings: Settings::default(),
            daemons: 1,
            seen: Log::default(),
            connections: 0,
            open: 0,
        };
        let shared = Shared(Arc::new(Inner {
            clock: Clock::new(options.speed),
            began: inside::epoch(),
            clusters: Clusters::default(),
            ports,
            state: Mutex::new(state),
            drops: watch::Sender::new(0),
            options,
        }));
        let options = &shared.options;
        let (certificate, acceptor) = if options.profile.secure() {
            let (pem, acceptor) = tls(options.identity.as_deref())?;
            (Some(pem), Some(acceptor))
        } else {
            (None, None)
        };
        let listen = async |at: SocketAddr| {
            let listener = TcpListener::bind(at)
                .await
                .map_err(|e| StartError::Listen(at, e))?;
            let address = listener
                .local_addr()
                .map_err(|e| StartError::Listen(at, e))?;
            Ok::<_, StartError>((listener, address))
        };
        let (listener, address) = listen(options.listen).await?;
        let mut tasks = vec![tokio::spawn(accept(shared.clone(), listener, acceptor))];
        if !options.script.is_empty() {
            tasks.push(tokio::spawn(options.script.clone().run(shared.clone())));
        }
        let mut plain = None;
        if let (Some(at), true) = (options.listen_plain, options.profile.secure()) {
            let (listener, at) = listen(at).await?;
            plain = Some(at);
            let shared = shared.clone();
            tasks.push(tokio::spawn(redirect(shared, listener, address.port())));
        }
        Ok(Self {
            shared,
            address,
            plain,
            certificate,
            tasks,
        })
    }

    /// Stops it, and gives its port back before it returns.
    pub async fn stop(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            // an aborted task ends with an error, as it should
            let _ = task.await;
        }
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the module in a slot, 1 to 4, answers SSH while it is up; nowhere for an empty slot.
    #[must_use]
    pub fn ssh_address(&self, slot: u8) -> Option<SocketAddr> {
        let port = self.shared.ports.get(usize::from(slot).wrapping_sub(1))?;
        port.as_ref().map(Port::address)
    }

    /// Where it sends plain HTTP to HTTPS.
    #[must_use]
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.plain
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// Its own certificate, PEM; none in the 1.x generation.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Makes something go wrong from now on.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.board().faults.push(fault);
    }

    /// Ends a fault.
    pub fn end_fault(&self, fault: &Fault) {
        self.shared.board().faults.retain(|f| f != fault);
    }

    /// Whether a module has power, slot 1 to 4: the truth, not what the BMC says.
    #[must_use]
    pub fn has_power(&self, slot: u8) -> bool {
        self.shared
            .board()
            .slots
            .get(usize::from(slot).wrapping_sub(1))
            .is_some_and(|s| s.on)
    }

    /// Switches a module behind the client's back, slot 1 to 4.
    pub fn set_power(&self, slot: u8, on: bool) {
        let index = usize::from(slot).wrapping_sub(1);
        if index < 4 {
            self.shared.set_power(index, on);
        }
    }

    /// The file that is a module's eMMC, slot 1 to 4.
    #[must_use]
    pub fn emmc(&self, slot: u8) -> PathBuf {
        self.shared.emmc(usize::from(slot).wrapping_sub(1))
    }

    /// Pulls the plug and puts it in again: all modules off, everything forgotten.
    pub fn power_cycle(&self) {
        self.shared.restart_bmc();
    }

    /// Which daemon runs, counted from 1: one more after each restart.
    #[must_use]
    pub fn daemon(&self) -> u64 {
        self.shared.board().daemons
    }

    /// The last 4096 requests, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.board().seen.all()
    }

    /// How many connections to the BMC there were, and how many there are.
    #[must_use]
    pub fn connections(&self) -> (u64, usize) {
        let board = self.shared.board();
        (board.connections, board.open)
    }

    /// The daemon is started anew, as a user would after it ran out of memory.
    pub fn restart_daemon(&self) {
        self.shared.restart(Duration::ZERO);
    }
}

async fn accept(shared: Shared, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // a daemon that is not there
        if shared.is_down() {
            drop(stream);
            continue;
        }
        let _ = stream.set_nodelay(true);
        let (shared, acceptor) = (shared.clone(), acceptor.clone());
        tokio::spawn(async move {
            if shared.board().has(&Fault::Silent) {
                let mut drops = shared.drops.subscribe();
                let _ = drops.changed().await;
                drop(stream);
                return;
            }
            match acceptor {
                None => connection(&shared, stream, peer.ip()).await,
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => connection(&shared, stream, peer.ip()).await,
                    Err(e) => log::debug!("{peer}: {e}"),
                },
            }
        });
    }
}

async fn connection(
    shared: &Shared,
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
) {
    let mut drops = shared.drops.subscribe();
    {
        let mut board = shared.board();
        board.connections += 1;
        board.open += 1;
    }
    let service = hyper::service::service_fn(|request| {
        crate::http_api::answer(shared.clone(), peer, request)
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        result = serving => {
            if let Err(e) = result {
                log::debug!("{peer}: {e}");
            }
        }
        _ = drops.changed() => {}
    }
    shared.board().open -= 1;
}

async fn redirect(shared: Shared, listener: TcpListener, port: u16) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                crate::http_api::redirect(shared.clone(), port, request)
            });
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            if let Err(e) = serving.await {
                log::debug!("{e}");
            }
        });
    }
}
