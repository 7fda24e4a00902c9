// SPDX-License-Identifier: Apache-2.0
//! [`Redo`]: what makes one sync enough for a small commit.
//!
//! A commit of LMDB writes pages and syncs them, then the meta page that makes them count, and syncs
//! that. Without the second sync a power cut may undo the last commit, and nothing but the last:
//! the first sync of a commit covers the meta page of the one before. So a small commit notes what
//! it does in the file before its one sync. If the meta page is found to be lost when the file is
//! opened, the note is carried out again.
//!
//! A meta page is used in its first bytes only; the rest, which LMDB leaves alone, has room for a
//! note. That of transaction `n` stands behind the meta data of transaction `n - 1`: the sync that
//! covers the note then writes neither the meta page nor the note that a cut at that moment would be
//! recovered from, and those two pages in turn are all that is ever needed. A commit whose note does
//! not fit is synced twice.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `k1s redo` |
//! | 8 | 8 | number of the transaction, little-endian |
//! | 16 | 4 | bytes of operations |
//! | 20 | 4 | CRC-32 of the number and the operations |
//! | 24 | | operations: bytes of the key (2), bytes of the value and one (4; 0 deletes), key, value |

/// Where a note starts in its page: a sector of its own, so that a torn write of it spares the meta
/// data.
const OFFSET: u64 = 512;
const MAGIC: &[u8; 8] = b"k1s redo";
const HEADER: usize = 24;

/// The operations of a write transaction, as long as they fit.
pub(super) struct Redo {
    /// Room for the header, then the operations.
    bytes: Vec<u8>,
    capacity: usize,
    fits: bool,
}

/// One operation of a note.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation<'n> {
    Put(&'n [u8], &'n [u8]),
    Delete(&'n [u8]),
}

/// Bytes that a note may have in pages of this size.
pub(super) fn capacity(page: u64) -> usize {
    usize::try_from(page.saturating_sub(OFFSET)).unwrap_or(0)
}

/// Where the note of a transaction is in the file.
pub(super) fn position(transaction: u64, page: u64) -> u64 {
    (transaction.wrapping_sub(1) & 1) * page + OFFSET
}

impl Redo {
    pub(super) fn new(page: u64) -> Self {
        Self {
            bytes: vec![0; HEADER],
            capacity: capacity(page),
            fits: true,
        }
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.operation(key, Some(value));
    }

    pub(super) fn delete(&mut self, key: &[u8]) {
        self.operation(key, None);
    }

    fn operation(&mut self, key: &[u8], value: Option<&[u8]>) {
        let size = 6 + key.len() + value.map_or(0, <[u8]>::len);
        self.fits &= self.bytes.len() + size <= self.capacity;
        let (true, Ok(key_size), Ok(value_size)) = (
            self.fits,
            u16::try_from(key.len()),
            u32::try_from(value.map_or(0, |value| value.len() + 1)),
        ) else {
            self.fits = false;
            return;
        };
        self.bytes.extend_from_slice(&key_size.to_le_bytes());
        self.bytes.extend_from_slice(&value_size.to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
    }

    /// The note for the transaction of this number; none if there is nothing to note, or too much.
    pub(super) fn note(mut self, transaction: u64) -> Option<Vec<u8>> {
        if !self.fits || self.bytes.len() == HEADER {
            return None;
        }
        let size = u32::try_from(self.bytes.len() - HEADER).ok()?;
        let sum = checksum(transaction, &self.bytes[HEADER..]);
        self.bytes[..8].copy_from_slice(MAGIC);
        self.bytes[8..16].copy_from_slice(&transaction.to_le_bytes());
        self.bytes[16..20].copy_from_slice(&size.to_le_bytes());
        self.bytes[20..24].copy_from_slice(&sum.to_le_bytes());
        Some(self.bytes)
    }
}

/// Whether these are the first bytes of the note of the transaction.
pub(super) fn is_of(header: &[u8], transaction: u64) -> bool {
    header.starts_with(MAGIC) && header.get(8..16) == Some(&transaction.to_le_bytes()[..])
}

/// The operations of a whole note of the transaction; none if it is another's, or torn.
pub(super) fn operations(bytes: &[u8], transaction: u64) -> Option<Vec<Operation<'_>>> {
    if !is_of(bytes, transaction) {
        return None;
    }
    let size = usize::try_from(u32_le(bytes, 16)?).ok()?;
    let mut rest = bytes.get(HEADER..HEADER.checked_add(size)?)?;
    if u32_le(bytes, 20)? != checksum(transaction, rest) {
        return None;
    }
    let mut operations = Vec::new();
    while !rest.is_empty() {
        let key_size = usize::from(u16::from_le_bytes(rest.get(..2)?.try_into().ok()?));
        let value_size = usize::try_from(u32_le(rest, 2)?).ok()?;
        let (key, behind) = rest.get(6..)?.split_at_checked(key_size)?;
        let (value, behind) = behind.split_at_checked(value_size.saturating_sub(1))?;
        operations.push(match value_size {
            0 => Operation::Delete(key),
            _ => Operation::Put(key, value),
        });
        rest = behind;
    }
    Some(operations)
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn checksum(transaction: u64, operations: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&transaction.to_le_bytes());
    hasher.update(operations);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_or_not_at_all() {
        let mut redo = Redo::new(4096);
        redo.put(b"a", b"1");
        redo.put(b"empty", b"");
        redo.delete(b"b");
        let note = redo.note(7).unwrap();
        let expected = [
            Operation::Put(b"a", b"1"),
            Operation::Put(b"empty", b""),
            Operation::Delete(b"b"),
        ];
        let mut slot = note.clone();
        slot.resize(capacity(4096), 0xaa);
        assert_eq!(operations(&slot, 7).unwrap(), expected);
        assert_eq!(operations(&slot, 6), None);
        assert_eq!(operations(&slot, 9), None);
        for at in 0..note.len() {
            let mut torn = slot.clone();
            torn[at] ^= 0x10;
            assert_eq!(operations(&torn, 7), None, "byte {at}");
            assert_eq!(operations(&slot[..at], 7), None, "{at} bytes");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_noted() {
        assert_eq!(Redo::new(4096).note(1), None);
        let with = |value: usize| {
            let mut redo = Redo::new(4096);
            redo.put(b"key", &vec![b'x'; value]);
            // Whether it fits is decided once.
            redo.delete(b"k");
            redo.note(1)
        };
        let most = capacity(4096) - HEADER - 6 - 3 - 6 - 1;
        assert_eq!(with(most).unwrap().len(), capacity(4096));
        assert_eq!(with(most + 1), None);
        assert_eq!(with(70_000), None);
    }

    #[test]
    fn a_note_stands_behind_the_meta_data_before() {
        // LMDB keeps the meta data of transaction n in page n % 2.
        assert_eq!(position(1, 4096), 512);
        assert_eq!(position(2, 4096), 4096 + 512);
        assert_eq!(position(3, 4096), 512);
    }
}
