// SPDX-License-Identifier: Apache-2.0
//! The LMDB engine: one directory, any number of processes.
//!
//! Readers never wait. Writers queue on a lock that survives the death of its holder. There is
//! nothing to recover after a crash, and nothing is done at opening but mapping the file. Each
//! commit is durable: LMDB writes the new pages and syncs them, then the page that makes them
//! count, and syncs that. No flag that trades this for speed is used.
//!
//! Entry point: [`open`].

mod bell;
mod directory;
mod environment;
mod group;
mod transaction;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use bytes::Bytes as Shared;

use crate::engine::{Engine, Heard, Reader, Table, Writer};
use crate::error::{Error, Result};
use crate::lmdb::bell::Bell;
use crate::lmdb::environment::Environment;
use crate::lmdb::group::Group;
use crate::lmdb::transaction::{Read, Write};
use crate::versioned::{Core, Versioned};
use crate::{Options, Store};

/// The key of the record that says what the file is.
const FORMAT_KEY: &[u8] = b"format";
/// What it says, before the number of the format.
const FORMAT_NAME: &[u8] = b"k1s store ";
/// The newest format that can be read.
const FORMAT: u32 = 1;

/// The stores that this process has open: a file must not be mapped twice. Watchers keep the core of
/// a store when the store itself is gone.
static OPEN: Mutex<Option<HashMap<PathBuf, Opened>>> = Mutex::new(None);

type Opened = (Weak<Versioned<Lmdb>>, Weak<Core<Lmdb>>);

/// A store in a directory, created if need be. A directory that is open in this process already
/// is shared, with the options of the first.
///
/// Must not be used across a `fork`; start other programs freely.
///
/// # Errors
/// [`Error::ReadOnly`] without permission to write, [`Error::NewerFormat`] and [`Error::Damaged`]
/// for files that this program cannot read, [`Error::TooOpen`] when others can read the secrets in
/// it, [`Error::Io`].
///
/// # Examples
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// let store = k1s_store::open(directory.path(), k1s_store::Options::default())?;
/// assert_eq!(store.revision()?, k1s_store::Revision::FIRST);
/// # Ok::<(), k1s_store::Error>(())
/// ```
pub fn open(directory: &Path, options: Options) -> Result<Arc<dyn Store>> {
    let directory = directory::prepare(directory, options.read_only)?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = open.get_or_insert_default();
    let (store, core) = open.get(&directory).map_or((None, None), |(store, core)| {
        (store.upgrade(), core.upgrade())
    });
    if core
        .as_ref()
        .is_some_and(|core| core.options().read_only && !options.read_only)
    {
        let reason = "this process has it open for reading only".to_owned();
        return Err(Error::ReadOnly {
            path: directory,
            reason,
        });
    }
    if let Some(store) = store {
        return Ok(store);
    }
    let core = match core {
        Some(core) => core,
        None => Core::new(Lmdb::open(&directory, &options)?, options),
    };
    let mut store = Versioned::over(core.clone());
    if core.options().group_commit && !core.options().read_only {
        let group = Group::new(core.clone());
        store.submit_to(Box::new(move |batch| group.submit(batch)));
    }
    let store = Arc::new(store);
    open.retain(|_, (_, core)| core.strong_count() > 0);
    open.insert(directory, (Arc::downgrade(&store), Arc::downgrade(&core)));
    Ok(store)
}

/// The tables in an LMDB environment.
pub(crate) struct Lmdb {
    environment: Environment,
    /// Held shared while a transaction is open, alone while the map is moved.
    map: RwLock<()>,
    bell: Bell,
    /// The listener, once there is a watcher; dropping it ends its thread.
    listener: OnceLock<Mutex<Option<bell::Listener>>>,
}

