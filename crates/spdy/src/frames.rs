// SPDX-License-Identifier: Apache-2.0
//! Frames of a peer, taken apart in whatever pieces they come.

use alloc::vec::Vec;
use core::fmt;

use crate::headers::{Headers, Inflater};
use crate::{FIN, GOAWAY, HEADERS, PING, RST_STREAM, SYN_REPLY, SYN_STREAM, VERSION};

/// Bytes of a control frame after its head.
pub const LONGEST_CONTROL: usize = 4096;

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The peer opens a stream.
    Opened {
        /// Its number.
        stream: u32,
        /// What it is for.
        headers: Headers,
        /// The peer says nothing on it.
        ends: bool,
    },
    /// The peer has taken a stream of ours.
    Replied {
        /// Its number.
        stream: u32,
        /// The peer says nothing on it.
        ends: bool,
    },
    /// A piece of what the peer says on a stream; empty only where that ends.
    Data {
        /// The stream's number; whether there is one is for the caller to know.
        stream: u32,
        /// What it says.
        bytes: &'a [u8],
        /// It says no more.
        ends: bool,
    },
    /// The peer gives a stream up.
    Reset {
        /// Its number.
        stream: u32,
    },
    /// The peer asks whether we are there, or answers a ping of ours.
    Ping(u32),
    /// The peer takes no more streams: it ends the connection, as those do that speak this today.
    GoAway,
}

/// Why a peer cannot be understood any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A control frame of another version: this is no SPDY/3.1.
    BadVersion,
    /// A control frame is too short for what it is.
    TooShort,
    /// A control frame or a header block exceeds its limit.
    TooLong,
    /// The first header block does not begin a zlib stream with the dictionary of SPDY/3.
    BadDictionary,
    /// A header block is malformed.
    BadBlock,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadVersion => "this is no SPDY/3.1",
            Self::TooShort => "a control frame is too short",
            Self::TooLong => "a control frame or a header block is longer than 4 KiB",
            Self::BadDictionary => "the headers do not begin with the dictionary of SPDY/3",
            Self::BadBlock => "a header block is malformed",
        })
    }
}

impl core::error::Error for Fault {}

/// Takes frames apart.
pub struct Frames {
    head: [u8; 8],
    have: usize,
    /// Bytes of the frame that are still to come.
    left: usize,
    control: Vec<u8>,
    /// Of a client there is none: it reads no headers.
    inflater: Option<Inflater>,
}

impl Frames {
    /// Those that come to a server.
    #[must_use]
    pub fn of_client() -> Self {
        Self {
            inflater: Some(Inflater::default()),
            ..Self::of_server()
        }
    }

    /// Those that come to a client; what headers a server sends is not looked at.
    #[must_use]
    pub fn of_server() -> Self {
        Self {
            head: [0; 8],
            have: 0,
            left: 0,
            control: Vec::new(),
            inflater: None,
        }
    }

    /// Reads on until something has come. Says how many bytes were used: the rest is to be given again.
    ///
    /// # Errors
    /// When this is no SPDY/3.1, or exceeds a limit. Nothing can be understood after that.
    pub fn push<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), Fault> {
        let mut at = 0;
        loop {
            while self.have < self.head.len() {
                let Some(byte) = input.get(at) else {
                    return Ok((at, None));
                };
                self.head[self.have] = *byte;
                self.have += 1;
                at += 1;
                if self.have == self.head.len() {
                    self.begin()?;
                }
            }
            let n = self.left.min(input.len() - at);
            let bytes = &input[at..at + n];
            at += n;
            self.left -= n;
            let is_whole = self.left == 0;
            if is_whole {
                self.have = 0;
            }
            if self.head[0] & 0x80 == 0 {
                let ends = is_whole && self.head[4] & FIN != 0;
                if n > 0 || ends {
                    let stream = number(&self.head);
                    return Ok((
                        at,
                        Some(Event::Data {
                            stream,
                            bytes,
                            ends,
                        }),
                    ));
                }
            } else {
                self.control.extend_from_slice(bytes);
                if is_whole {
                    let event = self.controlled();
                    self.control.clear();
                    if let Some(event) = event? {
                        return Ok((at, Some(event)));
                    }
                }
            }
            if !is_whole {
                return Ok((at, None));
            }
        }
    }

    /// The head of a frame is whole.
    fn begin(&mut self) -> Result<(), Fault> {
        let [first, second, .., high, middle, low] = self.head;
        self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if first & 0x80 == 0 {
            return Ok(());
        }
        if u16::from_be_bytes([first & 0x7f, second]) != VERSION {
            return Err(Fault::BadVersion);
        }
        if self.left > LONGEST_CONTROL {
            return Err(Fault::TooLong);
        }
        Ok(())
    }

    /// What a control frame says; nothing of those that do not matter here, such as `SETTINGS` and `WINDOW_UPDATE`.
    fn controlled(&mut self) -> Result<Option<Event<'static>>, Fault> {
        let kind = u16::from_be_bytes([self.head[2], self.head[3]]);
        let ends = self.head[4] & FIN != 0;
        let before_block = match kind {
            SYN_STREAM => 10,
            SYN_REPLY | HEADERS | PING => 4,
            RST_STREAM | GOAWAY => 8,
            _ => return Ok(None),
        };
        let (fields, block) = self
            .control
            .split_at_checked(before_block)
            .ok_or(Fault::TooShort)?;
        let stream = number(fields);
        let headers = match (&mut self.inflater, kind) {
            // All blocks are one stream: what is not wanted is inflated, too.
            (Some(inflater), SYN_STREAM | SYN_REPLY | HEADERS) => inflater.block(block)?,
            _ => Headers::default(),
        };
        Ok(match kind {
            SYN_STREAM => Some(Event::Opened {
                stream,
                headers,
                ends,
            }),
            SYN_REPLY => Some(Event::Replied { stream, ends }),
            RST_STREAM => Some(Event::Reset { stream }),
            PING => Some(Event::Ping(whole(fields))),
            GOAWAY => Some(Event::GoAway),
            _ => None,
        })
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frames({} of the next one's head)", self.have)
    }
}

fn whole(bytes: &[u8]) -> u32 {
    let first = bytes.first_chunk().copied().unwrap_or_default();
    u32::from_be_bytes(first)
}

/// The number of a stream, of 31 bits.
fn number(bytes: &[u8]) -> u32 {
    whole(bytes) & 0x7fff_ffff
}

#[cfg(test)]
mod tests;
