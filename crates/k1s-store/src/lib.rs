// SPDX-License-Identifier: Apache-2.0
//! Embedded, versioned, watchable object store with the semantics of Kubernetes storage.
//!
//! Entry points: [`memory`] and [`open`] give a [`Store`]; [`Batch`] is what is written in one
//! transaction; [`guaranteed_update`] and [`delete`] are the optimistic loops around it.
//!
//! The one decision behind it: all semantics are implemented once, over a small ordered key-value
//! engine, with a log that holds what each change replaced. Object, revision and log entry are one
//! transaction of that engine, so none of the three is ever there without the others.
//!
//! It is not a database of JSON: the store never looks into a document.

mod batch;
mod engine;
mod entry;
mod error;
mod future;
mod key;
#[cfg(feature = "lmdb")]
mod lmdb;
mod options;
mod record;
mod request;
mod revision;
mod spin;
mod store;
mod update;
mod versioned;
mod watch;

#[cfg(test)]
mod conformance;

use std::sync::Arc;

pub use batch::{Batch, Change, Operation, Precondition, Side, Ttl, Written};
pub use entry::{Encoded, Entry, EntryRef};
pub use error::{Error, Result};
pub use future::{WriteFuture, wait};
pub use key::{Key, Prefix, SideKey};
#[cfg(feature = "lmdb")]
pub use lmdb::{exit_on_damage, open};
pub use options::{Clock, History, Options};
pub use request::{ListRequest, Page, Report, Stats};
pub use revision::Revision;
pub use store::{Store, Visitor};
pub use update::{Deletion, Refuse, Update, Updating, delete, guaranteed_update};
pub use watch::{Event, EventKind, Watcher};

/// A store in memory, gone when it is dropped.
///
/// # Examples
/// ```
/// use k1s_store::{Batch, Encoded, Key, Options, Store};
///
/// let store = k1s_store::memory(Options::default());
/// let key = Key::new("default", "configmaps", Some("default"), "settings")?;
/// let document = Encoded::new(br#"{"metadata":{"resourceVersion":""}}"#.to_vec(), 32);
/// store.write(Batch::new().create(key.clone(), document)).wait()?;
/// let entry = store.get(&key)?.ok_or(k1s_store::Error::NotFound { key })?;
/// assert_eq!(&entry.value[..], br#"{"metadata":{"resourceVersion":"2"}}"#);
/// # Ok::<(), k1s_store::Error>(())
/// ```
pub fn memory(options: Options) -> Arc<dyn Store> {
    let core = versioned::Core::new(engine::memory::Memory::default(), options);
    Arc::new(versioned::Versioned::over(core))
}
