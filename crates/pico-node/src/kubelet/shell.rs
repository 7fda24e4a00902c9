// SPDX-License-Identifier: Apache-2.0
//! A shell of lines: what is typed becomes commands. No pipes, no variables, no files.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

/// What stands before a line that is to be typed.
pub(super) const PROMPT: &[u8] = b"$ ";
/// The longest line in bytes.
const LINE: usize = 512;

/// Where in an escape sequence of a terminal a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Escape {
    #[default]
    None,
    Begun,
    Within,
}

/// The line that is being typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Editor {
    line: Vec<u8>,
    is_terminal: bool,
    escape: Escape,
    was_return: bool,
}

/// What a byte of the input makes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Nothing yet.
    More,
    /// A line, without its end.
    Line(Vec<u8>),
    /// The line is given up.
    Cancel,
    /// The end of the input.
    End,
}

impl Editor {
    /// An editor of lines; on a terminal it shows what is typed.
    pub(super) fn new(is_terminal: bool) -> Self {
        Self {
            is_terminal,
            ..Self::default()
        }
    }

    /// Takes a byte of the input; what a terminal is to show of it goes to `echo`.
    pub(super) fn key(&mut self, byte: u8, echo: &mut Vec<u8>) -> Key {
        if !self.is_terminal {
            if byte == b'\n' {
                return Key::Line(core::mem::take(&mut self.line));
            }
            self.put(byte);
            return Key::More;
        }
        // Return and line feed together are one end of a line.
        let was_return = core::mem::replace(&mut self.was_return, byte == b'\r');
        if byte == b'\n' && was_return {
            return Key::More;
        }
        match self.escape {
            Escape::Begun => {
                let is_long = byte == b'[' || byte == b'O';
                self.escape = if is_long {
                    Escape::Within
                } else {
                    Escape::None
                };
                return Key::More;
            }
            Escape::Within => {
                if (0x40..0x7f).contains(&byte) {
                    self.escape = Escape::None;
                }
                return Key::More;
            }
            Escape::None => {}
        }
        match byte {
            b'\r' | b'\n' => {
                echo.extend_from_slice(b"\n");
                return Key::Line(core::mem::take(&mut self.line));
            }
            0x03 => {
                echo.extend_from_slice(b"^C\n");
                self.line.clear();
                return Key::Cancel;
            }
            0x04 if self.line.is_empty() => {
                echo.push(b'\n');
                return Key::End;
            }
            0x08 | 0x7f => {
                // A character may have several bytes.
                while let Some(gone) = self.line.pop() {
                    if gone & 0xc0 != 0x80 {
                        echo.extend_from_slice(b"\x08 \x08");
                        break;
                    }
                }
            }
            0x15 => {
                let text = String::from_utf8_lossy(&self.line);
                for _ in text.chars() {
                    echo.extend_from_slice(b"\x08 \x08");
                }
                self.line.clear();
            }
            0x1b => self.escape = Escape::Begun,
            0..0x20 => {}
            byte => {
                if self.put(byte) {
                    echo.push(byte);
                }
            }
        }
        Key::More
    }

    /// What was typed of a line that is not ended, at the end of the input.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.line)
    }

    fn put(&mut self, byte: u8) -> bool {
        // One byte more than a line may have tells that it is too long.
        let fits = self.line.len() <= LINE;
        if fits {
            self.line.push(byte);
        }
        fits
    }
}

/// The commands of a line, each in words.
///
/// # Errors
/// In words, what is not understood.
pub(super) fn commands(line: &[u8]) -> Result<Vec<Vec<String>>, &'static str> {
    if line.len() > LINE {
        return Err("the line is longer than 512 bytes");
    }
    let line = core::str::from_utf8(line).map_err(|_| "the line is no UTF-8")?;
    let mut all = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.trim_end_matches('\r').chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (Some('"') | None, '\\') => {
                let next = chars.next().ok_or("a line cannot go on in the next one")?;
                word.get_or_insert_default().push(next);
            }
            (Some('"') | None, '$' | '`') => {
                return Err("nothing is expanded here: quote it with '");
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, ';') => {
                words.extend(word.take());
                all.push(core::mem::take(&mut words));
            }
            (None, '|' | '&' | '<' | '>' | '(' | ')') => {
                return Err("there are no pipes, redirections and subshells here");
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quotation mark is not closed");
    }
    words.extend(word);
    all.push(words);
    all.retain(|words| !words.is_empty());
    Ok(all)
}

