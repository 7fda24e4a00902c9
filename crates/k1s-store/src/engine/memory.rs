// SPDX-License-Identifier: Apache-2.0
//! The memory engine: [`Sorted`] tables behind a lock, with a hash index of the objects.
//!
//! A lookup holds the lock and goes through the index, which is a third of the cache misses of a
//! search; a scan takes a snapshot of the tables and lets go of the lock. A failed write puts back
//! what it replaced.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;

use crate::engine::sorted::Sorted;
use crate::engine::{Engine, Reader, Stored, Table, Visit, Writer};
use crate::error::{Error, Result};
use crate::spin;

/// Keeps everything in memory.
#[derive(Default)]
pub(crate) struct Memory {
    state: RwLock<State>,
}

/// All tables, with what only lookups need.
#[derive(Default)]
pub(crate) struct State {
    tables: Tables,
    /// The objects once more, by key.
    objects: HashMap<Box<[u8]>, Bytes>,
}

type Tables = [Sorted; Table::COUNT];

impl State {
    fn replace(&mut self, table: Table, key: &[u8], value: Option<Bytes>) -> Option<Bytes> {
        if table == Table::Objects {
            match (&value, self.objects.get_mut(key)) {
                (Some(value), Some(indexed)) => indexed.clone_from(value),
                (Some(value), None) => drop(self.objects.insert(key.into(), value.clone())),
                (None, _) => drop(self.objects.remove(key)),
            }
        }
        let table = &mut self.tables[table as usize];
        match value {
            Some(value) => table.insert(key, value),
            None => table.remove(key),
        }
    }
}

/// The tables under the lock, or a snapshot of them.
pub(crate) enum View<'a> {
    Locked(&'a State),
    Snapshot(Tables),
}

impl View<'_> {
    fn table(&self, table: Table) -> &Sorted {
        match self {
            Self::Locked(state) => &state.tables[table as usize],
            Self::Snapshot(tables) => &tables[table as usize],
        }
    }
}

impl Reader for View<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Stored<'_>>> {
        Ok(match self {
            Self::Locked(state) if table == Table::Objects => state.objects.get(key),
            _ => self.table(table).get(key),
        }
        .map(Stored::Shared))
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        self.table(table).scan(from, to, visit)
    }

    fn last(&self, table: Table) -> Result<Option<(Bytes, Stored<'_>)>> {
        let last = self.table(table).last();
        Ok(last.map(|(key, value)| (Bytes::copy_from_slice(key), Stored::Shared(value))))
    }
}

/// The tables while they are written, with what to put back if that fails.
pub(crate) struct Transaction<'a> {
    state: &'a mut State,
    replaced: Vec<(Table, Vec<u8>, Option<Bytes>)>,
}

impl Reader for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Stored<'_>>> {
        Ok(match table {
            Table::Objects => self.state.objects.get(key),
            _ => self.state.tables[table as usize].get(key),
        }
        .map(Stored::Shared))
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        self.state.tables[table as usize].scan(from, to, visit)
    }

    fn last(&self, table: Table) -> Result<Option<(Bytes, Stored<'_>)>> {
        let last = self.state.tables[table as usize].last();
        Ok(last.map(|(key, value)| (Bytes::copy_from_slice(key), Stored::Shared(value))))
    }
}

impl Writer for Transaction<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: Bytes) -> Result<()> {
        let old = self.state.replace(table, key, Some(value));
        self.replaced.push((table, key.to_vec(), old));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
        if let Some(old) = self.state.replace(table, key, None) {
            self.replaced.push((table, key.to_vec(), Some(old)));
        }
        Ok(())
    }
}

impl Engine for Memory {
    const CHECKSUMS: bool = false;
    const SHORT_WRITES: bool = true;

    type Read<'a> = View<'a>;
    type Write<'a> = Transaction<'a>;

    fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        read(&View::Locked(&spin::read(&self.state)))
    }

    fn snapshot<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        let tables = spin::read(&self.state).tables.clone();
        read(&View::Snapshot(tables))
    }

    fn write<T>(&self, mut write: impl FnMut(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut transaction = Transaction {
            state: &mut state,
            replaced: Vec::new(),
        };
        let result = write(&mut transaction);
        if result.is_err() {
            let Transaction { state, replaced } = transaction;
            for (table, key, old) in replaced.into_iter().rev() {
                state.replace(table, &key, old);
            }
        }
        result
    }

    fn copy_to(&self, _directory: &Path) -> Result<()> {
        Err(Error::Unsupported {
            engine: "memory",
            action: "be copied to a directory",
        })
    }
}
