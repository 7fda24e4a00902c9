// SPDX-License-Identifier: Apache-2.0
//! Words: quotes, `$…`, and what stands in braces.

use std::sync::Arc;

use super::{Change, ParseError, Parser, Piece, Result, Word, parse_at, parse_text};

impl Parser<'_> {
    /// A word; none where none begins.
    pub(super) fn word(&mut self) -> Result<Option<Word>> {
        let mut pieces: Word = Vec::new();
        while let Some(&c) = self.letters.peek() {
            if matches!(
                c,
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')'
            ) {
                break;
            }
            for piece in self.word_piece(c)? {
                match (pieces.last_mut(), piece) {
                    (Some(Piece::Text(before)), Piece::Text(more)) => *before += &more,
                    (_, piece) => pieces.push(piece),
                }
            }
        }
        Ok((!pieces.is_empty()).then_some(pieces))
    }

    pub(super) fn word_piece(&mut self, c: char) -> Result<Vec<Piece>> {
        match c {
            '\'' => {
                self.next();
                let mut text = String::new();
                loop {
                    match self.next() {
                        Some('\'') => {
                            return Ok(vec![if text.is_empty() {
                                Piece::Empty
                            } else {
                                Piece::Quoted(text)
                            }]);
                        }
                        Some(c) => text.push(c),
                        None => {
                            return Err(ParseError::Unfinished(
                                "unexpected EOF while looking for matching `''".into(),
                            ));
                        }
                    }
                }
            }
            '"' => {
                self.next();
                let mut pieces = self.quoted_until(Some('"'))?;
                if pieces.is_empty() {
                    pieces.push(Piece::Empty);
                }
                Ok(pieces)
            }
            '\\' => {
                self.next();
                match self.next() {
                    Some('\n') => Ok(Vec::new()),
                    Some(c) => Ok(vec![Piece::Quoted(c.into())]),
                    None => Err(ParseError::Unfinished(
                        "unexpected end of file after a backslash".into(),
                    )),
                }
            }
            '$' | '`' => Ok(vec![self.dollar(false)?]),
            _ => {
                self.next();
                Ok(vec![Piece::Text(c.into())])
            }
        }
    }

    /// Text in double quotes, or up to the end.
    pub(super) fn quoted_until(&mut self, end: Option<char>) -> Result<Word> {
        let mut pieces: Word = Vec::new();
        let add = |pieces: &mut Word, c: char| match pieces.last_mut() {
            Some(Piece::Quoted(text)) => text.push(c),
            _ => pieces.push(Piece::Quoted(c.into())),
        };
        loop {
            match self.letters.peek().copied() {
                None if end.is_none() => return Ok(pieces),
                None => {
                    return Err(ParseError::Unfinished(
                        "unexpected EOF while looking for matching `\"'".into(),
                    ));
                }
                c if c == end => {
                    self.next();
                    return Ok(pieces);
                }
                Some('\\') => {
                    self.next();
                    match self.next() {
                        Some('\n') => {}
                        Some(c @ ('$' | '`' | '\\')) => add(&mut pieces, c),
                        Some('"') if end.is_some() => add(&mut pieces, '"'),
                        Some(c) => {
                            add(&mut pieces, '\\');
                            add(&mut pieces, c);
                        }
                        None => add(&mut pieces, '\\'),
                    }
                }
                Some('$' | '`') => pieces.push(self.dollar(true)?),
                Some(c) => {
                    self.next();
                    add(&mut pieces, c);
                }
            }
        }
    }

    /// What begins with `$`, or a command in backquotes.
    fn dollar(&mut self, quoted: bool) -> Result<Piece> {
        if self.next() == Some('`') {
            let mut text = String::new();
            loop {
                match self.next() {
                    Some('`') => break,
                    Some('\\') => match self.next() {
                        Some(c @ ('`' | '\\' | '$')) => text.push(c),
                        Some(c) => text.extend(['\\', c]),
                        None => return self.wrong(""),
                    },
                    Some(c) => text.push(c),
                    None => {
                        return Err(ParseError::Unfinished(
                            "unexpected EOF while looking for matching ``'".into(),
                        ));
                    }
                }
            }
            return Ok(Piece::Command(
                Arc::new(parse_at(&text, self.depth + 1)?),
                quoted,
            ));
        }
        let variable = |name: String| Piece::Variable {
            name,
            change: Change::None,
            quoted,
        };
        match self.letters.peek().copied() {
            Some('(') if self.rest(2) == "((" && self.is_arithmetic() => {
                self.next();
                self.next();
                self.deeper()?;
                let mut depth = 0;
                let mut text = String::new();
                loop {
                    match self.next() {
                        Some(')') if depth == 0 => break,
                        Some(c) => {
                            depth += i32::from(c == '(') - i32::from(c == ')');
                            text.push(c);
                        }
                        None => return self.wrong(""),
                    }
                }
                self.next();
                self.depth -= 1;
                Ok(Piece::Arithmetic(parse_text(&text)?))
            }
            Some('(') => {
                self.next();
                let inner = self.list(&[")"])?;
                self.next();
                Ok(Piece::Command(Arc::new(inner), quoted))
            }
            Some('{') => {
                self.next();
                self.braces(quoted)
            }
            Some(c @ ('?' | '$' | '#' | '@' | '*' | '!' | '-' | '0'..='9')) => {
                self.next();
                Ok(variable(c.into()))
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let mut name = String::new();
                while let Some(c) = self
                    .letters
                    .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
                {
                    name.push(c);
                }
                Ok(variable(name))
            }
            _ => Ok(Piece::Quoted("$".into())),
        }
    }

    /// Whether `((` ends in `))`, so that it is no command in a subshell.
    fn is_arithmetic(&self) -> bool {
        let mut depth = 0_i32;
        let mut letters = self.letters.clone();
        while let Some(c) = letters.next() {
            depth += i32::from(c == '(') - i32::from(c == ')');
            if depth == 1 && c == ')' {
                return letters.next() == Some(')');
            }
        }
        false
    }

    /// `${…}`.
    fn braces(&mut self, quoted: bool) -> Result<Piece> {
        self.deeper()?;
        let mut change = Change::None;
        if self.letters.peek() == Some(&'#') && !self.rest(2).ends_with('}') {
            self.next();
            change = Change::Length;
        }
        let mut name = String::new();
        while let Some(c) = self
            .letters
            .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(c);
        }
        if name.is_empty() {
            match self.next() {
                Some(c @ ('?' | '$' | '#' | '@' | '*' | '!' | '-')) => name.push(c),
                Some(_) => return Err(ParseError::Wrong("bad substitution".into())),
                None => return self.wrong(""),
            }
        }
        let colon = self.letters.next_if_eq(&':').is_some();
        match self.next() {
            Some('}') if !colon => {
                self.depth -= 1;
                return Ok(Piece::Variable {
                    name,
                    change,
                    quoted,
                });
            }
            Some(c @ ('-' | '=' | '?' | '+')) => {
                change = Change::Instead(c, colon, self.until_brace(&['}'])?.0)
            }
            Some(c @ ('#' | '%')) if !colon => {
                let longest = self.letters.next_if_eq(&c).is_some();
                change = Change::Trim {
                    at_end: c == '%',
                    longest,
                    pattern: self.until_brace(&['}'])?.0,
                };
            }
            Some('/') if !colon => {
                let all = self.letters.next_if_eq(&'/').is_some();
                let (pattern, end) = self.until_brace(&['/', '}'])?;
                let with = if end == '/' {
                    self.until_brace(&['}'])?.0
                } else {
                    Vec::new()
                };
                change = Change::Replace { all, pattern, with };
            }
            Some(c) if colon => {
                let (mut from, end) = self.until_brace(&[':', '}'])?;
                from.insert(0, Piece::Text(c.into()));
                let length = if end == ':' {
                    Some(self.until_brace(&['}'])?.0)
                } else {
                    None
                };
                change = Change::Part(from, length);
            }
            Some(_) => return Err(ParseError::Wrong("bad substitution".into())),
            None => return self.wrong(""),
        }
        self.depth -= 1;
        Ok(Piece::Variable {
            name,
            change,
            quoted,
        })
    }

    /// A word up to one of some letters, which is taken.
    fn until_brace(&mut self, ends: &[char]) -> Result<(Word, char)> {
        let mut pieces = Vec::new();
        loop {
            match self.letters.peek().copied() {
                Some(c) if ends.contains(&c) => {
                    self.next();
                    return Ok((pieces, c));
                }
                Some(c) => {
                    let more = self.word_piece(c)?;
                    pieces.extend(more);
                }
                None => {
                    return Err(ParseError::Unfinished(
                        "unexpected EOF while looking for matching `}'".into(),
                    ));
                }
            }
        }
    }
}
