// SPDX-License-Identifier: Apache-2.0
//! The image store: bundles in one piece each, so that they can be read in place; the directory is in the manifests log.
//!
//! An image is written and read back first and entered into the directory then: an image that is listed is whole. What is
//! not listed is free.

use alloc::string::String;
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use pico_eci::{Blob, BlobError, Digest};

use crate::Area;
use crate::crc::Crc32;
use crate::error::{Error, Result};
use crate::kv::Kv;
use crate::sectors::write_pages;

const PREFIX: &[u8] = b"i/";

/// An image in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The name by which it was stored: `name:version`.
    pub reference: String,
    /// Address of its first byte.
    pub address: u32,
    /// Length of the bundle in bytes.
    pub len: u32,
    /// CRC-32 of the bundle.
    pub crc: u32,
    /// Counts up with each image: of two with one reference the higher counts.
    pub serial: u32,
}

impl StoredImage {
    fn key(digest: &Digest) -> Vec<u8> {
        [PREFIX, &digest.0].concat()
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.reference.len());
        for word in [self.address, self.len, self.crc, self.serial] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(self.reference.as_bytes());
        bytes
    }

    fn decode(key: &[u8], value: &[u8], area: Area) -> Option<Self> {
        let digest = Digest(key.strip_prefix(PREFIX)?.try_into().ok()?);
        let (words, reference) = value.split_at_checked(16)?;
        let word = |at: usize| {
            words
                .get(at..at + 4)
                .and_then(|word| word.try_into().ok())
                .map(u32::from_le_bytes)
        };
        let (address, len, crc, serial) = (word(0)?, word(4)?, word(8)?, word(12)?);
        let inside = address >= area.start
            && address
                .checked_add(len)
                .is_some_and(|end| end <= area.end());
        let reference = core::str::from_utf8(reference).ok()?.into();
        inside.then_some(Self {
            digest,
            reference,
            address,
            len,
            crc,
            serial,
        })
    }
}

/// The store; its directory is passed with each call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Images {
    pub(crate) area: Area,
    pub(crate) sector: u32,
}

