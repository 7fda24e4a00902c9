// SPDX-License-Identifier: Apache-2.0
//! Reads a stream of JSON documents, cut anywhere. Of each document only its [`Shape`] is kept, within a limit of bytes;
//! the elements of a list's `items` are handed out one by one, so a whole list is never held.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::shape::SHORT_BYTES;
use super::{Shape, Value};

/// What one document may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How deep arrays and objects may nest, of what is kept and of what is skipped.
    pub depth: usize,
    /// Bytes of one string or key that is kept.
    pub token: usize,
    /// Bytes of one document (or one item of a list) that are kept, with what each value costs beside its text.
    pub kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            token: 4096,
            kept: 16 * 1024,
        }
    }
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// This byte cannot stand where it stands.
    Unexpected(u8),
    /// Nested deeper than the limit.
    TooDeep,
    /// A string is not UTF-8.
    NotUtf8,
    /// The stream ends within a document.
    Cut,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(byte) => write!(f, "byte {byte:#04x} is not expected in JSON here"),
            Self::TooDeep => f.write_str("JSON is nested too deep"),
            Self::NotUtf8 => f.write_str("a JSON string is not UTF-8"),
            Self::Cut => f.write_str("JSON ends too early"),
        }
    }
}

impl core::error::Error for Error {}

/// What a [`Reader`] has finished reading.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// An element of the top object's `items`.
    Item(Value),
    /// A whole document, without its items if those are handed out.
    Document(Value),
    /// An item or a document of which more was to be kept than the limit allows: what came first of it.
    Partial(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value must come; in an array just opened, its end may come instead.
    Value,
    FirstElement,
    /// A key must come; in an object just opened, its end may come instead.
    Key,
    FirstKey,
    Colon,
    /// A comma or the end of what is open.
    After,
    InString,
    Escape,
    Hex {
        digits: u8,
        code: u16,
    },
    /// A high surrogate was read: `\` and `u` must follow for a pair.
    Pair(u16),
    PairEscape(u16),
    PairHex {
        high: u16,
        digits: u8,
        code: u16,
    },
    Literal {
        word: &'static [u8],
        at: usize,
    },
    Number,
}

#[derive(Debug)]
struct Open {
    /// `None` while it is skipped.
    value: Option<Value>,
    shape: Option<Shape>,
    is_array: bool,
    /// The key in the object around it.
    key: Box<str>,
    /// The shape of the value that comes next (objects: after its key was read).
    next: Option<Shape>,
    next_key: Box<str>,
}

/// A reader of documents that come in pieces.
#[derive(Debug)]
pub struct Reader {
    shape: Shape,
    items: Option<Shape>,
    limits: Limits,
    state: State,
    stack: Vec<Open>,
    token: Vec<u8>,
    /// Whether the token is longer than is kept.
    overlong: bool,
    token_is_key: bool,
    kept: usize,
    /// Whether the document exceeds the limit: nothing more of it is kept.
    overflow: bool,
}

/// What a value costs beside its text.
const COST: usize = core::mem::size_of::<Value>();

impl Reader {
    /// Reads documents and keeps this of each.
    #[must_use]
    pub fn new(shape: Shape, limits: Limits) -> Self {
        Self {
            shape,
            items: None,
            limits,
            state: State::Value,
            stack: Vec::new(),
            token: Vec::new(),
            overlong: false,
            token_is_key: false,
            kept: 0,
            overflow: false,
        }
    }

    /// Reads lists: `items` are handed out one by one, and this is kept of each.
    #[must_use]
    pub fn of_items(mut self, item: Shape) -> Self {
        self.items = Some(item);
        self
    }

