// SPDX-License-Identifier: Apache-2.0
//! The LMDB engine: one directory, any number of processes.
//!
//! Readers never wait. Writers queue on a lock that survives the death of its holder. There is
//! nothing to recover after a crash of a process, and nothing is done at opening but mapping the
//! file and looking whether a power cut has undone the last commit ([`redo`]). Each commit is
//! durable when it is acknowledged, and before anyone sees it.
//!
//! Entry point: [`open`].

mod bell;
mod directory;
mod environment;
#[cfg(unix)]
mod fault;
mod group;
#[cfg(all(unix, target_pointer_width = "64"))]
mod pages;
mod redo;
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

#[cfg(unix)]
pub use fault::exit_on_damage;

/// Does nothing on this system: a damaged file may end the process by an exception.
#[cfg(not(unix))]
pub fn exit_on_damage() {}

/// Does some work on a file, of which something is said if the system stops it.
#[cfg(unix)]
fn working<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    fault::Working::on(path, work)
}

#[cfg(not(unix))]
fn working<T>(_path: &Path, work: impl FnOnce() -> T) -> T {
    work()
}

/// The key of the record that says what the file is.
const FORMAT_KEY: &[u8] = b"format";
/// What it says, before the number of the format.
const FORMAT_NAME: &[u8] = b"k1s store ";
/// The newest format that can be read. 2: notes behind the meta data, which who does not know of
/// them would not carry out.
const FORMAT: u32 = 2;

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
        let lmdb = Self::map(directory, options)?;
        if options.examine {
            lmdb.check()?;
        }
        let found = lmdb.format()?;
        if options.read_only {
            if found.is_none() {
                return Err(lmdb.environment.damaged("it holds no store yet"));
            }
            if lmdb.environment.is_unfinished() {
                // Not even who only reads may miss a write that was acknowledged.
                drop(lmdb);
                drop(Self::open(directory, &Options::default())?);
                return Self::map(directory, options);
            }
            return Ok(lmdb);
        }
        // A cut in the middle of a sync may have lost a meta page and spared the note behind it.
        for _ in 0..2 {
            if lmdb.environment.is_unfinished() {
                lmdb.write(|transaction| transaction.redo())?;
            }
        }
        if found != Some(FORMAT) {
            lmdb.write(|transaction| lmdb.initialise(transaction))?;
        }
        Ok(lmdb)
    }

    fn map(directory: &Path, options: &Options) -> Result<Self> {
        Ok(Self {
            environment: working(directory, || Environment::open(directory, options))?,
            map: RwLock::default(),
            bell: Bell::new(directory),
            listener: OnceLock::new(),
        })
    }

    /// The number of the format, which is one of this program's; none if the file is empty.
    fn format(&self) -> Result<Option<u32>> {
        self.read(|reader| {
            let record = reader.get(Table::Meta, FORMAT_KEY)?;
            record.map(|record| self.known_format(&record)).transpose()
        })
    }

    fn known_format(&self, record: &[u8]) -> Result<u32> {
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
            Some(found) => Ok(found),
            None => Err(self.environment.damaged("its format record cannot be read")),
        }
    }

    /// Makes an empty file or one of an earlier format a store of this one, unless another process
    /// was faster.
    fn initialise(&self, transaction: &mut Write<'_>) -> Result<()> {
        match transaction.get(Table::Meta, FORMAT_KEY)? {
            Some(record) if self.known_format(&record)? == FORMAT => return Ok(()),
            Some(_) => {}
            None if transaction.is_empty()? => {}
            None => return Err(self.environment.damaged("it holds something else")),
        }
        let record = [FORMAT_NAME, FORMAT.to_string().as_bytes()].concat();
        transaction.put(Table::Meta, FORMAT_KEY, Shared::from(record))
    }
}

impl Engine for Lmdb {
    const CHECKSUMS: bool = true;
    const SHORT_WRITES: bool = false;

    type Read<'a> = Read<'a>;
    type Write<'a> = Write<'a>;

    fn read<T>(&self, read: impl FnOnce(&Read<'_>) -> Result<T>) -> Result<T> {
        let environment = &self.environment;
        loop {
            let held = self.map.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(transaction) = environment.read()? {
                return working(environment.path(), || read(&transaction));
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
                    let done = working(environment.path(), || match write(&mut transaction) {
                        Ok(written) => match transaction.commit()? {
                            environment::Committed::Done => Ok(Some(written)),
                            environment::Committed::MapFull => Ok(None),
                        },
                        Err(_) if transaction.map_is_full() => Ok(None),
                        Err(error) => Err(error),
                    })?;
                    match done {
                        Some(written) => return Ok(written),
                        None => true,
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

    fn check(&self) -> Result<()> {
        let _held = self.map.read().unwrap_or_else(PoisonError::into_inner);
        self.environment.check_pages()
    }

    fn copy_to(&self, directory: &Path) -> Result<()> {
        let _held = self.map.read().unwrap_or_else(PoisonError::into_inner);
        working(self.environment.path(), || {
            self.environment.copy_to(directory)
        })
    }
}

#[cfg(all(test, unix))]
mod tests;

#[cfg(all(test, unix))]
mod power_tests;
