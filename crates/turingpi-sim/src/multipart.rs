// SPDX-License-Identifier: Apache-2.0
//! The one part of an upload's form, out of the stream in which it comes.

use bytes::{Bytes, BytesMut};

/// The longest head of the part, in bytes.
const MAX_HEAD: usize = 16 << 10;

enum At {
    Head,
    Inside,
    End,
}

/// A part under way.
pub(crate) struct Part {
    end: Vec<u8>,
    buffer: BytesMut,
    at: At,
}

/// A form that is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Part {
    /// The first part of a form with this boundary.
    pub(crate) fn new(boundary: &str) -> Self {
        Self {
            end: format!("\r\n--{boundary}").into_bytes(),
            buffer: BytesMut::new(),
            at: At::Head,
        }
    }

    /// Takes what has arrived; gives what is known to be the part's own.
    pub(crate) fn feed(&mut self, data: &[u8]) -> Result<Bytes, Malformed> {
        if matches!(self.at, At::End) {
            return Ok(Bytes::new());
        }
        self.buffer.extend_from_slice(data);
        if matches!(self.at, At::Head) {
            match memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                Some(at) => {
                    let _ = self.buffer.split_to(at + 4);
                    self.at = At::Inside;
                }
                None if self.buffer.len() > MAX_HEAD => return Err(Malformed),
                None => return Ok(Bytes::new()),
            }
        }
        let ready = match memchr::memmem::find(&self.buffer, &self.end) {
            Some(at) => {
                self.at = At::End;
                at
            }
            // the end may be cut in two
            None => self.buffer.len().saturating_sub(self.end.len()),
        };
        Ok(self.buffer.split_to(ready).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_in_pieces_of_any_size() {
        let form = b"--b\r\nContent-Disposition: form-data\r\n\r\nan image\r\n-- and more\r\n--b--\r\nafter it";
        for size in 1..form.len() {
            let mut part = Part::new("b");
            let mut got = Vec::new();
            for piece in form.chunks(size) {
                got.extend_from_slice(&part.feed(piece).unwrap());
            }
            assert_eq!(got, b"an image\r\n-- and more", "{size}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_refused() {
        let mut part = Part::new("b");
        let mut taken = 0;
        while part.feed(&[b'x'; 1000]).is_ok() {
            taken += 1000;
            assert!(taken <= MAX_HEAD, "{taken}");
        }
    }
}
