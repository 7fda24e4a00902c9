// SPDX-License-Identifier: Apache-2.0
//! The reader: the parser's events become a value, with aliases copied and merge keys merged.

use super::error::{DuplicateKey, YamlError, syntax};
use super::go_float;
use super::scalar::{Scalar, resolve};
use crate::json::Limits;
use base64::Engine;
use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// How many nodes may be made by copying anchored values: what stops a small text from growing
/// without bounds. Strings count one more for every 64 bytes.
const COPIED_NODES: usize = 400_000;

/// A value, with what was odd about its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The value; of a key that is given twice, the last.
    pub value: Value,
    /// Keys that are given more than once in a map, in the order of the text.
    pub duplicates: Vec<DuplicateKey>,
}

/// Reads the first document with the default limits and forgets about duplicate keys.
///
/// # Errors
/// When the text is not YAML, or beyond the limits.
///
/// # Examples
/// ```
/// let error = k1s_core::yaml::read(b"a: 1\n b: 2").unwrap_err();
/// assert_eq!(error.to_string(), "yaml: line 2: mapping values are not allowed in this context");
/// ```
pub fn read(text: &[u8]) -> Result<Value, YamlError> {
    read_document(text, Limits::default()).map(|document| document.value)
}

/// Reads the first document and lists duplicate keys; an empty text is null.
///
/// # Errors
/// When the text is not YAML, or beyond the limits.
pub fn read_document(text: &[u8], limits: Limits) -> Result<Document, YamlError> {
    if text.len() > limits.bytes {
        return Err(YamlError::TooLarge(limits.bytes));
    }
    let line_of = |offset: usize| {
        text.iter()
            .take(offset)
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    };
    let meaning = |message: &str, offset| YamlError::Meaning {
        message: message.to_owned(),
        line: line_of(offset),
    };
    let text = std::str::from_utf8(text).map_err(|error| {
        let message = if error.error_len().is_none() {
            "incomplete UTF-8 octet sequence"
        } else {
            "invalid leading UTF-8 octet"
        };
        meaning(message, error.valid_up_to())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((offset, _)) = text
        .char_indices()
        .find(|(_, character)| is_control(*character))
    {
        return Err(meaning("control characters are not allowed", offset));
    }
    if let Some(line) = leading_tab(text) {
        let message = "found character that cannot start any token".to_owned();
        let shown = (line > 1).then_some(line);
        return Err(YamlError::Syntax {
            message,
            shown,
            line,
            column: 1,
        });
    }
    let mut options = Options::default();
    options.flow_nesting_limit = limits.depth;
    options.block_nesting_limit = limits.depth;
    // Another crate of the program may have the parser built with events for comments.
    options.emit_comments = false;
    let mut reader = Reader {
        text,
        parser: Parser::new_from_str_with_options(text, options),
        depth: limits.depth,
        anchors: HashMap::new(),
        copied: 0,
        duplicates: Vec::new(),
    };
    let value = reader.document()?;
    Ok(Document {
        value,
        duplicates: reader.duplicates,
    })
}

fn is_control(character: char) -> bool {
    !matches!(character, '\t' | '\n' | '\r' | '\u{85}' | ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// The line, from 1, where a tab stands for indentation before anything else has been read.
fn leading_tab(text: &str) -> Option<usize> {
    for (index, line) in text.lines().enumerate() {
        let rest = line.trim_start_matches(' ');
        if rest.starts_with('\t') {
            return Some(index + 1);
        }
        let content = rest.strip_prefix("---").unwrap_or(rest).trim_start();
        if !(content.is_empty() || content.starts_with('#')) {
            return None;
        }
    }
    None
}

/// A list or map that has begun.
struct Open {
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    /// With the key whose value comes next.
    Map(Map<String, Value>, Option<Key>),
}

struct Key {
    value: Value,
    line: usize,
    is_merge: bool,
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// Collections that may be open at once.
    depth: usize,
    /// Anchored values with what a copy costs; none while the value is not finished.
    anchors: HashMap<usize, Option<(Value, usize)>>,
    copied: usize,
    duplicates: Vec<DuplicateKey>,
}

type Result<T, E = YamlError> = std::result::Result<T, E>;

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span)> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(syntax(&error, self.text)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Value> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(Value::Null),
                (Event::DocumentStart(..), _) => break,
                _ => {}
            }
        }
        let value = self.content()?;
        // What follows the document may show that it was none.
        self.next()?;
        Ok(value)
    }

    /// The value of a document. Open collections are kept in a list, not on the stack.
    fn content(&mut self) -> Result<Value> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            let mut is_merge = false;
            let value = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    is_merge = tag.is_none() && style == ScalarStyle::Plain && text == "<<";
                    let text = self.without_added_break(&text, style, span);
                    let value = scalar(text, style, tag.as_deref(), line)?;
                    self.keep(anchor, &value)?;
                    value
                }
                Event::Alias(anchor) => self.copy(anchor, line)?,
                Event::SequenceStart(_, anchor, _) => {
                    self.start(anchor, line, open.len())?;
                    open.push(Open {
                        anchor,
                        content: Content::List(Vec::new()),
                    });
                    continue;
                }
                Event::MappingStart(_, anchor, _) => {
                    self.start(anchor, line, open.len())?;
                    open.push(Open {
                        anchor,
                        content: Content::Map(Map::new(), None),
                    });
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(ended) => {
                        let value = match ended.content {
                            Content::List(list) => Value::Array(list),
                            Content::Map(map, _) => Value::Object(map),
                        };
                        self.keep(ended.anchor, &value)?;
                        value
                    }
                    None => Value::Null,
                },
                _ => return Ok(Value::Null),
            };
            // A collection that ended is placed where it began.
            let Some(parent) = open.last_mut() else {
                return Ok(value);
            };
            match &mut parent.content {
                Content::List(list) => list.push(value),
                Content::Map(map, pending) => match pending.take() {
                    None => {
                        *pending = Some(Key {
                            value,
                            line,
                            is_merge,
                        })
                    }
                    Some(key) => self.entry(map, key, value)?,
                },
            }
        }
    }

    /// A block scalar that ends with the text, where that ends without a line break, has none either.
    fn without_added_break<'t>(&self, text: &'t str, style: ScalarStyle, span: Span) -> &'t str {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let last = block
            && span
                .end
                .byte_offset()
                .is_some_and(|end| end >= self.text.len());
        if last && !self.text.ends_with(['\n', '\r']) {
            text.strip_suffix('\n').unwrap_or(text)
        } else {
            text
        }
    }

    fn start(&mut self, anchor: usize, line: usize, depth: usize) -> Result<()> {
        if depth >= self.depth {
            return Err(YamlError::Meaning {
                message: "exceeded max depth".to_owned(),
                line,
            });
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        Ok(())
    }

    fn keep(&mut self, anchor: usize, value: &Value) -> Result<()> {
        if anchor > 0 {
            let cost = cost(value);
            self.charge(cost, 0)?;
            self.anchors.insert(anchor, Some((value.clone(), cost)));
        }
        Ok(())
    }

    fn charge(&mut self, cost: usize, line: usize) -> Result<()> {
        self.copied = self.copied.saturating_add(cost);
        if self.copied > COPIED_NODES {
            return Err(YamlError::Meaning {
                message: "document contains excessive aliasing".to_owned(),
                line,
            });
        }
        Ok(())
    }

    fn copy(&mut self, anchor: usize, line: usize) -> Result<Value> {
        match self.anchors.get(&anchor) {
            Some(Some((value, cost))) => {
                let (value, cost) = (value.clone(), *cost);
                self.charge(cost, line)?;
                Ok(value)
            }
            _ => {
                let name = self
                    .text
                    .lines()
                    .nth(line.saturating_sub(1))
                    .and_then(|text| text.split('*').nth(1));
                let end =
                    |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
                let name =
                    name.map(|text| text.get(..end(text).unwrap_or(text.len())).unwrap_or(text));
                let message = format!(
                    "anchor '{}' value contains itself",
                    name.unwrap_or_default()
                );
                Err(YamlError::Meaning { message, line })
            }
        }
    }

    fn entry(&mut self, map: &mut Map<String, Value>, key: Key, value: Value) -> Result<()> {
        let line = key.line;
        if !key.is_merge {
            self.set(map, key_text(key.value, line)?, value, line);
            return Ok(());
        }
        let wrong = || YamlError::Meaning {
            message: "map merge requires map or sequence of maps as the value".to_owned(),
            line,
        };
        let maps = match value {
            Value::Object(merged) => vec![merged],
            // Of several, the first one counts most.
            Value::Array(list) => list
                .into_iter()
                .rev()
                .map(|item| {
                    if let Value::Object(merged) = item {
                        Ok(merged)
                    } else {
                        Err(wrong())
                    }
                })
                .collect::<Result<_>>()?,
            _ => return Err(wrong()),
        };
        for (key, value) in maps.into_iter().flatten() {
            self.set(map, key, value, line);
        }
        Ok(())
    }

    fn set(&mut self, map: &mut Map<String, Value>, key: String, value: Value, line: usize) {
        if map.contains_key(&key) {
            self.duplicates.push(DuplicateKey {
                key: key.clone(),
                line,
            });
        }
        map.insert(key, value);
    }
}

