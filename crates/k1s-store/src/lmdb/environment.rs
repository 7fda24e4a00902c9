// SPDX-License-Identifier: Apache-2.0
//! [`Environment`]: the mapped file, its size, and LMDB's errors in our words.

#[cfg(unix)]
use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use heed::types::Bytes;
use heed::{
    CommitOrAbort, CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, FlagSetMode,
    MdbError, RwTxn, WithoutTls,
};

use crate::Options;
use crate::error::{Error, Result};
use crate::lmdb::directory::{self, DATA, create_private, failed};
use crate::lmdb::redo::{self, Redo};
use crate::lmdb::transaction::{Read, Write};

/// The one tree that holds all tables.
pub(super) type Tree = Database<'static, Bytes, Bytes>;

/// Address space to ask for. The file is only as large as what is in it.
#[cfg(target_pointer_width = "64")]
const MAP_SIZES: [usize; 5] = [64 << 30, 16 << 30, 4 << 30, 1 << 30, 256 << 20];
#[cfg(not(target_pointer_width = "64"))]
const MAP_SIZES: [usize; 3] = [1 << 30, 256 << 20, 64 << 20];

/// Transactions that may read at the same time, in all processes.
const READERS: u32 = 1000;

/// Pages that may be missing at the end of a file that is whole: they were freed before they were
/// ever written.
pub(super) const UNWRITTEN_PAGES: u64 = 256;

/// Zeros that are written behind the end of the file at once, and more the larger it is.
const RESERVED: RangeInclusive<u64> = 256 << 10..=4 << 20;

/// A mapped LMDB file.
pub(super) struct Environment {
    env: Env<WithoutTls>,
    /// The file once more, to make it longer and to note in it what is committed.
    #[cfg(unix)]
    file: File,
    /// Bytes of a page.
    page: u64,
    tree: Tree,
    path: PathBuf,
    /// The map could not be moved, so there is none any more.
    unmapped: AtomicBool,
}

/// How a commit ended, if not with an error.
pub(super) enum Committed {
    Done,
    /// Nothing was written, the map has to grow.
    MapFull,
}

