// SPDX-License-Identifier: Apache-2.0
//! [`Batch`]: what one transaction changes, all of it or nothing.

use std::time::Duration;

use bytes::Bytes;

use crate::{Encoded, Entry, Key, Revision, SideKey};

/// What must hold for an object before it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    Any,
    /// It does not exist.
    Absent,
    /// It exists, at whatever revision.
    Present,
    /// It exists and its last change was at this revision.
    Revision(Revision),
}

/// What happens to an object.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is stored, for `ttl` or for good.
    Put {
        /// The new state.
        encoded: Encoded,
        /// How long it stays.
        ttl: Ttl,
    },
    /// It goes away. Watchers see its last state with the revision of the deletion in it.
    Delete,
    /// It goes away although its stored bytes cannot be read; refused if they can.
    DeleteCorrupt,
    /// Nothing; only the precondition counts, such as that the namespace of an object is there.
    Check,
}

/// How long an object stays before it goes away by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ttl {
    /// For good.
    #[default]
    Forever,
    /// Until what it replaces would have expired.
    Keep,
    /// For some time from now.
    For(Duration),
}

/// One object in a batch.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Which object.
    pub key: Key,
    /// What must hold before.
    pub precondition: Precondition,
    /// What happens to it.
    pub change: Change,
}

/// A record in a batch that has no revision and is not watched.
#[derive(Clone, Debug)]
pub enum Side {
    /// Stores the record; the batch fails when it is there already.
    Create(SideKey, Bytes),
    /// Removes the record if it is there.
    Delete(SideKey),
}

/// The changes of one transaction. Each object at most once.
///
/// # Examples
/// ```
/// use k1s_store::{Batch, Encoded, Key};
///
/// let key = Key::new("default", "configmaps", Some("default"), "settings")?;
/// let document = br#"{"metadata":{"resourceVersion":""}}"#.to_vec();
/// let batch = Batch::new().create(key, Encoded::new(document, 32));
/// assert_eq!(batch.operations.len(), 1);
/// # Ok::<(), k1s_store::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The objects, in the order of the revisions they get.
    pub operations: Vec<Operation>,
    /// The side records.
    pub sides: Vec<Side>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object that must not be there yet.
    #[must_use]
    pub fn create(self, key: Key, encoded: Encoded) -> Self {
        self.with(
            key,
            Precondition::Absent,
            Change::Put {
                encoded,
                ttl: Ttl::Forever,
            },
        )
    }

    /// Replaces an object that is at a known revision, for good.
    #[must_use]
    pub fn update(self, key: Key, revision: Revision, encoded: Encoded) -> Self {
        self.with(
            key,
            Precondition::Revision(revision),
            Change::Put {
                encoded,
                ttl: Ttl::Forever,
            },
        )
    }

    /// Removes an object that is at a known revision.
    #[must_use]
    pub fn delete(self, key: Key, revision: Revision) -> Self {
        self.with(key, Precondition::Revision(revision), Change::Delete)
    }

    /// Any other operation.
    #[must_use]
    pub fn with(mut self, key: Key, precondition: Precondition, change: Change) -> Self {
        self.operations.push(Operation {
            key,
            precondition,
            change,
        });
        self
    }

    /// A side record.
    #[must_use]
    pub fn side(mut self, side: Side) -> Self {
        self.sides.push(side);
        self
    }

    /// Bytes that the batch brings along, to bound how much is committed at once.
    #[cfg(feature = "lmdb")]
    pub(crate) fn bytes(&self) -> usize {
        let object = |operation: &Operation| match &operation.change {
            Change::Put { encoded, .. } => encoded.bytes.len(),
            Change::Delete | Change::DeleteCorrupt | Change::Check => 0,
        };
        self.operations.iter().map(object).sum()
    }
}

/// What a batch did.
#[derive(Clone, Debug)]
pub struct Written {
    /// The revision of the store behind the batch.
    pub revision: Revision,
    /// One entry for each operation: what is stored now, or for a deletion the last state with the
    /// deletion's revision in it. A check, and the deletion of a corrupt object, have none.
    pub entries: Vec<Option<Entry>>,
}

impl Written {
    /// The entry of the first operation that has one.
    pub fn into_entry(self) -> Option<Entry> {
        self.entries.into_iter().flatten().next()
    }
}
