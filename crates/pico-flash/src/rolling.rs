// SPDX-License-Identifier: Apache-2.0
//! Rolling logs: lines of all containers in one ring, the oldest sector goes when there is no other.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;

use crate::Area;
use crate::error::{Error, Result};
use crate::record::{Kind, Record};
use crate::sectors::{Place, Ring, read_payload};

/// A line that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Whose line it is.
    pub source: Vec<u8>,
    /// When it was written, in whatever milliseconds the writer counts.
    pub time_ms: u64,
    /// The line without a line feed.
    pub text: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Rolling {
    ring: Ring,
}

impl Rolling {
    pub(crate) fn open<F: NorFlash>(flash: &mut F, area: Area, sector: u32) -> Result<Self> {
        let mut ring = Ring::open(flash, area, sector)?;
        // finds the place for the next line, and counts what is damaged
        for position in 0..ring.live_sectors() as usize {
            if let Some(sector) = ring.live(position) {
                ring.scan(flash, sector, |_, _, _| Ok(()))?;
            }
        }
        Ok(Self { ring })
    }

    pub(crate) fn damaged(&self) -> u32 {
        self.ring.damaged
    }

    pub(crate) fn max_erases(&self) -> u32 {
        self.ring.max_opened
    }

    /// Bytes taken, in whole sectors.
    pub(crate) fn used(&self) -> u32 {
        self.ring.live_sectors() * (self.ring.area_len() / self.ring.sectors())
    }

    pub(crate) fn append<F: NorFlash>(
        &mut self,
        flash: &mut F,
        source: &[u8],
        time_ms: u64,
        text: &[u8],
    ) -> Result<()> {
        if source.len() > 64 || text.len() > 1024 {
            return Err(Error::TooLarge);
        }
        let mut value = Vec::with_capacity(8 + text.len());
        value.extend_from_slice(&time_ms.to_le_bytes());
        value.extend_from_slice(text);
        let record = Record::new(Kind::Line, source, &value)?;
        for _ in 0..=self.ring.sectors() {
            if record.size() <= self.ring.room() {
                match self.ring.append(flash, record, source, &value) {
                    Err(Error::Verify) => continue,
                    result => return result.map(|_| ()),
                }
            }
            if self.ring.free() == 0 {
                self.ring.kill(flash, 0)?;
            }
            self.ring.advance(flash)?;
        }
        Err(Error::Full)
    }

    /// Calls `found` for each line of `source`, the oldest first. Damaged lines are left out.
    pub(crate) fn read<F: NorFlash>(
        &mut self,
        flash: &mut F,
        source: &[u8],
        mut found: impl FnMut(LogLine),
    ) -> Result<()> {
        let damaged = self.ring.damaged;
        for position in 0..self.ring.live_sectors() as usize {
            let Some(sector) = self.ring.live(position) else {
                break;
            };
            self.ring.scan(flash, sector, |flash, place, whole| {
                if whole && place.record.kind == Kind::Line {
                    line(flash, place, source, &mut found)?;
                }
                Ok(())
            })?;
        }
        self.ring.damaged = damaged;
        Ok(())
    }
}

fn line<F: NorFlash>(
    flash: &mut F,
    place: Place,
    source: &[u8],
    found: &mut impl FnMut(LogLine),
) -> Result<()> {
    if usize::from(place.record.key_len) != source.len() {
        return Ok(());
    }
    let bytes = match read_payload(flash, place) {
        Err(Error::Damaged) => return Ok(()),
        bytes => bytes?,
    };
    let (key, value) = bytes.split_at(usize::from(place.record.key_len));
    if let (true, Some((time, text))) = (key == source, value.split_first_chunk::<8>()) {
        found(LogLine {
            source: key.into(),
            time_ms: u64::from_le_bytes(*time),
            text: text.into(),
        });
    }
    Ok(())
}
