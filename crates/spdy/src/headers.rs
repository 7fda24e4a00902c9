// SPDX-License-Identifier: Apache-2.0
//! Header blocks: names and values, deflated in one stream for all blocks of a connection, which begins with the dictionary.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::dictionary::{DICTIONARY, IDENTIFIER};
use crate::frames::Fault;

/// Bytes of a header block once it is inflated.
pub const LONGEST_BLOCK: usize = 4096;
/// How far back deflate may refer.
const WINDOW: usize = 32 * 1024;
/// A zlib header: deflate with a window of 32 KiB, and a dictionary.
const ZLIB: [u8; 2] = [0x78, 0xbb];

/// The headers of a stream. Names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of a header; empty if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value)
    }

    fn parse(block: &[u8]) -> Option<Self> {
        let (count, mut rest) = number(block)?;
        let mut text = || {
            let (length, after) = number(rest)?;
            let text = core::str::from_utf8(after.get(..length)?).ok()?;
            rest = &after[length..];
            Some(String::from(text))
        };
        let mut all = Vec::new();
        // As many as are there: each has eight bytes at least, and the block is bounded.
        for _ in 0..count {
            let name = text()?.to_ascii_lowercase();
            all.push((name, text()?));
        }
        rest.is_empty().then_some(Self(all))
    }
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (four, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_be_bytes(*four)).ok()?, rest))
}

/// Inflates the blocks of a connection, one after another.
#[derive(Default)]
pub(crate) struct Inflater {
    core: Box<DecompressorOxide>,
    /// What later blocks may refer to; empty before the first.
    window: Vec<u8>,
}

impl Inflater {
    /// The headers of the next block.
    pub(crate) fn block(&mut self, mut input: &[u8]) -> Result<Headers, Fault> {
        if self.window.is_empty() {
            let (head, rest) = input.split_first_chunk::<6>().ok_or(Fault::BadBlock)?;
            let [method, flags, identifier @ ..] = *head;
            let is_zlib = method & 0x0f == 8 && method >> 4 <= 7;
            let is_checked = u16::from_be_bytes([method, flags]).is_multiple_of(31);
            if !is_zlib || !is_checked || flags & 0x20 == 0 || identifier != IDENTIFIER {
                return Err(Fault::BadDictionary);
            }
            self.window.extend_from_slice(&DICTIONARY);
            input = rest;
        }
        let gone = self.window.len().saturating_sub(WINDOW);
        self.window.drain(..gone);
        let at = self.window.len();
        self.window.resize(at + LONGEST_BLOCK, 0);
        let (status, read, written) = decompress(
            &mut self.core,
            input,
            &mut self.window,
            at,
            TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
        );
        self.window.truncate(at + written);
        match status {
            TINFLStatus::NeedsMoreInput if read == input.len() => {}
            TINFLStatus::HasMoreOutput => return Err(Fault::TooLong),
            _ => return Err(Fault::BadBlock),
        }
        Headers::parse(&self.window[at..]).ok_or(Fault::BadBlock)
    }
}

#[cfg(test)]
impl Inflater {
    /// Bytes that are kept.
    pub(crate) fn kept(&self) -> usize {
        self.window.len()
    }
}

/// Writes the blocks of a connection: a zlib stream of stored blocks, for what is said in them is too short to be worth a compressor.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    has_begun: bool,
}

impl Stored {
    /// Writes a block of these headers, which have 65 535 bytes at most.
    pub(crate) fn block(&mut self, headers: &[(&str, &str)], out: &mut Vec<u8>) {
        if !core::mem::replace(&mut self.has_begun, true) {
            out.extend_from_slice(&ZLIB);
            out.extend_from_slice(&IDENTIFIER);
        }
        let mut block = Vec::new();
        put(headers.len(), &mut block);
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            put(text.len(), &mut block);
            block.extend_from_slice(text.as_bytes());
        }
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        block.truncate(length.into());
        // Not the last block, and stored.
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.append(&mut block);
        // An empty one: only then do readers hand over what they have.
        out.extend_from_slice(&[0, 0, 0, 0xff, 0xff]);
    }
}

fn put(number: usize, out: &mut Vec<u8>) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    out.extend_from_slice(&number.to_be_bytes());
}