impl Images {
    /// Every image, in no order.
    pub(crate) fn list<F: NorFlash>(
        &self,
        flash: &mut F,
        directory: &mut Kv,
    ) -> Result<Vec<StoredImage>> {
        let mut images = Vec::new();
        for key in directory.keys(flash, PREFIX)? {
            match directory.get(flash, &key) {
                Ok(value) => images.extend(StoredImage::decode(&key, &value, self.area)),
                Err(Error::Damaged) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(images)
    }

    /// An image by digest.
    pub(crate) fn find<F: NorFlash>(
        &self,
        flash: &mut F,
        directory: &mut Kv,
        digest: &Digest,
    ) -> Result<StoredImage> {
        let key = StoredImage::key(digest);
        let value = directory.get(flash, &key)?;
        StoredImage::decode(&key, &value, self.area).ok_or(Error::Damaged)
    }

    /// Stores a bundle. One with this digest that is there already gets the reference.
    pub(crate) fn put<F: NorFlash>(
        &self,
        flash: &mut F,
        directory: &mut Kv,
        digest: Digest,
        reference: &str,
        bundle: &mut dyn Blob,
    ) -> Result<StoredImage> {
        let images = self.list(flash, directory)?;
        let serial = images
            .iter()
            .map(|image| image.serial)
            .max()
            .map_or(1, |serial| serial.saturating_add(1));
        if reference.len() > 100 {
            return Err(Error::TooLarge);
        }
        if let Some(same) = images.iter().find(|image| image.digest == digest)
            && self.check(flash, same).is_ok()
        {
            let image = StoredImage {
                reference: reference.into(),
                serial,
                ..same.clone()
            };
            directory.put(flash, &StoredImage::key(&digest), &image.encode())?;
            return Ok(image);
        }
        let address = self.place(flash, directory, images, bundle.len())?;
        let crc = self.write(flash, address, bundle)?;
        let image = StoredImage {
            digest,
            reference: reference.into(),
            address,
            len: bundle.len(),
            crc,
            serial,
        };
        self.check(flash, &image)?;
        directory.put(flash, &StoredImage::key(&digest), &image.encode())?;
        Ok(image)
    }

    /// Compares an image with its CRC.
    pub(crate) fn check<F: NorFlash>(&self, flash: &mut F, image: &StoredImage) -> Result<()> {
        let crc = blob_crc(&mut ImageReader {
            flash,
            address: image.address,
            len: image.len,
        })?;
        if crc == image.crc {
            Ok(())
        } else {
            Err(Error::Damaged)
        }
    }

    pub(crate) fn remove<F: NorFlash>(
        &self,
        flash: &mut F,
        directory: &mut Kv,
        digest: &Digest,
    ) -> Result<()> {
        directory.remove(flash, &StoredImage::key(digest))
    }

    fn write<F: NorFlash>(
        &self,
        flash: &mut F,
        address: u32,
        bundle: &mut dyn Blob,
    ) -> Result<u32> {
        let mut crc = Crc32::new();
        let mut buffer = [0xff; 256];
        let mut offset = 0;
        flash
            .erase(address, address + self.whole(bundle.len()))
            .map_err(Error::medium)?;
        while offset < bundle.len() {
            let length = (bundle.len() - offset).min(256);
            buffer.fill(0xff);
            let piece = &mut buffer[..length as usize];
            bundle.read(offset, piece).map_err(|_| Error::Verify)?;
            crc.update(piece);
            write_pages(
                flash,
                address + offset,
                &buffer[..(length as usize).next_multiple_of(4)],
            )?;
            offset += length;
        }
        Ok(crc.finish())
    }

    fn whole(&self, len: u32) -> u32 {
        len.next_multiple_of(self.sector)
    }

    /// Bytes taken, in whole sectors.
    pub(crate) fn used(&self, images: &[StoredImage]) -> u32 {
        images.iter().map(|image| self.whole(image.len)).sum()
    }

    /// A place for `len` bytes, after the newest image so that wear is level. If no hole is large enough, images are moved
    /// into holes below them; one that is larger than every hole below it stays, so that a copy is whole at any time.
    fn place<F: NorFlash>(
        &self,
        flash: &mut F,
        directory: &mut Kv,
        mut images: Vec<StoredImage>,
        len: u32,
    ) -> Result<u32> {
        if len == 0 || len > self.area.len {
            return Err(Error::TooLarge);
        }
        let len = self.whole(len);
        if self.used(&images) + len > self.area.len {
            return Err(Error::Full);
        }
        loop {
            let holes = self.holes(&images);
            let newest = images
                .iter()
                .max_by_key(|image| image.serial)
                .map_or(self.area.start, |image| image.address);
            let fits = |hole: &&Area| hole.len >= len;
            let after = holes.iter().filter(fits).find(|hole| hole.start > newest);
            if let Some(hole) = after.or_else(|| holes.iter().find(fits)) {
                return Ok(hole.start);
            }
            // the first image that fits into a hole below it
            let moving = images.iter().enumerate().find_map(|(position, image)| {
                let below =
                    |hole: &&Area| hole.start < image.address && hole.len >= self.whole(image.len);
                holes.iter().find(below).map(|hole| (position, hole.start))
            });
            let (position, to) = moving.ok_or(Error::Full)?;
            let image = &mut images[position];
            // flash is read while it is written, so through RAM and piece by piece
            let (from, len) = (image.address, image.len);
            self.copy(flash, from, to, len)?;
            let moved = StoredImage {
                address: to,
                ..image.clone()
            };
            self.check(flash, &moved)?;
            directory.put(flash, &StoredImage::key(&moved.digest), &moved.encode())?;
            *image = moved;
        }
    }

    fn copy<F: NorFlash>(&self, flash: &mut F, from: u32, to: u32, len: u32) -> Result<()> {
        let mut buffer = [0; 256];
        flash
            .erase(to, to + self.whole(len))
            .map_err(Error::medium)?;
        for offset in (0..len).step_by(256) {
            let piece = &mut buffer[..(len - offset).min(256).next_multiple_of(4) as usize];
            flash.read(from + offset, piece).map_err(Error::medium)?;
            write_pages(flash, to + offset, piece)?;
        }
        Ok(())
    }

    fn holes(&self, images: &[StoredImage]) -> Vec<Area> {
        let mut taken: Vec<(u32, u32)> = images
            .iter()
            .map(|image| (image.address, image.address + self.whole(image.len)))
            .collect();
        taken.push((self.area.end(), self.area.end()));
        taken.sort_unstable();
        let mut holes = Vec::new();
        let mut start = self.area.start;
        for (from, to) in taken {
            if from > start {
                holes.push(Area {
                    start,
                    len: from - start,
                });
            }
            start = start.max(to);
        }
        holes
    }
}

/// The CRC of a blob.
pub(crate) fn blob_crc(blob: &mut dyn Blob) -> Result<u32> {
    let mut crc = Crc32::new();
    let mut buffer = [0; 256];
    let mut offset = 0;
    while offset < blob.len() {
        let piece = &mut buffer[..(blob.len() - offset).min(256) as usize];
        blob.read(offset, piece).map_err(|_| Error::Verify)?;
        crc.update(piece);
        offset += piece.len() as u32;
    }
    Ok(crc.finish())
}

/// Reads an image, or a firmware, from flash as it is needed.
#[derive(Debug)]
pub struct ImageReader<'a, F> {
    pub(crate) flash: &'a mut F,
    pub(crate) address: u32,
    pub(crate) len: u32,
}

impl<F: NorFlash> Blob for ImageReader<'_, F> {
    fn len(&self) -> u32 {
        self.len
    }

    fn read(&mut self, offset: u32, buffer: &mut [u8]) -> core::result::Result<(), BlobError> {
        let inside = u32::try_from(buffer.len())
            .ok()
            .and_then(|len| offset.checked_add(len))
            .is_some_and(|end| end <= self.len);
        if !inside {
            return Err(BlobError::OutOfRange);
        }
        self.flash
            .read(self.address + offset, buffer)
            .map_err(|_| BlobError::Medium)
    }
}
