// SPDX-License-Identifier: Apache-2.0
//! A ring of sectors to which records are appended: what the key-value log and the rolling log have in common.
//!
//! The ring is written in circular order, so wear is level whatever the data. A sector is free when it has no valid header
//! or is marked dead; it is erased when it is opened and never otherwise, so that no half-erased sector is ever written.

use alloc::vec;
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;

use crate::Area;
use crate::crc::Crc32;
use crate::error::{Error, Result};
use crate::record::{
    COMMIT_AT, DEAD_AT, Kind, RECORD_HEADER, Record, SECTOR_HEADER, SectorHeader, zeroed,
};

/// A live sector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sector {
    /// Its place in the area, counted in sectors.
    pub(crate) index: u32,
    pub(crate) sequence: u32,
}

/// The ring. It borrows the flash for each call, because several rings share it.
#[derive(Debug)]
pub(crate) struct Ring {
    area: Area,
    sector: u32,
    /// Live sectors, the oldest first.
    live: Vec<Sector>,
    /// Where the next record goes in the newest sector.
    position: u32,
    /// How often the most worn sector was opened.
    pub(crate) max_opened: u32,
    /// Committed records that could not be read when the ring was opened.
    pub(crate) damaged: u32,
}

/// A record and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Address of the header.
    pub(crate) address: u32,
    pub(crate) record: Record,
}

impl Ring {
    /// Reads the sector headers.
    pub(crate) fn open<F: NorFlash>(flash: &mut F, area: Area, sector: u32) -> Result<Self> {
        let mut ring = Self {
            area,
            sector,
            live: Vec::new(),
            position: 0,
            max_opened: 0,
            damaged: 0,
        };
        for index in 0..ring.sectors() {
            let mut bytes = [0; SECTOR_HEADER as usize];
            flash
                .read(ring.address(index), &mut bytes)
                .map_err(Error::medium)?;
            let mut header = [0; 16];
            header.copy_from_slice(&bytes[..16]);
            let Some(SectorHeader { sequence, opened }) = SectorHeader::decode(&header) else {
                continue;
            };
            ring.max_opened = ring.max_opened.max(opened);
            if !zeroed(&bytes[DEAD_AT as usize..]) {
                ring.live.push(Sector { index, sequence });
            }
        }
        ring.live.sort_unstable_by_key(|sector| sector.sequence);
        ring.position = ring.sector;
        Ok(ring)
    }

    pub(crate) fn sectors(&self) -> u32 {
        self.area.len / self.sector
    }

    pub(crate) const fn area_len(&self) -> u32 {
        self.area.len
    }

    pub(crate) fn free(&self) -> u32 {
        self.sectors() - self.live_sectors()
    }