impl Environment {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self> {
        let sizes = options
            .map_size
            .as_ref()
            .map_or(&MAP_SIZES[..], std::slice::from_ref);
        // LMDB writes the first pages of an empty file, which who may only read cannot.
        let data = path.join(DATA);
        if options.read_only && data.metadata().is_ok_and(|data| data.len() == 0) {
            return Err(Error::Damaged {
                path: data,
                reason: "it is empty".to_owned(),
            });
        }
        let mut opened = None;
        for size in sizes {
            opened = Some(open_when_closed(path, *size, options.read_only));
            match &opened {
                Some(Err(heed::Error::Io(error))) if error.kind() == io::ErrorKind::OutOfMemory => {
                }
                _ => break,
            }
        }
        let env = match opened {
            Some(Ok(env)) => env,
            Some(Err(error)) => return Err(translate(path, "open", error)),
            None => {
                return Err(Error::Full {
                    path: path.to_owned(),
                    reason: "no map size to try".to_owned(),
                });
            }
        };
        complete(&env, path)?;
        if !options.read_only {
            // What dead processes were reading must not keep pages from being used again.
            env.clear_stale_readers()
                .map_err(|error| translate(path, "open", error))?;
        }
        #[cfg(unix)]
        let file = env
            .try_clone_inner_file()
            .map_err(|error| translate(path, "open", error))?;
        let page = u64::from(env.unnamed_database_stat().page_size);
        let tree = open_tree(&env).map_err(|error| translate(path, "open", error))?;
        Ok(Self {
            #[cfg(unix)]
            file,
            page,
            env,
            tree,
            path: path.to_owned(),
            unmapped: AtomicBool::new(false),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn damaged(&self, reason: &str) -> Error {
        Error::Damaged {
            path: self.path.join(DATA),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn translate(&self, action: &'static str, error: heed::Error) -> Error {
        translate(&self.path, action, error)
    }

    /// A read transaction; none if the map has to be adopted first.
    pub(super) fn read(&self) -> Result<Option<Read<'_>>> {
        self.mapped()?;
        let mut cleared = false;
        loop {
            match self.env.read_txn() {
                Ok(transaction) => return Ok(Some(Read::new(self, transaction, self.tree))),
                Err(heed::Error::Mdb(MdbError::MapResized)) => return Ok(None),
                Err(heed::Error::Mdb(MdbError::ReadersFull)) if !cleared => {
                    cleared = true;
                    self.env
                        .clear_stale_readers()
                        .map_err(|error| self.translate("read", error))?;
                }
                Err(error) => return Err(self.translate("read", error)),
            }
        }
    }

    /// The write transaction, when it is this one's turn; none if the map has to be adopted first.
    pub(super) fn write(&self) -> Result<Option<Write<'_>>> {
        self.mapped()?;
        match self.env.write_txn() {
            Ok(transaction) => Ok(Some(Write::new(self, transaction, self.tree))),
            Err(heed::Error::Mdb(MdbError::MapResized)) => Ok(None),
            Err(error) => Err(self.translate("write", error)),
        }
    }

    /// Makes room at the end of the file before a commit needs it. To sync pages that are part of the
    /// file already takes a disk half as long as to sync a file that grows.
    ///
    /// Must only be called by the holder of the write transaction: nobody else writes behind the end
    /// of the file then, so the zeros can hit nothing.
    #[cfg(unix)]
    pub(super) fn reserve(&self) {
        use std::os::unix::fs::FileExt;
        let used = (self.env.info().last_page_number as u64 + 1) * self.page;
        let Ok(length) = self.file.metadata().map(|metadata| metadata.len()) else {
            return;
        };
        let chunk = (length / 8).clamp(*RESERVED.start(), *RESERVED.end());
        if length.saturating_sub(used) >= chunk / 2 {
            return;
        }
        let from = length.max(used).next_multiple_of(self.page);
        let zeros = vec![0; chunk as usize];
        // Without room for it the commit will say so.
        let _ = self.file.write_all_at(&zeros, from);
    }

    #[cfg(not(unix))]
    pub(super) fn reserve(&self) {}

    /// Bytes of a page.
    pub(super) fn page(&self) -> u64 {
        self.page
    }

    /// Commits durably: with one sync if what was done could be noted, otherwise with two.
    pub(super) fn commit(&self, transaction: RwTxn<'_>, redo: Redo) -> Result<Committed> {
        self.reserve();
        let number = transaction.id() as u64;
        let noted = redo
            .note(number)
            .is_some_and(|note| self.note(number, &note));
        self.sync_meta_page(!noted)?;
        match transaction.commit() {
            Ok(()) => Ok(Committed::Done),
            Err(error) => {
                if noted {
                    self.forget(number);
                }
                match error {
                    heed::Error::Mdb(MdbError::MapFull) => Ok(Committed::MapFull),
                    error => Err(self.translate("write", error)),
                }
            }
        }
    }

    /// Whether the commit that follows syncs its meta page, too. Must only be called by the holder of
    /// the write transaction.
    #[expect(
        unsafe_code,
        reason = "LMDB asks that one thread at a time changes flags, and warns of this one"
    )]
    fn sync_meta_page(&self, sync: bool) -> Result<()> {
        let mode = if sync {
            FlagSetMode::Disable
        } else {
            FlagSetMode::Enable
        };
        // SAFETY: only the holder of the write transaction calls this, and there is one at a time.
        // The flag lets a power cut undo the last commit; its note brings that back.
        unsafe { self.env.set_flags(EnvFlags::NO_META_SYNC, mode) }
            .map_err(|error| self.translate("write", error))
    }

    /// Writes the note of a transaction; false if the disk does not want it.
    #[cfg(unix)]
    fn note(&self, transaction: u64, note: &[u8]) -> bool {
        use std::os::unix::fs::FileExt;
        self.file
            .write_all_at(note, redo::position(transaction, self.page))
            .is_ok()
    }

    #[cfg(not(unix))]
    fn note(&self, _transaction: u64, _note: &[u8]) -> bool {
        false
    }

