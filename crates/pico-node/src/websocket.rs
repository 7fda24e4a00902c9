// SPDX-License-Identifier: Apache-2.0
//! WebSocket as a server speaks it (RFC 6455, version 13): the key that accepts a client, frames in, frames out.
//!
//! Messages may be of any length and come in any pieces: what comes is handed over and not kept, but for control frames, which
//! have 125 bytes at most. No extensions.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use sha1::{Digest as _, Sha1};

/// The longest frame that is taken, in bytes.
const LONGEST: u64 = 1 << 20;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a client asks for with `Connection: Upgrade`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upgrade {
    /// The protocol: `websocket`, or another one.
    pub protocol: String,
    /// `Sec-WebSocket-Key`.
    pub key: String,
    /// `Sec-WebSocket-Version`.
    pub version: String,
    /// `Sec-WebSocket-Protocol`, or `X-Stream-Protocol-Version`: the subprotocols that the client speaks, the one it likes best
    /// first.
    pub offered: String,
}

impl Upgrade {
    /// Whether the client would speak this version of WebSocket.
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        let is_it = self.protocol.eq_ignore_ascii_case("websocket");
        is_it && self.version == "13" && !self.key.is_empty()
    }

    /// The headers with which a client is told that WebSocket begins, with this subprotocol.
    #[must_use]
    pub fn head(&self, subprotocol: &str) -> String {
        format!(
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n",
            accept(&self.key)
        )
    }

    /// Whether the client would speak SPDY/3.1, as Kubernetes did before WebSocket.
    #[must_use]
    pub fn is_spdy(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("SPDY/3.1")
    }

    /// The first of `known` that the client speaks, in the order of `known`.
    #[must_use]
    pub fn choose<'a>(&self, known: &[&'a str]) -> Option<&'a str> {
        let offers = |name: &str| self.offered.split(',').any(|one| one.trim() == name);
        known.iter().copied().find(|name| offers(name))
    }
}

/// What is answered to a client's key, so that it knows that it is understood.
#[must_use]
pub fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64(&hash.finalize())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let byte = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            out.push(if n <= three.len() {
                char::from(DIGITS[(bits >> (18 - 6 * n) & 63) as usize])
            } else {
                '='
            });
        }
    }
    out
}

/// Why a client cannot be understood any more; it is told with the code, and the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A frame of a client is not masked.
    Unmasked,
    /// A bit that is reserved is set, or an opcode that is.
    Reserved,
    /// A control frame is longer than 125 bytes or comes in pieces.
    BadControl,
    /// A piece of a message that has not begun, or a message within another one.
    OutOfOrder,
    /// A length that is longer than it need be, or none.
    BadLength,
    /// A frame of more than 1 MiB.
    TooLong,
}

impl Fault {
    /// The code of the close frame that tells of it.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::TooLong => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmasked => "a frame of a client must be masked",
            Self::Reserved => "a reserved bit or opcode is in use",
            Self::BadControl => "a control frame is too long or comes in pieces",
            Self::OutOfOrder => "the pieces of a message are out of order",
            Self::BadLength => "the length of a frame is malformed",
            Self::TooLong => "a frame is longer than 1 MiB",
        })
    }
}

impl core::error::Error for Fault {}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A piece of a message, never empty.
    Data {
        /// Its bytes.
        bytes: &'a [u8],
        /// Whether the message begins with it.
        starts: bool,
    },
    /// A ping: it is to be answered with a pong that has the same bytes.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The client closes, with this code.
    Close(Option<u16>),
}

/// Takes frames of a client apart, in whatever pieces they come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frames {
    head: [u8; 14],
    have: usize,
    is_in_payload: bool,
    left: u64,
    mask: [u8; 4],
    masked: usize,
    control: Vec<u8>,
    /// Whether a message has begun and not ended.
    is_within: bool,
    starts: bool,
}

