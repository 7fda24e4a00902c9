// SPDX-License-Identifier: Apache-2.0
//! The one error of storage.

use core::fmt;

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

use crate::LayoutError;

/// Why storage could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The flash itself failed.
    Medium(NorFlashErrorKind),
    /// The chip cannot be divided.
    Layout(LayoutError),
    /// There is no such key, image or firmware.
    NotFound,
    /// Bits have changed since it was written; it is not returned.
    Damaged,
    /// There is no room; removing something makes some.
    Full,
    /// A key, value, manifest, image or firmware is longer than its area allows.
    TooLarge,
    /// What was written does not read back as it was given.
    Verify,
    /// The firmware that runs is not the one that has proved itself: neither slot can be written until it is confirmed, or
    /// left at the next start.
    OnTrial,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Medium(_) => "the flash failed",
            Self::Layout(error) => return fmt::Display::fmt(error, f),
            Self::NotFound => "not found in flash",
            Self::Damaged => "damaged in flash: bits have changed since it was written",
            Self::Full => "no room left in flash",
            Self::TooLarge => "longer than its area of flash allows",
            Self::Verify => "the flash does not hold what was written",
            Self::OnTrial => "the firmware that runs is on trial: confirm it, or start again, before another is staged",
        })
    }
}

impl core::error::Error for Error {}

impl Error {
    /// The error of a flash driver.
    pub(crate) fn medium<E: NorFlashError>(error: E) -> Self {
        Self::Medium(error.kind())
    }
}

impl From<LayoutError> for Error {
    fn from(error: LayoutError) -> Self {
        Self::Layout(error)
    }
}

pub(crate) type Result<T> = core::result::Result<T, Error>;
