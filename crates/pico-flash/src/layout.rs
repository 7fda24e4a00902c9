// SPDX-License-Identifier: Apache-2.0
//! How a chip is divided: six areas, computed from its real size.
//!
//! A firmware slot takes 9/32 of the chip (576 KiB of 2 MiB: the node's crates, drivers and a network, without the radio's own
//! firmware, which both slots share) and at most 4 MiB. Of the rest the image store takes 2/5, manifests 1/8, data 1/3, each up to a limit; logs have what is left. The
//! limits are those of the 2 GiB board, whose table is therefore 4, 4, 8, 16, 224 and 1792 MiB.

use core::fmt;

use embedded_storage::nor_flash::NorFlash;
use pico_board::{FlashGeometry, GeometryError};

/// A range of flash, whole erase sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// The first byte.
    pub start: u32,
    /// The length in bytes.
    pub len: u32,
}

impl Area {
    /// The byte behind the last; 2³² − 1 at most.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.start + self.len
    }
}

/// The six areas of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Firmware slot A.
    pub firmware_a: Area,
    /// Firmware slot B.
    pub firmware_b: Area,
    /// Images.
    pub images: Area,
    /// Manifests, configuration, the image directory and the boot record.
    pub manifests: Area,
    /// Application data.
    pub data: Area,
    /// Logs.
    pub logs: Area,
    /// Bytes of an erase sector.
    pub sector: u32,
}

/// Why a chip cannot be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The geometry is of no use.
    Geometry(GeometryError),
    /// Fewer than 64 sectors: there would be no room beside the firmware.
    TooSmall,
    /// The driver's write or read unit is larger than 4 bytes, or its sector outside of 1 KiB to 64 KiB.
    Unit,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Geometry(error) => fmt::Display::fmt(error, f),
            Self::TooSmall => f.write_str("the flash is smaller than 64 erase sectors"),
            Self::Unit => f.write_str(
                "the flash's write unit is larger than 4 bytes or its sector is not 1 to 64 KiB",
            ),
        }
    }
}

impl core::error::Error for LayoutError {}

impl Layout {
    /// The areas of a chip of this geometry.
    ///
    /// # Errors
    /// When the chip is too small or its units do not suit.
    pub fn new(geometry: FlashGeometry) -> Result<Self, LayoutError> {
        const MIB: u64 = 1024 * 1024;
        let sector = u64::from(geometry.erase_size);
        if geometry.write_size > 4 || !(1024..=65_536).contains(&geometry.erase_size) {
            return Err(LayoutError::Unit);
        }
        if geometry.sectors() < 64 {
            return Err(LayoutError::TooSmall);
        }
        let total = u64::from(geometry.capacity);
        let whole = |bytes: u64, limit: u64| (bytes.min(limit) / sector).max(4) * sector;
        let firmware = whole(total * 9 / 32, 4 * MIB);
        let rest = total - 2 * firmware;
        let images = whole(rest * 2 / 5, 8 * MIB);
        let manifests = whole(rest / 8, 16 * MIB);
        let data = whole(rest / 3, 224 * MIB);
        let logs = rest - images - manifests - data;
        let mut start = 0;
        let mut area = |len: u64| {
            // all of it together is the capacity, which is a u32
            let area = Area {
                start,
                len: u32::try_from(len).unwrap_or(0),
            };
            start += area.len;
            area
        };
        Ok(Self {
            firmware_a: area(firmware),
            firmware_b: area(firmware),
            images: area(images),
            manifests: area(manifests),
            data: area(data),
            logs: area(logs),
            sector: geometry.erase_size,
        })
    }

    /// The areas of the chip behind a driver.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub fn of<F: NorFlash>(flash: &F) -> Result<Self, LayoutError> {
        if F::READ_SIZE > 1 {
            return Err(LayoutError::Unit);
        }
        Self::new(FlashGeometry::of(flash).map_err(LayoutError::Geometry)?)
    }

    /// Names and areas, in the order in which they lie.
    #[must_use]
    pub const fn areas(&self) -> [(&'static str, Area); 6] {
        [
            ("firmware-a", self.firmware_a),
            ("firmware-b", self.firmware_b),
            ("images", self.images),
            ("manifests", self.manifests),
            ("data", self.data),
            ("logs", self.logs),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn kib(capacity: u64) -> Vec<u32> {
        let geometry = FlashGeometry {
            capacity: u32::try_from(capacity).unwrap(),
            erase_size: 4096,
            page_size: 256,
            write_size: 1,
        };
        let layout = Layout::new(geometry).unwrap();
        layout.areas().map(|(_, area)| area.len / 1024).into()
    }

    #[test]
    fn tables() {
        assert_eq!(kib(2 << 20), [576, 576, 356, 112, 296, 132]);
        assert_eq!(kib(4 << 20), [1152, 1152, 716, 224, 596, 256]);
        assert_eq!(kib(2 << 30), [4096, 4096, 8192, 16_384, 229_376, 1_835_008]);
        assert_eq!(kib(256 << 10), [72, 72, 44, 16, 36, 16]);
    }

    #[test]
    fn every_size_is_divided_without_gaps() {
        for sectors in (64..=20_000).chain([524_288, 1_048_575]) {
            let geometry = FlashGeometry {
                capacity: sectors * 4096,
                erase_size: 4096,
                page_size: 256,
                write_size: 4,
            };
            let layout = Layout::new(geometry).unwrap();
            let mut end = 0;
            for (name, area) in layout.areas() {
                assert_eq!(
                    (area.start, area.len % 4096),
                    (end, 0),
                    "{name} of {sectors} sectors"
                );
                assert!(area.len >= 4 * 4096, "{name} of {sectors} sectors");
                end = area.end();
            }
            assert_eq!(end, geometry.capacity);
        }
    }

    #[test]
    fn refusals() {
        let good = FlashGeometry {
            capacity: 64 * 4096,
            erase_size: 4096,
            page_size: 256,
            write_size: 1,
        };
        assert!(Layout::new(good).is_ok());
        for (geometry, expected) in [
            (
                FlashGeometry {
                    capacity: 63 * 4096,
                    ..good
                },
                LayoutError::TooSmall,
            ),
            (
                FlashGeometry {
                    write_size: 8,
                    ..good
                },
                LayoutError::Unit,
            ),
            (
                FlashGeometry {
                    erase_size: 128 * 1024,
                    ..good
                },
                LayoutError::Unit,
            ),
        ] {
            assert_eq!(Layout::new(geometry), Err(expected));
        }
    }
}
