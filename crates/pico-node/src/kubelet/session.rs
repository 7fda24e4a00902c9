// SPDX-License-Identifier: Apache-2.0
//! A command or a container, as kubectl's `exec` and `attach` have it: what is read, what is done with it, and what is still to be
//! said. How that goes over the connection is the [`Wire`]'s business.
//!
//! A peer that does not read stops what is said to it; one that says more than is read of it is closed.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::LogQuery;
use super::command::{Outcome, is_shell};
use super::shell::{Editor, Key, PROMPT, commands, exit};
use super::wire::{Complaint, ERROR, Heard, STDERR, STDOUT, Wire};
use crate::time::Ms;

/// What this node speaks, the best first.
pub(super) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Bytes of input that wait to be read.
const INPUT: usize = 8192;
/// Bytes of a message.
pub(super) const PIECE: usize = 1024;
/// After so many milliseconds of silence the peer is asked whether it is still there.
pub(super) const PING_MS: Ms = 60_000;
/// After so many it is given up.
pub(super) const SILENT_MS: Ms = 300_000;
/// How long the peer may take to close, once the end was said.
const CLOSING_MS: Ms = 10_000;

/// The streams that the peer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) tty: bool,
}

impl Streams {
    /// Whether there is any.
    pub(crate) fn any(self) -> bool {
        self.stdin || self.stdout || self.stderr
    }
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// Commands are read.
    Shell { editor: Editor, last: u8 },
    /// What the container says is passed on.
    Attach(LogQuery),
    /// It has ended with this code.
    Ended(u8),
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    No,
    /// We have said it.
    Said(Ms),
    /// Nothing more is to be said or heard.
    Over,
}

#[derive(Debug)]
pub(crate) struct Session {
    wire: Wire,
    streams: Streams,
    pub(super) job: Job,
    /// The pod and the container, and how often it had been started again.
    pub(super) uid: String,
    pub(super) container: String,
    pub(super) restarts: u32,
    /// What is still to be said, by channel.
    pending: VecDeque<(u8, Vec<u8>)>,
    input: VecDeque<u8>,
    input_ended: bool,
    heard: Ms,
    pinged: Ms,
    end: End,
}

impl Session {
    pub(super) fn new(
        wire: Wire,
        streams: Streams,
        container: (String, String, u32),
        job: Job,
        now: Ms,
    ) -> Self {
        let (uid, container, restarts) = container;
        let mut session = Self {
            wire,
            streams,
            job,
            uid,
            container,
            restarts,
            pending: VecDeque::new(),
            input: VecDeque::new(),
            input_ended: !streams.stdin,
            heard: now,
            pinged: now,
            end: End::No,
        };
        if matches!(session.wire, Wire::WebSocket(_)) {
            // An empty message tells that the streams are there, as a kubelet has it.
            let first = if streams.stdout {
                STDOUT
            } else if streams.stderr {
                STDERR
            } else {
                ERROR
            };
            session.pending.push_back((first, Vec::new()));
        }
        session
    }

    /// Runs the command that was asked for; a shell reads on.
    pub(super) fn begin(&mut self, words: &[String], run: &mut dyn FnMut(&[String]) -> Outcome) {
        let outcome = match words {
            [name] if is_shell(name) => return self.prompt(),
            [name, flag, script] if is_shell(name) && flag == "-c" => {
                for line in script.lines() {
                    self.line(line.as_bytes(), run);
                }
                if let Job::Shell { last, .. } = self.job {
                    self.job = Job::Ended(last);
                }
                return;
            }
            [name, ..] if is_shell(name) => {
                Outcome::failed(2, "sh: takes -c COMMANDS, or nothing and reads its input\n")
            }
            words => run(words),
        };
        self.tell(&outcome);
        self.job = Job::Ended(outcome.code);
    }

    /// When something is to be done about a peer that is silent.
    pub(super) fn due(&self) -> Option<Ms> {
        (self.end == End::No).then(|| self.heard.max(self.pinged) + PING_MS)
    }

    /// When it is given up.
    pub(super) fn expires_at(&self) -> Ms {
        match self.end {
            End::No => {
                let opens_by = self.wire.opens_by().unwrap_or(Ms::MAX);
                opens_by.min(self.heard + SILENT_MS)
            }
            End::Said(at) => at + CLOSING_MS,
            End::Over => 0,
        }
    }

    /// Whether everything was said and heard.
    pub(super) fn is_over(&self) -> bool {
        self.end == End::Over
    }

    /// Takes what the peer says.
    pub(super) fn hear(&mut self, bytes: &[u8], now: Ms) {
        self.heard = now;
        let mut bytes = bytes.to_vec();
        let mut at = 0;
        while at < bytes.len() && self.end != End::Over {
            let heard = match self.wire.push(&mut bytes[at..]) {
                Ok((used, heard)) => {
                    at += used;
                    heard.map_or(Ok(()), |heard| self.take(&heard))
                }
                Err(complaint) => Err(complaint),
            };
            if let Err(complaint) = heard {
                // Once the end was said, what comes is only waited for.
                if self.end == End::No {
                    self.pending.clear();
                    self.wire.complain(&complaint);
                    self.end = End::Said(now);
                }
                return;
            }
        }
    }

    fn take(&mut self, heard: &Heard<'_>) -> Result<(), Complaint> {
        match heard {
            Heard::Input { bytes, ends } => {
                self.typed(bytes)?;
                self.input_ended |= ends;
            }
            Heard::Closed => {
                if self.end == End::No {
                    self.pending.clear();
                }
                self.end = End::Over;
            }
        }
        Ok(())
    }

