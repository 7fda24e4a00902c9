// SPDX-License-Identifier: Apache-2.0
//! [`Event`]: one change, shared by all who watch it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::{Key, Revision};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is new.
    Created,
    /// It was replaced.
    Updated,
    /// It was deleted or has expired.
    Deleted,
    /// It was deleted although its stored bytes could not be read; the event has no value.
    Lost,
}

/// One change of one object.
pub struct Event {
    /// Its revision.
    pub revision: Revision,
    /// Which object.
    pub key: Key,
    /// What happened.
    pub kind: EventKind,
    /// The new state; of a deletion the last state, with the revision of the deletion in it.
    pub value: Bytes,
    /// The state before, with its own revision in it.
    pub previous: Option<Bytes>,
    cache: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Event {
    pub(crate) fn new(
        revision: Revision,
        key: Key,
        kind: EventKind,
        value: Bytes,
        previous: Option<Bytes>,
    ) -> Self {
        Self {
            revision,
            key,
            kind,
            value,
            previous,
            cache: OnceLock::new(),
        }
    }

    /// Something made from the event, made once for all watchers. The first type asked for is the
    /// one that is kept; for any other there is nothing.
    pub fn cached<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<Arc<T>> {
        self.cache
            .get_or_init(|| Arc::new(make(self)))
            .clone()
            .downcast()
            .ok()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} at {}", self.kind, self.key, self.revision)
    }
}
