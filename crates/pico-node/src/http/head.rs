// SPDX-License-Identifier: Apache-2.0
//! The lines at the start of a message, one at a time and within a limit, and how they say where the body ends.

use alloc::vec::Vec;
use core::fmt;

/// Bytes of one line of a head or a chunk's size.
pub(crate) const LINE: usize = 2048;
/// Bytes of all lines of a head, or of all trailers.
pub(crate) const HEAD: usize = 8192;

/// Why a message cannot be understood; the connection is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// A line or the whole head is longer than 2 048 or 8 192 bytes.
    HeadTooLarge,
    /// The first line is not that of HTTP/1.0 or 1.1.
    NotHttp,
    /// A header without a colon, or a name with a space in it.
    BadHeader,
    /// The length is no number, or two lengths differ, or there are a length and chunks.
    BadLength,
    /// A transfer coding other than `chunked`.
    UnknownCoding,
    /// A chunk's size is no hexadecimal number below 2^32, or the chunk does not end where it should.
    BadChunk,
    /// The body of a request is larger than is accepted.
    BodyTooLarge,
    /// The peer closed within a message.
    Cut,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadTooLarge => "the HTTP head is too large",
            Self::NotHttp => "the peer does not speak HTTP/1.1",
            Self::BadHeader => "an HTTP header is malformed",
            Self::BadLength => "the HTTP message has no clear length",
            Self::UnknownCoding => "the HTTP transfer coding is unknown",
            Self::BadChunk => "an HTTP chunk is malformed",
            Self::BodyTooLarge => "the body of the HTTP request is too large",
            Self::Cut => "the connection was closed within an HTTP message",
        })
    }
}

impl core::error::Error for Error {}

/// Collects lines that come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    total: usize,
}

impl Lines {
    /// Takes bytes up to the end of a line. Says how many, and whether the line is complete; it is then in [`Self::line`].
    pub(crate) fn push(&mut self, input: &[u8]) -> Result<(usize, bool), Error> {
        let end = input.iter().position(|b| *b == b'\n');
        let used = end.map_or(input.len(), |n| n + 1);
        self.total += used;
        if self.line.len() + used > LINE || self.total > HEAD {
            return Err(Error::HeadTooLarge);
        }
        self.line.extend_from_slice(&input[..used]);
        Ok((used, end.is_some()))
    }

    /// The line without its end.
    pub(crate) fn line(&self) -> &[u8] {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// Makes room for the next line.
    pub(crate) fn next(&mut self) {
        self.line.clear();
    }

    /// Forgets everything: another head follows.
    pub(crate) fn restart(&mut self) {
        self.line = Vec::new();
        self.total = 0;
    }

    /// Whether nothing of a head has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }
}

/// Name and value of a header line.
pub(crate) fn header(line: &[u8]) -> Result<(&str, &str), Error> {
    let line = core::str::from_utf8(line).unwrap_or_default();
    let (name, value) = line.split_once(':').ok_or(Error::BadHeader)?;
    if name.is_empty() || name.contains([' ', '\t']) {
        return Err(Error::BadHeader);
    }
    Ok((name, value.trim_matches([' ', '\t'])))
}

/// What the headers say about the body.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Framing {
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
}

impl Framing {
    /// Takes notice of a header.
    pub(crate) fn header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if name.eq_ignore_ascii_case("content-length") {
            // `5, 5` is what a proxy makes of two equal headers.
            for one in value.split(',').map(str::trim) {
                let digits = !one.is_empty() && one.bytes().all(|b| b.is_ascii_digit());
                let length = one
                    .parse()
                    .ok()
                    .filter(|_| digits)
                    .ok_or(Error::BadLength)?;
                if self.length.is_some_and(|before| before != length) {
                    return Err(Error::BadLength);
                }
                self.length = Some(length);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") || self.chunked {
                return Err(Error::UnknownCoding);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            for one in value.split(',').map(str::trim) {
                self.close |= one.eq_ignore_ascii_case("close");
                self.keep_alive |= one.eq_ignore_ascii_case("keep-alive");
                self.upgrade |= one.eq_ignore_ascii_case("upgrade");
            }
        }
        if self.chunked && self.length.is_some() {
            return Err(Error::BadLength);
        }
        Ok(())
    }
}

/// A chunk's size from its line; what stands after `;` is of no interest.
pub(crate) fn chunk_size(line: &[u8]) -> Result<u64, Error> {
    let text = core::str::from_utf8(line).map_err(|_| Error::BadChunk)?;
    let size = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim_matches([' ', '\t']);
    if size.is_empty() || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::BadChunk);
    }
    u32::from_str_radix(size, 16)
        .map(u64::from)
        .map_err(|_| Error::BadChunk)
}