    /// Takes back the note of a transaction that failed, unless its number has been used since.
    fn forget(&self, transaction: u64) {
        if let Ok(turn) = self.env.write_txn()
            && turn.id() as u64 == transaction
        {
            // What cannot be written now could not be written then.
            let _ = self.note(transaction, &[0; 16]);
        }
    }

    /// Whether the file says what the transaction after its last one does: that one's meta page was
    /// lost in a power cut, or it is being committed right now.
    pub(super) fn is_unfinished(&self) -> bool {
        let next = self.env.info().last_txn_id as u64 + 1;
        redo::is_of(&self.noted(next, 16), next)
    }

    /// The bytes where the note of a transaction would be.
    #[cfg(unix)]
    pub(super) fn noted(&self, transaction: u64, bytes: usize) -> Vec<u8> {
        use std::os::unix::fs::FileExt;
        let mut note = vec![0; bytes];
        match self
            .file
            .read_exact_at(&mut note, redo::position(transaction, self.page))
        {
            Ok(()) => note,
            Err(_) => Vec::new(),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn noted(&self, _transaction: u64, _bytes: usize) -> Vec<u8> {
        Vec::new()
    }

    /// Doubles the map. No transaction of this process may be open.
    pub(super) fn grow_map(&self) -> Result<()> {
        let size = self.env.info().map_size;
        match size.checked_mul(2) {
            Some(double) => self.resize_map(double),
            None => Err(self.no_address_space()),
        }
    }

    /// Makes the map as large as another process has made the file's. No transaction of this process
    /// may be open.
    pub(super) fn adopt_map(&self) -> Result<()> {
        self.resize_map(0)
    }

    #[expect(
        unsafe_code,
        reason = "LMDB asks that no transaction is open in this process"
    )]
    fn resize_map(&self, size: usize) -> Result<()> {
        self.mapped()?;
        // SAFETY: the callers hold the lock that every transaction of this environment is under.
        unsafe { self.env.resize(size) }.map_err(|error| {
            // LMDB lets go of the old map before it asks for the new one.
            self.unmapped.store(true, Ordering::SeqCst);
            match error {
                heed::Error::Io(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    self.no_address_space()
                }
                error => self.translate("map", error),
            }
        })
    }

    fn mapped(&self) -> Result<()> {
        if self.unmapped.load(Ordering::Relaxed) {
            Err(self.no_address_space())
        } else {
            Ok(())
        }
    }

    fn no_address_space(&self) -> Error {
        let reason =
            "the address space of the process is used up; raise its limit (ulimit -v)".to_owned();
        Error::Full {
            path: self.path.clone(),
            reason,
        }
    }

    /// Whether LMDB can read every page of the file without harm.
    #[cfg(all(unix, target_pointer_width = "64"))]
    pub(super) fn check_pages(&self) -> Result<()> {
        // A commit may overwrite the meta page of a snapshot that is two behind.
        for attempt in 0.. {
            let Some(snapshot) = self.read()? else {
                continue;
            };
            let page = usize::try_from(self.page).unwrap_or(0);
            match super::pages::check(&self.file, page, snapshot.number()) {
                Ok(None) => break,
                Ok(Some(_)) if attempt < 3 => {}
                Ok(Some(reason)) => return Err(self.damaged(&reason)),
                Err(error) => return Err(failed("read", &self.path.join(DATA), error)),
            }
        }
        Ok(())
    }

    #[cfg(not(all(unix, target_pointer_width = "64")))]
    pub(super) fn check_pages(&self) -> Result<()> {
        Ok(())
    }

