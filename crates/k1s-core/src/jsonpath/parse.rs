// SPDX-License-Identifier: Apache-2.0
//! From template to nodes.

use super::JsonPathError;

type Result<T> = std::result::Result<T, JsonPathError>;

/// A step of an action, or a piece of text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Steps that are taken one after the other: what stands in one pair of braces.
    List(Vec<Node>),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// `range`, `end`, or a word that means nothing.
    Identifier(String),
    Field(String),
    /// `*`
    Wildcard,
    /// `..`
    Recursive,
    /// `[start:end:step]`
    Slice(Slice),
    /// `[a,b]`: each is taken from the same values.
    Union(Vec<Vec<Node>>),
    Filter {
        left: Vec<Node>,
        operator: String,
        right: Vec<Node>,
    },
}

/// Which elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) end: SliceEnd,
    pub(super) step: Option<i64>,
}

/// The element before which a slice ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SliceEnd {
    /// At the end of the list.
    Open,
    At(i64),
    /// Behind the start: a single index.
    AfterStart,
}

fn error(message: impl Into<String>) -> JsonPathError {
    JsonPathError::Syntax(message.into())
}

/// Reads a template: text and actions.
pub(super) fn parse(text: &str) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    let mut parser = Parser { text, at: 0 };
    loop {
        let rest = parser.rest();
        let plain = rest.find('{').unwrap_or(rest.len());
        if plain > 0 {
            nodes.push(Node::Text(rest.get(..plain).unwrap_or_default().to_owned()));
            parser.at += plain;
        }
        if parser.next().is_none() {
            return Ok(nodes);
        }
        nodes.push(Node::List(parser.action()?));
    }
}

/// Reads what would stand in braces.
fn parse_action(text: &str) -> Result<Vec<Node>> {
    let text = format!("{text}}}");
    Parser { text: &text, at: 0 }.action()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

fn ends_word(character: char) -> bool {
    matches!(
        character,
        ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}'
    )
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The steps up to the closing brace, which is consumed.
    fn action(&mut self) -> Result<Vec<Node>> {
        let mut steps = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with("[?(") {
                steps.push(self.filter()?);
                continue;
            }
            if rest.starts_with("..") {
                if steps.last() == Some(&Node::Recursive) {
                    return Err(error("invalid multiple recursive descent"));
                }
                self.at += 2;
                steps.push(Node::Recursive);
                if self
                    .rest()
                    .starts_with(|next: char| next == '_' || next.is_alphanumeric())
                {
                    steps.push(self.field());
                }
                continue;
            }
            let start = self.at;
            match self.next() {
                None | Some('\n' | '\r') => return Err(error("unclosed action")),
                Some('}') => return Ok(steps),
                // The current object: just pass it on.
                Some(' ' | '@' | '$') => {}
                Some('[') => self.brackets(start, &mut steps)?,
                Some(quote @ ('"' | '\'')) => steps.push(self.quoted(start, quote)?),
                Some('.') => steps.push(self.field()),
                Some(digit) if matches!(digit, '+' | '-') || digit.is_ascii_digit() => {
                    steps.push(self.number(start)?);
                }
                Some(letter) if letter == '_' || letter.is_alphanumeric() => {
                    steps.push(self.identifier(start))
                }
                Some(other) => {
                    let shown = if other.is_control() {
                        String::new()
                    } else {
                        format!(" '{other}'")
                    };
                    let code = u32::from(other);
                    return Err(error(format!(
                        "unrecognized character in action: U+{code:04X}{shown}"
                    )));
                }
            }
        }
    }

    fn identifier(&mut self, start: usize) -> Node {
        let rest = self.rest();
        self.at += rest.find(ends_word).unwrap_or(rest.len());
        match self.since(start) {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            word => Node::Identifier(word.to_owned()),
        }
    }

    fn number(&mut self, start: usize) -> Result<Node> {
        let rest = self.rest();
        let digit = |character: char| character == '.' || character.is_ascii_digit();
        self.at += rest
            .find(|character| !digit(character))
            .unwrap_or(rest.len());
        let text = self.since(start);
        if let Ok(number) = text.parse() {
            return Ok(Node::Int(number));
        }
        text.parse()
            .map(Node::Float)
            .map_err(|_| error(format!("cannot parse number {text}")))
    }

    /// A name behind a dot, up to the end of the word; a backslash takes away the meaning of the
    /// character behind it.
    fn field(&mut self) -> Node {
        let start = self.at;
        loop {
            let before = self.at;
            match self.next() {
                Some('\\') => {
                    self.next();
                }
                Some(character) if !ends_word(character) => {}
                _ => {
                    self.at = before;
                    break;
                }
            }
        }
        match self.since(start) {
            "*" => Node::Wildcard,
            name => Node::Field(name.replace('\\', "")),
        }
    }

    fn brackets(&mut self, start: usize, steps: &mut Vec<Node>) -> Result<()> {
        loop {
            match self.next() {
                None | Some('\n') => return Err(error("unterminated array")),
                Some(']') => break,
                Some(_) => {}
            }
        }
        let inside = self.since(start);
        let inside = inside.get(1..inside.len() - 1).unwrap_or_default();
        let inside = if inside == "*" { ":" } else { inside };
        if inside.contains(',') {
            let parts = inside
                .split(',')
                .map(|part| parse_action(&format!("[{}]", part.trim_matches(' '))));
            steps.push(Node::Union(parts.collect::<Result<_>>()?));
            return Ok(());
        }
        let key = inside
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''));
        if let Some(key) = key.filter(|key| !key.contains('\'')) {
            steps.extend(parse_action(&format!(".{key}"))?);
            return Ok(());
        }
        steps.push(Node::Slice(slice(inside)?));
        Ok(())
    }

    fn filter(&mut self) -> Result<Node> {
        self.at += "[?(".len();
        let start = self.at;
        let mut quote = None;
        let mut closed = false;
        loop {
            let at = self.at;
            match self.next() {
                None | Some('\n') => return Err(error("unterminated filter")),
                Some(character @ ('"' | '\'')) => match quote {
                    None => quote = Some(character),
                    Some(open) => {
                        let escaped = at
                            .checked_sub(1)
                            .and_then(|at| self.text.as_bytes().get(at))
                            == Some(&b'\\');
                        closed |= !escaped && character == open;
                    }
                },
                Some(')') if quote.is_some() == closed => break,
                Some(_) => {}
            }
        }
        let inside = self.text.get(start..self.at - 1).unwrap_or_default();
        if self.next() != Some(']') {
            return Err(error("unclosed array expect ]"));
        }
        match comparison(inside) {
            None => Ok(Node::Filter {
                left: parse_action(inside)?,
                operator: "exists".to_owned(),
                right: Vec::new(),
            }),
            Some((left, operator, right)) => Ok(Node::Filter {
                left: parse_action(left)?,
                operator: operator.to_owned(),
                right: parse_action(right)?,
            }),
        }
    }

    fn quoted(&mut self, start: usize, quote: char) -> Result<Node> {
        loop {
            let at = self.at;
            match self.next() {
                None | Some('\n') => return Err(error("unterminated quoted string")),
                Some(character) if character == quote => {
                    if self.text.as_bytes().get(at - 1) != Some(&b'\\') {
                        break;
                    }
                }
                Some(_) => {}
            }
        }
        let text = self.since(start);
        let inside = text.get(1..text.len() - 1).unwrap_or_default();
        unquote(inside, quote)
            .map(Node::Text)
            .ok_or_else(|| error(format!("unquote string {text} error invalid syntax")))
    }
}

