// SPDX-License-Identifier: Apache-2.0
//! The grammar of label selectors.
//!
//! ```text
//! selector    = [ requirement { "," requirement } ]
//! requirement = [ "!" ] KEY | KEY ( "=" | "==" | "!=" | ">" | "<" ) [ VALUE ]
//!             | KEY ( "in" | "notin" ) "(" [ values ] ")"
//! values      = [ VALUE ] { "," [ VALUE ] }
//! ```
//! Space separates tokens and means nothing else; an omitted value is the empty one.

use super::label::{Operator, Requirement};
use crate::name::{label_key, label_value};
use crate::quote::Quoted;
use std::collections::BTreeSet;

/// Why a label selector could not be read; `Display` is the message that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelSelectorError {
    /// The text does not follow the grammar between requirements.
    #[error("found '{found}', expected: {expected}")]
    Separator {
        /// The offending token.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// One requirement does not follow the grammar.
    #[error("unable to parse requirement: {0}")]
    Requirement(String),
    /// Key or values are not valid.
    #[error("{0}")]
    Invalid(String),
    /// The operator of a `matchExpressions` entry is unknown.
    #[error("{} is not a valid label selector operator", Quoted(.0))]
    Operator(String),
    /// The object is not shaped like a label selector.
    #[error("{field} must be {expected}")]
    Shape {
        /// Which part of it.
        field: &'static str,
        /// What was expected there.
        expected: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    End,
    Close,
    Open,
    Comma,
    Not,
    Compare(Operator),
    /// `in` or `notin`: an operator behind a key, a plain identifier elsewhere.
    Word(Operator),
    Identifier,
}

/// Splits the text; the last token is always the end.
fn tokens(text: &str) -> Vec<(Token, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let (token, length) = token(rest);
        found.push((token, rest.get(..length).unwrap_or_default()));
        if token == Token::End {
            return found;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn token(rest: &str) -> (Token, usize) {
    let special = |byte: u8| matches!(byte, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<');
    let bytes = rest.as_bytes();
    match bytes {
        [] => (Token::End, 0),
        [b'=', b'=', ..] => (Token::Compare(Operator::DoubleEquals), 2),
        [b'!', b'=', ..] => (Token::Compare(Operator::NotEquals), 2),
        [b'=', ..] => (Token::Compare(Operator::Equals), 1),
        [b'>', ..] => (Token::Compare(Operator::GreaterThan), 1),
        [b'<', ..] => (Token::Compare(Operator::LessThan), 1),
        [b'!', ..] => (Token::Not, 1),
        [b'(', ..] => (Token::Open, 1),
        [b')', ..] => (Token::Close, 1),
        [b',', ..] => (Token::Comma, 1),
        _ => {
            let ends = |byte: &u8| special(*byte) || matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            let length = bytes.iter().position(ends).unwrap_or(bytes.len());
            match bytes.get(..length) {
                Some(b"in") => (Token::Word(Operator::In), length),
                Some(b"notin") => (Token::Word(Operator::NotIn), length),
                _ => (Token::Identifier, length),
            }
        }
    }
}

struct Parser<'a> {
    tokens: Vec<(Token, &'a str)>,
    position: usize,
}

impl<'a> Parser<'a> {
    /// The next token, with `in` and `notin` taken for identifiers.
    fn peek(&self) -> (Token, &'a str) {
        match self
            .tokens
            .get(self.position)
            .copied()
            .unwrap_or((Token::End, ""))
        {
            (Token::Word(_), text) => (Token::Identifier, text),
            other => other,
        }
    }

    fn next(&mut self) -> (Token, &'a str) {
        let found = self.peek();
        self.position += 1;
        found
    }

    fn next_operator(&mut self) -> Result<Operator, LabelSelectorError> {
        let (token, text) = self
            .tokens
            .get(self.position)
            .copied()
            .unwrap_or((Token::End, ""));
        self.position += 1;
        match token {
            Token::Compare(operator) | Token::Word(operator) => Ok(operator),
            _ => Err(unexpected(text, ", expected: in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn requirement(&mut self) -> Result<Requirement, LabelSelectorError> {
        let (mut token, mut key) = self.next();
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next();
        }
        if token != Token::Identifier {
            return Err(unexpected(key, ", expected: identifier"));
        }
        let complaints = label_key(key);
        if !complaints.is_empty() {
            let text = format!(
                "<nil>: Invalid value: {}: {}",
                Quoted(key),
                complaints.join("; ")
            );
            return Err(LabelSelectorError::Requirement(text));
        }
        if negated || matches!(self.peek().0, Token::End | Token::Comma) {
            let operator = if negated {
                Operator::DoesNotExist
            } else {
                Operator::Exists
            };
            return Ok(Requirement {
                key: key.to_owned(),
                operator,
                values: Vec::new(),
            });
        }
        let operator = self.next_operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.exact_value()?],
        };
        validate(key, operator, &values)
            .map_err(|error| LabelSelectorError::Requirement(error.to_string()))?;
        Ok(Requirement {
            key: key.to_owned(),
            operator,
            values,
        })
    }

    fn exact_value(&mut self) -> Result<String, LabelSelectorError> {
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(String::new());
        }
        match self.next() {
            (Token::Identifier, text) => Ok(text.to_owned()),
            (_, text) => Err(unexpected(text, ", expected: identifier")),
        }
    }

    /// The values in parentheses, sorted, without duplicates.
    fn values(&mut self) -> Result<Vec<String>, LabelSelectorError> {
        let (token, text) = self.next();
        if token != Token::Open {
            return Err(unexpected(text, " expected: '('"));
        }
        match self.peek() {
            (Token::Close, _) => {
                self.next();
                return Ok(vec![String::new()]);
            }
            (Token::Identifier | Token::Comma, _) => {}
            (_, text) => return Err(unexpected(text, ", expected: ',', ')' or identifier")),
        }
        let mut values = BTreeSet::new();
        loop {
            match self.next() {
                (Token::Identifier, text) => {
                    values.insert(text);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => break,
                        (_, text) => return Err(unexpected(text, ", expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    let next = self.peek().0;
                    if values.is_empty() || matches!(next, Token::Close | Token::Comma) {
                        values.insert("");
                    }
                    if next == Token::Close {
                        break;
                    }
                }
                (_, text) => return Err(unexpected(text, ", expected: ',', or identifier")),
            }
        }
        self.next();
        Ok(values.into_iter().map(str::to_owned).collect())
    }
}

fn unexpected(found: &str, expected: &str) -> LabelSelectorError {
    LabelSelectorError::Requirement(format!("found '{found}'{expected}"))
}

/// Reads the requirements in the order in which they are written.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, LabelSelectorError> {
    let mut parser = Parser {
        tokens: tokens(text),
        position: 0,
    };
    let mut requirements = Vec::new();
    let separator = |found: &str, expected| LabelSelectorError::Separator {
        found: found.to_owned(),
        expected,
    };
    loop {
        match parser.peek() {
            (Token::End, _) => return Ok(requirements),
            (Token::Identifier | Token::Not, _) => requirements.push(parser.requirement()?),
            (_, text) => return Err(separator(text, "!, identifier, or 'end of string'")),
        }
        match parser.next() {
            (Token::End, _) => return Ok(requirements),
            (Token::Comma, _) => {
                let (token, text) = parser.peek();
                if !matches!(token, Token::Identifier | Token::Not) {
                    return Err(separator(text, "identifier after ','"));
                }
            }
            (_, text) => return Err(separator(text, "',' or 'end of string'")),
        }
    }
}

/// Whether key and values are valid for the operator.
pub(super) fn validate(
    key: &str,
    operator: Operator,
    values: &[String],
) -> Result<(), LabelSelectorError> {
    let mut problems = Vec::new();
    let complaints = label_key(key);
    if !complaints.is_empty() {
        problems.push(format!(
            "key: Invalid value: {}: {}",
            Quoted(key),
            complaints.join("; ")
        ));
    }
    let count = match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            "for 'in', 'notin' operators, values set can't be empty"
        }
        Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
            "exact-match compatibility requires one single value"
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            "values set must be empty for exists and does not exist"
        }
        Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
            "for 'Gt', 'Lt' operators, exactly one value is required"
        }
        _ => "",
    };
    if !count.is_empty() {
        let shown: Vec<String> = values
            .iter()
            .map(|value| Quoted(value).to_string())
            .collect();
        problems.push(format!(
            "values: Invalid value: [{}]: {count}",
            shown.join(",")
        ));
    }
    for (index, value) in values.iter().enumerate() {
        if matches!(operator, Operator::GreaterThan | Operator::LessThan)
            && value.parse::<i64>().is_err()
        {
            problems.push(format!(
                "values[{index}]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be an integer",
                Quoted(value)
            ));
        }
    }
    for (index, value) in values.iter().enumerate() {
        let complaints = label_value(value);
        if !complaints.is_empty() {
            problems.push(format!(
                "values[{index}][{key}]: Invalid value: {}: {}",
                Quoted(value),
                complaints.join("; ")
            ));
        }
    }
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(LabelSelectorError::Invalid(one.clone())),
        several => Err(LabelSelectorError::Invalid(format!(
            "[{}]",
            several.join(", ")
        ))),
    }
}