fn cost(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len() / 64,
        Value::Array(list) => list.iter().map(cost).fold(1, usize::saturating_add),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| 1 + key.len() / 64 + cost(value))
            .fold(1, usize::saturating_add),
        _ => 1,
    }
}

fn key_text(key: Value, line: usize) -> Result<String> {
    let wrong = |message: String| Err(YamlError::Meaning { message, line });
    match key {
        Value::String(text) => Ok(text),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(match number.as_f64() {
            Some(float) if number.is_f64() => go_float::general(float),
            _ => number.to_string(),
        }),
        Value::Null => wrong("unsupported map key of type: null".to_owned()),
        Value::Array(_) | Value::Object(_) => wrong("invalid map key".to_owned()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Result<Value> {
    let core = tag.and_then(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:"));
    let core = core.as_deref();
    let plain = match (tag, core) {
        (None, _) => style == ScalarStyle::Plain,
        (Some(_), Some("bool" | "int" | "float" | "null")) => true,
        (Some(_), Some("binary")) => {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(text.split_whitespace().collect::<String>());
            return match bytes {
                Ok(bytes) => Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned())),
                Err(_) => Err(YamlError::Meaning {
                    message: "!!binary value contains invalid base64 data".to_owned(),
                    line,
                }),
            };
        }
        (Some(_), _) => false,
    };
    let resolved = if plain { resolve(text) } else { Scalar::Text };
    let found = match resolved {
        Scalar::Null => "null",
        Scalar::Bool(_) => "bool",
        Scalar::Int(_) | Scalar::Uint(_) => "int",
        Scalar::Float(_) => "float",
        Scalar::Timestamp => "timestamp",
        Scalar::Merge => "merge",
        Scalar::Text => "str",
    };
    if let Some(wanted @ ("bool" | "int" | "float" | "null")) = core
        && found != wanted
        && (wanted, found) != ("float", "int")
    {
        let message = format!("cannot decode !!{found} `{text}` as a !!{wanted}");
        return Err(YamlError::Meaning { message, line });
    }
    Ok(match resolved {
        Scalar::Null => Value::Null,
        Scalar::Bool(flag) => Value::Bool(flag),
        Scalar::Int(number) => Value::from(number),
        Scalar::Uint(number) => Value::from(number),
        Scalar::Float(float) => number(float)?,
        Scalar::Timestamp | Scalar::Merge | Scalar::Text => Value::String(text.to_owned()),
    })
}

/// On the way through JSON text, floats without a fraction become whole numbers.
fn number(float: f64) -> Result<Value> {
    if float.fract() == 0.0 && float.abs() < 1e21 {
        let text = format!("{float:.0}");
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(Value::from(whole));
        }
        if let Ok(whole) = text.parse::<u64>() {
            return Ok(Value::from(whole));
        }
    }
    let unsupported = if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    Number::from_f64(float)
        .map(Value::Number)
        .ok_or(YamlError::Number(unsupported))
}