impl Lmdb {
    pub(crate) fn open(directory: &Path, options: &Options) -> Result<Self> {
        let environment = Environment::open(directory, options)?;
        let lmdb = Self {
            environment,
            map: RwLock::default(),
            bell: Bell::new(directory),
            listener: OnceLock::new(),
        };
        let found = lmdb.read(|reader| {
            reader
                .get(Table::Meta, FORMAT_KEY)?
                .map(|f| lmdb.known_format(&f))
                .transpose()
        })?;
        if found.is_none() {
            if options.read_only {
                return Err(lmdb.environment.damaged("it holds no store yet"));
            }
            lmdb.write(|transaction| lmdb.initialise(transaction))?;
        }
        Ok(lmdb)
    }

    /// Checks that a format record is one of this program's.
    fn known_format(&self, record: &[u8]) -> Result<()> {
        let number = record
            .strip_prefix(FORMAT_NAME)
            .and_then(|number| std::str::from_utf8(number).ok());
        match number.and_then(|number| number.parse::<u32>().ok()) {
            Some(found) if found > FORMAT => {
                let path = self.environment.path().to_owned();
                Err(Error::NewerFormat {
                    path,
                    found,
                    supported: FORMAT,
                })
            }
            Some(_) => Ok(()),
            None => Err(self.environment.damaged("its format record cannot be read")),
        }
    }

    /// Makes an empty file a store, unless another process was faster.
    fn initialise(&self, transaction: &mut Write<'_>) -> Result<()> {
        if let Some(record) = transaction.get(Table::Meta, FORMAT_KEY)? {
            return self.known_format(&record);
        }
        if !transaction.is_empty()? {
            return Err(self.environment.damaged("it holds something else"));
        }
        let record = [FORMAT_NAME, FORMAT.to_string().as_bytes()].concat();
        transaction.put(Table::Meta, FORMAT_KEY, Shared::from(record))
    }
}

impl Engine for Lmdb {
    const CHECKSUMS: bool = true;

    type Read<'a> = Read<'a>;
    type Write<'a> = Write<'a>;

    fn read<T>(&self, read: impl FnOnce(&Read<'_>) -> Result<T>) -> Result<T> {
        let environment = &self.environment;
        loop {
            let held = self.map.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(transaction) = environment.read()? {
                return read(&transaction);
            }
            // Another process has made the file larger than this one's map.
            drop(held);
            let _alone = self.map.write().unwrap_or_else(PoisonError::into_inner);
            environment.adopt_map()?;
        }
    }

    fn snapshot<T>(&self, read: impl FnOnce(&Read<'_>) -> Result<T>) -> Result<T> {
        self.read(read)
    }

    fn write<T>(&self, mut write: impl FnMut(&mut Write<'_>) -> Result<T>) -> Result<T> {
        let environment = &self.environment;
        loop {
            let held = self.map.read().unwrap_or_else(PoisonError::into_inner);
            let full = match environment.write()? {
                Some(mut transaction) => {
                    let written = write(&mut transaction);
                    match written {
                        Ok(written) => match transaction.commit()? {
                            environment::Committed::Done => return Ok(written),
                            environment::Committed::MapFull => true,
                        },
                        Err(_) if transaction.map_is_full() => true,
                        Err(error) => return Err(error),
                    }
                }
                None => false,
            };
            drop(held);
            let _alone = self.map.write().unwrap_or_else(PoisonError::into_inner);
            if full {
                environment.grow_map()?
            } else {
                environment.adopt_map()?
            }
        }
    }

    fn ring(&self) {
        self.bell.ring();
    }

    fn listen(&self, heard: Heard) -> Result<()> {
        let listener = self.listener.get_or_init(Mutex::default);
        let mut listener = listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.is_none() {
            *listener = Some(self.bell.listen(heard)?);
        }
        Ok(())
    }

    fn copy_to(&self, directory: &Path) -> Result<()> {
        let _held = self.map.read().unwrap_or_else(PoisonError::into_inner);
        self.environment.copy_to(directory)
    }
}

#[cfg(all(test, unix))]
mod tests;
