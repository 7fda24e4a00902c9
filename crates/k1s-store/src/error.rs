// SPDX-License-Identifier: Apache-2.0
//! [`Error`]: everything that a store can answer instead of a result.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Key, Revision, SideKey};

/// The result of a store call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store call failed.
///
/// Cloneable, because one failed commit may have to be told to many waiting writers.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The object is not at the revision that the writer expected. Read it again and retry.
    #[error("{key} is at revision {current}, not at {expected}: read it again and retry")]
    Conflict {
        /// The object.
        key: Key,
        /// What the writer expected.
        expected: Revision,
        /// What the object is at.
        current: Revision,
    },
    /// The object must not exist for this write, and does.
    #[error("{key} already exists at revision {current}")]
    Exists {
        /// The object.
        key: Key,
        /// What the object is at.
        current: Revision,
    },
    /// The object must exist for this write, and does not.
    #[error("{key} does not exist")]
    NotFound {
        /// The object.
        key: Key,
    },
    /// A side record must not exist for this write, and does.
    #[error("the record {key} already exists")]
    SideExists {
        /// The side record.
        key: SideKey,
        /// What it holds.
        value: Bytes,
    },
    /// The history before `oldest` is gone. List again and continue from there.
    #[error("revision {requested} has been compacted, the oldest that can be read is {oldest}")]
    Compacted {
        /// What was asked for.
        requested: Revision,
        /// The oldest revision that can still be read, and watched after.
        oldest: Revision,
    },
    /// The store has not reached that revision yet. Retry later.
    #[error("revision {requested} is in the future, the store is at {current}")]
    FutureRevision {
        /// What was asked for.
        requested: Revision,
        /// What the store is at.
        current: Revision,
    },
    /// A key, a prefix or a batch breaks the rules for keys.
    #[error("invalid key {key:?}: {reason}")]
    InvalidKey {
        /// The offending text.
        key: String,
        /// The rule.
        reason: &'static str,
    },
    /// The object is larger than a store takes.
    #[error("{key} has {bytes} bytes, more than the {limit} that a store takes")]
    TooLarge {
        /// The object.
        key: Key,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The stored bytes of one object cannot be read.
    #[error("the stored data of {key} is corrupt ({reason}); `k1s store check` lists all damage")]
    Corrupt {
        /// Where.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Only a corrupt object may be deleted this way, and this one can be read.
    #[error("{key} is not corrupt, delete it the ordinary way")]
    NotCorrupt {
        /// The object.
        key: Key,
    },
    /// The file itself is damaged, or is no store.
    #[error("{} is not a usable store ({reason}); restore it from a backup", path.display())]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The store was written by a newer version of the program.
    #[error(
        "the store in {} has format {found}, this program knows up to {supported}: use a newer program",
        path.display()
    )]
    NewerFormat {
        /// The store's directory.
        path: PathBuf,
        /// The format in the file.
        found: u32,
        /// The newest format this program reads.
        supported: u32,
    },
    /// The disk or the address space is full. Nothing of the write was kept.
    #[error("no room to write to {} ({reason}); nothing of this write was kept", path.display())]
    Full {
        /// The store's directory.
        path: PathBuf,
        /// Disk, quota or map.
        reason: String,
    },
    /// The store cannot be written to.
    #[error("the store in {} cannot be written ({reason})", path.display())]
    ReadOnly {
        /// The store's directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others than the owner can read the store, and there are secrets in it.
    #[error("{} is open to others (mode {mode:o}): chmod 600 it", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Arc<io::Error>,
    },
    /// The engine does not do this.
    #[error("the {engine} engine cannot {action}")]
    Unsupported {
        /// The engine.
        engine: &'static str,
        /// What it cannot do.
        action: &'static str,
    },
    /// The store is being closed; the write may or may not have happened.
    #[error("the store was closed before the write was done")]
    Closed,
}

impl Error {
    pub(crate) fn corrupt(key: &[u8], reason: impl Into<String>) -> Self {
        Self::Corrupt {
            key: String::from_utf8_lossy(key).into_owned(),
            reason: reason.into(),
        }
    }
}