impl Frames {
    /// Reads on until something has come. Says how many bytes were used: the rest is to be given again. Masked bytes are unmasked
    /// where they are.
    ///
    /// # Errors
    /// When this is no WebSocket, or exceeds a limit.
    pub fn push<'a>(&mut self, input: &'a mut [u8]) -> Result<(usize, Option<Event<'a>>), Fault> {
        let mut at = 0;
        loop {
            if !self.is_in_payload {
                while self.have < self.head_length() {
                    let Some(byte) = input.get(at) else {
                        return Ok((at, None));
                    };
                    self.head[self.have] = *byte;
                    self.have += 1;
                    at += 1;
                    if self.have == 2 {
                        self.check()?;
                    }
                }
                self.begin()?;
            }
            let n = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(input.len() - at);
            for byte in &mut input[at..at + n] {
                *byte ^= self.mask[self.masked % 4];
                self.masked += 1;
            }
            self.left -= n as u64;
            let is_whole = self.left == 0;
            if is_whole {
                (self.is_in_payload, self.have) = (false, 0);
            }
            if self.opcode() >= CLOSE {
                self.control.extend_from_slice(&input[at..at + n]);
                return Ok((at + n, is_whole.then(|| self.controlled())));
            }
            if is_whole && self.head[0] & 0x80 != 0 {
                self.is_within = false;
            }
            if n > 0 {
                let starts = core::mem::replace(&mut self.starts, false);
                let bytes = &input[at..at + n];
                return Ok((at + n, Some(Event::Data { bytes, starts })));
            }
            if !is_whole {
                return Ok((at, None));
            }
        }
    }

    fn opcode(&self) -> u8 {
        self.head[0] & 0x0f
    }

    /// Bytes of the head, as far as it is known; the mask is its end.
    fn head_length(&self) -> usize {
        match (self.have, self.head[1] & 0x7f) {
            (0 | 1, _) => 2,
            (_, 126) => 8,
            (_, 127) => 14,
            _ => 6,
        }
    }

    /// Looks at the first two bytes of a head.
    fn check(&self) -> Result<(), Fault> {
        let is_last = self.head[0] & 0x80 != 0;
        if self.head[0] & 0x70 != 0 {
            return Err(Fault::Reserved);
        }
        if self.head[1] & 0x80 == 0 {
            return Err(Fault::Unmasked);
        }
        match self.opcode() {
            CONTINUATION if !self.is_within => Err(Fault::OutOfOrder),
            TEXT | BINARY if self.is_within => Err(Fault::OutOfOrder),
            CLOSE | PING | PONG if !is_last || self.head[1] & 0x7f > 125 => Err(Fault::BadControl),
            CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG => Ok(()),
            _ => Err(Fault::Reserved),
        }
    }

    /// The head is whole: what comes now is payload.
    fn begin(&mut self) -> Result<(), Fault> {
        let (length, mask) = self.head[2..self.have].split_at(self.have - 6);
        let said = length.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        self.left = match length.len() {
            0 => u64::from(self.head[1] & 0x7f),
            2 if said < 126 => return Err(Fault::BadLength),
            8 if said < 65_536 || said >> 63 != 0 => return Err(Fault::BadLength),
            _ => said,
        };
        if self.left > LONGEST {
            return Err(Fault::TooLong);
        }
        self.mask.copy_from_slice(mask);
        (self.masked, self.is_in_payload) = (0, true);
        match self.opcode() {
            TEXT | BINARY => (self.is_within, self.starts) = (true, true),
            CONTINUATION => {}
            _ => self.control.clear(),
        }
        Ok(())
    }

    fn controlled<'a>(&mut self) -> Event<'a> {
        match self.opcode() {
            PING => Event::Ping(core::mem::take(&mut self.control)),
            PONG => Event::Pong,
            _ => Event::Close(match self.control.as_slice() {
                [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            }),
        }
    }
}

/// Writes a binary message.
pub fn message(parts: &[&[u8]], out: &mut Vec<u8>) {
    frame(BINARY, parts, out);
}

/// Writes a ping.
pub fn ping(out: &mut Vec<u8>) {
    frame(PING, &[], out);
}

/// Writes a pong.
pub fn pong(bytes: &[u8], out: &mut Vec<u8>) {
    frame(PONG, &[bytes], out);
}

/// Writes a close frame: two bytes of a code and a reason in ASCII, of which 123 bytes fit.
pub fn close(reason: &[u8], out: &mut Vec<u8>) {
    frame(CLOSE, &[&reason[..reason.len().min(125)]], out);
}

