// SPDX-License-Identifier: Apache-2.0
//! A session over WebSocket: the channels of Kubernetes' `v5.channel.k8s.io` and `v4.channel.k8s.io` (KEP-4006). The first byte of
//! each message is the channel.

use alloc::format;
use alloc::vec::Vec;

use super::wire::{Complaint, ERROR, Heard, STDIN};
use crate::websocket::{self, Event, Frames};

/// Of `v5` alone: the peer says no more on the channel that is named.
const CLOSE: u8 = 255;

#[derive(Debug, Default)]
pub(super) struct Channels {
    frames: Frames,
    channel: u8,
    is_v5: bool,
    /// Whether the end was said.
    is_closed: bool,
    pub(super) replies: Vec<u8>,
}

impl Channels {
    pub(super) fn new(is_v5: bool) -> Self {
        Self {
            is_v5,
            ..Self::default()
        }
    }

    pub(super) fn push<'a>(
        &mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<Heard<'a>>), Complaint> {
        let (used, event) = self
            .frames
            .push(input)
            .map_err(|fault| (fault.code(), format!("{fault}")))?;
        Ok((used, event.and_then(|event| self.event(event))))
    }

    fn event<'a>(&mut self, event: Event<'a>) -> Option<Heard<'a>> {
        match event {
            Event::Data { bytes, starts } => {
                let bytes = match bytes {
                    [channel, rest @ ..] if starts => {
                        self.channel = *channel;
                        rest
                    }
                    bytes => bytes,
                };
                match self.channel {
                    STDIN => Some(Heard::Input { bytes, ends: false }),
                    CLOSE if self.is_v5 && bytes.contains(&STDIN) => Some(Heard::Input {
                        bytes: &[],
                        ends: true,
                    }),
                    // The size of the terminal does not matter, and other channels are ours.
                    _ => None,
                }
            }
            Event::Ping(bytes) => {
                // Of several that came at once the last one is answered, as the protocol has it.
                if !self.is_closed {
                    self.replies.clear();
                    websocket::pong(&bytes, &mut self.replies);
                }
                None
            }
            Event::Pong => None,
            Event::Close(code) => {
                if !self.is_closed {
                    // It is answered with its own code; 1005 stands for none and is never sent.
                    self.close(code.filter(|code| *code != 1005).unwrap_or(1000), "");
                }
                Some(Heard::Closed)
            }
        }
    }

    pub(super) fn say(&self, channel: u8, bytes: &[u8], out: &mut Vec<u8>) {
        websocket::message(&[&[channel], bytes], out);
    }

    pub(super) fn end(&mut self, status: &str, out: &mut Vec<u8>) {
        websocket::message(&[&[ERROR], status.as_bytes()], out);
        websocket::close(&1000u16.to_be_bytes(), out);
        self.is_closed = true;
    }

    pub(super) fn close(&mut self, code: u16, why: &str) {
        let reason = [&code.to_be_bytes()[..], why.as_bytes()].concat();
        self.replies.clear();
        websocket::close(&reason, &mut self.replies);
        self.is_closed = true;
    }
}
