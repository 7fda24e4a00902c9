// SPDX-License-Identifier: Apache-2.0
//! The terminal that a command is run on.

use std::io::{IsTerminal as _, Read as _, Write as _, stderr, stdin};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// A terminal that gives each key as it is pressed; as it was before when dropped. Nothing where standard input is no terminal.
pub struct Raw(Option<Termios>);

impl Raw {
    /// Makes standard input raw from now on.
    #[must_use]
    pub fn new() -> Self {
        let stdin = stdin();
        let before = stdin
            .is_terminal()
            .then(|| tcgetattr(&stdin).ok())
            .flatten();
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            let _ = tcsetattr(&stdin, OptionalActions::Now, &raw);
        }
        Self(before)
    }

    /// Whether there is a terminal.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.0.is_some()
    }
}

impl Default for Raw {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

/// Asks for a secret on the terminal, and does not show what is typed. `None` where there is no terminal, or nothing was said.
#[must_use]
pub fn ask_secret(question: &str) -> Option<String> {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return None;
    }
    let mut err = stderr().lock();
    let _ = write!(err, "{question}").and_then(|()| err.flush());
    // raw: an interrupt must not leave a terminal behind that shows nothing
    let raw = Raw::new();
    let typed = secret_line(stdin().lock().bytes().map_while(Result::ok));
    drop(raw);
    let _ = writeln!(err);
    typed
}

/// The line of a secret, out of the keys that are pressed; `None` when it is empty or was broken off.
fn secret_line(keys: impl Iterator<Item = u8>) -> Option<String> {
    const INTERRUPT: u8 = 0x03;
    const END: u8 = 0x04;
    const BACKSPACE: [u8; 2] = [0x08, 0x7f];
    const ERASE_LINE: u8 = 0x15;
    let mut line = Vec::new();
    for key in keys {
        match key {
            b'\r' | b'\n' => break,
            INTERRUPT => return None,
            END => break,
            ERASE_LINE => line.clear(),
            key if BACKSPACE.contains(&key) => {
                // a letter may be several bytes
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            key => line.push(key),
        }
    }
    Some(String::from_utf8_lossy(&line).into_owned()).filter(|line| !line.is_empty())
}

/// Columns and rows of the terminal at standard input.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdin()).ok()?;
    Some((size.ws_col, size.ws_row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_secret() {
        let check = |keys: &str, expected: Option<&str>| {
            assert_eq!(secret_line(keys.bytes()).as_deref(), expected, "{keys:?}");
        };
        check("turing\r", Some("turing"));
        check("turing\nmore", Some("turing"));
        check("tx\x7furing\r", Some("turing"));
        check("é\x7f\x7f\x7fa\r", Some("a"));
        check("wrong\x15right\r", Some("right"));
        check("half\x03", None);
        check("ended\x04", Some("ended"));
        check("\r", None);
        check("", None);
    }
}
