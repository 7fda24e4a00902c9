// SPDX-License-Identifier: Apache-2.0
//! Time, entropy, watchdog, reset and the second core.

use crate::Error;

/// A clock that only runs forwards.
pub trait Clock {
    /// Milliseconds since the board started.
    fn monotonic_ms(&self) -> u64;
}

/// A source of randomness that is fit for keys.
pub trait Entropy {
    /// Fills the buffer.
    ///
    /// # Errors
    /// [`Error::Hardware`] when the source's own health check fails.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error>;
}

/// Resets the board unless it is fed.
pub trait Watchdog {
    /// The longest time-out in milliseconds (about 8300 on an RP2040).
    const MAX_TIMEOUT_MS: u32;

    /// Starts it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] above [`Watchdog::MAX_TIMEOUT_MS`].
    fn start(&mut self, timeout_ms: u32) -> Result<(), Error>;

    /// Begins the time-out anew. Call it only when every task has made progress.
    fn feed(&mut self);
}

/// Why the board started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetReason {
    /// Power came on.
    PowerOn,
    /// The supply fell below its threshold.
    BrownOut,
    /// The reset pin or a debugger.
    External,
    /// The watchdog was not fed.
    Watchdog,
    /// The firmware asked for it, such as to start another slot.
    Software,
    /// The firmware panicked.
    Panic,
}

impl ResetReason {
    /// Whether the last run ended by a fault of its own.
    #[must_use]
    pub const fn is_crash(self) -> bool {
        matches!(self, Self::Watchdog | Self::Panic)
    }
}

/// The board's reset.
pub trait Reset {
    /// Why the board started this time.
    fn reason(&self) -> ResetReason;

    /// Starts the board again. A real board does not return from this; a simulated one reports it to its owner.
    fn reset(&mut self, reason: ResetReason);
}

/// A second core that runs one job after another.
///
/// The job type is the board's choice, because what may cross cores differs between chips. While flash is erased or
/// programmed the core is parked: it must run nothing from flash.
pub trait SecondCore {
    /// What the core can be given.
    type Job;

    /// Starts a job.
    ///
    /// # Errors
    /// [`Error::NoResources`] while another one runs.
    fn spawn(&mut self, job: Self::Job) -> Result<(), Error>;

    /// Whether no job runs.
    fn is_idle(&self) -> bool;

    /// Holds the core in RAM until [`SecondCore::unpark`].
    fn park(&mut self);

    /// Lets the core go on.
    fn unpark(&mut self);

    /// Time the core has spent on jobs, in milliseconds since the board started.
    fn busy_ms(&self) -> u64;
}
