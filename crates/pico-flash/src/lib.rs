// SPDX-License-Identifier: Apache-2.0
//! The flash of a board: two firmware slots, an image store, key-value data and rolling logs.
//!
//! [`Storage`] owns the flash and is the entry point; [`Layout`] divides the chip. Everything is written so that power may
//! go at any program or erase: what was acknowledged is there at the next start, what was not is there whole or not at
//! all. A record whose bits have changed is reported as [`Error::Damaged`] and never returned.
//!
//! The key-value log is its own and not that of a library: those that were looked at fall back to the previous value of a
//! key without a word when the newest has a flipped bit.
#![no_std]

extern crate alloc;
#[cfg(any(feature = "sim", test))]
extern crate std;

mod crc;
mod error;
#[cfg(feature = "sim")]
mod file;
mod images;
mod kv;
mod layout;
mod record;
mod rolling;
mod sectors;
#[cfg(feature = "sim")]
mod sim;
mod slots;
mod storage;

pub use error::Error;
#[cfg(feature = "sim")]
pub use file::{FileError, FlashFile};
pub use images::{ImageReader, StoredImage};
pub use kv::MAX_VALUE_BYTES;
pub use layout::{Area, Layout, LayoutError};
pub use rolling::LogLine;
#[cfg(feature = "sim")]
pub use sim::{SimError, SimFlash};
pub use slots::{BootState, Slot, SlotImage};
pub use storage::{MAX_MANIFEST_BYTES, Storage, Usage};
