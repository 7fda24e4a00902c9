// SPDX-License-Identifier: Apache-2.0
//! A NOR flash in memory that behaves as badly as a real one: bits only go from one to zero until they are erased, power
//! goes in the middle of an operation and leaves part of it, bits flip, sectors wear out.

use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

const SECTOR: usize = 4096;

/// Why the simulated flash refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimError {
    /// The power is off until [`SimFlash::power_on`].
    PowerCut,
    /// Outside of the chip.
    OutOfBounds,
    /// Not on a sector's border.
    NotAligned,
}

impl NorFlashError for SimError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::PowerCut => NorFlashErrorKind::Other,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotAligned => NorFlashErrorKind::NotAligned,
        }
    }
}

/// The flash. Only sectors that are not blank take memory, so a chip of any size and thousands of them are cheap.
#[derive(Clone, Debug)]
pub struct SimFlash {
    capacity: u32,
    sectors: BTreeMap<u32, Box<[u8; SECTOR]>>,
    wear: BTreeMap<u32, u32>,
    changed: Vec<u32>,
    operations: u64,
    cut_at: Option<u64>,
    off: bool,
    random: u64,
    endurance: u32,
}

impl SimFlash {
    /// A blank chip of `capacity` bytes; what torn operations leave depends on `seed`.
    #[must_use]
    pub const fn new(capacity: u32, seed: u64) -> Self {
        Self {
            capacity,
            sectors: BTreeMap::new(),
            wear: BTreeMap::new(),
            changed: Vec::new(),
            operations: 0,
            cut_at: None,
            off: false,
            random: seed,
            endurance: u32::MAX,
        }
    }

    /// Sets the content of a sector, as it was in a file. Sectors outside of the chip are left out.
    pub fn restore(&mut self, sector: u32, bytes: &[u8; SECTOR]) {
        if sector < self.capacity / SECTOR as u32 {
            self.sectors.insert(sector, Box::new(*bytes));
        }
    }

    /// The sectors that changed since the last call, with what is in them now: for a file to follow.
    pub fn take_changed(&mut self) -> Vec<(u32, [u8; SECTOR])> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
            .into_iter()
            .map(|sector| {
                (
                    sector,
                    self.sectors
                        .get(&sector)
                        .map_or([0xff; SECTOR], |bytes| **bytes),
                )
            })
            .collect()
    }

    /// Program and erase operations so far.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Cuts the power in the middle of the program or erase operation that follows after this many others.
    pub const fn cut_after(&mut self, operations: u64) {
        self.cut_at = Some(self.operations + operations);
    }

    /// Cuts the power now.
    pub const fn power_off(&mut self) {
        self.off = true;
    }

    /// Brings the power back.
    pub const fn power_on(&mut self) {
        self.off = false;
        self.cut_at = None;
    }

    /// Whether the power is off.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        self.off
    }

    /// Flips a bit, as radiation or a leaking cell does.
    pub fn flip(&mut self, address: u32, bit: u8) {
        let sector = self.sector(address / SECTOR as u32);
        sector[address as usize % SECTOR] ^= 1 << (bit % 8);
    }

    /// Lets a sector fail after this many erases: its bits then stay as they are.
    pub const fn set_endurance(&mut self, erases: u32) {
        self.endurance = erases;
    }

    /// How often each sector was erased.
    pub fn wear(&self) -> impl Iterator<Item = (u32, u32)> {
        self.wear.iter().map(|(sector, erases)| (*sector, *erases))
    }

    fn sector(&mut self, sector: u32) -> &mut [u8; SECTOR] {
        self.changed.push(sector);
        self.sectors
            .entry(sector)
            .or_insert_with(|| Box::new([0xff; SECTOR]))
    }

    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn check(&self, offset: u32, length: usize) -> Result<(), SimError> {
        if self.off {
            return Err(SimError::PowerCut);
        }
        let end = u64::from(offset) + length as u64;
        if end > u64::from(self.capacity) {
            Err(SimError::OutOfBounds)
        } else {
            Ok(())
        }
    }

    /// Counts an operation; says whether the power goes in the middle of it.
    fn operation(&mut self) -> bool {
        let cut = self.cut_at == Some(self.operations);
        self.operations += 1;
        self.off |= cut;
        cut
    }

    /// A mask of ones with each bit set in `sixteenths` of 16 cases.
    fn mask(&mut self, sixteenths: u64) -> u8 {
        (0..8).fold(0, |mask, bit| {
            mask | u8::from(self.next() % 16 < sixteenths) << bit
        })
    }

    fn program(&mut self, address: u32, value: u8) {
        let worn = self
            .wear
            .get(&(address / SECTOR as u32))
            .is_some_and(|erases| *erases > self.endurance);
        if !worn {
            self.sector(address / SECTOR as u32)[address as usize % SECTOR] &= value;
        }
    }
}

impl ErrorType for SimFlash {
    type Error = SimError;
}

impl ReadNorFlash for SimFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.check(offset, bytes.len())?;
        let mut address = offset as usize;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = address % SECTOR;
            let (piece, after) = rest.split_at_mut((SECTOR - within).min(rest.len()));
            match self.sectors.get(&((address / SECTOR) as u32)) {
                Some(sector) => piece.copy_from_slice(&sector[within..within + piece.len()]),
                None => piece.fill(0xff),
            }
            address += piece.len();
            rest = after;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.capacity as usize
    }
}

impl NorFlash for SimFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.check(from, to.saturating_sub(from) as usize)?;
        let aligned = |address: u32| (address as usize).is_multiple_of(SECTOR);
        if !aligned(from) || !aligned(to) || from > to {
            return Err(SimError::NotAligned);
        }
        for sector in from / SECTOR as u32..to / SECTOR as u32 {
            let erases = self.wear.entry(sector).or_insert(0);
            *erases += 1;
            let worn = *erases > self.endurance;
            self.changed.push(sector);
            if self.operation() {
                // cells rise to one each in its own time
                let sixteenths = [0, 1, 8, 15, 16][(self.next() % 5) as usize];
                let mut bytes = *self.sector(sector);
                for byte in &mut bytes {
                    *byte |= self.mask(sixteenths);
                }
                *self.sector(sector) = bytes;
                return Err(SimError::PowerCut);
            }
            if !worn {
                self.sectors.remove(&sector);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.check(offset, bytes.len())?;
        if self.operation() {
            let (whole, sixteenths) = match self.next() % 4 {
                // the first bytes, part of the next, nothing of the rest
                0 => ((self.next() % bytes.len().max(1) as u64) as usize, 0),
                // some bits of each
                1 => (0, 1 + self.next() % 15),
                2 => (0, 0),
                // all of it, only nobody was told
                _ => (bytes.len(), 0),
            };
            for (index, byte) in bytes.iter().enumerate() {
                let keep = if index < whole {
                    0
                } else if index == whole {
                    !self.mask(8)
                } else {
                    !self.mask(sixteenths)
                };
                self.program(offset + index as u32, byte | keep);
            }
            return Err(SimError::PowerCut);
        }
        for (index, byte) in bytes.iter().enumerate() {
            self.program(offset + index as u32, *byte);
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for SimFlash {}
