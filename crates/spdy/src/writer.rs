// SPDX-License-Identifier: Apache-2.0
//! Frames for a peer.

use alloc::vec::Vec;

use crate::headers::Stored;
use crate::{FIN, GOAWAY, PING, RST_STREAM, SYN_REPLY, SYN_STREAM, VERSION};

/// Writes frames of one connection; they must be sent in the order in which they were written.
#[derive(Debug, Default)]
pub struct Writer {
    blocks: Stored,
}

impl Writer {
    /// Opens a stream. Numbers of a client's streams are odd, and each is larger than the one before.
    pub fn open(&mut self, stream: u32, headers: &[(&str, &str)], out: &mut Vec<u8>) {
        let at = begin(SYN_STREAM, 0, out);
        number(stream, out);
        // It belongs to no other stream, and has no priority and no slot.
        out.extend_from_slice(&[0; 6]);
        self.blocks.block(headers, out);
        end(at, out);
    }

    /// Takes a stream that the peer has opened.
    pub fn reply(&mut self, stream: u32, out: &mut Vec<u8>) {
        let at = begin(SYN_REPLY, 0, out);
        number(stream, out);
        self.blocks.block(&[], out);
        end(at, out);
    }

    /// Says something on a stream, up to 16 MiB; with `ends` nothing more is said on it.
    pub fn data(&self, stream: u32, bytes: &[u8], ends: bool, out: &mut Vec<u8>) {
        number(stream, out);
        let length = out.len();
        number(u32::try_from(bytes.len()).unwrap_or(u32::MAX), out);
        out[length] = if ends { FIN } else { 0 };
        out.extend_from_slice(bytes);
    }

    /// Gives a stream up.
    pub fn reset(&self, stream: u32, status: u32, out: &mut Vec<u8>) {
        let at = begin(RST_STREAM, 0, out);
        number(stream, out);
        number(status, out);
        end(at, out);
    }

    /// Asks whether the peer is there, or answers it with its own number. Numbers of a client are odd.
    pub fn ping(&self, id: u32, out: &mut Vec<u8>) {
        let at = begin(PING, 0, out);
        number(id, out);
        end(at, out);
    }

    /// Takes no more streams after the one that is named. A status of 0 is an orderly end, 1 one for a fault of the peer.
    pub fn go_away(&self, last_stream: u32, status: u32, out: &mut Vec<u8>) {
        let at = begin(GOAWAY, 0, out);
        number(last_stream, out);
        number(status, out);
        end(at, out);
    }
}

fn number(number: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn begin(kind: u16, flags: u8, out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&(0x8000 | VERSION).to_be_bytes());
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[flags, 0, 0, 0]);
    out.len()
}

/// Control frames of ours are shorter than 16 MiB by far.
fn end(at: usize, out: &mut [u8]) {
    let length = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    out[at - 3..at].copy_from_slice(&length.to_be_bytes()[1..]);
}
