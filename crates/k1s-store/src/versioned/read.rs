// SPDX-License-Identifier: Apache-2.0
//! Get, list, scan, count and stats.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;

use crate::engine::{Reader, Stored, Table, Visit};
use crate::entry::{EntryRef, decimal_digits};
use crate::error::Result;
use crate::record::{HEADER, Header};
use crate::store::Visitor;
use crate::versioned::{head, history, readable};
use crate::{Entry, Key, ListRequest, Page, Prefix, Revision, Stats};

pub(super) fn get(
    reader: &impl Reader,
    key: &Key,
    now: impl FnOnce() -> u64,
    verify: bool,
) -> Result<Option<Entry>> {
    let Some(record) = reader.get(Table::Objects, key.as_bytes())? else {
        return Ok(None);
    };
    let header = Header::read(key.as_bytes(), &record, verify)?;
    // Few objects expire, and reading the clock costs more than the rest.
    if header.expires.is_some() && header.expired(now()) {
        return Ok(None);
    }
    Ok(Some(header.entry(key.clone(), record.from(HEADER))))
}

/// Walks over the records of a request as of its revision, those that have expired included.
fn walk(reader: &impl Reader, request: &ListRequest, visit: Visit<'_>) -> Result<Revision> {
    let head = head(reader)?;
    let at = request.at.unwrap_or(head.revision);
    readable(reader, at, head)?;
    let (from, to) = request.bounds();
    if at == head.revision {
        reader.scan(Table::Objects, &from, &to, visit)?;
        return Ok(at);
    }
    let mut older = history::older(reader, at, &from, &to)?
        .into_iter()
        .peekable();
    if older.peek().is_none() {
        reader.scan(Table::Objects, &from, &to, visit)?;
        return Ok(at);
    }
    let mut stopped = false;
    reader.scan(Table::Objects, &from, &to, &mut |key, record| {
        while let Some((old_key, old)) = older.next_if(|(old_key, _)| old_key.as_slice() <= key) {
            if let Some(old) = &old
                && visit(&old_key, Stored::Shared(old))?.is_break()
            {
                stopped = true;
                return Ok(ControlFlow::Break(()));
            }
            if old_key == key {
                return Ok(ControlFlow::Continue(()));
            }
        }
        let flow = visit(key, record)?;
        stopped = flow.is_break();
        Ok(flow)
    })?;
    for (key, old) in older {
        if stopped {
            break;
        }
        if let Some(old) = &old {
            stopped = visit(&key, Stored::Shared(old))?.is_break();
        }
    }
    Ok(at)
}

/// What to do with objects that have expired: a snapshot shows them until they are deleted, so that
/// its pages fit together.
fn hidden(request: &ListRequest, header: &Header, now: u64) -> bool {
    request.at.is_none() && header.expired(now)
}

/// Whether counting has to look at records. Keys alone are many times faster: most records lie on
/// pages of their own.
fn may_hide(reader: &impl Reader, request: &ListRequest) -> Result<bool> {
    Ok(request.at.is_none() && reader.first(Table::Expiry)?.is_some())
}

pub(super) fn scan(
    reader: &impl Reader,
    request: &ListRequest,
    now: u64,
    verify: bool,
    visit: Visitor<'_>,
) -> Result<Revision> {
    walk(reader, request, &mut |key, record| {
        Ok(match Header::read(key, &record, verify) {
            Ok(header) if hidden(request, &header, now) => ControlFlow::Continue(()),
            Ok(header) => visit(Ok(EntryRef {
                key,
                record,
                header,
            })),
            Err(error) => visit(Err(error)),
        })
    })
}

fn hidden_record(request: &ListRequest, key: &[u8], record: &[u8], now: u64) -> bool {
    Header::read(key, record, false).is_ok_and(|header| hidden(request, &header, now))
}

pub(super) fn list(
    reader: &impl Reader,
    request: &ListRequest,
    now: u64,
    verify: bool,
) -> Result<Page> {
    let expiring = may_hide(reader, request)?;
    let mut entries = Vec::new();
    let mut remaining = 0;
    let revision = walk(reader, request, &mut |key, record| {
        if request.limit > 0 && entries.len() == request.limit {
            remaining += usize::from(!(expiring && hidden_record(request, key, &record, now)));
            return Ok(ControlFlow::Continue(()));
        }
        let header = Header::read(key, &record, verify)?;
        if !hidden(request, &header, now) {
            entries.push(header.entry(Key::stored(key)?, record.from(HEADER)));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Page {
        entries,
        revision,
        remaining,
    })
}

pub(super) fn count(reader: &impl Reader, request: &ListRequest, now: u64) -> Result<usize> {
    let expiring = may_hide(reader, request)?;
    let mut count = 0;
    walk(reader, request, &mut |key, record| {
        count += usize::from(!(expiring && hidden_record(request, key, &record, now)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}

pub(super) fn is_empty(
    reader: &impl Reader,
    prefix: &Prefix,
    now: impl Fn() -> u64,
) -> Result<bool> {
    let (from, to) = prefix.bounds();
    let mut empty = true;
    reader.scan(Table::Objects, &from, &to, &mut |key, record| {
        let header = Header::read(key, &record, false);
        // What cannot be read is there, too.
        empty = header.is_ok_and(|header| header.expires.is_some() && header.expired(now()));
        Ok(if empty {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(empty)
}

pub(super) fn stats(reader: &impl Reader, prefix: &Prefix, now: u64) -> Result<Stats> {
    let mut stats = Stats::default();
    let (from, to) = prefix.bounds();
    reader.scan(Table::Objects, &from, &to, &mut |key, record| {
        let header = Header::read(key, &record, false);
        if header.as_ref().is_ok_and(|header| header.expired(now)) {
            return Ok(ControlFlow::Continue(()));
        }
        let revision = header.ok().filter(|header| header.revision_at.is_some());
        let digits = revision.map_or(0, |header| decimal_digits(header.revision.0));
        stats.objects += 1;
        stats.bytes += record.len().saturating_sub(HEADER + digits) as u64;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(stats)
}

/// What keys were at an older revision: their record, or that they were not there.
pub(super) type Older = BTreeMap<Vec<u8>, Option<Bytes>>;
