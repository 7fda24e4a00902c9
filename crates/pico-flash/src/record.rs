// SPDX-License-Identifier: Apache-2.0
//! Records and sector headers, byte for byte.
//!
//! | record | bytes | what |
//! |---|---|---|
//! | 0 | 2 | `0x4b52` |
//! | 2 | 1 | kind |
//! | 3 | 1 | length of the key |
//! | 4 | 2 | length of the value |
//! | 6 | 2 | check of the other 14 bytes (0–5 and 8–15): the lower half of their CRC-32 |
//! | 8 | 4 | hash of the key |
//! | 12 | 4 | CRC-32 of the record's address, key and value |
//! | 16 | 4 | commit: ones until the rest is written, then zeros |
//! | 20 | | key, value, padding to 4 bytes |
//!
//! | sector | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `0x314c504b` |
//! | 4 | 4 | sequence: the order in which sectors were opened |
//! | 8 | 4 | how often the sector was opened: its wear |
//! | 12 | 4 | CRC-32 of the first 12 bytes |
//! | 16 | 4 | dead: zeros when nothing in it counts any more |
//!
//! Numbers are little endian. A word of ones and zeros counts as zero when more than half of it is: neither a torn write
//! nor a flipped bit changes what it says. One flipped bit in a header is found and put right.

use crate::crc::crc32;

pub(crate) const RECORD_HEADER: u32 = 20;
pub(crate) const SECTOR_HEADER: u32 = 20;
pub(crate) const COMMIT_AT: u32 = 16;
pub(crate) const DEAD_AT: u32 = 16;
const RECORD_MAGIC: u16 = 0x4b52;
const SECTOR_MAGIC: u32 = 0x314c_504b;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value of a key.
    Value,
    /// The key is no more.
    Removed,
    /// The key had a value that was damaged when it was to be moved.
    Damaged,
    /// A line of a log.
    Line,
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) key_len: u8,
    pub(crate) value_len: u16,
    pub(crate) key_hash: u32,
    pub(crate) crc: u32,
}

impl Record {
    /// Bytes that it takes, with header and padding.
    pub(crate) const fn size(&self) -> u32 {
        Self::size_of(self.key_len as u32 + self.value_len as u32)
    }

    pub(crate) const fn size_of(payload: u32) -> u32 {
        RECORD_HEADER + payload.next_multiple_of(4)
    }

    pub(crate) fn encode(&self) -> [u8; RECORD_HEADER as usize] {
        let mut bytes = [0xff; RECORD_HEADER as usize];
        bytes[..2].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
        bytes[2] = match self.kind {
            Kind::Value => 1,
            Kind::Removed => 2,
            Kind::Damaged => 3,
            Kind::Line => 4,
        };
        bytes[3] = self.key_len;
        bytes[4..6].copy_from_slice(&self.value_len.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.key_hash.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.crc.to_le_bytes());
        let check = check(&bytes);
        bytes[6..8].copy_from_slice(&check);
        bytes
    }

    /// The header and whether it is committed; `None` when it is not a header.
    pub(crate) fn decode(bytes: &[u8; RECORD_HEADER as usize]) -> Option<(Self, bool)> {
        let mut fixed = *bytes;
        let record = Self::exact(bytes).or_else(|| {
            // one flipped bit; never tried on a header that is not committed, so that torn ones stay torn
            if !zeroed(&bytes[16..]) {
                return None;
            }
            (0..128).find_map(|bit| {
                fixed[bit / 8] ^= 1 << (bit % 8);
                let record = Self::exact(&fixed);
                fixed[bit / 8] ^= 1 << (bit % 8);
                record
            })
        })?;
        Some((record, zeroed(&bytes[16..])))
    }

    fn exact(bytes: &[u8; RECORD_HEADER as usize]) -> Option<Self> {
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if half(0) != RECORD_MAGIC || bytes[6..8] != check(bytes) {
            return None;
        }
        let kind = match bytes[2] {
            1 => Kind::Value,
            2 => Kind::Removed,
            3 => Kind::Damaged,
            4 => Kind::Line,
            _ => return None,
        };
        Some(Self {
            kind,
            key_len: bytes[3],
            value_len: half(4),
            key_hash: word(8),
            crc: word(12),
        })
    }
}

fn check(bytes: &[u8; RECORD_HEADER as usize]) -> [u8; 2] {
    let mut covered = [0; 14];
    covered[..6].copy_from_slice(&bytes[..6]);
    covered[6..].copy_from_slice(&bytes[8..16]);
    let crc = crc32(&covered).to_le_bytes();
    [crc[0], crc[1]]
}

/// A sector's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SectorHeader {
    pub(crate) sequence: u32,
    pub(crate) opened: u32,
}

impl SectorHeader {
    pub(crate) fn encode(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&SECTOR_MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.opened.to_le_bytes());
        let crc = crc32(&bytes[..12]);
        bytes[12..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header, if it is one.
    pub(crate) fn decode(bytes: &[u8; 16]) -> Option<Self> {
        Self::exact(bytes).or_else(|| {
            let mut fixed = *bytes;
            (0..128).find_map(|bit| {
                fixed[bit / 8] ^= 1 << (bit % 8);
                let header = Self::exact(&fixed);
                fixed[bit / 8] ^= 1 << (bit % 8);
                header
            })
        })
    }

    fn exact(bytes: &[u8; 16]) -> Option<Self> {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        (word(0) == SECTOR_MAGIC && word(12) == crc32(&bytes[..12])).then(|| Self {
            sequence: word(4),
            opened: word(8),
        })
    }
}

/// Whether more than half of these bits are zero.
pub(crate) fn zeroed(bytes: &[u8]) -> bool {
    let zeros: u32 = bytes.iter().map(|byte| byte.count_zeros()).sum();
    zeros as usize * 2 > bytes.len() * 8
}

/// A hash of a key (FNV-1a): finds it fast, and says which key it was when its bytes are damaged.
pub(crate) fn hash(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Record = Record {
        kind: Kind::Value,
        key_len: 3,
        value_len: 300,
        key_hash: 7,
        crc: 9,
    };

    fn committed() -> [u8; 20] {
        let mut bytes = RECORD.encode();
        bytes[16..].fill(0);
        bytes
    }

    #[test]
    fn any_one_flipped_bit_is_put_right() {
        assert_eq!(Record::decode(&committed()), Some((RECORD, true)));
        assert_eq!(Record::decode(&RECORD.encode()), Some((RECORD, false)));
        for bit in 0..160 {
            let mut bytes = committed();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&bytes), Some((RECORD, true)), "bit {bit}");
        }
        let header = SectorHeader {
            sequence: 5,
            opened: 6,
        };
        for bit in 0..128 {
            let mut bytes = header.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SectorHeader::decode(&bytes), Some(header), "bit {bit}");
        }
    }

    #[test]
    fn blank_and_torn_headers_are_none() {
        assert_eq!(Record::decode(&[0xff; 20]), None);
        assert_eq!(SectorHeader::decode(&[0xff; 16]), None);
        for written in 0..16 {
            let mut bytes = [0xff; 20];
            bytes[..written].copy_from_slice(&RECORD.encode()[..written]);
            if bytes != RECORD.encode() {
                assert_eq!(Record::decode(&bytes), None, "{written} bytes");
            }
        }
    }
}