fn frame(opcode: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(short),
        (_, Ok(medium)) => {
            out.push(126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn the_key_of_the_rfc() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(
            (base64(b""), base64(b"a"), base64(b"ab")),
            ("".into(), "YQ==".into(), "YWI=".into())
        );
    }

    #[test]
    fn the_subprotocol_is_the_servers_choice() {
        let upgrade = |offered: &str| Upgrade {
            offered: offered.into(),
            ..Upgrade::default()
        };
        let known = ["v5", "v4"];
        assert_eq!(upgrade("v4, v5").choose(&known), Some("v5"));
        assert_eq!(upgrade("v3,v4").choose(&known), Some("v4"));
        assert_eq!(upgrade("v").choose(&known), None);
    }

    /// A frame of a client with the mask 1, 2, 3, 4.
    fn client(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frame(0, &[payload], &mut out);
        let head = out.len() - payload.len();
        out[0] = first;
        out[1] |= 0x80;
        let masked = payload
            .iter()
            .enumerate()
            .map(|(n, b)| b ^ [1, 2, 3, 4][n % 4]);
        let masked: Vec<u8> = masked.collect();
        out.truncate(head);
        out.extend_from_slice(&[1, 2, 3, 4]);
        out.extend_from_slice(&masked);
        out
    }

    /// What comes of bytes, with the pieces of messages put together; the same in whatever pieces they come.
    fn check(input: &[u8], expected: &str) {
        for size in [1, 2, 5, input.len().max(1)] {
            let mut frames = Frames::default();
            let mut said = String::new();
            'all: for piece in input.chunks(size) {
                let mut piece = piece.to_vec();
                let mut at = 0;
                while at < piece.len() {
                    match frames.push(&mut piece[at..]) {
                        Ok((used, event)) => {
                            at += used;
                            match event {
                                Some(Event::Data { bytes, starts }) => {
                                    said.push_str(if starts { " " } else { "" });
                                    said.push_str(&String::from_utf8_lossy(bytes));
                                }
                                Some(other) => said.push_str(&format!(" {other:?}")),
                                None => {}
                            }
                        }
                        Err(fault) => {
                            said.push_str(&format!(" {fault:?}"));
                            break 'all;
                        }
                    }
                }
            }
            assert_eq!(said.trim(), expected, "in pieces of {size}: {input:?}");
        }
    }

    #[test]
    fn messages_in_any_pieces() {
        check(&client(0x82, b"hello"), "hello");
        check(&[client(0x81, b"a"), client(0x82, b"b")].concat(), "a b");
        // In pieces, with a ping between them and an empty piece at the end.
        let pieces = [
            client(0x02, b"he"),
            client(0x89, b"?"),
            client(0x00, b"l"),
            client(0x00, b"lo"),
            client(0x80, b""),
            client(0x82, b"x"),
        ];
        check(&pieces.concat(), "he Ping([63])llo x");
        check(&client(0x82, &[b'x'; 300]), &"x".repeat(300));
        check(&client(0x82, &vec![b'x'; 70_000]), &"x".repeat(70_000));
        check(&client(0x82, b""), "");
        check(&client(0x8a, b"abc"), "Pong");
        check(&client(0x88, b""), "Close(None)");
        check(&client(0x88, b"\x03\xe8bye"), "Close(Some(1000))");
    }

    #[test]
    fn what_no_client_may_say() {
        check(&[0x82, 5, b'h'], "Unmasked");
        check(&client(0xc2, b"x"), "Reserved");
        check(&client(0x83, b"x"), "Reserved");
        check(&client(0x8b, b"x"), "Reserved");
        check(&client(0x80, b"x"), "OutOfOrder");
        check(
            &[client(0x02, b"a"), client(0x82, b"b")].concat(),
            "a OutOfOrder",
        );
        check(&client(0x09, b""), "BadControl");
        check(&client(0x89, &[0; 126]), "BadControl");
        check(&[0x82, 0xfe, 0, 5, 1, 2, 3, 4], "BadLength");
        check(
            &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4],
            "BadLength",
        );
        check(
            &[0x82, 0xff, 128, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4],
            "BadLength",
        );
        check(
            &[0x82, 0xff, 0, 0, 0, 0, 0, 16, 0, 1, 1, 2, 3, 4],
            "TooLong",
        );
    }

    #[test]
    fn frames_of_the_server() {
        for (length, head) in [
            (5, &[0x82, 5][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            message(&[&[1], &vec![0; length - 1]], &mut out);
            assert_eq!(&out[..head.len()], head);
            assert_eq!(out.len(), head.len() + length);
        }
        let mut out = Vec::new();
        close(&[&[3, 0xea][..], &[b'x'; 200]].concat(), &mut out);
        assert_eq!((out.len(), &out[..4]), (2 + 125, &[0x88, 125, 3, 0xea][..]));
    }

    /// What comes of bytes that are given in pieces of these sizes, as text.
    fn outcome(input: &[u8], sizes: &[usize]) -> String {
        let mut frames = Frames::default();
        let mut said = String::new();
        let mut rest = input;
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let n = sizes.next().map_or(1, |n| *n).clamp(1, rest.len());
            let (piece, after) = rest.split_at(n);
            rest = after;
            let mut piece = piece.to_vec();
            let mut at = 0;
            while at < piece.len() {
                match frames.push(&mut piece[at..]) {
                    Ok((used, event)) => {
                        at += used;
                        match event {
                            Some(Event::Data { bytes, starts }) => {
                                said.push_str(if starts { " start " } else { "" });
                                said.extend(bytes.iter().map(|b| char::from(*b)));
                            }
                            Some(other) => said.push_str(&format!(" {other:?} ")),
                            None => assert_eq!(at, piece.len(), "all is used"),
                        }
                    }
                    Err(fault) => return format!("{said} {fault:?}"),
                }
            }
        }
        said
    }

    proptest::proptest! {
        /// Nothing panics, and the pieces in which bytes come make no difference.
        #[test]
        fn any_bytes_in_any_pieces(
            heads in proptest::collection::vec((0u8..=255, 0u8..=255, proptest::collection::vec(0u8..=255, 0..12)), 0..6),
            sizes in proptest::collection::vec(1usize..9, 1..4),
        ) {
            let mut input = Vec::new();
            for (first, second, rest) in heads {
                input.extend_from_slice(&[first & 0x8f, second | 0x80]);
                input.extend_from_slice(&rest);
            }
            proptest::prop_assert_eq!(outcome(&input, &sizes), outcome(&input, &[usize::MAX]));
        }
    }
}
