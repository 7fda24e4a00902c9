// SPDX-License-Identifier: Apache-2.0
//! Bytes that are read in pieces, so that an image never has to be in RAM as a whole.

use core::fmt;

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobError {
    /// The range is not inside the blob.
    OutOfRange,
    /// The medium failed.
    Medium,
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "read past the end of the image",
            Self::Medium => "the flash could not be read",
        })
    }
}

impl core::error::Error for BlobError {}

/// A source of bytes: a slice, or an area of flash.
pub trait Blob {
    /// Its length in bytes.
    fn len(&self) -> u32;

    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// [`BlobError::OutOfRange`] when the range is not inside, [`BlobError::Medium`] when the flash fails.
    fn read(&mut self, offset: u32, buffer: &mut [u8]) -> Result<(), BlobError>;
}

impl Blob for &[u8] {
    fn len(&self) -> u32 {
        u32::try_from((**self).len()).unwrap_or(u32::MAX)
    }

    fn read(&mut self, offset: u32, buffer: &mut [u8]) -> Result<(), BlobError> {
        let start = offset as usize;
        let end = start
            .checked_add(buffer.len())
            .ok_or(BlobError::OutOfRange)?;
        buffer.copy_from_slice(self.get(start..end).ok_or(BlobError::OutOfRange)?);
        Ok(())
    }
}

impl<B: Blob + ?Sized> Blob for &mut B {
    fn len(&self) -> u32 {
        (**self).len()
    }

    fn read(&mut self, offset: u32, buffer: &mut [u8]) -> Result<(), BlobError> {
        (**self).read(offset, buffer)
    }
}

/// A range of another blob.
#[derive(Debug)]
pub struct Part<B> {
    blob: B,
    start: u32,
    len: u32,
}

impl<B: Blob> Part<B> {
    /// The range of `len` bytes from `start`.
    ///
    /// # Errors
    /// [`BlobError::OutOfRange`] when it is not inside the blob.
    pub fn new(blob: B, start: u32, len: u32) -> Result<Self, BlobError> {
        match start.checked_add(len) {
            Some(end) if end <= blob.len() => Ok(Self { blob, start, len }),
            _ => Err(BlobError::OutOfRange),
        }
    }
}

impl<B: Blob> Blob for Part<B> {
    fn len(&self) -> u32 {
        self.len
    }

    fn read(&mut self, offset: u32, buffer: &mut [u8]) -> Result<(), BlobError> {
        let len = u32::try_from(buffer.len()).map_err(|_| BlobError::OutOfRange)?;
        match offset.checked_add(len) {
            Some(end) if end <= self.len => self.blob.read(self.start + offset, buffer),
            _ => Err(BlobError::OutOfRange),
        }
    }
}
