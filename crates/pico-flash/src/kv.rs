// SPDX-License-Identifier: Apache-2.0
//! A key-value log: the newest record of a key counts, and the oldest sector is emptied into the newest when room is
//! needed.
//!
//! A move goes: open a sector (no other is free then), copy what still counts of the oldest, mark the oldest dead. So when
//! no sector is free at a start, a move was cut short: the newest sector holds nothing but copies, and it is marked dead.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;

use crate::Area;
use crate::error::{Error, Result};
use crate::record::{Kind, Record, hash};
use crate::sectors::{Place, Ring, payload_crc, read_payload};

/// The longest value in bytes.
pub const MAX_VALUE_BYTES: usize = 2048;
const MAX_KEY: usize = 200;

/// What is known of a key without reading it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    place: Place,
    damaged: bool,
}

#[derive(Debug)]
pub(crate) struct Kv {
    area: Area,
    sector: u32,
    ring: Ring,
    /// One entry a key; removed keys have none.
    entries: Vec<Entry>,
}

impl Kv {
    pub(crate) fn open<F: NorFlash>(flash: &mut F, area: Area, sector: u32) -> Result<Self> {
        let mut ring = Ring::open(flash, area, sector)?;
        if ring.free() == 0 {
            ring.kill(flash, ring.live_sectors() as usize - 1)?;
        }
        let mut kv = Self {
            area,
            sector,
            ring,
            entries: Vec::new(),
        };
        for position in 0..kv.ring.live_sectors() as usize {
            let Some(sector) = kv.ring.live(position) else {
                break;
            };
            let entries = &mut kv.entries;
            kv.ring.scan(flash, sector, |flash, place, whole| {
                note(flash, entries, place, whole)
            })?;
        }
        Ok(kv)
    }

    /// Records that were damaged when the log was opened, or are known to be now.
    pub(crate) fn damaged(&self) -> u32 {
        let entries = self.entries.iter().filter(|entry| entry.damaged).count();
        self.ring.damaged + u32::try_from(entries).unwrap_or(u32::MAX)
    }

    pub(crate) fn max_erases(&self) -> u32 {
        self.ring.max_opened
    }

    /// Bytes of live records.
    pub(crate) fn used(&self) -> u32 {
        self.entries
            .iter()
            .map(|entry| entry.place.record.size())
            .sum()
    }

    /// Bytes of live records that it is meant to hold. One sector stays free for moves, and one is being emptied.
    pub(crate) fn capacity(&self) -> u32 {
        (self.ring.sectors() - 2) * (self.ring.usable() - Record::size_of(0))
    }

    /// The entry of a key. One whose bytes no longer say which key it is counts as this key's, and as damaged.
    fn find<F: NorFlash>(&mut self, flash: &mut F, key: &[u8]) -> Result<Option<usize>> {
        let wanted = hash(key);
        for (position, entry) in self
            .entries
            .iter_mut()
            .enumerate()
            .filter(|(_, entry)| entry.hash == wanted)
        {
            if !entry.damaged && stored_key(flash, entry.place)? != key {
                if payload_crc(flash, entry.place)? == entry.place.record.crc {
                    continue;
                }
                entry.damaged = true;
            }
            return Ok(Some(position));
        }
        Ok(None)
    }

    pub(crate) fn get<F: NorFlash>(&mut self, flash: &mut F, key: &[u8]) -> Result<Vec<u8>> {
        let position = self.find(flash, key)?.ok_or(Error::NotFound)?;
        let entry = &mut self.entries[position];
        if entry.damaged {
            return Err(Error::Damaged);
        }
        match read_payload(flash, entry.place) {
            Ok(mut bytes) => Ok(bytes.split_off(usize::from(entry.place.record.key_len))),
            Err(error) => {
                entry.damaged |= error == Error::Damaged;
                Err(error)
            }
        }
    }

