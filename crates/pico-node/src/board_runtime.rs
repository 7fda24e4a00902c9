// SPDX-License-Identifier: Apache-2.0
//! The [`Runtime`] of any board: its devices, its storage, and an engine for images.
//!
//! Storage is opened when it is first needed: a node that runs nothing reads nothing.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use pico_board::{Board, Reset as _, Watchdog as _};
use pico_eci::{Container, Engine, Grant, HostError, Limits, PublicKey, StartError};
use pico_flash::{Error, Layout, Storage};

use crate::board_images::Fetch;
use crate::facts::Usage;
use crate::runtime::{Devices, ImageError, ImageFacts, Runtime};

/// Brings a flash to life that nothing was written to: the images that a board is delivered with.
pub type Deliver<F> = fn(&mut Storage<F>) -> Result<(), Error>;

/// A board with storage and an engine.
pub struct BoardRuntime<B, F, E> {
    /// The board.
    pub board: B,
    pub(crate) engine: E,
    pub(crate) trusted: Vec<PublicKey>,
    pub(crate) fetch: Option<Box<dyn Fetch>>,
    flash: Option<F>,
    pub(crate) storage: Option<Storage<F>>,
    deliver: Deliver<F>,
    /// Whether the flash has the images that the board comes with.
    is_delivered: bool,
    /// The pods whose storage is kept, until storage is opened and the rest can be freed.
    kept: Option<Vec<String>>,
    /// Whether crashes of this board may be counted in flash.
    has_crashed: bool,
    failure: Option<String>,
    watchdog_ms: Option<u32>,
    capacity: u64,
    used: u64,
    fuel_per_second: u32,
}

/// Whose data the number of crashes is; no pod has this name.
const BOOT: &str = "/boot";
const CRASHES: &[u8] = b"crashes";

impl<B: Board, F: NorFlash, E: Engine> BoardRuntime<B, F, E> {
    /// A runtime of a board with this flash; images must be signed by one of these keys.
    pub fn new(
        board: B,
        flash: F,
        engine: E,
        trusted: Vec<PublicKey>,
        deliver: Deliver<F>,
        fuel_per_second: u32,
    ) -> Self {
        // A flash that cannot be divided has no room for anything; using it says why.
        let capacity = Layout::of(&flash).map_or(0, |layout| u64::from(layout.data.len));
        Self {
            board,
            engine,
            trusted,
            fetch: None,
            flash: Some(flash),
            storage: None,
            deliver,
            is_delivered: false,
            kept: None,
            has_crashed: true,
            failure: None,
            watchdog_ms: None,
            capacity,
            used: 0,
            fuel_per_second,
        }
    }

    /// Bytes of the data area: what a node advertises as `ephemeral-storage`.
    #[must_use]
    pub const fn storage_bytes(&self) -> u64 {
        self.capacity
    }

    /// The storage. A flash that fails is tried again the next time.
    ///
    /// # Errors
    /// When the flash cannot be divided or fails.
    pub fn storage(&mut self) -> Result<&mut Storage<F>, Error> {
        if let Some(flash) = self.flash.take() {
            match Storage::open_or_return(flash) {
                Ok(storage) => self.storage = Some(storage),
                Err((flash, error)) => {
                    self.flash = Some(flash);
                    return Err(self.failed("the flash cannot be opened", error));
                }
            }
            self.is_delivered = false;
            self.opened();
        }
        self.storage.as_mut().ok_or(Error::NotFound)
    }

    /// Storage was opened: what waited for it is done. What of it fails is said and takes nothing else away.
    fn opened(&mut self) {
        let Some(storage) = &mut self.storage else {
            return;
        };
        let kept = self.kept.take();
        let freed = kept.map_or(Ok(()), |kept| free_others(storage, &kept));
        let forgotten = if self.has_crashed {
            Ok(())
        } else {
            forget_crashes(storage)
        };
        if let Err(error) = freed.and(forgotten).and_then(|()| self.measure()) {
            self.failed("storage that nobody owns cannot be freed", error);
        }
        self.supply();
    }

    /// Gives the flash the images that the board comes with, if it does not have them.
    pub(crate) fn supply(&mut self) {
        let Some(storage) = self.storage.as_mut().filter(|_| !self.is_delivered) else {
            return;
        };
        match (self.deliver)(storage).and_then(|()| self.measure()) {
            Ok(()) => self.is_delivered = true,
            Err(error) => {
                self.failed(
                    "the images that the board comes with cannot be written",
                    error,
                );
            }
        }
    }

    fn measure(&mut self) -> Result<(), Error> {
        if let Some(storage) = &mut self.storage {
            self.used = storage.usage()?.data_used.into();
        }
        Ok(())
    }

    fn failed(&mut self, what: &str, error: Error) -> Error {
        self.failure = Some(format!("{what}: {}", chain(&error)));
        error
    }

    /// Begins a run of the board. Says how many in a row ended by a crash of the firmware, this one's predecessor
    /// included: the count is kept in flash and is forgotten when the board is switched off or reset by hand.
    pub fn boot(&mut self) -> u32 {
        self.has_crashed = self.board.reset().reason().is_crash();
        if !self.has_crashed {
            return 0;
        }
        let counted = self.storage().and_then(|storage| {
            let before = match storage.read_data(BOOT, CRASHES) {
                Ok(bytes) => bytes.first().copied().unwrap_or(0),
                Err(Error::NotFound | Error::Damaged) => 0,
                Err(error) => return Err(error),
            };
            let crashes = before.saturating_add(1);
            storage.write_data(BOOT, CRASHES, &[crashes], 64)?;
            Ok(crashes.into())
        });
        counted.unwrap_or_else(|error| {
            self.failed("the crash cannot be counted", error);
            1
        })
    }

