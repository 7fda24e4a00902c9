// SPDX-License-Identifier: Apache-2.0
//! The reader: one pass, recursion bounded by [`Limits::depth`].
//!
//! It is written by hand because it has to find what is wrong in the words of Go's reader, list
//! duplicate keys with their paths, and accept what Go accepts (lone surrogates, broken UTF-8).

use super::{JsonError, JsonProblem};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// At most so many duplicate keys are reported.
const MAX_DUPLICATES: usize = 100;

/// How much a text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Lists and maps inside each other.
    pub depth: usize,
}

impl Default for Limits {
    /// 512 levels, which every recursive function over objects can walk on a small stack (Kubernetes
    /// reads 10 000), and 64 MiB, which no request reaches.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            depth: 512,
        }
    }
}

/// A value, with what was odd about its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The value; of a key that is given twice, the last.
    pub value: Value,
    /// Paths of keys that are given more than once, such as `data.k` or `spec.containers[0].name`,
    /// each once, in the order of the text.
    pub duplicates: Vec<String>,
}

/// Reads one value with the default limits and forgets about duplicate keys.
///
/// # Errors
/// When the text is not JSON, or beyond the limits.
///
/// # Examples
/// ```
/// let error = k1s_core::json::read(b"{\n nonsense").unwrap_err();
/// assert_eq!(error.to_string(), "invalid character 'n' looking for beginning of object key string");
/// assert_eq!((error.line, error.column), (2, 2));
/// ```
pub fn read(text: &[u8]) -> Result<Value, JsonError> {
    read_document(text, Limits::default()).map(|document| document.value)
}

/// Reads one value and lists duplicate keys.
///
/// # Errors
/// When the text is not JSON, or beyond the limits.
pub fn read_document(text: &[u8], limits: Limits) -> Result<Document, JsonError> {
    let (document, rest) = read_prefix(text, limits)?;
    let end = text.len() - rest.len();
    match rest
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
    {
        None => Ok(document),
        Some(space) => {
            let byte = rest.get(space).copied().unwrap_or_default();
            let problem = JsonProblem::Character(byte, "after top-level value");
            Err(JsonError::new(problem, text, end + space))
        }
    }
}

/// Reads one value from the front and gives back what follows it: for several values in one text.
///
/// # Errors
/// When the text does not begin with a JSON value, or is beyond the limits.
pub fn read_prefix(text: &[u8], limits: Limits) -> Result<(Document, &[u8]), JsonError> {
    if text.len() > limits.bytes {
        return Err(JsonError::new(JsonProblem::TooLarge(limits.bytes), text, 0));
    }
    // to check a whole text is many times faster than to repair it
    let lossy = match std::str::from_utf8(text) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(text),
    };
    let mut reader = Reader {
        text: &lossy,
        at: 0,
        depth: limits.depth,
        duplicates: Vec::new(),
    };
    let value = reader.value();
    let end = match &lossy {
        Cow::Borrowed(_) => reader.at,
        Cow::Owned(_) => offset_before_repair(text, reader.at),
    };
    let value = value.map_err(|problem| JsonError::new(problem, text, end))?;
    let mut duplicates: Vec<String> = Vec::new();
    for path in reader.duplicates {
        let path: String = path.into_iter().rev().collect();
        let path = path.strip_prefix('.').unwrap_or(&path);
        if duplicates.iter().all(|known| known != path) {
            duplicates.push(path.to_owned());
        }
    }
    Ok((
        Document { value, duplicates },
        text.get(end..).unwrap_or_default(),
    ))
}

/// Where an offset into the text with replacement characters lies in the text as it was given.
fn offset_before_repair(text: &[u8], offset: usize) -> usize {
    let (mut repaired, mut given) = (0, 0);
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid().len();
        if offset <= repaired + valid {
            return given + (offset - repaired);
        }
        repaired += valid + char::REPLACEMENT_CHARACTER.len_utf8();
        given += valid + chunk.invalid().len();
    }
    given
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Levels that may still be opened.
    depth: usize,
    /// Each duplicate as the steps of its path, innermost first.
    duplicates: Vec<Vec<String>>,
}

