// SPDX-License-Identifier: Apache-2.0
//! The bytes of objects and of log entries. Format 1; all numbers big-endian.
//!
//! Object record: `revision u64, expires u64 (ms since the epoch, 0 = never), revision_at u32
//! (u32::MAX = nowhere), crc32 u32 of the document`, then the document.
//!
//! Log entry: `kind u8, time u64 (ms), total u64, key length u16, key`, then the object record that
//! the change replaced, if there was one. `total` counts the bytes of all entries ever written up
//! to and with this one, so the size of any stretch of the log is one subtraction.

use bytes::Bytes;

use crate::engine::Stored;
use crate::entry::decimal_digits;
use crate::error::{Error, Result};
use crate::{Encoded, Entry, Key, Revision};

/// Bytes in front of the document in an object record.
pub(crate) const HEADER: usize = 24;
/// Bytes in front of the key in a log entry.
const LOG_HEADER: usize = 19;
const NOWHERE: u32 = u32::MAX;

/// What an object record says about its document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) revision: Revision,
    pub(crate) expires: Option<u64>,
    pub(crate) revision_at: Option<usize>,
}

impl Header {
    /// Reads the header of an object record; `verify` also the checksum of its document.
    pub(crate) fn read(key: &[u8], record: &[u8], verify: bool) -> Result<Self> {
        let (Some(revision), Some(expires), Some(at), Some(checksum), Some(document)) = (
            u64_at(record, 0),
            u64_at(record, 8),
            u32_at(record, 16),
            u32_at(record, 20),
            record.get(HEADER..),
        ) else {
            return Err(Error::corrupt(key, "its record is cut short"));
        };
        if verify && crc32fast::hash(document) != checksum {
            return Err(Error::corrupt(key, "its checksum does not fit"));
        }
        let revision_at = (at != NOWHERE).then_some(at as usize);
        if revision_at.is_some_and(|at| at + decimal_digits(revision) > document.len()) {
            return Err(Error::corrupt(key, "its header does not fit its document"));
        }
        let expires = Some(expires).filter(|ms| *ms != 0);
        Ok(Self {
            revision: Revision(revision),
            expires,
            revision_at,
        })
    }

    pub(crate) fn expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    pub(crate) fn entry(&self, key: Key, value: Bytes) -> Entry {
        Entry {
            key,
            value,
            revision: self.revision,
            expires: self.expires,
            revision_at: self.revision_at,
        }
    }
}

/// The record of a document at a revision.
pub(crate) fn build(
    encoded: &Encoded,
    revision: Revision,
    expires: Option<u64>,
    checksum: bool,
) -> Bytes {
    let at = encoded.revision_at.map(|at| at.min(encoded.bytes.len()));
    let (front, behind) = encoded.bytes.split_at(at.unwrap_or(encoded.bytes.len()));
    assemble(front, behind, at, revision, expires, checksum)
}

/// The record with another revision, as the last state of a deleted object has.
pub(crate) fn respliced(
    record: &[u8],
    header: &Header,
    revision: Revision,
    checksum: bool,
) -> Bytes {
    let document = record.get(HEADER..).unwrap_or_default();
    let Some(at) = header.revision_at else {
        return assemble(document, &[], None, revision, header.expires, checksum);
    };
    let behind = at + decimal_digits(header.revision.0);
    let (front, behind) = (
        document.get(..at).unwrap_or_default(),
        document.get(behind..).unwrap_or_default(),
    );
    assemble(front, behind, Some(at), revision, header.expires, checksum)
}

fn assemble(
    front: &[u8],
    behind: &[u8],
    at: Option<usize>,
    revision: Revision,
    expires: Option<u64>,
    checksum: bool,
) -> Bytes {
    let mut record =
        Vec::with_capacity(HEADER + front.len() + behind.len() + decimal_digits(revision.0));
    record.extend_from_slice(&revision.0.to_be_bytes());
    record.extend_from_slice(&expires.unwrap_or(0).to_be_bytes());
    let at = at.map_or(NOWHERE, |at| u32::try_from(at).unwrap_or(NOWHERE));
    record.extend_from_slice(&at.to_be_bytes());
    record.extend_from_slice(&[0; 4]);
    record.extend_from_slice(front);
    if at != NOWHERE {
        push_decimal(&mut record, revision.0);
    }
    record.extend_from_slice(behind);
    if checksum {
        let sum = crc32fast::hash(&record[HEADER..]);
        record[20..24].copy_from_slice(&sum.to_be_bytes());
    }
    Bytes::from(record)
}

fn push_decimal(record: &mut Vec<u8>, mut number: u64) {
    let start = record.len();
    let digits = decimal_digits(number);
    record.resize(start + digits, b'0');
    for digit in record[start..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// What a change did to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogKind {
    Created = 1,
    Updated = 2,
    Deleted = 3,
    /// A corrupt object was deleted; there is no previous state.
    Lost = 4,
}

/// One entry of the log, as read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogEntry<'a> {
    pub(crate) kind: LogKind,
    pub(crate) time: u64,
    pub(crate) total: u64,
    pub(crate) key: &'a [u8],
    /// Offset of the previous object record within the entry.
    pub(crate) previous_at: usize,
    bytes: &'a [u8],
}