    fn typed(&mut self, bytes: &[u8]) -> Result<(), Complaint> {
        let is_read = self.streams.stdin && !self.input_ended && self.end == End::No;
        if !is_read || !matches!(self.job, Job::Shell { .. }) {
            return Ok(());
        }
        if self.input.len() + bytes.len() > INPUT {
            return Err((1008, format!("more than {INPUT} bytes of input wait")));
        }
        self.input.extend(bytes);
        Ok(())
    }

    /// Says something on a channel, as far as the peer wants to hear it.
    fn say(&mut self, channel: u8, bytes: &[u8]) {
        // A terminal has one stream for both, and needs a return before each line feed.
        let (channel, is_wanted) = match channel {
            STDERR if !self.streams.tty => (STDERR, self.streams.stderr),
            _ => (STDOUT, self.streams.stdout),
        };
        if !is_wanted || bytes.is_empty() {
            return;
        }
        let alike = self.pending.back_mut().filter(|(last, _)| *last == channel);
        let mut out = Vec::new();
        for byte in bytes {
            if *byte == b'\n' && self.streams.tty {
                out.push(b'\r');
            }
            out.push(*byte);
        }
        match alike {
            Some((_, before)) => before.append(&mut out),
            None => self.pending.push_back((channel, out)),
        }
    }

    /// Says what a command came to.
    pub(super) fn tell(&mut self, outcome: &Outcome) {
        self.say(STDOUT, &outcome.stdout);
        self.say(STDERR, outcome.stderr.as_bytes());
    }

    /// Passes on what the container says.
    pub(super) fn pass_on(&mut self, text: &str) {
        self.say(STDOUT, text.as_bytes());
    }

    /// Whether there is something to go on with: the peer has taken all that was said, and no end was said.
    pub(super) fn is_free(&self) -> bool {
        self.pending.is_empty() && self.end == End::No
    }

    /// Whether the peer has taken all that was said.
    pub(super) fn is_silent(&mut self) -> bool {
        self.pending.is_empty() && self.wire.replies().is_empty()
    }

    fn prompt(&mut self) {
        if self.streams.tty {
            self.say(STDOUT, PROMPT);
        }
    }

    /// Reads on in the input of a shell, up to the end of a line or of the input.
    pub(super) fn read(&mut self, run: &mut dyn FnMut(&[String]) -> Outcome) {
        loop {
            let Job::Shell { editor, .. } = &mut self.job else {
                return;
            };
            let mut echo = Vec::new();
            let mut line = None;
            let mut ends = false;
            while let Some(byte) = self.input.pop_front() {
                match editor.key(byte, &mut echo) {
                    Key::More => {}
                    Key::Line(typed) => line = Some(typed),
                    Key::Cancel => line = Some(Vec::new()),
                    Key::End => ends = true,
                }
                if line.is_some() || ends {
                    break;
                }
            }
            if line.is_none() && self.input.is_empty() && self.input_ended {
                ends = true;
                line = Some(editor.rest());
            }
            self.say(STDOUT, &echo);
            if let Some(line) = line {
                self.line(&line, run);
                if matches!(self.job, Job::Shell { .. }) && !ends {
                    self.prompt();
                }
            }
            if let (true, Job::Shell { last, .. }) = (ends, &self.job) {
                self.job = Job::Ended(*last);
            }
            // What was said is to be taken before the next line is looked at.
            if self.input.is_empty() || !self.pending.is_empty() {
                return;
            }
        }
    }

    /// Runs the commands of a line.
    pub(super) fn line(&mut self, line: &[u8], run: &mut dyn FnMut(&[String]) -> Outcome) {
        let all = match commands(line) {
            Ok(all) => all,
            Err(why) => {
                self.say(STDERR, format!("sh: {why}\n").as_bytes());
                self.ended_with(2);
                return;
            }
        };
        for words in all {
            let Job::Shell { last, .. } = &self.job else {
                return;
            };
            match exit(&words, *last) {
                Some(Ok(code)) => self.job = Job::Ended(code),
                Some(Err(why)) => {
                    self.say(STDERR, why.as_bytes());
                    self.ended_with(2);
                }
                None => {
                    let outcome = run(&words);
                    self.tell(&outcome);
                    self.ended_with(outcome.code);
                }
            }
        }
    }

    fn ended_with(&mut self, code: u8) {
        if let Job::Shell { last, .. } = &mut self.job {
            *last = code;
        }
    }

    /// Puts the next message into `out`, if there is one and the peer has taken those before.
    pub(super) fn speak(&mut self, now: Ms, out: &mut Vec<u8>) {
        let replies = self.wire.replies();
        if !replies.is_empty() {
            out.append(replies);
            return;
        }
        if self.wire.opens_by().is_some() {
            return;
        }
        if let Some((channel, mut bytes)) = self.pending.pop_front() {
            if bytes.len() > PIECE {
                let rest = bytes.split_off(PIECE);
                self.pending.push_front((channel, rest));
            }
            self.wire.say(channel, &bytes, out);
            return;
        }
        if self.end != End::No {
            return;
        }
        if let Job::Ended(code) = self.job {
            self.wire.end(&status(code), out);
            self.end = End::Said(now);
        } else if self.due().is_some_and(|due| now >= due) {
            self.pinged = now;
            self.wire.ping(out);
        }
    }
}

/// What stands on the error channel at the end: a `Status`, as kube-apiserver gives it.
fn status(code: u8) -> String {
    if code == 0 {
        return "{\"metadata\":{},\"status\":\"Success\"}".into();
    }
    format!(
        "{{\"metadata\":{{}},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code: exit status {code}\",\
         \"reason\":\"NonZeroExitCode\",\"details\":{{\"causes\":[{{\"reason\":\"ExitCode\",\"message\":\"{code}\"}}]}}}}"
    )
}
