// SPDX-License-Identifier: Apache-2.0
//! A terminal's line: what keys do before Enter, and what is shown of them.

/// The longest line in bytes; what is beyond is lost.
const LINE: usize = 4095;

/// What keys come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line with its end.
    Line(Vec<u8>),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

/// A line that is being typed.
#[derive(Debug)]
pub struct Terminal {
    line: Vec<u8>,
    /// Whether what is typed is shown.
    pub echo: bool,
    returned: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self {
            line: Vec::new(),
            echo: true,
            returned: false,
        }
    }
}

impl Terminal {
    /// Takes keys, and gives what they come to and what is shown of them.
    pub fn keys(&mut self, keys: &[u8]) -> (Vec<Typed>, Vec<u8>) {
        let (mut typed, mut shown) = (Vec::new(), Vec::new());
        for &key in keys {
            // Enter may come as both
            let second = key == b'\n' && std::mem::take(&mut self.returned);
            match key {
                b'\n' if second => {}
                b'\r' | b'\n' => {
                    self.returned = key == b'\r';
                    // the end of a line is shown even where the line is not
                    if self.echo {
                        shown.extend_from_slice(b"\r\n");
                    }
                    self.line.push(b'\n');
                    typed.push(Typed::Line(std::mem::take(&mut self.line)));
                }
                0x03 => {
                    shown.extend_from_slice(b"^C\r\n");
                    self.line.clear();
                    typed.push(Typed::Interrupt);
                }
                0x04 if self.line.is_empty() => typed.push(Typed::End),
                0x08 | 0x7f => {
                    // a letter may be several bytes
                    while self.line.pop().is_some_and(|b| b & 0xc0 == 0x80) {}
                    if self.echo {
                        shown.extend_from_slice(b"\x08 \x08");
                    }
                }
                0x15 => {
                    if self.echo {
                        let letters = String::from_utf8_lossy(&self.line).chars().count();
                        shown.extend(b"\x08 \x08".repeat(letters));
                    }
                    self.line.clear();
                }
                0x00..=0x1f => {}
                _ if self.line.len() < LINE => {
                    self.line.push(key);
                    if self.echo {
                        shown.push(key);
                    }
                }
                _ => {}
            }
            if key != b'\r' {
                self.returned = false;
            }
        }
        (typed, shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_lines() {
        let check = |keys: &[u8], typed: &[Typed], shown: &[u8]| {
            let mut terminal = Terminal::default();
            assert_eq!(
                terminal.keys(keys),
                (typed.to_vec(), shown.to_vec()),
                "{keys:?}"
            );
        };
        let line = |text: &str| Typed::Line(text.into());
        check(b"ab\r", &[line("ab\n")], b"ab\r\n");
        check(b"ab\r\nc\n", &[line("ab\n"), line("c\n")], b"ab\r\nc\r\n");
        check(b"ab\x7fc\r", &[line("ac\n")], b"ab\x08 \x08c\r\n");
        check(
            b"ab\x03c\r",
            &[Typed::Interrupt, line("c\n")],
            b"ab^C\r\nc\r\n",
        );
        check(b"\x04x\x04", &[Typed::End], b"x");
        check(b"ab\x15\x1b\r", &[line("\n")], b"ab\x08 \x08\x08 \x08\r\n");
        check(
            "é\x7f\r".as_bytes(),
            &[line("\n")],
            "é\x08 \x08\r\n".as_bytes(),
        );
        let mut long = Terminal::default();
        long.keys(&[b'x'; 10_000]);
        assert_eq!(long.keys(b"\r").0[0], line(&("x".repeat(4095) + "\n")));
    }
}
