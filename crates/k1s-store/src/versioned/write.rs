// SPDX-License-Identifier: Apache-2.0
//! Writing: preconditions, revisions, log entries, expiry, all in one transaction.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{Change, Operation, Precondition, Side, Ttl};
use crate::engine::{Reader, Table, Writer};
use crate::error::{Error, Result};
use crate::record::{HEADER, Header, LogKind, build, log_entry, respliced};
use crate::versioned::{Head, compact, head};
use crate::watch::{Event, EventKind};
use crate::{Batch, Encoded, Entry, History, Key, Revision, Written};

/// Objects that a write deletes because they have expired.
const SWEPT_PER_WRITE: usize = 16;
/// Objects that a sweep deletes at most.
const SWEPT_PER_SWEEP: usize = 1000;
/// The largest document.
const DOCUMENT_LIMIT: usize = 16 << 20;

/// What a transaction did.
pub(super) struct Committed {
    pub(super) results: Vec<Result<Written>>,
    pub(super) events: Vec<Arc<Event>>,
    /// Its first revision, and its last; the last is before the first when it did nothing.
    pub(super) first: Revision,
    pub(super) last: Revision,
}

/// What a transaction goes by.
#[derive(Clone, Copy)]
pub(super) struct Setup<'a> {
    pub(super) now: u64,
    /// Whether anyone wants the events.
    pub(super) watched: bool,
    /// Whether documents are stored with checksums.
    pub(super) checksums: bool,
    pub(super) history: &'a History,
}

/// Applies batches one after the other; one that fails leaves no trace.
pub(super) fn commit(
    transaction: &mut impl Writer,
    batches: &[Batch],
    setup: Setup<'_>,
) -> Result<Committed> {
    let mut ledger = Ledger::new(transaction, setup)?;
    let first = ledger.head.revision.next();
    let mut results = Vec::with_capacity(batches.len());
    let mut applied = 0;
    for batch in batches {
        results.push(match validate(ledger.transaction, batch, setup) {
            Ok(found) => {
                applied += 1;
                Ok(ledger.apply(batch, found)?)
            }
            Err(error) => Err(error),
        });
    }
    if applied > 0 {
        ledger.sweep(SWEPT_PER_WRITE)?;
        compact::surplus(ledger.transaction, ledger.head, setup.now, setup.history)?;
    }
    Ok(ledger.committed(results, first))
}

/// Deletes objects that have expired.
pub(super) fn sweep(transaction: &mut impl Writer, setup: Setup<'_>) -> Result<Committed> {
    let mut ledger = Ledger::new(transaction, setup)?;
    let first = ledger.head.revision.next();
    ledger.sweep(SWEPT_PER_SWEEP)?;
    compact::surplus(ledger.transaction, ledger.head, setup.now, setup.history)?;
    Ok(ledger.committed(Vec::new(), first))
}

/// What is there before an operation.
enum Found {
    Nothing,
    Object(Header, Bytes),
    Expired(Header, Bytes),
    Corrupt,
}

/// Checks that a batch can be applied; gives what it finds, by operation.
fn validate(reader: &impl Reader, batch: &Batch, setup: Setup<'_>) -> Result<Vec<Found>> {
    if batch.operations.len() > 1 {
        let mut keys = HashSet::with_capacity(batch.operations.len());
        if let Some(twice) = batch
            .operations
            .iter()
            .find(|operation| !keys.insert(&operation.key))
        {
            let key = twice.key.as_str().to_owned();
            return Err(Error::InvalidKey {
                key,
                reason: "a batch holds it twice",
            });
        }
    }
    for side in &batch.sides {
        if let Side::Create(key, _) = side
            && let Some(value) = reader.get(Table::Sides, key.as_bytes())?
        {
            // A record may move within a batch: deleted for one owner, created for another.
            let freed = batch
                .sides
                .iter()
                .any(|other| matches!(other, Side::Delete(freed) if freed == key));
            if !freed {
                return Err(Error::SideExists {
                    key: key.clone(),
                    value: value.from(0),
                });
            }
        }
    }
    batch
        .operations
        .iter()
        .map(|operation| find(reader, operation, setup))
        .collect()
}

