// SPDX-License-Identifier: Apache-2.0
//! Responses as they arrive, cut anywhere.

use super::head::{Error, Framing, Lines, chunk_size, header};
use crate::time::Wall;

/// What a response's head says, as far as an API client needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The server's time, to the second.
    pub date: Option<Wall>,
    /// Seconds after which to ask again.
    pub retry_after: Option<u32>,
    /// Whether the connection can be used for another request afterwards.
    pub keep_alive: bool,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing yet: more bytes are needed.
    More,
    /// The head is complete.
    Head(Head),
    /// A piece of the body.
    Data(&'a [u8]),
    /// The response is complete; what follows belongs to the next one.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Status,
    Headers,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Done,
}

/// Parses one response after another.
#[derive(Debug)]
pub struct ResponseParser {
    state: State,
    lines: Lines,
    framing: Framing,
    head: Head,
    is_old: bool,
}

impl Default for ResponseParser {
    fn default() -> Self {
        Self {
            state: State::Status,
            lines: Lines::default(),
            framing: Framing::default(),
            head: NO_HEAD,
            is_old: false,
        }
    }
}

const NO_HEAD: Head = Head {
    status: 0,
    date: None,
    retry_after: None,
    keep_alive: true,
};

impl ResponseParser {
    /// Reads on until there is something to tell. Says how many bytes were used: the rest is to be given again.
    ///
    /// # Errors
    /// When this is no HTTP, or exceeds a limit.
    pub fn push<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Event<'a>), Error> {
        let mut at = 0;
        loop {
            match self.state {
                State::Done => {
                    *self = Self::default();
                    return Ok((at, Event::End));
                }
                State::Length(0) => self.state = State::Done,
                State::Chunk(0) => self.state = State::ChunkEnd,
                State::Length(left) | State::Chunk(left) => {
                    let rest = &input[at..];
                    if rest.is_empty() {
                        return Ok((at, Event::More));
                    }
                    let n = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let left = left - n as u64;
                    self.state = match self.state {
                        State::Length(_) => State::Length(left),
                        _ => State::Chunk(left),
                    };
                    return Ok((at + n, Event::Data(&rest[..n])));
                }
                State::UntilClose => {
                    let rest = &input[at..];
                    return Ok(match rest {
                        [] => (at, Event::More),
                        _ => (at + rest.len(), Event::Data(rest)),
                    });
                }
                State::Status
                | State::Headers
                | State::ChunkSize
                | State::ChunkEnd
                | State::Trailers => {
                    let (used, complete) = self.lines.push(&input[at..])?;
                    at += used;
                    if !complete {
                        return Ok((at, Event::More));
                    }
                    let got_head = self.line()?;
                    self.lines.next();
                    if got_head {
                        return Ok((at, Event::Head(self.head)));
                    }
                }
            }
        }
    }

    /// Tells that the peer closed: the end of a response that has no other, an error within one.
    ///
    /// # Errors
    /// When a response is not complete.
    pub fn finish(&mut self) -> Result<(), Error> {
        let fine = match self.state {
            State::Status => self.lines.is_empty(),
            State::UntilClose => true,
            _ => false,
        };
        *self = Self::default();
        if fine { Ok(()) } else { Err(Error::Cut) }
    }

    /// Reads a line. Says whether the head is complete with it.
    fn line(&mut self) -> Result<bool, Error> {
        let line = self.lines.line();
        match self.state {
            State::Status => {
                let (status, is_old) = status(line)?;
                self.head.status = status;
                self.is_old = is_old;
                self.state = State::Headers;
            }
            State::Headers if line.is_empty() => return Ok(self.headers_end()),
            State::Headers => {
                let (name, value) = header(line)?;
                self.framing.header(name, value)?;
                if name.eq_ignore_ascii_case("date") {
                    self.head.date = Wall::from_http_date(value);
                } else if name.eq_ignore_ascii_case("retry-after") {
                    self.head.retry_after = value.parse().ok();
                }
            }
            State::ChunkSize => {
                self.state = match chunk_size(line)? {
                    0 => {
                        self.lines.restart();
                        State::Trailers
                    }
                    size => State::Chunk(size),
                };
                if self.state != State::Trailers {
                    self.lines.restart();
                }
            }
            State::ChunkEnd => {
                if !line.is_empty() {
                    return Err(Error::BadChunk);
                }
                self.lines.restart();
                self.state = State::ChunkSize;
            }
            State::Trailers if line.is_empty() => self.state = State::Done,
            _ => {}
        }
        Ok(false)
    }

    fn headers_end(&mut self) -> bool {
        self.lines.restart();
        let status = self.head.status;
        if (100..200).contains(&status) && status != 101 {
            // An interim response: the real one follows.
            *self = Self::default();
            return false;
        }
        let framing = self.framing;
        self.head.keep_alive = !framing.close && (!self.is_old || framing.keep_alive);
        self.state = if matches!(status, 204 | 304) {
            State::Length(0)
        } else if framing.chunked {
            State::ChunkSize
        } else if let Some(length) = framing.length {
            State::Length(length)
        } else {
            self.head.keep_alive = false;
            State::UntilClose
        };
        true
    }
}

/// The code of a status line, and whether it is HTTP/1.0.
fn status(line: &[u8]) -> Result<(u16, bool), Error> {
    let (is_old, rest) = if let Some(rest) = line.strip_prefix(b"HTTP/1.1 ") {
        (false, rest)
    } else if let Some(rest) = line.strip_prefix(b"HTTP/1.0 ") {
        (true, rest)
    } else {
        return Err(Error::NotHttp);
    };
    match rest {
        [
            a @ b'1'..=b'5',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            after @ ..,
        ] if after.is_empty() || after[0] == b' ' => {
            let digit = |d: u8| u16::from(d - b'0');
            Ok((digit(*a) * 100 + digit(*b) * 10 + digit(*c), is_old))
        }
        _ => Err(Error::NotHttp),
    }
}

#[cfg(test)]
mod tests;
