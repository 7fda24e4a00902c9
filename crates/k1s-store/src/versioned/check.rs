// SPDX-License-Identifier: Apache-2.0
//! The integrity report: whether objects, log and expiry notes fit together.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::engine::{Reader, Table};
use crate::error::Result;
use crate::record::{Header, LogEntry, LogKind};
use crate::versioned::write::expiry_key;
use crate::versioned::{head, log_revision, oldest};
use crate::{Key, Report, Revision};

/// What the log says about an object after its last change.
struct Last {
    revision: Revision,
    present: bool,
}

pub(super) fn check(reader: &impl Reader, verify: bool) -> Result<Report> {
    let head = head(reader)?;
    let mut report = Report {
        revision: head.revision,
        oldest: oldest(reader)?,
        ..Report::default()
    };
    let last = check_log(reader, verify, &mut report)?;
    check_objects(reader, verify, last, &mut report)?;
    check_expiry(reader, &mut report)?;
    Ok(report)
}

fn check_log(
    reader: &impl Reader,
    verify: bool,
    report: &mut Report,
) -> Result<HashMap<Vec<u8>, Last>> {
    let mut last: HashMap<Vec<u8>, Last> = HashMap::new();
    let mut expected = report.oldest.next();
    let mut total = None;
    reader.scan(Table::Log, &[], &[0xff; 9], &mut |key, value| {
        let revision = log_revision(key)?;
        report.log_entries += 1;
        report.log_bytes += value.len() as u64;
        if revision != expected {
            report.problem(format!(
                "the log has revision {revision} where {expected} belongs"
            ));
        }
        expected = revision.next();
        let entry = match LogEntry::read(revision, &value) {
            Ok(entry) => entry,
            Err(error) => {
                report.problem(error.to_string());
                return Ok(ControlFlow::Continue(()));
            }
        };
        if total.is_some_and(|total: u64| total + entry.size() != entry.total) {
            report.problem(format!(
                "log entry {revision}: its total does not follow the one before"
            ));
        }
        total = Some(entry.total);
        let name = String::from_utf8_lossy(entry.key);
        if let Err(error) = Key::stored(entry.key) {
            report.problem(format!("log entry {revision}: {error}"));
        }
        let before = entry
            .previous()
            .map(|record| Header::read(entry.key, record, verify))
            .transpose();
        let before = before.unwrap_or_else(|error| {
            report.problem(format!("log entry {revision}: {error}"));
            None
        });
        let replaces = matches!(entry.kind, LogKind::Updated | LogKind::Deleted);
        if replaces != entry.previous().is_some() {
            report.problem(format!(
                "log entry {revision} of {name}: what it replaced does not fit its kind"
            ));
        }
        if let Some(known) = last.get(entry.key)
            && (known.present != replaces && entry.kind != LogKind::Lost
                || before.is_some_and(|header| header.revision != known.revision))
        {
            report.problem(format!(
                "log entry {revision} of {name} does not follow revision {}",
                known.revision
            ));
        }
        let present = matches!(entry.kind, LogKind::Created | LogKind::Updated);
        last.insert(entry.key.to_vec(), Last { revision, present });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(last)
}

fn check_objects(
    reader: &impl Reader,
    verify: bool,
    mut last: HashMap<Vec<u8>, Last>,
    report: &mut Report,
) -> Result<()> {
    reader.scan(Table::Objects, &[], &[0xff; 9], &mut |key, record| {
        report.objects += 1;
        let logged = last.remove(key);
        let header = Key::stored(key)
            .and_then(|key| Ok((Header::read(key.as_bytes(), &record, verify)?, key)));
        let (header, key) = match header {
            Ok(read) => read,
            Err(error) => {
                report.problem(error.to_string());
                return Ok(ControlFlow::Continue(()));
            }
        };
        match logged {
            Some(last) if last.present && last.revision == header.revision => {}
            Some(last) => report.problem(format!(
                "{key} is at {}, the log says {}",
                header.revision, last.revision
            )),
            None if header.revision <= report.oldest => {}
            None => report.problem(format!(
                "{key} is at {}, which the log does not know",
                header.revision
            )),
        }
        if let Some(ms) = header.expires
            && reader.get(Table::Expiry, &expiry_key(ms, &key))?.is_none()
        {
            report.problem(format!("{key} will not expire, its note is missing"));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for (key, lost) in last.into_iter().filter(|(_, last)| last.present) {
        let key = String::from_utf8_lossy(&key);
        report.problem(format!(
            "{key} is missing, the log has it at {}",
            lost.revision
        ));
    }
    Ok(())
}

fn check_expiry(reader: &impl Reader, report: &mut Report) -> Result<()> {
    reader.scan(Table::Expiry, &[], &[0xff; 9], &mut |note, _| {
        let (ms, key) = note.split_at_checked(8).unwrap_or_default();
        let record = reader.get(Table::Objects, key)?;
        let expires = record
            .and_then(|record| Header::read(key, &record, false).ok())
            .and_then(|header| header.expires);
        if expires.is_none_or(|expires| expires.to_be_bytes() != *ms) {
            report.problem(format!(
                "an expiry note for {} fits no object",
                String::from_utf8_lossy(key)
            ));
        }
        Ok(ControlFlow::Continue(()))
    })
}
