// SPDX-License-Identifier: Apache-2.0
//! A bundle: manifest, config and module one after another, as an image lies in a file and in flash.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `ECI` and the version, 1 |
//! | 4 | 4 | length of the manifest, little endian |
//! | 8 | 4 | length of the config |
//! | 12 | 4 | length of the module |
//! | 16 | | manifest, config, module |
//!
//! The manifest is byte for byte what a registry has, so that its digest is the image's digest everywhere.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::{Blob, BlobError, Part};

/// The longest manifest in bytes.
pub const MAX_MANIFEST_BYTES: u32 = 4096;
/// The longest config in bytes.
pub const MAX_CONFIG_BYTES: u32 = 4096;
/// The longest module in bytes.
pub const MAX_LAYER_BYTES: u32 = 1024 * 1024;

const MAGIC: [u8; 4] = *b"ECI\x01";
const HEADER_BYTES: u32 = 16;

/// Why bytes are not a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// They do not begin as one.
    Magic,
    /// A part is empty or longer than allowed.
    PartLength,
    /// The parts are not as long as the whole.
    Length,
    /// They could not be read.
    Read(BlobError),
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "not an ECI bundle",
            Self::PartLength => "a part of the ECI bundle is empty or too long",
            Self::Length => "the ECI bundle is truncated or has bytes at its end",
            Self::Read(_) => "the ECI bundle could not be read",
        })
    }
}

impl core::error::Error for BundleError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            _ => None,
        }
    }
}

impl From<BlobError> for BundleError {
    fn from(error: BlobError) -> Self {
        Self::Read(error)
    }
}

/// A bundle whose lengths are within limits; nothing else of it has been checked.
#[derive(Debug)]
pub struct Bundle<B> {
    blob: B,
    manifest: u32,
    config: u32,
    layer: u32,
}

impl<B: Blob> Bundle<B> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is not a header or its lengths do not fit.
    pub fn open(mut blob: B) -> Result<Self, BundleError> {
        let mut header = [0; HEADER_BYTES as usize];
        if blob.len() < HEADER_BYTES {
            return Err(BundleError::Magic);
        }
        blob.read(0, &mut header)?;
        if header[..4] != MAGIC {
            return Err(BundleError::Magic);
        }
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let (manifest, config, layer) = (word(4), word(8), word(12));
        let fits = |length: u32, limit: u32| length > 0 && length <= limit;
        if !(fits(manifest, MAX_MANIFEST_BYTES)
            && fits(config, MAX_CONFIG_BYTES)
            && fits(layer, MAX_LAYER_BYTES))
        {
            return Err(BundleError::PartLength);
        }
        if HEADER_BYTES + manifest + config + layer != blob.len() {
            return Err(BundleError::Length);
        }
        Ok(Self {
            blob,
            manifest,
            config,
            layer,
        })
    }

    /// The manifest's bytes.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn manifest(&mut self) -> Result<Vec<u8>, BlobError> {
        self.bytes(HEADER_BYTES, self.manifest)
    }

    /// The config's bytes.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn config(&mut self) -> Result<Vec<u8>, BlobError> {
        self.bytes(HEADER_BYTES + self.manifest, self.config)
    }

    /// The module, to be read in pieces.
    ///
    /// # Errors
    /// Never for a bundle whose blob keeps its length.
    pub fn layer(&mut self) -> Result<Part<&mut B>, BlobError> {
        Part::new(
            &mut self.blob,
            HEADER_BYTES + self.manifest + self.config,
            self.layer,
        )
    }

    fn bytes(&mut self, offset: u32, len: u32) -> Result<Vec<u8>, BlobError> {
        let mut bytes = vec![0; len as usize];
        self.blob.read(offset, &mut bytes)?;
        Ok(bytes)
    }
}

impl Bundle<&[u8]> {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When a part is empty or too long.
    pub fn assemble(manifest: &[u8], config: &[u8], layer: &[u8]) -> Result<Vec<u8>, BundleError> {
        let mut bytes =
            Vec::with_capacity(HEADER_BYTES as usize + manifest.len() + config.len() + layer.len());
        bytes.extend(MAGIC);
        for (part, limit) in [
            (manifest, MAX_MANIFEST_BYTES),
            (config, MAX_CONFIG_BYTES),
            (layer, MAX_LAYER_BYTES),
        ] {
            let length = u32::try_from(part.len())
                .ok()
                .filter(|length| (1..=limit).contains(length));
            bytes.extend(length.ok_or(BundleError::PartLength)?.to_le_bytes());
        }
        bytes.extend_from_slice(manifest);
        bytes.extend_from_slice(config);
        bytes.extend_from_slice(layer);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        let bytes = Bundle::assemble(b"manifest", b"config", b"layer").unwrap();
        let mut bundle = Bundle::open(bytes.as_slice()).unwrap();
        assert_eq!(bundle.manifest().unwrap(), b"manifest");
        assert_eq!(bundle.config().unwrap(), b"config");
        let mut layer = bundle.layer().unwrap();
        let mut piece = [0; 3];
        layer.read(2, &mut piece).unwrap();
        assert_eq!((&piece, layer.len()), (b"yer", 5));
        assert_eq!(layer.read(3, &mut piece), Err(BlobError::OutOfRange));
        assert_eq!(layer.read(u32::MAX, &mut piece), Err(BlobError::OutOfRange));
    }

    #[test]
    fn refusals() {
        let good = Bundle::assemble(b"m", b"c", b"l").unwrap();
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        for (bytes, expected) in [
            (good[..15].to_vec(), BundleError::Magic),
            (with(0, b'X'), BundleError::Magic),
            (with(3, 2), BundleError::Magic),
            (with(4, 0), BundleError::PartLength),
            (with(7, 255), BundleError::PartLength),
            (with(15, 1), BundleError::PartLength),
            (with(4, 2), BundleError::Length),
            (good[..18].to_vec(), BundleError::Length),
            ([good.as_slice(), b"x"].concat(), BundleError::Length),
        ] {
            assert_eq!(
                Bundle::open(bytes.as_slice()).map(|_| ()),
                Err(expected),
                "{bytes:?}"
            );
        }
        assert_eq!(
            Bundle::assemble(b"", b"c", b"l"),
            Err(BundleError::PartLength)
        );
        assert_eq!(
            Bundle::assemble(b"m", &[0; 4097], b"l"),
            Err(BundleError::PartLength)
        );
    }
}
