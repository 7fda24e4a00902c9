// SPDX-License-Identifier: Apache-2.0
//! The log read backwards and forwards: older states for lists, events for watchers.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::{Reader, Table};
use crate::error::{Error, Result};
use crate::record::{HEADER, Header, LogEntry, LogKind, respliced};
use crate::versioned::read::Older;
use crate::versioned::{head, log_revision, readable};
use crate::watch::{Event, EventKind, Replay};
use crate::{Key, Prefix, Revision};

/// The keys of a range that have changed after a revision, with what they were at it.
pub(super) fn older(reader: &impl Reader, at: Revision, from: &[u8], to: &[u8]) -> Result<Older> {
    let mut older = Older::new();
    reader.scan(
        Table::Log,
        &at.next().0.to_be_bytes(),
        &[0xff; 9],
        &mut |key, value| {
            let entry = LogEntry::read(log_revision(key)?, &value)?;
            if from <= entry.key && entry.key < to && !older.contains_key(entry.key) {
                older.insert(entry.key.to_vec(), entry.previous_bytes(&value));
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(older)
}

/// An event whose new state may not be known yet.
struct Pending {
    revision: Revision,
    key: Key,
    kind: LogKind,
    previous: Option<Bytes>,
    record: Option<Bytes>,
}

/// The events of a range after a revision, until they have more than some bytes.
///
/// The state that an event made is what the next change of the same object replaced, so the log is
/// read on until that is found, or else it is the object as it is now.
pub(super) fn replay(
    reader: &impl Reader,
    prefix: &Prefix,
    after: Revision,
    bytes: usize,
    verify: bool,
) -> Result<Replay> {
    let head = head(reader)?;
    readable(reader, after, head)?;
    let mut pending: Vec<Pending> = Vec::new();
    let mut open: HashMap<Box<[u8]>, usize> = HashMap::new();
    let mut size = 0;
    let mut upto = None;
    reader.scan(
        Table::Log,
        &after.next().0.to_be_bytes(),
        &[0xff; 9],
        &mut |key, value| {
            let revision = log_revision(key)?;
            let entry = LogEntry::read(revision, &value)?;
            if !prefix.contains_bytes(entry.key) {
                return Ok(ControlFlow::Continue(()));
            }
            let mut previous = None;
            if let Some(waiting) = open
                .remove(entry.key)
                .and_then(|index| pending.get_mut(index))
            {
                previous = entry.previous_bytes(&value);
                size += previous.as_ref().map_or(0, Bytes::len);
                waiting.record.clone_from(&previous);
            }
            if size > bytes && upto.is_none() {
                upto = Some(Revision(revision.0 - 1));
            }
            if upto.is_some() {
                return Ok(if open.is_empty() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                });
            }
            if previous.is_none() {
                previous = entry.previous_bytes(&value);
                size += previous.as_ref().map_or(0, Bytes::len) + entry.key.len();
            }
            if matches!(entry.kind, LogKind::Created | LogKind::Updated) {
                open.insert(entry.key.into(), pending.len());
            }
            pending.push(Pending {
                revision,
                key: Key::stored(entry.key)?,
                kind: entry.kind,
                previous,
                record: None,
            });
            Ok(ControlFlow::Continue(()))
        },
    )?;
    for index in open.into_values() {
        let Some(waiting) = pending.get_mut(index) else {
            continue;
        };
        let record = reader.get(Table::Objects, waiting.key.as_bytes())?;
        waiting.record = record.map(|record| record.from(0));
    }
    let events = pending
        .into_iter()
        .map(|event| event.finish(verify).map(Arc::new))
        .collect::<Result<_>>()?;
    Ok(Replay {
        events,
        upto: upto.unwrap_or(head.revision),
        complete: upto.is_none(),
    })
}

impl Pending {
    fn finish(self, verify: bool) -> Result<Event> {
        let Self {
            revision,
            key,
            kind,
            previous,
            record,
        } = self;
        let document = |record: &Bytes| {
            let header = Header::read(key.as_bytes(), record, verify)?;
            Ok::<_, Error>((header, record.slice(HEADER..)))
        };
        let before = previous.as_ref().map(document).transpose()?;
        let (kind, value) = match kind {
            LogKind::Lost => (EventKind::Lost, Bytes::new()),
            LogKind::Deleted => {
                let (Some(record), Some((header, _))) = (&previous, &before) else {
                    return Err(Error::corrupt(
                        key.as_bytes(),
                        "the log lacks its last state",
                    ));
                };
                (
                    EventKind::Deleted,
                    respliced(record, header, revision, false).slice(HEADER..),
                )
            }
            LogKind::Created | LogKind::Updated => {
                let current = record.as_ref().map(document).transpose()?;
                let Some((_, value)) = current.filter(|(header, _)| header.revision == revision)
                else {
                    return Err(Error::corrupt(
                        key.as_bytes(),
                        format!("its state at revision {revision} is missing"),
                    ));
                };
                (
                    if kind == LogKind::Created {
                        EventKind::Created
                    } else {
                        EventKind::Updated
                    },
                    value,
                )
            }
        };
        Ok(Event::new(
            revision,
            key,
            kind,
            value,
            before.map(|(_, document)| document),
        ))
    }
}