fn find(reader: &impl Reader, operation: &Operation, setup: Setup<'_>) -> Result<Found> {
    let key = &operation.key;
    if let Change::Put { encoded, .. } = &operation.change
        && encoded.bytes.len() > DOCUMENT_LIMIT
    {
        return Err(Error::TooLarge {
            key: key.clone(),
            bytes: encoded.bytes.len(),
            limit: DOCUMENT_LIMIT,
        });
    }
    let Some(record) = reader.get(Table::Objects, key.as_bytes())? else {
        return check(operation, None, Found::Nothing);
    };
    match Header::read(key.as_bytes(), &record, setup.checksums) {
        Err(_) if matches!(operation.change, Change::DeleteCorrupt) => Ok(Found::Corrupt),
        Err(error) => Err(error),
        Ok(_) if matches!(operation.change, Change::DeleteCorrupt) => {
            Err(Error::NotCorrupt { key: key.clone() })
        }
        Ok(header) if header.expired(setup.now) => {
            check(operation, None, Found::Expired(header, record.from(0)))
        }
        Ok(header) => check(
            operation,
            Some(header.revision),
            Found::Object(header, record.from(0)),
        ),
    }
}

fn check(operation: &Operation, current: Option<Revision>, found: Found) -> Result<Found> {
    let key = || operation.key.clone();
    match (operation.precondition, current) {
        (Precondition::Absent, Some(current)) => {
            return Err(Error::Exists {
                key: key(),
                current,
            });
        }
        (Precondition::Present | Precondition::Revision(_), None) => {
            return Err(Error::NotFound { key: key() });
        }
        (Precondition::Revision(expected), Some(current)) if expected != current => {
            return Err(Error::Conflict {
                key: key(),
                expected,
                current,
            });
        }
        _ => {}
    }
    match operation.change {
        Change::Delete | Change::DeleteCorrupt if current.is_none() => {
            Err(Error::NotFound { key: key() })
        }
        _ => Ok(found),
    }
}

/// Gives out revisions and writes the log.
struct Ledger<'a, W> {
    transaction: &'a mut W,
    head: Head,
    setup: Setup<'a>,
    /// None when nobody watches.
    events: Option<Vec<Arc<Event>>>,
}

impl<'a, W: Writer> Ledger<'a, W> {
    fn new(transaction: &'a mut W, setup: Setup<'a>) -> Result<Self> {
        let head = head(transaction)?;
        Ok(Self {
            transaction,
            head,
            setup,
            events: setup.watched.then(Vec::new),
        })
    }

    fn committed(self, results: Vec<Result<Written>>, first: Revision) -> Committed {
        Committed {
            results,
            events: self.events.unwrap_or_default(),
            first,
            last: self.head.revision,
        }
    }

    fn apply(&mut self, batch: &Batch, found: Vec<Found>) -> Result<Written> {
        for side in &batch.sides {
            if let Side::Delete(key) = side {
                self.transaction.delete(Table::Sides, key.as_bytes())?;
            }
        }
        for side in &batch.sides {
            if let Side::Create(key, value) = side {
                self.transaction
                    .put(Table::Sides, key.as_bytes(), value.clone())?;
            }
        }
        let mut entries = Vec::with_capacity(batch.operations.len());
        for (operation, found) in batch.operations.iter().zip(found) {
            let key = &operation.key;
            let before = match found {
                Found::Object(header, record) => Some((header, record)),
                Found::Expired(header, record) => {
                    self.delete(key, &header, &record)?;
                    None
                }
                Found::Nothing | Found::Corrupt => None,
            };
            entries.push(match (&operation.change, before) {
                (Change::Put { encoded, ttl }, before) => {
                    let expires = match ttl {
                        Ttl::Forever => None,
                        Ttl::Keep => before.as_ref().and_then(|(header, _)| header.expires),
                        Ttl::For(ttl) => {
                            let ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
                            Some(self.setup.now.saturating_add(ms.max(1)))
                        }
                    };
                    Some(self.put(key, encoded, expires, before)?)
                }
                (Change::Delete, Some((header, record))) => {
                    Some(self.delete(key, &header, &record)?)
                }
                (Change::DeleteCorrupt, _) => {
                    self.lose(key)?;
                    None
                }
                (Change::Delete | Change::Check, _) => None,
            });
        }
        Ok(Written {
            revision: self.head.revision,
            entries,
        })
    }

