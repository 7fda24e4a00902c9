// SPDX-License-Identifier: Apache-2.0
//! How a session's streams go over a connection: as channels of a WebSocket, or as streams of SPDY.

#[cfg(feature = "spdy")]
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::channels::Channels;
#[cfg(feature = "spdy")]
use super::multiplexed::Multiplexed;
use crate::time::Ms;

pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;
pub(super) const ERROR: u8 = 3;

/// What a peer says.
#[derive(Debug)]
pub(super) enum Heard<'a> {
    /// Input for the command, and whether it is the last.
    Input { bytes: &'a [u8], ends: bool },
    /// The peer closes the connection.
    Closed,
}

/// Why a peer is not listened to any more: the code that WebSocket has for it, and in words.
pub(super) type Complaint = (u16, String);

#[derive(Debug)]
pub(super) enum Wire {
    WebSocket(Channels),
    #[cfg(feature = "spdy")]
    Spdy(Box<Multiplexed>),
}

impl Wire {
    /// Reads on until something has come. Says how many bytes were used: the rest is to be given again.
    pub(super) fn push<'a>(
        &mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<Heard<'a>>), Complaint> {
        match self {
            Self::WebSocket(channels) => channels.push(input),
            #[cfg(feature = "spdy")]
            Self::Spdy(streams) => streams.push(input),
        }
    }

    /// Until when the peer is to have opened its streams; `None` once they are there.
    pub(super) fn opens_by(&self) -> Option<Ms> {
        match self {
            Self::WebSocket(_) => None,
            #[cfg(feature = "spdy")]
            Self::Spdy(streams) => streams.opens_by(),
        }
    }

    /// What the protocol itself has to answer, before anything else is said.
    pub(super) fn replies(&mut self) -> &mut Vec<u8> {
        match self {
            Self::WebSocket(channels) => &mut channels.replies,
            #[cfg(feature = "spdy")]
            Self::Spdy(streams) => &mut streams.replies,
        }
    }

    /// Says something on a stream.
    pub(super) fn say(&mut self, stream: u8, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::WebSocket(channels) => channels.say(stream, bytes, out),
            #[cfg(feature = "spdy")]
            Self::Spdy(streams) => streams.say(stream, bytes, out),
        }
    }

    /// Says that the session ends, with this `Status`.
    pub(super) fn end(&mut self, status: &str, out: &mut Vec<u8>) {
        match self {
            Self::WebSocket(channels) => channels.end(status, out),
            #[cfg(feature = "spdy")]
            Self::Spdy(streams) => streams.end(status, out),
        }
    }

    /// Says that the peer is not listened to any more, and why as far as it can be said.
    pub(super) fn complain(&mut self, (code, why): &Complaint) {
        match self {
            Self::WebSocket(channels) => channels.close(*code, why),
            #[cfg(feature = "spdy")]
            Self::Spdy(streams) => streams.complain(),
        }
    }

    /// Asks whether the peer is still there.
    pub(super) fn ping(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::WebSocket(_) => crate::websocket::ping(out),
            #[cfg(feature = "spdy")]
            Self::Spdy(streams) => streams.ping(out),
        }
    }
}
