// SPDX-License-Identifier: Apache-2.0
//! Forgetting history, a few entries at a time.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::Revision;
use crate::engine::{Table, Writer};
use crate::error::Result;
use crate::options::History;
use crate::record::LogEntry;
use crate::versioned::{FLOOR, Head, head, log_revision};

/// Entries that one transaction forgets at most.
const BATCH: usize = 256;

/// Forgets entries before a revision; gives whether that was all of them.
pub(super) fn some(transaction: &mut impl Writer, before: Revision) -> Result<bool> {
    let head = head(transaction)?;
    let mut keys = Vec::new();
    transaction.scan(
        Table::Log,
        &[],
        &before.next().0.to_be_bytes(),
        &mut |key, _| {
            keys.push(log_revision(key)?);
            Ok(if keys.len() < BATCH {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        },
    )?;
    if keys.last() == Some(&head.revision) {
        // The log becomes empty, so where it ended has to be written down.
        let floor = [head.revision.0.to_be_bytes(), head.total.to_be_bytes()].concat();
        transaction.put(Table::Meta, FLOOR, Bytes::from(floor))?;
    }
    for revision in &keys {
        transaction.delete(Table::Log, &revision.0.to_be_bytes())?;
    }
    Ok(keys.len() < BATCH)
}

/// Forgets some of what is more than should be kept, but never the last entry.
pub(super) fn surplus(
    transaction: &mut impl Writer,
    head: Head,
    now: u64,
    keep: &History,
) -> Result<()> {
    let oldest_time = now.saturating_sub(u64::try_from(keep.age.as_millis()).unwrap_or(u64::MAX));
    let mut surplus = Vec::new();
    // While nothing exceeds its bound this reads one entry; after that it makes room for many.
    transaction.scan(
        Table::Log,
        &[],
        &head.revision.0.to_be_bytes(),
        &mut |key, value| {
            let revision = log_revision(key)?;
            let entry = LogEntry::read(revision, &value)?;
            let entries = head.revision.0 + 1 - revision.0;
            let bytes = head.total.saturating_sub(entry.total) + entry.size();
            let bounded = |bound: u64| {
                if surplus.is_empty() {
                    bound
                } else {
                    bound - bound / 64
                }
            };
            if surplus.len() >= BATCH
                || (entries <= bounded(keep.entries)
                    && bytes <= bounded(keep.bytes)
                    && entry.time >= oldest_time)
            {
                return Ok(ControlFlow::Break(()));
            }
            surplus.push(revision);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    for revision in surplus {
        transaction.delete(Table::Log, &revision.0.to_be_bytes())?;
    }
    Ok(())
}
