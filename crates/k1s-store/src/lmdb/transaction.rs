// SPDX-License-Identifier: Apache-2.0
//! [`Read`] and [`Write`]: LMDB transactions as a store sees them.
//!
//! All tables are in one tree, each behind a byte of its own: a commit then rewrites the fewest
//! pages, and opening touches none of them.

use std::cell::Cell;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use heed::{MdbError, RoTxn, RwTxn, WithoutTls};

use crate::engine::{Reader, Stored, Table, Visit, Writer};
use crate::error::{Error, Result};
use crate::lmdb::environment::{Committed, Environment, Tree};
use crate::lmdb::redo::{self, Operation, Redo};

/// A consistent view of the tables.
pub(crate) struct Read<'e> {
    environment: &'e Environment,
    transaction: RoTxn<'e, WithoutTls>,
    tree: Tree,
}

impl<'e> Read<'e> {
    pub(super) fn new(
        environment: &'e Environment,
        transaction: RoTxn<'e, WithoutTls>,
        tree: Tree,
    ) -> Self {
        Self {
            environment,
            transaction,
            tree,
        }
    }
}

impl Read<'_> {
    /// The transaction that made what is seen.
    #[cfg(all(unix, target_pointer_width = "64"))]
    pub(super) fn number(&self) -> u64 {
        self.transaction.id() as u64
    }
}

impl Reader for Read<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Stored<'_>>> {
        get(self.environment, self.tree, &self.transaction, table, key)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        scan(
            self.environment,
            self.tree,
            &self.transaction,
            table,
            (from, to),
            visit,
        )
    }

    fn last(&self, table: Table) -> Result<Option<(Bytes, Stored<'_>)>> {
        last(self.environment, self.tree, &self.transaction, table)
    }
}

/// The write transaction.
pub(crate) struct Write<'e> {
    environment: &'e Environment,
    transaction: RwTxn<'e>,
    tree: Tree,
    redo: Redo,
    map_full: Cell<bool>,
}

impl<'e> Write<'e> {
    pub(super) fn new(environment: &'e Environment, transaction: RwTxn<'e>, tree: Tree) -> Self {
        Self {
            environment,
            transaction,
            tree,
            redo: Redo::new(environment.page()),
            map_full: Cell::new(false),
        }
    }

    /// Whether an operation has failed because the map is full.
    pub(super) fn map_is_full(&self) -> bool {
        self.map_full.get()
    }

    pub(super) fn is_empty(&self) -> Result<bool> {
        self.tree
            .is_empty(&self.transaction)
            .map_err(|error| self.environment.translate("read", error))
    }

    /// Does what the note of this transaction's number says, if there is one: the transaction was
    /// acknowledged, or about to be, when the power was cut.
    pub(super) fn redo(&mut self) -> Result<()> {
        let number = self.transaction.id() as u64;
        let note = self
            .environment
            .noted(number, redo::capacity(self.environment.page()));
        for operation in redo::operations(&note, number).unwrap_or_default() {
            match operation {
                Operation::Put(key, value) => self.put_in_tree(key, value)?,
                Operation::Delete(key) => self.delete_in_tree(key)?,
            }
        }
        Ok(())
    }

    /// Makes everything durable.
    pub(super) fn commit(self) -> Result<Committed> {
        self.environment.commit(self.transaction, self.redo)
    }

    fn put_in_tree(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.redo.put(key, value);
        let put = self.tree.put(&mut self.transaction, key, value);
        put.map_err(|error| self.failed(error))
    }

    fn delete_in_tree(&mut self, key: &[u8]) -> Result<()> {
        self.redo.delete(key);
        let deleted = self.tree.delete(&mut self.transaction, key);
        deleted.map(drop).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: heed::Error) -> Error {
        if matches!(error, heed::Error::Mdb(MdbError::MapFull)) {
            self.map_full.set(true);
        }
        self.environment.translate("write", error)
    }
}

impl Reader for Write<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Stored<'_>>> {
        get(self.environment, self.tree, &self.transaction, table, key)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        scan(
            self.environment,
            self.tree,
            &self.transaction,
            table,
            (from, to),
            visit,
        )
    }

    fn last(&self, table: Table) -> Result<Option<(Bytes, Stored<'_>)>> {
        last(self.environment, self.tree, &self.transaction, table)
    }
}

impl Writer for Write<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: Bytes) -> Result<()> {
        self.put_in_tree(&in_table(table, key), &value)
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
        self.delete_in_tree(&in_table(table, key))
    }
}

fn get<'t>(
    environment: &Environment,
    tree: Tree,
    transaction: &'t RoTxn<'_>,
    table: Table,
    key: &[u8],
) -> Result<Option<Stored<'t>>> {
    let value = tree.get(transaction, &in_table(table, key));
    Ok(value
        .map_err(|error| environment.translate("read", error))?
        .map(Stored::View))
}

fn scan(
    environment: &Environment,
    tree: Tree,
    transaction: &RoTxn<'_>,
    table: Table,
    (from, to): (&[u8], &[u8]),
    visit: Visit<'_>,
) -> Result<()> {
    let (from, to) = (in_table(table, from), in_table(table, to));
    if from >= to {
        return Ok(());
    }
    let bounds = (
        Bound::Included(from.as_slice()),
        Bound::Excluded(to.as_slice()),
    );
    let pairs = tree
        .range(transaction, &bounds)
        .map_err(|error| environment.translate("read", error))?;
    for pair in pairs {
        let (key, value) = pair.map_err(|error| environment.translate("read", error))?;
        if visit(key.get(1..).unwrap_or_default(), Stored::View(value))? == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

fn last<'t>(
    environment: &Environment,
    tree: Tree,
    transaction: &'t RoTxn<'_>,
    table: Table,
) -> Result<Option<(Bytes, Stored<'t>)>> {
    let behind = [table as u8 + 1];
    let pair = tree
        .get_lower_than(transaction, &behind[..])
        .map_err(|error| environment.translate("read", error))?;
    Ok(pair.and_then(|(key, value)| {
        let (prefix, key) = key.split_first()?;
        (*prefix == table as u8).then(|| (Bytes::copy_from_slice(key), Stored::View(value)))
    }))
}

fn in_table(table: Table, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 1);
    full.push(table as u8);
    full.extend_from_slice(key);
    full
}
