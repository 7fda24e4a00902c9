// SPDX-License-Identifier: Apache-2.0
//! Why a text is not JSON, in the words of Go's JSON package.

use crate::quote::Quoted;
use std::fmt::{self, Display};

/// What is wrong with a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonProblem {
    /// A byte that cannot stand there; the text says where "there" is.
    Character(u8, &'static str),
    /// The text ends too early.
    End,
    /// A number that does not fit 64 bits of floating point.
    NumberRange(String),
    /// The text is longer than allowed, in bytes.
    TooLarge(usize),
}

impl Display for JsonProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(b'\'', place) => write!(out, r"invalid character '\'' {place}"),
            Self::Character(b'"', place) => write!(out, "invalid character '\"' {place}"),
            Self::Character(byte, place) => {
                // Go takes the byte for a code point.
                let quoted = Quoted(char::from(*byte).encode_utf8(&mut [0; 2])).to_string();
                write!(
                    out,
                    "invalid character '{}' {place}",
                    quoted.trim_matches('"')
                )
            }
            Self::End => out.write_str("unexpected end of JSON input"),
            Self::NumberRange(number) => {
                write!(
                    out,
                    "json: cannot unmarshal number {number} into Go value of type float64"
                )
            }
            Self::TooLarge(limit) => write!(out, "the JSON text is larger than {limit} bytes"),
        }
    }
}

/// A JSON text that could not be read; `Display` is Go's message, without the position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct JsonError {
    /// What is wrong.
    pub problem: JsonProblem,
    /// Bytes before the place.
    pub offset: usize,
    /// Line of the place, from 1.
    pub line: usize,
    /// Column of the place in bytes, from 1.
    pub column: usize,
}

impl JsonError {
    pub(super) fn new(problem: JsonProblem, text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before
            .iter()
            .rev()
            .take_while(|byte| **byte != b'\n')
            .count()
            + 1;
        Self {
            problem,
            offset,
            line,
            column,
        }
    }
}