    fn put(
        &mut self,
        key: &Key,
        encoded: &Encoded,
        expires: Option<u64>,
        before: Option<(Header, Bytes)>,
    ) -> Result<Entry> {
        let kind = if before.is_some() {
            LogKind::Updated
        } else {
            LogKind::Created
        };
        let revision = self.log(kind, key, before.as_ref().map(|(_, record)| &**record))?;
        let old_expiry = before.as_ref().and_then(|(header, _)| header.expires);
        if old_expiry != expires {
            if let Some(ms) = old_expiry {
                self.transaction
                    .delete(Table::Expiry, &expiry_key(ms, key))?;
            }
            if let Some(ms) = expires {
                self.transaction
                    .put(Table::Expiry, &expiry_key(ms, key), Bytes::new())?;
            }
        }
        let record = build(encoded, revision, expires, self.setup.checksums);
        let header = Header {
            revision,
            expires,
            revision_at: encoded.revision_at,
        };
        self.transaction
            .put(Table::Objects, key.as_bytes(), record.clone())?;
        let entry = header.entry(key.clone(), record.slice(HEADER..));
        let kind = if before.is_some() {
            EventKind::Updated
        } else {
            EventKind::Created
        };
        self.event(
            &entry,
            kind,
            before.map(|(_, record)| record.slice(HEADER..)),
        );
        Ok(entry)
    }

    fn delete(&mut self, key: &Key, header: &Header, record: &Bytes) -> Result<Entry> {
        let revision = self.log(LogKind::Deleted, key, Some(record))?;
        if let Some(ms) = header.expires {
            self.transaction
                .delete(Table::Expiry, &expiry_key(ms, key))?;
        }
        self.transaction.delete(Table::Objects, key.as_bytes())?;
        let last = respliced(record, header, revision, false).slice(HEADER..);
        let entry = Header {
            revision,
            ..*header
        }
        .entry(key.clone(), last);
        self.event(&entry, EventKind::Deleted, Some(record.slice(HEADER..)));
        Ok(entry)
    }

    /// Deletes an object that cannot be read.
    fn lose(&mut self, key: &Key) -> Result<()> {
        let revision = self.log(LogKind::Lost, key, None)?;
        self.transaction.delete(Table::Objects, key.as_bytes())?;
        if let Some(events) = &mut self.events {
            events.push(Arc::new(Event::new(
                revision,
                key.clone(),
                EventKind::Lost,
                Bytes::new(),
                None,
            )));
        }
        Ok(())
    }

    /// Writes the next log entry and gives its revision.
    fn log(&mut self, kind: LogKind, key: &Key, previous: Option<&[u8]>) -> Result<Revision> {
        let revision = self.head.revision.next();
        let (entry, total) = log_entry(
            kind,
            self.setup.now,
            self.head.total,
            key.as_bytes(),
            previous,
        );
        self.transaction
            .put(Table::Log, &revision.0.to_be_bytes(), entry)?;
        self.head = Head { revision, total };
        Ok(revision)
    }

    fn event(&mut self, entry: &Entry, kind: EventKind, previous: Option<Bytes>) {
        if let Some(events) = &mut self.events {
            let event = Event::new(
                entry.revision,
                entry.key.clone(),
                kind,
                entry.value.clone(),
                previous,
            );
            events.push(Arc::new(event));
        }
    }

    /// Deletes some of the objects that have expired.
    fn sweep(&mut self, limit: usize) -> Result<()> {
        let mut expired = Vec::new();
        let now = (self.setup.now + 1).to_be_bytes();
        self.transaction
            .scan(Table::Expiry, &[], &now, &mut |key, _| {
                expired.push(key.to_vec());
                Ok(if expired.len() < limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })?;
        for index in expired {
            let key = index.get(8..).unwrap_or_default();
            let found = match self.transaction.get(Table::Objects, key)? {
                Some(record) => Header::read(key, &record, self.setup.checksums)
                    .ok()
                    .map(|header| (header, record.from(0))),
                None => None,
            };
            match found.filter(|(header, _)| header.expired(self.setup.now)) {
                Some((header, record)) => {
                    drop(self.delete(&Key::stored(key)?, &header, &record)?)
                }
                // Nothing that could be deleted: only the note goes, or it would be found for ever.
                None => self.transaction.delete(Table::Expiry, &index)?,
            }
        }
        Ok(())
    }
}

pub(super) fn expiry_key(ms: u64, key: &Key) -> Vec<u8> {
    [&ms.to_be_bytes(), key.as_bytes()].concat()
}