    /// Whether no document is begun.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.stack.is_empty() && self.state == State::Value
    }

    /// Reads on until something is complete. Says how many bytes were used: the rest is to be given again.
    ///
    /// # Errors
    /// When it is not JSON or exceeds a limit; the stream is of no further use then.
    pub fn push(&mut self, input: &[u8]) -> Result<(usize, Option<Taken>), Error> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            let (used, taken) = self.byte(byte)?;
            at += usize::from(used);
            if taken.is_some() {
                return Ok((at, taken));
            }
        }
        Ok((at, None))
    }

    /// Tells that nothing follows. A number on its own ends here.
    ///
    /// # Errors
    /// When a document is not complete.
    pub fn finish(&mut self) -> Result<Option<Taken>, Error> {
        if self.stack.is_empty() && self.state == State::Number {
            return self.end_number();
        }
        if self.is_between() {
            Ok(None)
        } else {
            Err(Error::Cut)
        }
    }

    fn byte(&mut self, byte: u8) -> Result<(bool, Option<Taken>), Error> {
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match self.state {
            State::Value | State::FirstElement => {
                if is_space {
                    return Ok((true, None));
                }
                if self.state == State::FirstElement && byte == b']' {
                    return Ok((true, self.close(true, byte)?));
                }
                self.value(byte)?;
            }
            State::Key | State::FirstKey => match byte {
                _ if is_space => {}
                b'"' => self.begin_string(true),
                b'}' if self.state == State::FirstKey => {
                    return Ok((true, self.close(false, byte)?));
                }
                _ => return Err(Error::Unexpected(byte)),
            },
            State::Colon => match byte {
                _ if is_space => {}
                b':' => self.state = State::Value,
                _ => return Err(Error::Unexpected(byte)),
            },
            State::After => match byte {
                _ if is_space => {}
                b',' => {
                    let is_array = self.stack.last().is_some_and(|open| open.is_array);
                    self.state = if is_array { State::Value } else { State::Key };
                }
                b']' | b'}' => return Ok((true, self.close(byte == b']', byte)?)),
                _ => return Err(Error::Unexpected(byte)),
            },
            State::Number => {
                if matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') {
                    self.keep(&[byte]);
                } else {
                    return Ok((false, self.end_number()?));
                }
            }
            State::Literal { word, at } => {
                if word.get(at) != Some(&byte) {
                    return Err(Error::Unexpected(byte));
                }
                if at + 1 < word.len() {
                    self.state = State::Literal { word, at: at + 1 };
                } else {
                    let value = match word[0] {
                        b't' => Value::Bool(true),
                        b'f' => Value::Bool(false),
                        _ => Value::Null,
                    };
                    return Ok((true, self.scalar(value)?));
                }
            }
            _ => return self.in_string(byte),
        }
        Ok((true, None))
    }

    fn value(&mut self, byte: u8) -> Result<(), Error> {
        match byte {
            b'{' | b'[' => self.open(byte == b'[')?,
            b'"' => self.begin_string(false),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            b'-' | b'0'..=b'9' => {
                self.token.clear();
                self.overlong = false;
                self.keep(&[byte]);
                self.state = State::Number;
            }
            _ => return Err(Error::Unexpected(byte)),
        }
        Ok(())
    }

    fn literal(&mut self, word: &'static [u8]) {
        self.state = State::Literal { word, at: 1 };
    }

    fn begin_string(&mut self, is_key: bool) {
        self.token.clear();
        self.overlong = false;
        self.token_is_key = is_key;
        self.state = State::InString;
    }

    /// Whether the text of the token is of any use.
    fn is_wanted(&self) -> bool {
        let next = self.next_shape().is_some();
        if self.token_is_key && self.state != State::Number {
            self.stack.last().is_some_and(|open| open.shape.is_some())
        } else {
            next
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if !self.is_wanted() {
            return;
        }
        if self.token.len() + bytes.len() > self.limits.token {
            self.overlong = true;
        } else {
            self.token.extend_from_slice(bytes);
        }
    }

    fn in_string(&mut self, byte: u8) -> Result<(bool, Option<Taken>), Error> {
        match self.state {
            State::InString => match byte {
                b'"' => return Ok((true, self.end_string()?)),
                b'\\' => self.state = State::Escape,
                0..0x20 => return Err(Error::Unexpected(byte)),
                _ => self.keep(&[byte]),
            },
            State::Escape => {
                let plain = match byte {
                    b'"' | b'\\' | b'/' => byte,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'u' => {
                        self.state = State::Hex { digits: 0, code: 0 };
                        return Ok((true, None));
                    }
                    _ => return Err(Error::Unexpected(byte)),
                };
                self.state = State::InString;
                self.keep(&[plain]);
            }
            State::Hex { digits, code } => {
                let code = code << 4 | hex(byte)?;
                self.state = match (digits, code) {
                    (0..3, _) => State::Hex {
                        digits: digits + 1,
                        code,
                    },
                    (_, 0xD800..0xDC00) => State::Pair(code),
                    _ => {
                        self.state = State::InString;
                        self.character(u32::from(code));
                        State::InString
                    }
                };
            }
            // A surrogate without its other half becomes U+FFFD, as in Go.
            State::Pair(high) => {
                if byte == b'\\' {
                    self.state = State::PairEscape(high);
                } else {
                    self.state = State::InString;
                    self.character(0xFFFD);
                    return Ok((false, None));
                }
            }
            State::PairEscape(high) => {
                if byte == b'u' {
                    self.state = State::PairHex {
                        high,
                        digits: 0,
                        code: 0,
                    };
                } else {
                    self.state = State::InString;
                    self.character(0xFFFD);
                    self.state = State::Escape;
                    return Ok((false, None));
                }
            }
            State::PairHex { high, digits, code } => {
                let code = code << 4 | hex(byte)?;
                if digits < 3 {
                    self.state = State::PairHex {
                        high,
                        digits: digits + 1,
                        code,
                    };
                } else {
                    self.state = State::InString;
                    match code {
                        0xDC00..0xE000 => self.character(
                            0x1_0000 + (u32::from(high - 0xD800) << 10 | u32::from(code - 0xDC00)),
                        ),
                        0xD800..0xDC00 => {
                            self.character(0xFFFD);
                            self.state = State::Pair(code);
                        }
                        _ => {
                            self.character(0xFFFD);
                            self.character(u32::from(code));
                        }
                    }
                }
            }
            _ => return Err(Error::Unexpected(byte)),
        }
        Ok((true, None))
    }

    fn character(&mut self, code: u32) {
        let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.keep(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn end_string(&mut self) -> Result<Option<Taken>, Error> {
        if self.token_is_key {
            let overlong = self.overlong;
            let text = self.take_token()?;
            self.state = State::Colon;
            let depth = self.stack.len();
            let items = self.items;
            let mut cost = 0;
            if let Some(open) = self.stack.last_mut() {
                open.next = match open.shape {
                    Some(_) if overlong => None,
                    Some(_) if depth == 1 && items.is_some() && text == "items" => items,
                    Some(shape) => shape.under(&text),
                    None => None,
                };
                open.next_key = if open.next.is_some() {
                    cost = text.len() + COST;
                    text.into_boxed_str()
                } else {
                    Box::default()
                };
            }
            self.charge(cost);
            return Ok(None);
        }
        if self.next_shape().is_none() {
            return self.scalar(Value::Null);
        }
        let is_short = matches!(self.next_shape(), Some(Shape::Short));
        if self.overlong {
            self.overflow |= !is_short;
            return self.scalar(Value::Null);
        }
        let text = self.take_token()?;
        if is_short && text.len() > SHORT_BYTES {
            return self.scalar(Value::Null);
        }
        self.scalar(Value::String(text.into_boxed_str()))
    }

    fn end_number(&mut self) -> Result<Option<Taken>, Error> {
        if self.next_shape().is_none() {
            return self.scalar(Value::Null);
        }
        if self.overlong {
            self.overflow = true;
            return self.scalar(Value::Null);
        }
        let text = self.take_token()?;
        if !is_number(text.as_bytes()) {
            return Err(Error::Unexpected(
                text.as_bytes().first().copied().unwrap_or(b'-'),
            ));
        }
        self.scalar(Value::Number(text.into_boxed_str()))
    }

    fn take_token(&mut self) -> Result<String, Error> {
        let text = core::str::from_utf8(&self.token).map_err(|_| Error::NotUtf8)?;
        let text = String::from(text);
        self.token.clear();
        // A long token is rare; its buffer is not kept for the next.
        if self.token.capacity() > 256 {
            self.token = Vec::new();
        }
        Ok(text)
    }

    fn charge(&mut self, bytes: usize) {
        self.kept += bytes;
        self.overflow |= self.kept > self.limits.kept;
    }

    /// The shape of the value that comes next.
    fn next_shape(&self) -> Option<Shape> {
        if self.overflow {
            return None;
        }
        match self.stack.last() {
            None => Some(self.shape),
            Some(open) if open.is_array => open.shape,
            Some(open) => open.next,
        }
    }

    fn open(&mut self, is_array: bool) -> Result<(), Error> {
        if self.stack.len() >= self.limits.depth {
            return Err(Error::TooDeep);
        }
        let shape = self.next_shape();
        if shape.is_some() {
            self.charge(COST);
        }
        let key = match self.stack.last_mut() {
            Some(open) if !open.is_array => core::mem::take(&mut open.next_key),
            _ => Box::default(),
        };
        self.stack.push(Open {
            value: shape.map(|_| {
                if is_array {
                    Value::Array(Vec::new())
                } else {
                    Value::Object(Vec::new())
                }
            }),
            shape,
            is_array,
            key,
            next: None,
            next_key: Box::default(),
        });
        self.state = if is_array {
            State::FirstElement
        } else {
            State::FirstKey
        };
        Ok(())
    }

    fn close(&mut self, is_array: bool, byte: u8) -> Result<Option<Taken>, Error> {
        match self.stack.pop() {
            Some(open) if open.is_array == is_array => self.attach(open.key, open.value),
            _ => Err(Error::Unexpected(byte)),
        }
    }

    fn scalar(&mut self, value: Value) -> Result<Option<Taken>, Error> {
        let wanted = self.next_shape().is_some();
        if wanted {
            let text = match &value {
                Value::String(text) | Value::Number(text) => text.len(),
                _ => 0,
            };
            self.charge(COST + text);
        }
        let key = match self.stack.last_mut() {
            Some(open) if !open.is_array => core::mem::take(&mut open.next_key),
            _ => Box::default(),
        };
        self.attach(key, wanted.then_some(value))
    }

    /// Puts a finished value where it belongs: into what is open, or out.
    fn attach(&mut self, key: Box<str>, value: Option<Value>) -> Result<Option<Taken>, Error> {
        let depth = self.stack.len();
        let Some(open) = self.stack.last_mut() else {
            self.state = State::Value;
            let value = value.unwrap_or(Value::Null);
            return Ok(Some(if self.restart() {
                Taken::Partial(value)
            } else {
                Taken::Document(value)
            }));
        };
        self.state = State::After;
        let Some(value) = value else {
            return Ok(None);
        };
        if depth == 2 && open.is_array && self.items.is_some() && *open.key == *"items" {
            return Ok(Some(if self.restart() {
                Taken::Partial(value)
            } else {
                Taken::Item(value)
            }));
        }
        match &mut open.value {
            Some(Value::Array(list)) => list.push(value),
            Some(Value::Object(entries)) => entries.push((key, value)),
            _ => {}
        }
        Ok(None)
    }
}

impl Reader {
    /// Begins the account of another document. Says whether the one before exceeded the limit.
    fn restart(&mut self) -> bool {
        self.kept = 0;
        core::mem::take(&mut self.overflow)
    }
}

fn hex(byte: u8) -> Result<u16, Error> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u16::try_from(digit).ok())
        .ok_or(Error::Unexpected(byte))
}

/// Whether the text is a number as JSON has them.
fn is_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> (&[u8], bool) {
        let n = text.iter().take_while(|b| b.is_ascii_digit()).count();
        (&text[n..], n > 0)
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let leading_zero = text.starts_with(b"0");
    let (mut rest, any) = digits(text);
    if !any || (leading_zero && text.len() - rest.len() > 1) {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let (after, any) = digits(fraction);
        if !any {
            return false;
        }
        rest = after;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent
            .strip_prefix(b"+")
            .or_else(|| exponent.strip_prefix(b"-"))
            .unwrap_or(exponent);
        let (after, any) = digits(exponent);
        if !any {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests;