impl<'a> LogEntry<'a> {
    pub(crate) fn read(revision: Revision, bytes: &'a [u8]) -> Result<Self> {
        let broken = || {
            Error::corrupt(
                format!("log entry {revision}").as_bytes(),
                "it cannot be read",
            )
        };
        let kind = match bytes.first() {
            Some(1) => LogKind::Created,
            Some(2) => LogKind::Updated,
            Some(3) => LogKind::Deleted,
            Some(4) => LogKind::Lost,
            _ => return Err(broken()),
        };
        let (Some(time), Some(total), Some(length)) =
            (u64_at(bytes, 1), u64_at(bytes, 9), u16_at(bytes, 17))
        else {
            return Err(broken());
        };
        let previous_at = LOG_HEADER + usize::from(length);
        let key = bytes.get(LOG_HEADER..previous_at).ok_or_else(broken)?;
        Ok(Self {
            kind,
            time,
            total,
            key,
            previous_at,
            bytes,
        })
    }

    /// The object record that the change replaced.
    pub(crate) fn previous(&self) -> Option<&'a [u8]> {
        self.bytes
            .get(self.previous_at..)
            .filter(|record| !record.is_empty())
    }

    /// The same, to keep; `stored` is what the entry was read from.
    pub(crate) fn previous_bytes(&self, stored: &Stored<'_>) -> Option<Bytes> {
        self.previous().map(|_| stored.from(self.previous_at))
    }

    /// Bytes that the entry takes.
    pub(crate) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Writes a log entry; gives the entry and the new total.
pub(crate) fn log_entry(
    kind: LogKind,
    time: u64,
    total: u64,
    key: &[u8],
    previous: Option<&[u8]>,
) -> (Bytes, u64) {
    let previous = previous.unwrap_or_default();
    let size = LOG_HEADER + key.len() + previous.len();
    let total = total + size as u64;
    let mut entry = Vec::with_capacity(size);
    entry.push(kind as u8);
    entry.extend_from_slice(&time.to_be_bytes());
    entry.extend_from_slice(&total.to_be_bytes());
    entry.extend_from_slice(&(key.len() as u16).to_be_bytes());
    entry.extend_from_slice(key);
    entry.extend_from_slice(previous);
    (Bytes::from(entry), total)
}

/// Reads a number from the bytes of a record or key.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..at + 8)?
        .try_into()
        .ok()
        .map(u64::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .try_into()
        .ok()
        .map(u32::from_be_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..at + 2)?
        .try_into()
        .ok()
        .map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(revision: u64, document: &str, expected: &str) {
        let at = document.find('|');
        let encoded = Encoded {
            bytes: document.replace('|', "").into_bytes(),
            revision_at: at,
        };
        let record = build(&encoded, Revision(revision), Some(7), true);
        let header = Header::read(b"k", &record, true).unwrap();
        assert_eq!(
            (header.revision, header.expires, header.revision_at),
            (Revision(revision), Some(7), at)
        );
        assert_eq!(std::str::from_utf8(&record[HEADER..]).unwrap(), expected);
        assert!(
            header
                .entry(
                    Key::new("t", "r", None, "n").unwrap(),
                    record.slice(HEADER..)
                )
                .holds(&encoded)
        );
        let again = respliced(&record, &header, Revision(revision * 1000), true);
        let spliced = build(&encoded, Revision(revision * 1000), Some(7), true);
        assert_eq!(again, spliced);
    }

    #[test]
    fn revisions_are_spliced_in() {
        check(1, "", "");
        check(7, "abc", "abc");
        check(7, "|abc", "7abc");
        check(10, "a|bc", "a10bc");
        check(99, "abc|", "abc99");
        check(
            u64::MAX / 1000,
            r#"{"v":"|"}"#,
            r#"{"v":"18446744073709551"}"#,
        );
    }

    #[test]
    fn damage_is_found() {
        let record = build(
            &Encoded::new(b"abcdef".to_vec(), 3),
            Revision(12),
            None,
            true,
        );
        for length in 0..record.len() {
            assert!(
                Header::read(b"k", &record[..length], true).is_err(),
                "{length}"
            );
        }
        for at in HEADER..record.len() {
            let mut bytes = record.to_vec();
            bytes[at] ^= 1;
            assert!(Header::read(b"k", &bytes, true).is_err(), "{at}");
        }
    }

    #[test]
    fn log_entries_round_trip() {
        let previous = build(&Encoded::opaque(b"x".to_vec()), Revision(3), None, false);
        let (bytes, total) = log_entry(LogKind::Updated, 5, 100, b"key", Some(&previous));
        assert_eq!(total, 100 + bytes.len() as u64);
        let entry = LogEntry::read(Revision(4), &bytes).unwrap();
        assert_eq!(
            (entry.kind, entry.time, entry.total, entry.key),
            (LogKind::Updated, 5, total, &b"key"[..])
        );
        assert_eq!(entry.previous(), Some(&previous[..]));
        for length in 0..LOG_HEADER + 3 {
            assert!(
                LogEntry::read(Revision(4), &bytes[..length]).is_err(),
                "{length}"
            );
        }
    }
}