    /// Starts the watchdog: the board is reset when the node makes no progress for so long.
    ///
    /// # Errors
    /// When the board's watchdog cannot wait so long.
    pub fn start_watchdog(&mut self, timeout_ms: u32) -> Result<(), pico_board::Error> {
        self.board.watchdog().start(timeout_ms)?;
        self.watchdog_ms = Some(timeout_ms);
        Ok(())
    }

    /// The power goes and comes back: what is in flash stays.
    pub fn restart(&mut self) {
        if let Some(storage) = self.storage.take() {
            self.flash = Some(storage.into_flash());
        }
        (self.kept, self.has_crashed, self.watchdog_ms) = (None, true, None);
    }

    /// The flash.
    pub fn flash(&mut self) -> Option<&mut F> {
        match &mut self.storage {
            Some(storage) => Some(storage.flash()),
            None => self.flash.as_mut(),
        }
    }
}

/// Frees what pods have stored that are none of these. Who has a `/` in the name is no uid: a pod that comes back.
fn free_others<F: NorFlash>(storage: &mut Storage<F>, uids: &[String]) -> Result<(), Error> {
    for owner in storage.data_owners()? {
        if !owner.contains('/') && !uids.contains(&owner) {
            storage.remove_owner(&owner)?;
        }
    }
    Ok(())
}

fn forget_crashes<F: NorFlash>(storage: &mut Storage<F>) -> Result<(), Error> {
    match storage.remove_data(BOOT, CRASHES) {
        Err(Error::NotFound | Error::Damaged) => Ok(()),
        done => done,
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn core::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        out = format!("{out}: {error}");
        cause = error.source();
    }
    out
}

fn host_error(error: Error) -> HostError {
    match error {
        Error::NotFound => HostError::NotFound,
        Error::Full | Error::TooLarge => HostError::NoSpace,
        _ => HostError::Failed,
    }
}

impl<B: Board, F: NorFlash, E: Engine> Runtime for BoardRuntime<B, F, E> {
    fn devices(&mut self) -> &mut dyn Devices {
        &mut self.board
    }

    fn image(&mut self, name: &str) -> Result<ImageFacts, ImageError> {
        self.verified(name, |_, image| ImageFacts {
            digest: image.digest().to_string(),
            asks: image.config().capabilities,
        })
    }

    fn pull(
        &mut self,
        name: &str,
        in_use: &[String],
        secrets: &[&[u8]],
    ) -> Result<bool, ImageError> {
        self.take_in(name, in_use, secrets)
    }

    fn image_names(&mut self) -> Vec<String> {
        self.images().unwrap_or_default()
    }

    fn start(
        &mut self,
        image: &str,
        grant: Grant,
        limits: Limits,
    ) -> Result<Box<dyn Container>, StartError> {
        let started = self.verified(image, |engine, image| engine.start(image, grant, limits));
        // It was verified a moment ago.
        started.unwrap_or(Err(StartError::Changed))
    }

    fn usage(&self) -> Usage {
        let profile = self.board.profile();
        Usage {
            memory: profile.reserved_sram_bytes.into(),
            memory_total: profile.chip.sram_bytes.into(),
            storage: self.used,
            storage_total: self.capacity,
        }
    }

    fn fuel_per_second(&self) -> u32 {
        self.fuel_per_second
    }

    fn load(&mut self, owner: &str, key: &[u8], value: &mut [u8]) -> Result<usize, HostError> {
        let found = self
            .storage()
            .and_then(|s| s.read_data(owner, key))
            .map_err(host_error)?;
        let n = found.len().min(value.len());
        value[..n].copy_from_slice(&found[..n]);
        Ok(found.len())
    }

    fn store(
        &mut self,
        owner: &str,
        key: &[u8],
        value: &[u8],
        limit_bytes: u32,
    ) -> Result<(), HostError> {
        let storage = self.storage().map_err(host_error)?;
        storage
            .write_data(owner, key, value, limit_bytes)
            .map_err(host_error)?;
        self.measure().map_err(host_error)
    }

    fn remove(&mut self, owner: &str, key: &[u8]) -> Result<(), HostError> {
        let storage = self.storage().map_err(host_error)?;
        storage.remove_data(owner, key).map_err(host_error)?;
        self.measure().map_err(host_error)
    }

    fn keys(&mut self, owner: &str) -> Result<Vec<Vec<u8>>, HostError> {
        let storage = self.storage().map_err(host_error)?;
        storage.data_keys(owner).map_err(host_error)
    }

    fn forget(&mut self, owner: &str) -> Result<(), HostError> {
        // As long as storage is closed nothing of this run is in it.
        if let Some(kept) = &mut self.kept {
            kept.retain(|uid| uid != owner);
        }
        let Some(storage) = &mut self.storage else {
            return Ok(());
        };
        let freed = storage.remove_owner(owner).and_then(|()| self.measure());
        freed.map_err(|error| host_error(self.failed("storage cannot be freed", error)))
    }

    fn keep(&mut self, uids: Vec<String>) -> Result<(), HostError> {
        let Some(storage) = &mut self.storage else {
            self.kept = Some(uids);
            return Ok(());
        };
        let freed = free_others(storage, &uids).and_then(|()| self.measure());
        freed.map_err(|error| host_error(self.failed("storage cannot be freed", error)))
    }

    fn stable(&mut self) {
        if !core::mem::replace(&mut self.has_crashed, false) {
            return;
        }
        if let Some(storage) = &mut self.storage
            && let Err(error) = forget_crashes(storage)
        {
            self.failed("the count of crashes cannot be cleared", error);
        }
    }

    fn watchdog_ms(&self) -> Option<u32> {
        self.watchdog_ms
    }

    fn feed(&mut self) {
        self.board.watchdog().feed();
    }

    fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }
}
