// SPDX-License-Identifier: Apache-2.0
//! [`Engine`]: what a store needs from the thing that keeps its bytes.
//!
//! Five ordered tables of bytes, consistent reads, and one atomic write transaction at a time. All
//! semantics are in [`crate::versioned`], once for every engine; an engine knows nothing of
//! objects and revisions.

use std::ops::{ControlFlow, Deref};
use std::path::Path;

use bytes::Bytes;

use crate::error::Result;

pub(crate) mod memory;
mod sorted;

/// The tables of a store. The order is that of their keys in an engine with only one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// Format and floor of the log.
    Meta = 0,
    /// Revision, big-endian, to log entry.
    Log = 1,
    /// Key to object record.
    Objects = 2,
    /// Side key to side record.
    Sides = 3,
    /// Expiry in ms, big-endian, followed by the key of the object; no value.
    Expiry = 4,
}

impl Table {
    pub(crate) const COUNT: usize = 5;
}

/// Bytes in an engine: a view of a file, or a share of memory.
pub(crate) enum Stored<'a> {
    #[cfg_attr(
        not(feature = "lmdb"),
        expect(dead_code, reason = "only files are viewed")
    )]
    View(&'a [u8]),
    Shared(&'a Bytes),
}

impl Stored<'_> {
    /// Everything from `at` on, to keep.
    pub(crate) fn from(&self, at: usize) -> Bytes {
        match self {
            Self::View(bytes) => Bytes::copy_from_slice(bytes.get(at..).unwrap_or_default()),
            Self::Shared(bytes) => bytes.slice(at.min(bytes.len())..),
        }
    }
}

impl Deref for Stored<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::View(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// What a scan calls for each pair.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(&[u8], Stored<'_>) -> Result<ControlFlow<()>>;

/// A consistent view of the tables.
pub(crate) trait Reader {
    /// One value.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Stored<'_>>>;
    /// All pairs from `from` up to but not with `to`, in order, until the visitor breaks.
    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()>;
    /// The last pair of a table.
    fn last(&self, table: Table) -> Result<Option<(Bytes, Stored<'_>)>>;

    /// The first pair of a table.
    fn first(&self, table: Table) -> Result<Option<(Bytes, Bytes)>> {
        let mut first = None;
        self.scan(table, &[], &[0xff; 9], &mut |key, value| {
            first = Some((Bytes::copy_from_slice(key), value.from(0)));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }
}

/// A write transaction; it sees its own writes.
pub(crate) trait Writer: Reader {
    fn put(&mut self, table: Table, key: &[u8], value: Bytes) -> Result<()>;
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()>;
}

/// Keeps the tables.
pub(crate) trait Engine: Send + Sync + 'static {
    /// Whether bytes may change between writing and reading, so that checksums are worth it.
    const CHECKSUMS: bool;
    /// Whether a write takes but a few microseconds.
    const SHORT_WRITES: bool;

    type Read<'a>: Reader;
    type Write<'a>: Writer;

    /// Runs `read` on a consistent view. It must be short: it may hold up writers.
    fn read<T>(&self, read: impl FnOnce(&Self::Read<'_>) -> Result<T>) -> Result<T>;

    /// Runs `read` on a consistent view that may be held for long.
    fn snapshot<T>(&self, read: impl FnOnce(&Self::Read<'_>) -> Result<T>) -> Result<T>;

    /// Runs `write` in the one write transaction and commits what it did, durably where there is a
    /// disk; or, if it fails, nothing. An engine may run it again when it had to make room.
    fn write<T>(&self, write: impl FnMut(&mut Self::Write<'_>) -> Result<T>) -> Result<T>;

    /// Tells other processes that something was committed.
    fn ring(&self) {}

    /// From now on calls `heard` when another process has committed, until it breaks. Only the
    /// first call counts.
    fn listen(&self, _heard: Heard) -> Result<()> {
        Ok(())
    }

    /// Whether everything can be read without harm; called before everything is read to be judged.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Copies everything to a new directory.
    fn copy_to(&self, directory: &Path) -> Result<()>;
}

/// What an engine calls when another process has committed.
pub(crate) type Heard = Box<dyn Fn() -> ControlFlow<()> + Send>;