/// The code of `exit`, if the command is that.
pub(super) fn exit(words: &[String], last: u8) -> Option<Result<u8, String>> {
    let [name, arguments @ ..] = words else {
        return None;
    };
    if name != "exit" {
        return None;
    }
    Some(match arguments {
        [] => Ok(last),
        [code] => code
            .parse()
            .map_err(|_| alloc::format!("exit: {code}: not a number between 0 and 255\n")),
        _ => Err("exit: too many arguments\n".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn words() {
        let check = |line: &str, expected: Result<&[&[&str]], &str>| {
            let got = commands(line.as_bytes());
            let expected = expected.map(|all| {
                let words = |one: &&[&str]| one.iter().map(|w| (*w).to_owned()).collect();
                all.iter().map(words).collect::<Vec<Vec<String>>>()
            });
            match (got, expected) {
                (Err(why), Err(part)) => assert!(why.contains(part), "{line}: {why}"),
                (got, expected) => {
                    assert_eq!(format!("{got:?}"), format!("{expected:?}"), "{line}")
                }
            }
        };
        check("ls -l  /etc", Ok(&[&["ls", "-l", "/etc"]]));
        check(
            "cat 'a b' \"c d\"e f\\ g",
            Ok(&[&["cat", "a b", "c de", "f g"]]),
        );
        check("ls; uptime;", Ok(&[&["ls"], &["uptime"]]));
        check("echo '' # said", Ok(&[&["echo", ""]]));
        check("echo a#b '$HOME'\r", Ok(&[&["echo", "a#b", "$HOME"]]));
        check("  ", Ok(&[]));
        check("ls | cat", Err("no pipes"));
        check("ls > x", Err("no pipes"));
        check("echo $HOME", Err("nothing is expanded"));
        check("echo \"$HOME\"", Err("nothing is expanded"));
        check("echo 'x", Err("not closed"));
        check("echo \\", Err("next one"));
        check(&"x".repeat(513), Err("longer than 512"));
        assert!(commands(b"echo \xff").is_err());
    }

    /// Lines and what the terminal shows, for keys as they are pressed.
    fn typed(keys: &[u8]) -> (Vec<Key>, String) {
        let mut editor = Editor::new(true);
        let mut echo = Vec::new();
        let all = keys.iter().map(|byte| editor.key(*byte, &mut echo));
        let lines = all.filter(|key| *key != Key::More).collect();
        (lines, String::from_utf8_lossy(&echo).into_owned())
    }

    #[test]
    fn keys_of_a_terminal() {
        let line = |text: &str| Key::Line(text.into());
        assert_eq!(typed(b"ls\r"), (alloc::vec![line("ls")], "ls\n".into()));
        assert_eq!(typed(b"a\r\nb\n").0, [line("a"), line("b")]);
        assert_eq!(typed(b"ab\x7fc\r").0, [line("ac")]);
        assert_eq!(typed("aé\x7f\r".as_bytes()).0, [line("a")]);
        assert_eq!(typed(b"\x7f\x08"), (alloc::vec![], String::new()));
        assert_eq!(typed(b"abc\x15x\r").0, [line("x")]);
        assert_eq!(typed(b"a\x1b[Ab\x1bOcc\x1b[1;5Dd\r").0, [line("abcd")]);
        assert_eq!(
            typed(b"abc\x03"),
            (alloc::vec![Key::Cancel], "abc^C\n".into())
        );
        assert_eq!(typed(b"a\x04\x7f\x04").0, [Key::End]);
        assert_eq!(typed(b"\x00\x01\x02\r").0, [line("")]);
    }

    #[test]
    fn lines_that_never_end_are_cut() {
        let mut editor = Editor::new(false);
        let mut echo = Vec::new();
        for _ in 0..100_000 {
            editor.key(b'x', &mut echo);
        }
        assert_eq!((editor.rest().len(), echo.len()), (LINE + 1, 0));
    }

    #[test]
    fn exits() {
        let of = |line: &str| exit(&commands(line.as_bytes()).unwrap()[0], 7);
        assert_eq!(of("exit"), Some(Ok(7)));
        assert_eq!(of("exit 3"), Some(Ok(3)));
        assert!(matches!(of("exit x"), Some(Err(_))) && matches!(of("exit 300"), Some(Err(_))));
        assert_eq!(of("ls"), None);
    }
}
