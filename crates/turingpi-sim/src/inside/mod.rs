// SPDX-License-Identifier: Apache-2.0
//! What is inside a module while it is up: one [`turingpi_host::Machine`], reached over SSH and on the serial console. It ends with the
//! module's power; what is on its disks is kept for the next time.

mod cluster;
mod host_key;
#[cfg(unix)]
mod openssh;
mod port;
mod session;
#[cfg(feature = "ssh")]
mod ssh;
mod storage;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use turingpi_host::{Hardware, Image, Machine, Parts, Power, Tree};

pub(crate) use cluster::Clusters;
#[cfg(unix)]
pub(crate) use openssh::check as check_openssh;
#[cfg(unix)]
pub use openssh::{Relay, RelayError, relay};
pub(crate) use port::Port;
pub(crate) use storage::{Storage, load, save};

use crate::board::{Shared, Ssh};
use crate::module::Kind;

/// From the call for a reboot or a halt until the module is down.
const GOING_DOWN: Duration = Duration::from_secs(1);

/// A module that is up, from its boot to its end.
pub(crate) struct Inside {
    machine: Mutex<Machine>,
    shared: Shared,
    slot: usize,
    start: u64,
    ended: watch::Sender<bool>,
}

impl Inside {
    /// Boots a machine from what the slot's disks hold, and keeps it there; none when the slot has another start meanwhile.
    pub(crate) fn boot(
        shared: &Shared,
        slot: usize,
        start: u64,
        image: Image,
    ) -> Option<Arc<Self>> {
        let (kind, mut storage) = {
            let mut board = shared.board();
            let one = &mut board.slots[slot];
            if one.starts != start || !one.on {
                return None;
            }
            (one.kind, std::mem::take(&mut one.storage))
        };
        let mut image = image;
        image
            .authorized_keys
            .extend(shared.options.authorized_keys.iter().cloned());
        let parts = Parts {
            hardware: hardware(kind, slot, shared.options.emmc_bytes),
            image,
            emmc: storage.emmc.take(),
            nvme: std::mem::take(&mut storage.nvme),
            seed: seed(),
            now: shared.wall_clock(),
        };
        let mut machine = Machine::new(parts, shared.clusters.of(slot));
        host_key::ensure(&mut machine);
        let inside = Arc::new(Self {
            machine: Mutex::new(machine),
            shared: shared.clone(),
            slot,
            start,
            ended: watch::Sender::new(false),
        });
        let mut board = shared.board();
        let one = &mut board.slots[slot];
        if one.starts != start || !one.on {
            one.storage = inside.end();
            return None;
        }
        one.inside = Some(inside.clone());
        Some(inside)
    }

    /// The machine, with its time set.
    fn machine(&self) -> MutexGuard<'_, Machine> {
        let now = self.shared.wall_clock();
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        machine.now = now;
        machine
    }

    pub(crate) fn hostname(&self) -> String {
        self.machine().hostname().to_owned()
    }

    /// Ends it: sessions die, and what was on its disks is given back.
    pub(crate) fn end(&self) -> Storage {
        self.ended.send_replace(true);
        let mut machine = self.machine();
        self.shared.clusters.gone(self.slot);
        Storage {
            emmc: Some(std::mem::take(&mut machine.emmc)),
            nvme: std::mem::take(&mut machine.nvme),
        }
    }

    /// Waits for the end of the module.
    async fn until_end(&self) {
        let mut ended = self.ended.subscribe();
        // an error is an end, too
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Goes on with something as long as the module is up.
    fn spawn(self: &Arc<Self>, job: impl Future<Output = ()> + Send + 'static) {
        let inside = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = job => {}
                () = inside.until_end() => {}
            }
        });
    }

    /// The module reboots or halts, in a moment.
    fn power(&self, power: Power) {
        let (shared, slot, start) = (self.shared.clone(), self.slot, self.start);
        tokio::spawn(async move {
            // whoever asked for it still gets its answer
            shared.clock.patience(GOING_DOWN).await;
            shared.module_goes_down(slot, start, power == Power::Reboot);
        });
    }

    /// Opens the ways in: SSH first, so that it is there when the console says that the module is up.
    pub(crate) fn open(self: &Arc<Self>) {
        let Some(port) = &self.shared.ports[self.slot] else {
            return;
        };
        let listener = match port.listen() {
            Ok(listener) => listener,
            Err(e) => {
                log::warn!(
                    "slot {}: cannot listen on {}: {e}",
                    self.slot + 1,
                    port.address()
                );
                return;
            }
        };
        match &self.shared.options.ssh {
            Ssh::Off => {}
            #[cfg(feature = "ssh")]
            Ssh::Own => self.spawn(ssh::serve(self.clone(), listener)),
            #[cfg(unix)]
            Ssh::OpenSsh { relay } => {
                self.spawn(openssh::serve(self.clone(), listener, relay.clone()))
            }
        }
    }

    /// A login prompt on the serial console; what is typed comes through the sender.
    pub(crate) fn console(self: &Arc<Self>, issue: String) -> mpsc::Sender<Vec<u8>> {
        let (typed, input) = mpsc::channel(64);
        let (output, mut written) = mpsc::unbounded_channel();
        let host = session::Session::terminal(self.clone(), input, output);
        self.spawn(async move { turingpi_host::console(host, &issue).await });
        let (shared, slot) = (self.shared.clone(), self.slot);
        self.spawn(async move {
            while let Some(session::Output { bytes, .. }) = written.recv().await {
                shared.board().uarts[slot].write(&bytes);
            }
        });
        typed
    }
}

fn hardware(kind: Kind, slot: usize, emmc_bytes: u64) -> Hardware {
    let (model, cores, gib, nvme) = match kind {
        Kind::Rk1 => ("Turing Machines RK1", 8, 16, true),
        Kind::Cm4 => ("Raspberry Pi Compute Module 4", 4, 8, false),
        Kind::Jetson => ("NVIDIA Jetson Orin NX", 8, 16, true),
        Kind::Empty => ("", 0, 0, false),
    };
    Hardware {
        model: model.into(),
        short: kind.to_string().to_lowercase(),
        slot: u8::try_from(slot + 1).unwrap_or(1),
        cores,
        memory_kib: gib << 20,
        emmc_bytes,
        nvme_bytes: if nvme { 500 << 30 } else { 0 },
    }
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        log::warn!("no randomness: keys of modules are not secret");
    }
    seed
}

/// Time since 1970, now.
pub(crate) fn epoch() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// What a flash leaves of an eMMC's files.
pub(crate) fn erase(storage: &mut Storage) {
    storage.emmc = None::<Tree>;
}
