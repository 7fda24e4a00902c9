// SPDX-License-Identifier: Apache-2.0
//! The geometry of a NOR flash: what `embedded_storage::nor_flash::NorFlash` has as constants, with the size.

use core::fmt;

use embedded_storage::nor_flash::NorFlash;

/// Sizes of a NOR flash in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashGeometry {
    /// The whole chip.
    pub capacity: u32,
    /// What an erase takes at once: 4096 on the boards of this family.
    pub erase_size: u32,
    /// What a program takes at once: 256 on the boards of this family; smaller writes are allowed down to `write_size`.
    pub page_size: u32,
    /// The smallest write and its alignment.
    pub write_size: u32,
}

/// Why a geometry is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// The capacity is not a whole number of erase sectors.
    NotWholeSectors,
    /// More than 4 GiB, or nothing.
    Capacity,
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotWholeSectors => "the flash's capacity is not a whole number of erase sectors",
            Self::Capacity => "the flash's capacity is 0 or more than 4 GiB",
        })
    }
}

impl core::error::Error for GeometryError {}

impl FlashGeometry {
    /// The geometry of a flash driver.
    ///
    /// # Errors
    /// When the driver's capacity is zero, above 4 GiB − 1 or not a whole number of sectors.
    pub fn of<F: NorFlash>(flash: &F) -> Result<Self, GeometryError> {
        let capacity = u32::try_from(flash.capacity()).map_err(|_| GeometryError::Capacity)?;
        let erase_size = u32::try_from(F::ERASE_SIZE).map_err(|_| GeometryError::Capacity)?;
        if capacity == 0 {
            return Err(GeometryError::Capacity);
        }
        if erase_size == 0 || !capacity.is_multiple_of(erase_size) {
            return Err(GeometryError::NotWholeSectors);
        }
        let write_size = u32::try_from(F::WRITE_SIZE).map_err(|_| GeometryError::Capacity)?;
        Ok(Self {
            capacity,
            erase_size,
            page_size: write_size.max(256),
            write_size,
        })
    }

    /// How many erase sectors the chip has.
    #[must_use]
    pub const fn sectors(&self) -> u32 {
        self.capacity / self.erase_size
    }
}
