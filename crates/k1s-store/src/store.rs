// SPDX-License-Identifier: Apache-2.0
//! [`Store`]: what the rest of the system sees of every engine.

use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;

use crate::{
    Batch, Entry, EntryRef, Key, ListRequest, Page, Prefix, Report, Result, Revision, SideKey,
    Stats, Watcher, WriteFuture,
};

/// What a scan calls for each entry; an error is one entry that cannot be read, and the scan goes
/// on behind it.
pub type Visitor<'v> = &'v mut dyn FnMut(Result<EntryRef<'_>>) -> ControlFlow<()>;

/// A versioned, watchable store of objects, with the semantics of Kubernetes' own storage.
///
/// Every change takes the next [`Revision`] and is logged in the same transaction, so that lists can
/// be read as of an older revision and watches can start there, until the log is compacted.
///
/// Reads and watches never wait for writers. All calls but [`Store::write`] answer at once.
pub trait Store: Send + Sync {
    /// The object, if it is there and has not expired.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if its stored bytes cannot be read; what the engine says.
    fn get(&self, key: &Key) -> Result<Option<Entry>>;

    /// A page of a range, in the order of the keys.
    ///
    /// # Errors
    /// [`crate::Error::Compacted`] and [`crate::Error::FutureRevision`] for a revision that is not
    /// there any more or yet; [`crate::Error::Corrupt`] at the first entry that cannot be read.
    fn list(&self, request: &ListRequest) -> Result<Page>;

    /// Shows a visitor one entry after the other until it breaks; gives the revision they are at.
    /// The visitor must not call the store.
    ///
    /// # Errors
    /// As [`Store::list`], but entries that cannot be read go to the visitor.
    fn scan(&self, request: &ListRequest, visit: Visitor<'_>) -> Result<Revision>;

    /// How many entries a request matches, its limit set aside.
    ///
    /// # Errors
    /// As [`Store::list`].
    fn count(&self, request: &ListRequest) -> Result<usize>;

    /// Whether there is nothing in a range, which is told without a snapshot.
    ///
    /// # Errors
    /// What the engine says.
    fn is_empty(&self, prefix: &Prefix) -> Result<bool>;

    /// Does all that is in the batch, or nothing.
    ///
    /// # Errors
    /// The future gives [`crate::Error::Conflict`], [`crate::Error::Exists`],
    /// [`crate::Error::NotFound`] or [`crate::Error::SideExists`] for the first precondition that
    /// does not hold; [`crate::Error::Full`], [`crate::Error::ReadOnly`] and
    /// [`crate::Error::Io`] when the engine cannot write.
    fn write(&self, batch: Batch) -> WriteFuture;

    /// Every change in a range after a revision, in order, without gaps.
    ///
    /// # Errors
    /// [`crate::Error::Compacted`] and [`crate::Error::FutureRevision`].
    fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watcher>;

    /// The revision of the last change.
    ///
    /// # Errors
    /// What the engine says.
    fn revision(&self) -> Result<Revision>;

    /// The oldest revision that can be read, and watched after.
    ///
    /// # Errors
    /// What the engine says.
    fn compacted_revision(&self) -> Result<Revision>;

    /// Forgets the history before a revision; gives the oldest revision that can be read then.
    ///
    /// # Errors
    /// [`crate::Error::FutureRevision`].
    fn compact(&self, before: Revision) -> Result<Revision>;

    /// How much there is in a range.
    ///
    /// # Errors
    /// What the engine says.
    fn stats(&self, prefix: &Prefix) -> Result<Stats>;

    /// Reads everything and reports what does not fit together.
    ///
    /// # Errors
    /// What the engine says; damage is in the report.
    fn check(&self) -> Result<Report>;

    /// A side record.
    ///
    /// # Errors
    /// What the engine says.
    fn side(&self, key: &SideKey) -> Result<Option<Bytes>>;

    /// All side records in a space of a tenant.
    ///
    /// # Errors
    /// [`crate::Error::InvalidKey`].
    fn sides(&self, tenant: &str, space: &str) -> Result<Vec<(SideKey, Bytes)>>;

    /// When the next object expires, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// What the engine says.
    fn next_expiry(&self) -> Result<Option<u64>>;

    /// Deletes expired objects, some at a time; gives how many. Reads do not show them anyway; this
    /// is for watchers.
    ///
    /// # Errors
    /// As [`Store::write`].
    fn sweep(&self) -> Result<usize>;

    /// Writes a copy without free space to a new directory, while the store is in use.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for a store in memory; [`crate::Error::Io`].
    fn copy_to(&self, directory: &Path) -> Result<()>;
}
