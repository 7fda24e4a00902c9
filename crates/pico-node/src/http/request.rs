// SPDX-License-Identifier: Apache-2.0
//! Requests to the node itself, as they arrive on the kubelet's port.

use alloc::string::String;
use alloc::vec::Vec;

use super::head::{Error, Framing, Lines, header};
use crate::websocket::Upgrade;

/// Bytes of a body that a request may have, unless said otherwise.
const BODY: u64 = 4096;

/// A request to this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// `GET`, `POST`.
    pub method: String,
    /// Path and query as they were sent.
    pub target: String,
    /// The media type of the body, or empty.
    pub content_type: String,
    /// The body, at most 4 096 bytes unless said otherwise.
    pub body: Vec<u8>,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
    /// What else is to be spoken on the connection from now on, if the client asks for it.
    pub upgrade: Option<Upgrade>,
}

/// Parses one request after another.
#[derive(Debug)]
pub struct RequestParser {
    limit: u64,
    content_type: String,
    lines: Lines,
    first: Option<(String, String, bool)>,
    framing: Framing,
    body_left: Option<u64>,
    body: Vec<u8>,
    upgrade: Upgrade,
}

impl Default for RequestParser {
    fn default() -> Self {
        Self::with_limit(BODY)
    }
}

impl RequestParser {
    /// Takes requests with bodies of up to `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: u64) -> Self {
        Self {
            limit,
            content_type: String::new(),
            lines: Lines::default(),
            first: None,
            framing: Framing::default(),
            body_left: None,
            body: Vec::new(),
            upgrade: Upgrade::default(),
        }
    }

    /// Reads on until a request is complete. Says how many bytes were used: the rest is to be given again.
    ///
    /// # Errors
    /// When this is no HTTP, or exceeds a limit.
    pub fn push(&mut self, input: &[u8]) -> Result<(usize, Option<Incoming>), Error> {
        let mut at = 0;
        loop {
            if let Some(left) = self.body_left {
                let rest = &input[at..];
                let n = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.body.extend_from_slice(&rest[..n]);
                at += n;
                let left = left - n as u64;
                self.body_left = Some(left);
                if left > 0 {
                    return Ok((at, None));
                }
                return Ok((at, self.complete()));
            }
            let (used, whole) = self.lines.push(&input[at..])?;
            at += used;
            if !whole {
                return Ok((at, None));
            }
            self.line()?;
            self.lines.next();
        }
    }

    fn line(&mut self) -> Result<(), Error> {
        let line = self.lines.line();
        if self.first.is_none() {
            // An empty line before a request is left over from the one before.
            if !line.is_empty() {
                self.first = Some(first_line(line)?);
            }
        } else if line.is_empty() {
            self.lines.restart();
            if self.framing.chunked {
                return Err(Error::UnknownCoding);
            }
            let length = self.framing.length.unwrap_or(0);
            if length > self.limit {
                return Err(Error::BodyTooLarge);
            }
            self.body_left = Some(length);
        } else {
            let (name, value) = header(line)?;
            self.framing.header(name, value)?;
            let kept = match name {
                _ if name.eq_ignore_ascii_case("content-type") => &mut self.content_type,
                _ if name.eq_ignore_ascii_case("upgrade") => &mut self.upgrade.protocol,
                _ if name.eq_ignore_ascii_case("sec-websocket-key") => &mut self.upgrade.key,
                _ if name.eq_ignore_ascii_case("sec-websocket-version") => {
                    &mut self.upgrade.version
                }
                _ if name.eq_ignore_ascii_case("sec-websocket-protocol")
                    || name.eq_ignore_ascii_case("x-stream-protocol-version") =>
                {
                    // A list may come in several lines.
                    let offered = &mut self.upgrade.offered;
                    offered.push_str(if offered.is_empty() { "" } else { "," });
                    offered.push_str(value);
                    return Ok(());
                }
                _ => return Ok(()),
            };
            *kept = value.into();
        }
        Ok(())
    }

    fn complete(&mut self) -> Option<Incoming> {
        let done = core::mem::replace(self, Self::with_limit(self.limit));
        let (method, target, is_old) = done.first?;
        Some(Incoming {
            method,
            target,
            content_type: done.content_type,
            body: done.body,
            keep_alive: !done.framing.close && (!is_old || done.framing.keep_alive),
            upgrade: (done.framing.upgrade && !done.upgrade.protocol.is_empty())
                .then_some(done.upgrade),
        })
    }
}

fn first_line(line: &[u8]) -> Result<(String, String, bool), Error> {
    let line = core::str::from_utf8(line).map_err(|_| Error::NotHttp)?;
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let is_old = match version {
        Some("HTTP/1.1") => false,
        Some("HTTP/1.0") => true,
        _ => return Err(Error::NotHttp),
    };
    match (method, target, words.next()) {
        (Some(method), Some(target), None) if target.starts_with('/') && !method.is_empty() => {
            Ok((method.into(), target.into(), is_old))
        }
        _ => Err(Error::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn check(input: &str, expected: &str) {
        for size in [1, 7, input.len()] {
            let mut parser = RequestParser::default();
            let mut said = String::new();
            'all: for mut piece in input.as_bytes().chunks(size) {
                while !piece.is_empty() {
                    match parser.push(piece) {
                        Ok((used, request)) => {
                            piece = &piece[used..];
                            if let Some(r) = request {
                                said.push_str(&format!(
                                    "{} {} {:?}{} ",
                                    r.method,
                                    r.target,
                                    String::from_utf8_lossy(&r.body),
                                    if r.keep_alive { "" } else { " close" }
                                ));
                            }
                        }
                        Err(error) => {
                            said.push_str(&format!("{error:?}"));
                            break 'all;
                        }
                    }
                }
            }
            assert_eq!(said.trim_end(), expected, "in pieces of {size}: {input:?}");
        }
    }

    #[test]
    fn requests() {
        check(
            "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /pods HTTP/1.0\r\n\r\n",
            "GET /healthz \"\" GET /pods \"\" close",
        );
        check(
            "POST /x HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
            "POST /x \"abc\" close",
        );
        check(
            "POST /x HTTP/1.1\r\nContent-Length: 5000\r\n\r\n",
            "BodyTooLarge",
        );
        check(
            "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "UnknownCoding",
        );
        check("GET http://x/ HTTP/1.1\r\n\r\n", "NotHttp");
        check("\x16\x03\x01\n", "NotHttp");
    }

    #[test]
    fn an_upgrade_is_asked_for_with_two_headers() {
        let parse = |headers: &str| {
            let text = format!("GET /x HTTP/1.1\r\n{headers}\r\n");
            let (used, request) = RequestParser::default().push(text.as_bytes()).unwrap();
            assert_eq!(used, text.len());
            request.unwrap().upgrade
        };
        let socket = "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Protocol: a, b\r\nsec-websocket-protocol: c\r\n";
        let upgrade = parse(&format!("Connection: keep-alive, Upgrade\r\n{socket}")).unwrap();
        assert_eq!(
            (
                &*upgrade.protocol,
                &*upgrade.key,
                &*upgrade.version,
                &*upgrade.offered
            ),
            ("websocket", "k", "13", "a, b,c")
        );
        assert_eq!(parse(socket), None);
        assert_eq!(parse("Connection: Upgrade\r\n"), None);
    }
}
