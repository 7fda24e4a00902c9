// SPDX-License-Identifier: Apache-2.0
//! A session over SPDY/3.1: a stream each for the error, standard input, output and error output, and the size of the terminal, as
//! kube-apiserver has it of a kubelet, and kubectl before 1.30.
//!
//! The peer opens the streams. Nothing is said before all are there.

use alloc::format;
use alloc::vec::Vec;

use spdy::{Event, Frames, Headers, INVALID_STREAM, PROTOCOL_ERROR, Writer};

use super::session::Streams;
use super::wire::{Complaint, ERROR, Heard, STDERR, STDIN, STDOUT};
use crate::time::Ms;

/// How long the peer may take to open its streams, in milliseconds.
const OPENING_MS: Ms = 30_000;
/// Bytes of answers that wait because the peer takes none.
const REPLIES: usize = 4096;
/// What streams are for, by their channel.
const KINDS: [&str; 5] = ["stdin", "stdout", "stderr", "error", "resize"];

const END: Heard<'static> = Heard::Input {
    bytes: &[],
    ends: true,
};

#[derive(Debug)]
pub(super) struct Multiplexed {
    frames: Frames,
    writer: Writer,
    /// The number of each stream, by its channel; 0 is none.
    streams: [u32; KINDS.len()],
    wanted: Streams,
    last_stream: u32,
    pings: u32,
    opens_by: Ms,
    is_ended: bool,
    pub(super) replies: Vec<u8>,
}

impl Multiplexed {
    pub(super) fn new(wanted: Streams, now: Ms) -> Self {
        Self {
            frames: Frames::of_client(),
            writer: Writer::default(),
            streams: [0; KINDS.len()],
            wanted,
            last_stream: 0,
            pings: 0,
            opens_by: now + OPENING_MS,
            is_ended: false,
            replies: Vec::new(),
        }
    }

    pub(super) fn opens_by(&self) -> Option<Ms> {
        let is_there = |channel: u8| self.streams[usize::from(channel)] != 0;
        let wanted = self.wanted;
        let are_there = is_there(ERROR)
            && (!wanted.stdin || is_there(STDIN))
            && (!wanted.stdout || is_there(STDOUT))
            && (!wanted.stderr || wanted.tty || is_there(STDERR));
        (!are_there).then_some(self.opens_by)
    }

    pub(super) fn push<'a>(
        &mut self,
        input: &'a [u8],
    ) -> Result<(usize, Option<Heard<'a>>), Complaint> {
        let (used, event) = self
            .frames
            .push(input)
            .map_err(|fault| (1002, format!("{fault}")))?;
        let heard = match event {
            Some(event) => self.event(event)?,
            None => None,
        };
        if self.replies.len() > REPLIES {
            return Err((1008, "more is asked than answers are taken".into()));
        }
        Ok((used, heard))
    }

    fn event<'a>(&mut self, event: Event<'a>) -> Result<Option<Heard<'a>>, Complaint> {
        Ok(match event {
            Event::Opened {
                stream,
                headers,
                ends,
            } => {
                let channel = self.open(stream, &headers)?;
                (channel == Some(STDIN) && ends).then_some(END)
            }
            Event::Data {
                stream,
                bytes,
                ends,
            } => match self.streams.iter().position(|known| *known == stream) {
                _ if stream == 0 => return Err((1002, "0 is no stream".into())),
                None => {
                    let replies = &mut self.replies;
                    self.writer.reset(stream, INVALID_STREAM, replies);
                    None
                }
                Some(channel) if channel != usize::from(STDIN) => None,
                Some(_) => Some(Heard::Input { bytes, ends }),
            },
            Event::Reset { stream } => (stream == self.streams[usize::from(STDIN)]).then_some(END),
            // Those with even numbers are answers to ours.
            Event::Ping(id) => {
                if id % 2 == 1 {
                    self.writer.ping(id, &mut self.replies);
                }
                None
            }
            Event::GoAway => Some(Heard::Closed),
            Event::Replied { .. } => None,
        })
    }

    fn open(&mut self, stream: u32, headers: &Headers) -> Result<Option<u8>, Complaint> {
        if stream.is_multiple_of(2) || stream <= self.last_stream {
            return Err((1002, format!("{stream} is no number of a new stream")));
        }
        self.last_stream = stream;
        let kind = headers.get("streamtype");
        let channel = KINDS.iter().position(|known| *known == kind);
        let Some(channel) = channel.filter(|channel| self.streams[*channel] == 0) else {
            self.writer.reset(stream, PROTOCOL_ERROR, &mut self.replies);
            return Ok(None);
        };
        self.streams[channel] = stream;
        self.writer.reply(stream, &mut self.replies);
        Ok(u8::try_from(channel).ok())
    }

    pub(super) fn say(&self, channel: u8, bytes: &[u8], out: &mut Vec<u8>) {
        self.on(channel, bytes, false, out);
    }

    fn on(&self, channel: u8, bytes: &[u8], ends: bool, out: &mut Vec<u8>) {
        let stream = self.streams[usize::from(channel)];
        if stream != 0 {
            self.writer.data(stream, bytes, ends, out);
        }
    }

    pub(super) fn end(&mut self, status: &str, out: &mut Vec<u8>) {
        self.on(ERROR, status.as_bytes(), true, out);
        for channel in [STDOUT, STDERR, STDIN] {
            self.on(channel, &[], true, out);
        }
        self.is_ended = true;
    }

    pub(super) fn complain(&mut self) {
        if !self.is_ended {
            self.writer
                .go_away(self.last_stream, PROTOCOL_ERROR, &mut self.replies);
        }
    }

    pub(super) fn ping(&mut self, out: &mut Vec<u8>) {
        self.pings += 2;
        self.writer.ping(self.pings, out);
    }
}
