// SPDX-License-Identifier: Apache-2.0
//! The serial ports by polling: what was written since a mark, in both ways in which daemons keep it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::answer::unknown;
use crate::bmc::Bmc;
use crate::error::{Error, Result};
use crate::generation::Generation;
use crate::query::Query;
use crate::slot::Slot;

/// How the bytes of a module are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// UTF-16, in the machine's order.
    Utf16,
    /// UTF-16, the low byte first.
    Utf16le,
    /// UTF-16, the high byte first.
    Utf16be,
    /// UTF-32, in the machine's order.
    Utf32,
    /// UTF-32, the low byte first.
    Utf32le,
    /// UTF-32, the high byte first.
    Utf32be,
}

impl Encoding {
    /// All names.
    pub const NAMES: &[&str] = &[
        "utf8", "utf16", "utf16le", "utf16be", "utf32", "utf32le", "utf32be",
    ];

    /// The name that the daemon knows.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl std::str::FromStr for Encoding {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const ALL: [Encoding; 7] = [
            Encoding::Utf8,
            Encoding::Utf16,
            Encoding::Utf16le,
            Encoding::Utf16be,
            Encoding::Utf32,
            Encoding::Utf32le,
            Encoding::Utf32be,
        ];
        ALL.into_iter().find(|e| e.name() == text).ok_or_else(|| {
            Error::Argument(format!(
                "{text:?} is no encoding: {} are",
                Encoding::NAMES.join(", ")
            ))
        })
    }
}

impl Bmc {
    /// The serial output of a module that the daemon holds: at most 16 KiB. Old daemons forget what was read, newer ones tell it again.
    ///
    /// # Errors
    /// When nobody answers, or in an unknown form.
    pub async fn uart(&self, slot: Slot, encoding: Encoding) -> Result<String> {
        let mut query = Query::get("uart").with("node", slot.index());
        if encoding != Encoding::Utf8 {
            query = query.with("encoding", encoding.name());
        }
        let value = self.uart_read(&query).await?;
        match value.get("uart").or(Some(&value)) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(unknown("the serial output", &value.to_string())),
        }
    }

    /// Types a line on the serial port of a module; the daemon ends it.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn uart_send(&self, slot: Slot, line: &str) -> Result<()> {
        let query = Query::set("uart").with("node", slot.index());
        // newer firmware ends the line by itself
        let query = match self.generation().await? {
            Generation::V1 => query.with("cmd", format!("{line}\r\n")),
            _ => query.with("cmd", line),
        };
        self.uart_write(query).await
    }

    /// Begins to follow a module's serial output: what is there now is old.
    ///
    /// # Errors
    /// As [`Bmc::uart`].
    pub async fn boot_log(&self, slot: Slot) -> Result<BootLog> {
        let seen = self.uart(slot, Encoding::Utf8).await?;
        Ok(BootLog {
            bmc: self.clone(),
            slot,
            seen,
            text: String::new(),
        })
    }
}

/// The serial output of a module since a mark.
#[derive(Debug)]
pub struct BootLog {
    bmc: Bmc,
    slot: Slot,
    /// What the daemon gave the last time.
    seen: String,
    /// What came since the mark, without terminal sequences.
    text: String,
}

/// The most that is kept of what came since the mark, in bytes.
const KEPT: usize = 256 << 10;

impl BootLog {
    /// What came since the mark, without terminal sequences; of a long log the last 256 KiB.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Looks again, and gives what is new.
    ///
    /// # Errors
    /// As [`Bmc::uart`].
    pub async fn poll(&mut self) -> Result<String> {
        let now = self.bmc.uart(self.slot, Encoding::Utf8).await?;
        let fresh = strip_ansi(&now[new_part(&self.seen, &now)..]);
        // a daemon that forgets what was read gives nothing the second time; what it gave before stays the mark of one that does not
        if !now.is_empty() {
            self.seen = now;
        }
        self.text.push_str(&fresh);
        if self.text.len() > KEPT {
            let mut cut = self.text.len() - KEPT;
            while !self.text.is_char_boundary(cut) {
                cut += 1;
            }
            self.text.drain(..cut);
        }
        Ok(fresh)
    }

