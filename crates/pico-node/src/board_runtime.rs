// SPDX-License-Identifier: Apache-2.0
//! The [`Runtime`] of any board: its devices, its storage, and an engine for images.
//!
//! Storage is opened when it is first needed: a node that runs nothing reads nothing.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use pico_board::Board;
use pico_eci::{
    Blob, Container, Engine, Grant, HostError, Image, Limits, PublicKey, StartError, Verifier,
    VerifyError,
};
use pico_flash::{Error, Layout, Storage};

use crate::facts::Usage;
use crate::runtime::{Devices, ImageError, ImageFacts, Runtime};

/// Brings a flash to life that nothing was written to: the images that a board is delivered with.
pub type Deliver<F> = fn(&mut Storage<F>) -> Result<(), Error>;

/// A board with storage and an engine.
pub struct BoardRuntime<B, F, E> {
    /// The board.
    pub board: B,
    engine: E,
    trusted: Vec<PublicKey>,
    flash: Option<F>,
    storage: Option<Storage<F>>,
    deliver: Deliver<F>,
    capacity: u64,
    used: u64,
    fuel_per_second: u32,
}

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
            flash: Some(flash),
            storage: None,
            deliver,
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

    /// The storage.
    ///
    /// # Errors
    /// When the flash cannot be divided or fails.
    pub fn storage(&mut self) -> Result<&mut Storage<F>, Error> {
        if let Some(flash) = self.flash.take() {
            let mut storage = Storage::open(flash)?;
            (self.deliver)(&mut storage)?;
            self.used = storage.usage()?.data_used.into();
            self.storage = Some(storage);
        }
        self.storage.as_mut().ok_or(Error::NotFound)
    }

    /// The power goes and comes back: what is in flash stays.
    pub fn restart(&mut self) {
        if let Some(storage) = self.storage.take() {
            self.flash = Some(storage.into_flash());
        }
    }

    /// The flash, where storage was opened already.
    pub fn flash(&mut self) -> Option<&mut F> {
        self.storage.as_mut().map(Storage::flash)
    }

    /// Does something with a verified image.
    fn verified<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&E, &mut Image<&mut dyn Blob>) -> T,
    ) -> Result<T, Refusal> {
        self.storage().map_err(Refusal::Flash)?;
        let storage = self
            .storage
            .as_mut()
            .ok_or(Refusal::Flash(Error::NotFound))?;
        let stored = storage.image_by_reference(name).map_err(Refusal::Flash)?;
        let mut reader = storage.open_image(&stored).map_err(Refusal::Flash)?;
        let verifier = Verifier::new(&self.trusted);
        let blob: &mut dyn Blob = &mut reader;
        let mut image = verifier
            .verify_digest(blob, stored.digest)
            .map_err(Refusal::Verify)?;
        Ok(act(&self.engine, &mut image))
    }
}

/// Why an image is not used.
enum Refusal {
    Flash(Error),
    Verify(VerifyError),
}

/// An error and its causes in one line.
fn chain(error: &dyn core::error::Error) -> String {
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
        let facts = self.verified(name, |_, image| ImageFacts {
            digest: image.digest().to_string(),
            asks: image.config().capabilities,
        });
        facts.map_err(|refusal| match refusal {
            Refusal::Flash(Error::NotFound) => ImageError::NotFound,
            Refusal::Flash(error) => ImageError::Refused(chain(&error)),
            Refusal::Verify(error) => ImageError::Refused(chain(&error)),
        })
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
        self.used = storage.usage().map_err(host_error)?.data_used.into();
        Ok(())
    }

    fn remove(&mut self, owner: &str, key: &[u8]) -> Result<(), HostError> {
        let storage = self.storage().map_err(host_error)?;
        storage.remove_data(owner, key).map_err(host_error)?;
        self.used = storage.usage().map_err(host_error)?.data_used.into();
        Ok(())
    }
}