    pub(crate) fn live_sectors(&self) -> u32 {
        u32::try_from(self.live.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of records that a sector holds.
    pub(crate) fn usable(&self) -> u32 {
        self.sector - SECTOR_HEADER
    }

    pub(crate) fn live(&self, position: usize) -> Option<Sector> {
        self.live.get(position).copied()
    }

    fn address(&self, index: u32) -> u32 {
        self.area.start + index * self.sector
    }

    /// Whether an address lies in this sector.
    pub(crate) fn contains(&self, sector: Sector, address: u32) -> bool {
        let start = self.address(sector.index);
        (start..start + self.sector).contains(&address)
    }

    /// Marks a sector as one of which nothing counts.
    pub(crate) fn kill<F: NorFlash>(&mut self, flash: &mut F, position: usize) -> Result<()> {
        if position >= self.live.len() {
            return Ok(());
        }
        let sector = self.live[position];
        flash
            .write(self.address(sector.index) + DEAD_AT, &[0; 4])
            .map_err(Error::medium)?;
        self.live.remove(position);
        if position == self.live.len() {
            // the newest has gone: the one before it is not written any more
            self.position = self.sector;
        }
        Ok(())
    }

    /// Opens the next free sector.
    pub(crate) fn advance<F: NorFlash>(&mut self, flash: &mut F) -> Result<()> {
        let after = self.live.last().map_or(0, |sector| sector.index + 1);
        let taken = |index: u32| self.live.iter().any(|sector| sector.index == index);
        let index = (0..self.sectors())
            .map(|step| (after + step) % self.sectors())
            .find(|index| !taken(*index));
        let index = index.ok_or(Error::Full)?;
        let address = self.address(index);
        let mut header = [0; 16];
        flash.read(address, &mut header).map_err(Error::medium)?;
        let opened = SectorHeader::decode(&header).map_or(self.max_opened.max(1), |header| {
            header.opened.saturating_add(1)
        });
        let sequence = self
            .live
            .last()
            .map_or(1, |sector| sector.sequence.wrapping_add(1));
        flash
            .erase(address, address + self.sector)
            .map_err(Error::medium)?;
        flash
            .write(address, &SectorHeader { sequence, opened }.encode())
            .map_err(Error::medium)?;
        self.max_opened = self.max_opened.max(opened);
        self.live.push(Sector { index, sequence });
        self.position = SECTOR_HEADER;
        Ok(())
    }

    /// Bytes left in the newest sector.
    pub(crate) fn room(&self) -> u32 {
        self.sector - self.position
    }

    /// Appends a record to the newest sector, which has room for it, and commits it.
    pub(crate) fn append<F: NorFlash>(
        &mut self,
        flash: &mut F,
        mut record: Record,
        key: &[u8],
        value: &[u8],
    ) -> Result<Place> {
        let newest = self.live.last().ok_or(Error::Full)?;
        let address = self.address(newest.index) + self.position;
        let mut crc = seeded(address);
        crc.update(key);
        crc.update(value);
        record.crc = crc.finish();
        let size = record.size();
        if size > self.room() {
            return Err(Error::Full);
        }
        // whatever becomes of it, this place is used up
        self.position += size;
        let mut bytes = Vec::with_capacity(size as usize);
        bytes.extend_from_slice(&record.encode());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        bytes.resize(size as usize, 0xff);
        let written = write_pages(flash, address, &bytes).and_then(|()| {
            let mut back = vec![0; size as usize];
            flash.read(address, &mut back).map_err(Error::medium)?;
            if back == bytes {
                Ok(())
            } else {
                Err(Error::Verify)
            }
        });
        written.and_then(|()| {
            flash
                .write(address + COMMIT_AT, &[0; 4])
                .map_err(Error::medium)
        })?;
        Ok(Place { address, record })
    }

    /// Calls `found` for each committed record of a sector, in order. A record with a damaged payload comes with `false`.
    pub(crate) fn scan<F: NorFlash>(
        &mut self,
        flash: &mut F,
        sector: Sector,
        mut found: impl FnMut(&mut F, Place, bool) -> Result<()>,
    ) -> Result<()> {
        let start = self.address(sector.index);
        let newest = self
            .live
            .last()
            .is_some_and(|last| last.index == sector.index);
        let mut offset = SECTOR_HEADER;
        let mut lost = 0;
        while offset + RECORD_HEADER <= self.sector {
            let mut header = [0; RECORD_HEADER as usize];
            flash
                .read(start + offset, &mut header)
                .map_err(Error::medium)?;
            let fits = |record: &Record| offset + record.size() <= self.sector;
            match Record::decode(&header).filter(|(record, _)| fits(record)) {
                Some((record, true)) => {
                    let place = Place {
                        address: start + offset,
                        record,
                    };
                    let whole = payload_crc(flash, place)? == record.crc;
                    self.damaged += lost;
                    lost = 0;
                    found(flash, place, whole)?;
                    offset += record.size();
                }
                Some((record, false)) => offset += record.size(),
                None if header == [0xff; RECORD_HEADER as usize]
                    && blank(flash, start + offset, start + self.sector)? =>
                {
                    break;
                }
                None => {
                    // a torn header is the last thing in its sector; one with records behind it was whole once
                    lost = 1;
                    offset += 4;
                }
            }
        }
        if newest {
            // after a torn write a new sector is opened, so that what is torn stays the last thing in its own
            let clean = lost == 0
                && (offset + RECORD_HEADER > self.sector
                    || blank(flash, start + offset, start + self.sector)?);
            self.position = if clean {
                offset.min(self.sector)
            } else {
                self.sector
            };
        }
        Ok(())
    }
}

/// The CRC of a record begins with its address, so that a value which looks like a record is none.
fn seeded(address: u32) -> Crc32 {
    let mut crc = Crc32::new();
    crc.update(&address.to_le_bytes());
    crc
}

/// The CRC of a record's key and value as they are now.
pub(crate) fn payload_crc<F: NorFlash>(flash: &mut F, place: Place) -> Result<u32> {
    let mut crc = seeded(place.address);
    let (mut address, mut left) = (place.address + RECORD_HEADER, payload(place.record));
    let mut buffer = [0; 64];
    while left > 0 {
        let piece = &mut buffer[..left.min(64) as usize];
        flash.read(address, piece).map_err(Error::medium)?;
        crc.update(piece);
        let length = left.min(64);
        address += length;
        left -= length;
    }
    Ok(crc.finish())
}

/// Reads a record's key and value and compares their CRC.
pub(crate) fn read_payload<F: NorFlash>(flash: &mut F, place: Place) -> Result<Vec<u8>> {
    let mut bytes = vec![0; payload(place.record) as usize];
    flash
        .read(place.address + RECORD_HEADER, &mut bytes)
        .map_err(Error::medium)?;
    let mut crc = seeded(place.address);
    crc.update(&bytes);
    if crc.finish() == place.record.crc {
        Ok(bytes)
    } else {
        Err(Error::Damaged)
    }
}

const fn payload(record: Record) -> u32 {
    record.key_len as u32 + record.value_len as u32
}

/// Programs bytes page by page (256 bytes).
pub(crate) fn write_pages<F: NorFlash>(
    flash: &mut F,
    mut address: u32,
    mut bytes: &[u8],
) -> Result<()> {
    while !bytes.is_empty() {
        let room = 256 - (address % 256) as usize;
        let (page, rest) = bytes.split_at(room.min(bytes.len()));
        flash.write(address, page).map_err(Error::medium)?;
        address += page.len() as u32;
        bytes = rest;
    }
    Ok(())
}

/// Whether a range is erased.
pub(crate) fn blank<F: NorFlash>(flash: &mut F, mut from: u32, to: u32) -> Result<bool> {
    let mut buffer = [0; 64];
    while from < to {
        let piece = &mut buffer[..(to - from).min(64) as usize];
        flash.read(from, piece).map_err(Error::medium)?;
        if piece.iter().any(|byte| *byte != 0xff) {
            return Ok(false);
        }
        from += 64;
    }
    Ok(true)
}

impl Record {
    pub(crate) fn new(kind: Kind, key: &[u8], value: &[u8]) -> Result<Self> {
        Ok(Self {
            kind,
            key_len: u8::try_from(key.len()).map_err(|_| Error::TooLarge)?,
            value_len: u16::try_from(value.len()).map_err(|_| Error::TooLarge)?,
            key_hash: crate::record::hash(key),
            crc: 0,
        })
    }
}