    /// Writes a compact copy to a new file in another directory.
    pub(super) fn copy_to(&self, directory: &Path) -> Result<()> {
        let directory = directory::prepare(directory, false)?;
        let path = directory.join(DATA);
        let mut file =
            create_private(&path, true).map_err(|error| failed("create", &path, error))?;
        let copied = self.env.copy_to_file(&mut file, CompactionOption::Enabled);
        copied.map_err(|error| translate(&directory, "write", error))?;
        file.sync_all()
            .map_err(|error| failed("write", &path, error))?;
        let parent = std::fs::File::open(&directory).and_then(|directory| directory.sync_all());
        parent.map_err(|error| failed("write", &directory, error))
    }
}

/// Opens a file that a watcher of an earlier store may be about to close.
fn open_when_closed(
    path: &Path,
    map_size: usize,
    read_only: bool,
) -> heed::Result<Env<WithoutTls>> {
    for _ in 0..1000 {
        match open_env(path, map_size, read_only) {
            Err(heed::Error::EnvAlreadyOpened) => thread::sleep(Duration::from_millis(1)),
            opened => return opened,
        }
    }
    Err(heed::Error::EnvAlreadyOpened)
}

#[expect(
    unsafe_code,
    reason = "a mapped file can be changed by others behind the back of the program"
)]
fn open_env(path: &Path, map_size: usize, read_only: bool) -> heed::Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_size).max_readers(READERS);
    if read_only {
        // SAFETY: READ_ONLY restricts what LMDB does and breaks none of its own rules.
        unsafe { options.flags(EnvFlags::READ_ONLY) };
    }
    // SAFETY: the file is changed by LMDB only, which keeps processes apart with its lock file; the
    // directory is checked to be private and on a local disk, and `open` maps it once per process.
    unsafe { options.open(path) }
}

#[expect(
    unsafe_code,
    reason = "the handle outlives the borrow of its environment, but not the environment"
)]
fn open_tree(env: &Env<WithoutTls>) -> heed::Result<Tree> {
    let opened = env.open_databases_and_commit(env.read_txn()?, |opener, transaction| {
        opener
            .open_database::<Bytes, Bytes>(transaction, None)
            .map(CommitOrAbort::<_, ()>::Commit)
    })?;
    let CommitOrAbort::Commit(Some(tree)) = opened else {
        return Err(heed::Error::Mdb(MdbError::Corrupted));
    };
    // SAFETY: a database is a number and its environment's address, with nothing to drop. It is only
    // ever used through the `Environment` that owns that environment, with transactions of it; each
    // use compares the two. The unnamed database is never closed before the environment is.
    Ok(unsafe { std::mem::transmute::<Database<'_, Bytes, Bytes>, Tree>(tree) })
}

/// Refuses a file that was cut short, which to read would end the process.
fn complete(env: &Env<WithoutTls>, path: &Path) -> Result<()> {
    let page = u64::from(env.unnamed_database_stat().page_size);
    let expected = (env.info().last_page_number as u64 + 1) * page;
    let found = env
        .real_disk_size()
        .map_err(|error| translate(path, "open", error))?;
    // An empty file gets its first pages with the first write.
    if found == 0 || found + UNWRITTEN_PAGES * page >= expected {
        return Ok(());
    }
    let reason = format!("it was cut short, {found} of {expected} bytes are there");
    Err(Error::Damaged {
        path: path.join(DATA),
        reason,
    })
}

/// LMDB's errors in our words.
fn translate(path: &Path, action: &'static str, error: heed::Error) -> Error {
    let path = path.to_owned();
    match error {
        heed::Error::Io(error) => match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Error::Full {
                path,
                reason: error.to_string(),
            },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::ReadOnly {
                    path,
                    reason: error.to_string(),
                }
            }
            // A write that was cut short for want of room is reported as a failure of the disk.
            _ if action == "write" && is_full(&path) => Error::Full {
                path,
                reason: "the disk is full".to_owned(),
            },
            _ => failed(action, &path, error),
        },
        heed::Error::Mdb(MdbError::MapFull) => Error::Full {
            path,
            reason: "the map is full".to_owned(),
        },
        heed::Error::Mdb(
            error @ (MdbError::PageNotFound
            | MdbError::Corrupted
            | MdbError::Panic
            | MdbError::VersionMismatch
            | MdbError::Invalid
            | MdbError::Incompatible
            | MdbError::BadTxn
            | MdbError::CursorFull
            | MdbError::Problem),
        ) => Error::Damaged {
            path: path.join(DATA),
            reason: error.to_string(),
        },
        other => failed(action, &path, io::Error::other(other.to_string())),
    }
}

/// Whether the disk has no room for another commit.
#[cfg(unix)]
fn is_full(path: &Path) -> bool {
    rustix::fs::statvfs(path)
        .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < 1 << 20)
}

#[cfg(not(unix))]
fn is_full(_path: &Path) -> bool {
    false
}
