// SPDX-License-Identifier: Apache-2.0
//! The memory engine: five [`Sorted`] tables behind a lock.
//!
//! A read holds the lock for one lookup; a scan takes a snapshot and lets go of it. A failed write
//! puts back what it replaced.

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;

use crate::engine::sorted::Sorted;
use crate::engine::{Engine, Reader, Stored, Table, Visit, Writer};
use crate::error::{Error, Result};

/// Keeps everything in memory.
#[derive(Default)]
pub(crate) struct Memory {
    tables: RwLock<Tables>,
}

#[derive(Clone, Default)]
pub(crate) struct Tables([Sorted; Table::COUNT]);

impl Reader for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Stored<'_>>> {
        Ok(self.0[table as usize].get(key).map(Stored::Shared))
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        self.0[table as usize].scan(from, to, visit)
    }

    fn last(&self, table: Table) -> Result<Option<(Bytes, Stored<'_>)>> {
        let last = self.0[table as usize].last();
        Ok(last.map(|(key, value)| (Bytes::copy_from_slice(key), Stored::Shared(value))))
    }
}

/// The tables while they are written, with what to put back if that fails.
pub(crate) struct Transaction<'a> {
    tables: &'a mut Tables,
    replaced: Vec<(Table, Vec<u8>, Option<Bytes>)>,
}

impl Reader for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Stored<'_>>> {
        self.tables.get(table, key)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        self.tables.scan(table, from, to, visit)
    }

    fn last(&self, table: Table) -> Result<Option<(Bytes, Stored<'_>)>> {
        self.tables.last(table)
    }
}

impl Writer for Transaction<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: Bytes) -> Result<()> {
        let old = self.tables.0[table as usize].insert(key, value);
        self.replaced.push((table, key.to_vec(), old));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
        if let Some(old) = self.tables.0[table as usize].remove(key) {
            self.replaced.push((table, key.to_vec(), Some(old)));
        }
        Ok(())
    }
}

impl Engine for Memory {
    const CHECKSUMS: bool = false;

    type Read<'a> = Tables;
    type Write<'a> = Transaction<'a>;

    fn read<T>(&self, read: impl FnOnce(&Tables) -> Result<T>) -> Result<T> {
        read(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn snapshot<T>(&self, read: impl FnOnce(&Tables) -> Result<T>) -> Result<T> {
        let tables = self
            .tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        read(&tables)
    }

    fn write<T>(&self, mut write: impl FnMut(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let mut transaction = Transaction {
            tables: &mut tables,
            replaced: Vec::new(),
        };
        let result = write(&mut transaction);
        if result.is_err() {
            let Transaction { tables, replaced } = transaction;
            for (table, key, old) in replaced.into_iter().rev() {
                match old {
                    Some(old) => drop(tables.0[table as usize].insert(&key, old)),
                    None => drop(tables.0[table as usize].remove(&key)),
                }
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