    /// Keys that begin with `prefix`, in no order. Damaged ones have no name any more and are left out.
    pub(crate) fn keys<F: NorFlash>(&self, flash: &mut F, prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut keys = Vec::new();
        for entry in self.entries.iter().filter(|entry| !entry.damaged) {
            let key = stored_key(flash, entry.place)?;
            if key.starts_with(prefix) && payload_crc(flash, entry.place)? == entry.place.record.crc
            {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Bytes of the values and keys that begin with `prefix`, without headers.
    pub(crate) fn used_by<F: NorFlash>(&self, flash: &mut F, prefix: &[u8]) -> Result<u32> {
        let mut used = 0;
        for entry in self.entries.iter().filter(|entry| !entry.damaged) {
            let Record {
                key_len, value_len, ..
            } = entry.place.record;
            if usize::from(key_len) >= prefix.len()
                && stored_key(flash, entry.place)?.starts_with(prefix)
            {
                used += u32::from(key_len) - u32::try_from(prefix.len()).unwrap_or(0)
                    + u32::from(value_len);
            }
        }
        Ok(used)
    }

    pub(crate) fn put<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: &[u8],
        value: &[u8],
    ) -> Result<()> {
        if key.is_empty() || key.len() > MAX_KEY || value.len() > MAX_VALUE_BYTES {
            return Err(Error::TooLarge);
        }
        let record = Record::new(Kind::Value, key, value)?;
        let position = self.find(flash, key)?;
        let replaced = position.map_or(0, |position| self.entries[position].place.record.size());
        if self.used() - replaced + record.size() > self.capacity() {
            return Err(Error::Full);
        }
        let place = self.append(flash, record, key, value)?;
        let entry = Entry {
            hash: record.key_hash,
            place,
            damaged: false,
        };
        // looked for again: making room may have read everything anew
        match self.find(flash, key)? {
            Some(position) => self.entries[position] = entry,
            None => self.entries.push(entry),
        }
        Ok(())
    }

    /// Removes a key, damaged or not.
    pub(crate) fn remove<F: NorFlash>(&mut self, flash: &mut F, key: &[u8]) -> Result<()> {
        self.find(flash, key)?.ok_or(Error::NotFound)?;
        self.append(flash, Record::new(Kind::Removed, key, b"")?, key, b"")?;
        if let Some(position) = self.find(flash, key)? {
            self.entries.remove(position);
        }
        Ok(())
    }

    /// Appends a record, making room first; a place that does not take it is passed over.
    fn append<F: NorFlash>(
        &mut self,
        flash: &mut F,
        record: Record,
        key: &[u8],
        value: &[u8],
    ) -> Result<Place> {
        let mut result = Err(Error::Full);
        for _ in 0..=self.ring.sectors() {
            if record.size() <= self.ring.room() {
                result = self.ring.append(flash, record, key, value);
                if result != Err(Error::Verify) {
                    return result;
                }
                continue;
            }
            self.ring.advance(flash)?;
            if self.ring.free() == 0
                && let Err(error) = self.empty_oldest(flash)
            {
                // as after a power cut: a move that was not finished is undone
                *self = Self::open(flash, self.area, self.sector)?;
                return Err(error);
            }
        }
        result
    }

    /// Copies what counts of the oldest sector into the newest, which is empty, and marks it dead.
    fn empty_oldest<F: NorFlash>(&mut self, flash: &mut F) -> Result<()> {
        let oldest = self.ring.live(0).ok_or(Error::Full)?;
        for position in 0..self.entries.len() {
            let entry = self.entries[position];
            if !self.ring.contains(oldest, entry.place.address) {
                continue;
            }
            let moved = match read_payload(flash, entry.place) {
                Ok(bytes) if !entry.damaged => {
                    let (key, value) = bytes.split_at(usize::from(entry.place.record.key_len));
                    let place = self.ring.append(flash, entry.place.record, key, value)?;
                    Entry { place, ..entry }
                }
                // it is not forgotten that there was something
                Ok(_) | Err(Error::Damaged) => {
                    let record = Record {
                        kind: Kind::Damaged,
                        key_len: 0,
                        value_len: 0,
                        ..entry.place.record
                    };
                    let place = self.ring.append(flash, record, b"", b"")?;
                    Entry {
                        place,
                        damaged: true,
                        ..entry
                    }
                }
                Err(error) => return Err(error),
            };
            self.entries[position] = moved;
        }
        self.ring.kill(flash, 0)
    }
}

/// Takes a record found at the start into the index.
fn note<F: NorFlash>(
    flash: &mut F,
    entries: &mut Vec<Entry>,
    place: Place,
    whole: bool,
) -> Result<()> {
    let hash = place.record.key_hash;
    let damaged = !whole || place.record.kind == Kind::Damaged;
    let key = if damaged {
        None
    } else {
        Some(stored_key(flash, place)?)
    };
    let mut same = None;
    for (position, entry) in entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.hash == hash)
    {
        let matches = match &key {
            Some(key) if !entry.damaged => *key == stored_key(flash, entry.place)?,
            // which of two keys with one hash was damaged cannot be said: neither is returned
            _ => true,
        };
        if matches {
            same = Some(position);
            break;
        }
    }
    let entry = Entry {
        hash,
        place,
        damaged,
    };
    match (same, place.record.kind) {
        (Some(position), Kind::Removed) if whole => drop(entries.remove(position)),
        (None, Kind::Removed) if whole => {}
        (Some(position), _) => entries[position] = entry,
        (None, _) => entries.push(entry),
    }
    Ok(())
}

fn stored_key<F: NorFlash>(flash: &mut F, place: Place) -> Result<Vec<u8>> {
    let mut key = alloc::vec![0; usize::from(place.record.key_len)];
    flash
        .read(place.address + crate::record::RECORD_HEADER, &mut key)
        .map_err(Error::medium)?;
    Ok(key)
}