    /// Waits until what came since the mark passes `found`, at most `within`. `on_output` gets what is new. Gives whether it was found.
    ///
    /// A board that does not answer for a moment is asked again.
    ///
    /// # Errors
    /// When the board refuses, or does not answer until the end.
    pub async fn wait(
        &mut self,
        within: Duration,
        found: impl Fn(&str) -> bool,
        mut on_output: impl FnMut(&str),
    ) -> Result<bool> {
        let until = Instant::now() + within;
        loop {
            let late = Instant::now() >= until;
            match self.poll().await {
                Ok(fresh) => {
                    if !fresh.is_empty() {
                        on_output(&fresh);
                    }
                    if found(&self.text) {
                        return Ok(true);
                    }
                    if late {
                        return Ok(false);
                    }
                }
                Err(e) if e.is_unreachable() && !late => log::warn!("{e}; once more"),
                Err(e) => return Err(e),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Where in `now` begins what was not in `seen`: the ring is told whole, and loses bytes at its front when it is full.
///
/// A character that was cut in two at an edge of the ring is told as U+FFFD once and whole the next time: the edges are not compared.
fn new_part(seen: &str, now: &str) -> usize {
    const CUT: char = '\u{fffd}';
    let seen = seen.trim_end_matches(CUT);
    let front = now.len() - now.trim_start_matches(CUT).len();
    let now = &now[front..];
    front + new_part_of_whole(seen, now)
}

fn new_part_of_whole(seen: &str, now: &str) -> usize {
    if seen.is_empty() {
        return 0;
    }
    if now.starts_with(seen) {
        return seen.len();
    }
    // the ring has moved on: its front is somewhere in what was seen. The longest end of `seen` that `now` begins with is old.
    let anchor = now.chars().next();
    seen.char_indices()
        .filter(|(_, c)| Some(*c) == anchor)
        .map(|(i, _)| &seen[i..])
        .find(|tail| now.starts_with(tail))
        .map_or(0, str::len)
}

/// The text without terminal sequences and without carriage returns.
#[must_use]
pub fn strip_ansi(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => match chars.next() {
                Some('[') => {
                    // parameters, then one letter
                    for c in chars.by_ref() {
                        if ('@'..='~').contains(&c) {
                            break;
                        }
                    }
                }
                Some(']') => {
                    // a title, up to the bell or the string's end
                    while let Some(c) = chars.next() {
                        if c == '\x07' || c == '\x1b' && chars.next_if_eq(&'\\').is_some() {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\r' | '\0' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new() {
        let check = |seen: &str, now: &str, expected: &str| {
            assert_eq!(&now[new_part(seen, now)..], expected, "{seen:?} {now:?}");
        };
        check("", "abc", "abc");
        check("abc", "abc", "");
        check("abc", "abcdef", "def");
        // the ring lost its front
        check("abcdef", "cdefgh", "gh");
        // a daemon that forgets what was read
        check("abc", "def", "def");
        // a module that repeats itself
        check("login: ", "login: login: ", "login: ");
        check("aaaa", "aaab", "b");
        check("xé", "éy", "y");
        // characters that were cut in two
        check("login: x\u{fffd}", "login: xéy", "éy");
        check("aéb", "\u{fffd}bc", "c");
    }

    #[test]
    fn terminal_sequences_go() {
        let check = |text: &str, expected: &str| assert_eq!(strip_ansi(text), expected);
        check("\x1b[1;32mOK\x1b[0m\r\n", "OK\n");
        check("\x1b]0;title\x07a\x1b]0;t\x1b\\b", "ab");
        check("a\x1b", "a");
        check("a\x1b[", "a");
        check("a\x1bcb", "ab");
    }
}
