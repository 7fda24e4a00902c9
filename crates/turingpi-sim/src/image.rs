// SPDX-License-Identifier: Apache-2.0
//! An image on its way to an eMMC: unpacked within a memory limit, counted, summed.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write};
use std::path::Path;

use liblzma::stream::Stream;
use liblzma::write::XzDecoder;

/// The memory that unpacking may take, as on a board with 128 MB.
const MEMORY: u64 = 50 << 20;
/// Bytes that are read back at once.
const PIECE: usize = 512 << 10;

/// Where the bytes end up.
struct Emmc {
    file: File,
    left: u64,
    written: u64,
    crc: crc32fast::Hasher,
}

impl Write for Emmc {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(std::io::Error::other(
                "No space left on device (os error 28)",
            ));
        }
        // what is nothing but zeros stays a hole: an image of gigabytes takes no more room than what is in it
        if bytes.iter().all(|b| *b == 0) {
            let forward = i64::try_from(bytes.len()).map_err(std::io::Error::other)?;
            self.file.seek_relative(forward)?;
        } else {
            self.file.write_all(bytes)?;
        }
        self.crc.update(bytes);
        self.left -= bytes.len() as u64;
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

enum Way {
    Plain(Emmc),
    Packed(Box<XzDecoder<Emmc>>),
}

/// A write under way.
pub(crate) struct Writer(Way);

impl Writer {
    /// Begins to write a file of at most `size` bytes; a name that ends in `.xz` says that it is packed.
    pub(crate) fn begin(to: &Path, size: u64, name: &str) -> std::io::Result<Self> {
        let file = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(to)?;
        let emmc = Emmc {
            file,
            left: size,
            written: 0,
            crc: crc32fast::Hasher::new(),
        };
        if !name.to_ascii_lowercase().ends_with(".xz") {
            return Ok(Self(Way::Plain(emmc)));
        }
        let stream = Stream::new_stream_decoder(MEMORY, 0).map_err(std::io::Error::other)?;
        Ok(Self(Way::Packed(Box::new(XzDecoder::new_stream(
            emmc, stream,
        )))))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.0 {
            Way::Plain(emmc) => emmc.write_all(bytes),
            Way::Packed(decoder) => decoder.write_all(bytes),
        }
    }

    /// Bytes that reached the eMMC.
    pub(crate) fn written(&self) -> u64 {
        match &self.0 {
            Way::Plain(emmc) => emmc.written,
            Way::Packed(decoder) => decoder.get_ref().written,
        }
    }

    /// The end of the image.
    pub(crate) fn finish(self) -> std::io::Result<ReadBack> {
        let mut emmc = match self.0 {
            Way::Plain(emmc) => emmc,
            Way::Packed(decoder) => decoder.finish()?,
        };
        emmc.file.set_len(emmc.written)?;
        emmc.file.rewind()?;
        Ok(ReadBack {
            file: emmc.file,
            expected: emmc.crc.finalize(),
            crc: crc32fast::Hasher::new(),
            read: 0,
        })
    }
}

/// What was written is read again.
pub(crate) struct ReadBack {
    file: File,
    expected: u32,
    crc: crc32fast::Hasher,
    pub(crate) read: u64,
}

impl ReadBack {
    /// Reads a piece; false at the end.
    pub(crate) fn step(&mut self) -> std::io::Result<bool> {
        let mut piece = vec![0; PIECE];
        let read = self.file.read(&mut piece)?;
        self.crc.update(&piece[..read]);
        self.read += read as u64;
        Ok(read > 0)
    }

    /// The sum of what was written, and of what was read.
    pub(crate) fn sums(self) -> (u32, u32) {
        (self.expected, self.crc.finalize())
    }
}
