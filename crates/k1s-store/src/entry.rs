// SPDX-License-Identifier: Apache-2.0
//! [`Encoded`], [`Entry`] and [`EntryRef`]: objects on their way in and out.

use std::ops::Deref;

use bytes::Bytes;

use crate::engine::Stored;
use crate::{Key, Revision};

/// A serialised object on its way in.
///
/// The document holds an empty `"resourceVersion":""`; the store writes the revision between the
/// quotes when it commits. What is stored is then what a `GET` answers, and no read has to parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The document.
    pub bytes: Vec<u8>,
    /// Offset at which the decimal revision goes in; none to store the bytes as they are.
    pub revision_at: Option<usize>,
}

impl Encoded {
    /// A document with a place for its revision.
    pub fn new(bytes: Vec<u8>, revision_at: usize) -> Self {
        Self {
            bytes,
            revision_at: Some(revision_at),
        }
    }

    /// Bytes without a revision in them.
    pub fn opaque(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            revision_at: None,
        }
    }
}

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub key: Key,
    /// The document with its revision in it.
    pub value: Bytes,
    /// The revision of its last change.
    pub revision: Revision,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires: Option<u64>,
    /// Where in the value the revision is.
    pub(crate) revision_at: Option<usize>,
}

impl Entry {
    /// Whether storing `encoded` would change nothing but the revision.
    pub fn holds(&self, encoded: &Encoded) -> bool {
        if self.revision_at != encoded.revision_at {
            return false;
        }
        let Some(at) = encoded.revision_at else {
            return self.value == encoded.bytes;
        };
        let behind = at + decimal_digits(self.revision.0);
        self.value.get(..at) == encoded.bytes.get(..at)
            && self.value.get(behind..) == encoded.bytes.get(at..)
    }

    /// Size of the document without its revision, in bytes.
    pub fn size(&self) -> usize {
        self.value.len()
            - self
                .revision_at
                .map_or(0, |_| decimal_digits(self.revision.0))
    }
}

/// An object as a scan shows it, valid while the visitor runs.
pub struct EntryRef<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) record: Stored<'a>,
    pub(crate) header: crate::record::Header,
}

impl EntryRef<'_> {
    /// The key as text, `tenant/group/resource/namespace/name`.
    pub fn key_str(&self) -> &str {
        std::str::from_utf8(self.key).unwrap_or_default()
    }

    /// Namespace and name; the namespace is empty for cluster-scoped objects.
    pub fn namespace_and_name(&self) -> (&str, &str) {
        let mut parts = self.key_str().rsplit('/');
        let name = parts.next().unwrap_or_default();
        (parts.next().unwrap_or_default(), name)
    }

    /// The document with its revision in it.
    pub fn value(&self) -> &[u8] {
        self.record
            .deref()
            .get(crate::record::HEADER..)
            .unwrap_or_default()
    }

    /// The document as something to keep: shared with a store in memory, a copy of a file's.
    pub fn to_bytes(&self) -> Bytes {
        self.record.from(crate::record::HEADER)
    }

    /// The revision of its last change.
    pub fn revision(&self) -> Revision {
        self.header.revision
    }

    /// The whole entry, to keep.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if the key is damaged.
    pub fn to_entry(&self) -> crate::Result<Entry> {
        Ok(self.header.entry(Key::stored(self.key)?, self.to_bytes()))
    }
}

/// How many digits a number has in decimal.
pub(crate) fn decimal_digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}
