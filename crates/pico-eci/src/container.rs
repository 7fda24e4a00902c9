// SPDX-License-Identifier: Apache-2.0
//! Engines and containers: what runs an image, and what a running one can be asked.

use alloc::boxed::Box;
use core::fmt;

use crate::{Blob, BlobError, Grant, Host, Image, Shortage};

/// What a container may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All memory that the container takes, in bytes: linear memory, stack and translated code. Exceeding it ends the
    /// container with [`Progress::OutOfMemory`].
    pub memory_bytes: u32,
}

/// Events that end a wait before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wake {
    /// An edge on a watched pin.
    pub edge: bool,
    /// An HTTP request for the container.
    pub request: bool,
}

/// Why a container was stopped by the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trap {
    /// The guest ran into `unreachable`: a panic of its own.
    Unreachable,
    /// An access outside of linear memory.
    MemoryOutOfBounds,
    /// A division by zero or an overflowing conversion.
    Arithmetic,
    /// An indirect call to nothing or to a function of another type.
    IndirectCall,
    /// The guest's stack is full.
    StackOverflow,
    /// A host call with pointers outside of memory or against the interface.
    HostCall,
    /// The engine found its own state inconsistent.
    Engine,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the container panicked (unreachable executed)",
            Self::MemoryOutOfBounds => "memory access out of bounds",
            Self::Arithmetic => "division by zero or conversion out of range",
            Self::IndirectCall => "indirect call to no function or one of another type",
            Self::StackOverflow => "stack overflow",
            Self::HostCall => "host call with a pointer outside of memory",
            Self::Engine => "the engine found its state inconsistent",
        })
    }
}

impl core::error::Error for Trap {}

/// What became of a container in a slice of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The fuel is used up; there is more to do.
    Yielded,
    /// Nothing to do before this time or one of these events. Running it earlier does no harm.
    Waiting {
        /// Monotonic milliseconds; `None` waits for events alone.
        until_ms: Option<u64>,
        /// What ends the wait earlier, besides a request to stop.
        wake: Wake,
    },
    /// The container ended by itself with this code.
    Exited(i32),
    /// The sandbox stopped it.
    Trapped(Trap),
    /// It needed more memory than its limit.
    OutOfMemory,
}

impl Progress {
    /// Whether the container has ended; it then gives the same answer for ever.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Exited(_) | Self::Trapped(_) | Self::OutOfMemory)
    }
}

/// What a call of [`Container::run`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// How it ended.
    pub progress: Progress,
    /// Fuel used: one per instruction, more per host call. At most a host call more than was given.
    pub fuel: u32,
}

/// What a container has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory now, in bytes: linear memory, stack and translated code.
    pub memory_bytes: u32,
    /// The most it was.
    pub memory_peak_bytes: u32,
    /// Fuel since the start.
    pub fuel: u64,
    /// Host calls since the start.
    pub host_calls: u64,
    /// Host calls that were refused because the container does not hold what it asked for.
    pub denied_calls: u64,
}

/// Why a container did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// It needs more memory than its limit.
    OutOfMemory,
    /// The image asks for more than the pod was given.
    Shortage(Shortage),
    /// The module is not valid, or uses what the engine does not have. The number is the offset in the module.
    InvalidModule(u32),
    /// The module imports what the host interface does not have, or with another type.
    UnknownImport(u32),
    /// The module does not export the config's entry as a function without parameters.
    NoEntry,
    /// The image could not be read.
    Read(BlobError),
    /// The bytes are not the ones that were verified.
    Changed,
    /// No engine of this firmware runs the image.
    NoEngine,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory => {
                f.write_str("the container needs more memory than its limit to start")
            }
            Self::Shortage(shortage) => fmt::Display::fmt(shortage, f),
            Self::InvalidModule(offset) => {
                write!(f, "the WebAssembly module is invalid at offset {offset}")
            }
            Self::UnknownImport(offset) => {
                write!(
                    f,
                    "the module imports a function that the host interface does not have, at offset {offset}"
                )
            }
            Self::NoEntry => {
                f.write_str("the module does not export the entry function that the config names")
            }
            Self::Read(_) => f.write_str("the image could not be read"),
            Self::Changed => f.write_str("the image changed after it was verified"),
            Self::NoEngine => f.write_str("this firmware has no engine for the image"),
        }
    }
}

impl core::error::Error for StartError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            _ => None,
        }
    }
}

/// Something that runs images.
pub trait Engine {
    /// Starts a verified image. Nothing of it has run when this returns.
    ///
    /// # Errors
    /// See [`StartError`]; none is worth a retry with the same image, grant and limits, except [`StartError::Read`].
    fn start(
        &self,
        image: &mut Image<&mut dyn Blob>,
        grant: Grant,
        limits: Limits,
    ) -> Result<Box<dyn Container>, StartError>;
}

/// A running container. It need not be `Send`: a board runs all of its containers on one thread.
pub trait Container {
    /// Runs until `fuel` is used up, the container waits, or it ends.
    ///
    /// A container that waits polls what it waits for, so call it when [`Progress::Waiting`] says, or earlier.
    fn run(&mut self, fuel: u32, host: &mut dyn Host) -> Slice;

    /// What it has used.
    fn usage(&self) -> Usage;
}