/// The two sides of a comparison and what stands between them.
fn comparison(text: &str) -> Option<(&str, &str, &str)> {
    let is_operator = |character: char| matches!(character, '!' | '<' | '>' | '=');
    let start = text.find(is_operator).filter(|start| *start > 0)?;
    let rest = text.get(start..)?;
    let mut length = rest
        .find(|character| !is_operator(character))
        .unwrap_or(rest.len());
    // Something has to be left for the right side.
    if length == rest.len() {
        length -= 1;
    }
    let (operator, right) = rest.split_at(length);
    (!operator.is_empty()).then_some((text.get(..start)?, operator, right))
}

fn slice(text: &str) -> Result<Slice> {
    let invalid = || error(format!("invalid array index {text}"));
    let parts: Vec<&str> = text.split(':').collect();
    let digits = |part: &str| {
        part.strip_prefix('-')
            .unwrap_or(part)
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    };
    if parts.len() > 3 || !parts.iter().all(|part| digits(part)) {
        return Err(invalid());
    }
    let number = |index: usize| match parts.get(index) {
        None | Some(&"") => Ok(None),
        Some(part) => part
            .parse::<i64>()
            .map(Some)
            .map_err(|_| error(format!("array index {part} is not a number"))),
    };
    let end = match (parts.len(), number(1)?) {
        (1, _) => SliceEnd::AfterStart,
        (_, None) => SliceEnd::Open,
        (_, Some(end)) => SliceEnd::At(end),
    };
    Ok(Slice {
        start: number(0)?,
        end,
        step: number(2)?,
    })
}

/// Undoes the escapes of Go's strings; none when one is wrong, or the quote stands inside.
fn unquote(text: &str, quote: char) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character == quote {
            return None;
        }
        if character != '\\' {
            push(&mut bytes, character);
            continue;
        }
        match rest.next()? {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            '\\' => bytes.push(b'\\'),
            'x' => bytes.push(u8::try_from(digits(&mut rest, 2, 16)?).ok()?),
            'u' => push(&mut bytes, char::from_u32(digits(&mut rest, 4, 16)?)?),
            'U' => push(&mut bytes, char::from_u32(digits(&mut rest, 8, 16)?)?),
            first @ '0'..='7' => {
                let value = first.to_digit(8)? * 64 + digits(&mut rest, 2, 8)?;
                bytes.push(u8::try_from(value).ok()?);
            }
            escaped if escaped == quote => push(&mut bytes, quote),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn push(bytes: &mut Vec<u8>, character: char) {
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A number of exactly so many digits.
fn digits(text: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    let mut value = 0_u32;
    for _ in 0..count {
        value = value
            .checked_mul(radix)?
            .checked_add(text.next()?.to_digit(radix)?)?;
    }
    Some(value)
}