type Result<T, E = JsonProblem> = std::result::Result<T, E>;

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next byte cannot stand where it stands.
    fn wrong<T>(&self, place: &'static str) -> Result<T> {
        Err(self
            .peek()
            .map_or(JsonProblem::End, |byte| JsonProblem::Character(byte, place)))
    }

    /// The same inside a word, a number or an escape, where Go takes the end for a space.
    fn wrong_inside<T>(&self, place: &'static str) -> Result<T> {
        Err(JsonProblem::Character(self.peek().unwrap_or(b' '), place))
    }

    fn value(&mut self) -> Result<Value> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::map),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(Value::String(self.string()?.into_owned())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", &TRUE, Value::Bool(true)),
            Some(b'f') => self.word("false", &FALSE, Value::Bool(false)),
            Some(b'n') => self.word("null", &NULL, Value::Null),
            _ => self.wrong("looking for beginning of value"),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value>) -> Result<Value> {
        if self.depth == 0 {
            return self.wrong("exceeded max depth");
        }
        self.depth -= 1;
        self.at += 1;
        let value = read(self)?;
        self.depth += 1;
        Ok(value)
    }

    fn map(&mut self) -> Result<Value> {
        let mut map = Map::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(map));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.wrong("looking for beginning of object key string");
            }
            let key = self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return self.wrong("after object key");
            }
            self.at += 1;
            let known = self.duplicates.len();
            let value = self.value()?;
            for path in self.duplicates.iter_mut().skip(known) {
                path.push(format!(".{key}"));
            }
            match map.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(mut place) => {
                    if self.duplicates.len() < MAX_DUPLICATES {
                        self.duplicates
                            .insert(known, vec![format!(".{}", place.key())]);
                    }
                    place.insert(value);
                }
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(map));
                }
                _ => return self.wrong("after object key:value pair"),
            }
        }
    }

    fn list(&mut self) -> Result<Value> {
        let mut list = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(list));
        }
        loop {
            let known = self.duplicates.len();
            let value = self.value()?;
            for path in self.duplicates.iter_mut().skip(known) {
                path.push(format!("[{}]", list.len()));
            }
            list.push(value);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(list));
                }
                _ => return self.wrong("after array element"),
            }
        }
    }

    fn word(&mut self, word: &str, places: &[&'static str], value: Value) -> Result<Value> {
        self.at += 1;
        for (expected, place) in word.bytes().skip(1).zip(places) {
            if self.peek() != Some(expected) {
                return self.wrong_inside(place);
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.wrong_inside("in numeric literal"),
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.wrong_inside("after decimal point in numeric literal");
            }
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.wrong_inside("in exponent of numeric literal");
            }
            self.digits();
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if whole {
            if let Ok(number) = text.parse::<i64>() {
                return Ok(Value::from(number));
            }
            if let Ok(number) = text.parse::<u64>() {
                return Ok(Value::from(number));
            }
        }
        let float = text.parse::<f64>().ok().and_then(Number::from_f64);
        float
            .map(Value::Number)
            .ok_or_else(|| JsonProblem::NumberRange(text.to_owned()))
    }

    /// Reads a string; it is copied only where it has escapes.
    fn string(&mut self) -> Result<Cow<'a, str>> {
        self.at += 1;
        let mut plain: Option<String> = None;
        loop {
            let start = self.at;
            let rest = self.text.as_bytes().get(start..).unwrap_or_default();
            self.at += plain_length(rest);
            let run = self.text.get(start..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match plain {
                        None => Cow::Borrowed(run),
                        Some(text) => Cow::Owned(text + run),
                    });
                }
                Some(b'\\') => {
                    let text = plain.get_or_insert_default();
                    text.push_str(run);
                    self.at += 1;
                    let character = self.escape()?;
                    text.push(character);
                }
                _ => return self.wrong("in string literal"),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return self.wrong_inside("in string escape code"),
        };
        self.at += 1;
        Ok(character)
    }

    fn hex(&mut self) -> Result<u32> {
        let mut value = 0;
        for _ in 0..4 {
            match self.peek().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => value = value * 16 + digit,
                None => return self.wrong_inside("in \\u hexadecimal character escape"),
            }
            self.at += 1;
        }
        Ok(value)
    }

    /// A code unit, or two that make a pair; half a pair becomes the replacement character.
    fn unicode(&mut self) -> Result<char> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) {
            let before = self.at;
            if self
                .text
                .get(before..)
                .is_some_and(|rest| rest.starts_with("\\u"))
            {
                self.at += 2;
                let second = self.hex()?;
                if (0xdc00..0xe000).contains(&second) {
                    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                self.at = before;
            }
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

/// Bytes before the next quote, backslash or control character.
pub(super) fn plain_length(text: &[u8]) -> usize {
    let length = memchr::memchr2(b'"', b'\\', text).unwrap_or(text.len());
    let run = text.get(..length).unwrap_or(text);
    // Looking at all bytes without branches is faster than finding the first bad one.
    if run.iter().fold(false, |found, byte| found | (*byte < b' ')) {
        run.iter().position(|byte| *byte < b' ').unwrap_or(length)
    } else {
        length
    }
}

const TRUE: [&str; 3] = [
    "in literal true (expecting 'r')",
    "in literal true (expecting 'u')",
    "in literal true (expecting 'e')",
];
const FALSE: [&str; 4] = [
    "in literal false (expecting 'a')",
    "in literal false (expecting 'l')",
    "in literal false (expecting 's')",
    "in literal false (expecting 'e')",
];
const NULL: [&str; 3] = [
    "in literal null (expecting 'u')",
    "in literal null (expecting 'l')",
    "in literal null (expecting 'l')",
];
