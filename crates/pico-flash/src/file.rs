// SPDX-License-Identifier: Apache-2.0
//! A simulated flash, in a file if it has one: what a board wrote is there when it is started again.
//!
//! The file holds the chip's bytes inverted. Erased flash is then zeros, and so a hole: a chip of 2 GiB takes as much of a
//! disk as was written to it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::sim::{SimError, SimFlash};

const SECTOR: usize = 4096;

/// The flash and its file, if there is one. Every operation is in the file when it returns, though not yet on the disk: a crash of the
/// process loses nothing, a crash of the host may. One at a time has a file.
#[derive(Debug)]
pub struct FlashFile {
    flash: SimFlash,
    file: Option<File>,
}

/// Why the flash in a file failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileError {
    /// As the simulated chip does.
    Flash(SimError),
    /// The file could not be written.
    File(io::ErrorKind),
}

impl NorFlashError for FileError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Flash(error) => error.kind(),
            Self::File(_) => NorFlashErrorKind::Other,
        }
    }
}

impl FlashFile {
    /// A blank chip of `capacity` bytes that is gone when it is dropped.
    #[must_use]
    pub const fn without_file(capacity: u32, seed: u64) -> Self {
        Self {
            flash: SimFlash::new(capacity, seed),
            file: None,
        }
    }

    /// Opens the flash in a file; a file that is not there becomes a blank chip of `capacity` bytes.
    ///
    /// # Errors
    /// When the file cannot be read or made, (`InvalidData`) when it has another length, or (`ResourceBusy`) when a board
    /// runs on it.
    pub fn open(path: &Path, capacity: u32, seed: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = "a board runs on it: stop the simulation first";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let length = file.metadata()?.len();
        if length == 0 {
            file.set_len(capacity.into())?;
        } else if length != u64::from(capacity) {
            let text =
                std::format!("the file has {length} bytes, the board's flash has {capacity}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let mut flash = SimFlash::new(capacity, seed);
        let mut bytes = [0; SECTOR];
        for sector in 0..capacity / SECTOR as u32 {
            file.read_exact(&mut bytes)?;
            if bytes.iter().any(|byte| *byte != 0) {
                flash.restore(sector, &bytes.map(|byte| !byte));
            }
        }
        // what was read is no change
        flash.take_changed();
        Ok(Self {
            flash,
            file: Some(file),
        })
    }

    /// Whether what is written is kept.
    #[must_use]
    pub const fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// The simulated chip, for faults.
    pub const fn chip(&mut self) -> &mut SimFlash {
        &mut self.flash
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_all)
    }

    /// Writes what an operation changed, be it whole or torn.
    fn follow(&mut self, result: Result<(), SimError>) -> Result<(), FileError> {
        let changed = self.flash.take_changed();
        if let Some(file) = &mut self.file {
            for (sector, bytes) in changed {
                let start = SeekFrom::Start(u64::from(sector) * SECTOR as u64);
                file.seek(start)
                    .and_then(|_| file.write_all(&bytes.map(|byte| !byte)))
                    .map_err(|error| FileError::File(error.kind()))?;
            }
        }
        result.map_err(FileError::Flash)
    }
}

impl ErrorType for FlashFile {
    type Error = FileError;
}

impl ReadNorFlash for FlashFile {
    const READ_SIZE: usize = SimFlash::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileError> {
        self.flash.read(offset, bytes).map_err(FileError::Flash)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for FlashFile {
    const WRITE_SIZE: usize = SimFlash::WRITE_SIZE;
    const ERASE_SIZE: usize = SimFlash::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FileError> {
        let result = self.flash.erase(from, to);
        self.follow(result)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileError> {
        let result = self.flash.write(offset, bytes);
        self.follow(result)
    }
}

impl MultiwriteNorFlash for FlashFile {}
