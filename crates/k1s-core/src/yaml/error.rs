// SPDX-License-Identifier: Apache-2.0
//! Why a text is not YAML, in the words of Go's YAML package.

use crate::quote::Quoted;
use granit_parser::{ErrorKind, ScanError};

/// A YAML text that could not be read; `Display` is the message of Go's YAML package.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum YamlError {
    /// The text does not follow the grammar.
    #[error("yaml: {}{message}", shown.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Syntax {
        /// What is wrong.
        message: String,
        /// The line that the message names; it counts differently for different errors.
        shown: Option<usize>,
        /// The line where the reader stopped, from 1.
        line: usize,
        /// The column where the reader stopped, from 1.
        column: usize,
    },
    /// The text is fine, but it means something that cannot be kept.
    #[error("yaml: {message}")]
    Meaning {
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: usize,
    },
    /// A number that JSON has no text for.
    #[error("json: unsupported value: {0}")]
    Number(&'static str),
    /// The text is longer than allowed, in bytes.
    #[error("the YAML text is larger than {0} bytes")]
    TooLarge(usize),
}

impl YamlError {
    /// The line where the reader stopped, from 1; 0 when that says nothing.
    pub fn line(&self) -> usize {
        match self {
            Self::Syntax { line, .. } | Self::Meaning { line, .. } => *line,
            Self::Number(_) | Self::TooLarge(_) => 0,
        }
    }

    /// The message when the text starts at a line of a larger one: lines are counted in that, and always said.
    #[must_use]
    pub fn at_line(&self, first: usize) -> String {
        let before = first.saturating_sub(1);
        match self {
            Self::Syntax { message, shown, .. } => {
                format!("yaml: line {}: {message}", shown.unwrap_or(1) + before)
            }
            Self::Meaning { message, line } => {
                format!("yaml: line {}: {message}", line + before)
            }
            Self::Number(_) | Self::TooLarge(_) => format!("line {first}: {self}"),
        }
    }
}

/// A key that a map has already; `Display` is what strict reading says of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: key {} already set in map", Quoted(key))]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// The line where it is set again, from 1.
    pub line: usize,
}

/// Puts an error of the parser into the words and the line of Go's.
pub(super) fn syntax(error: &ScanError, text: &str) -> YamlError {
    use ErrorKind as K;
    let mark = error.marker();
    let at = mark.line().saturating_sub(1);
    // At the end of the text the last line counts as finished.
    let end = text.matches('\n').count() + usize::from(!text.ends_with('\n'));
    // Lines count from 0; the scanner shows the next number, the parser the line as it is.
    let scanner = |message: &str| (message.to_owned(), at, true);
    let parser = |message: &str, line: usize| (message.to_owned(), line, false);
    // Where a value is due, its absence is noticed before that of the bracket.
    let unclosed = |message: &str| match text.trim_end().chars().next_back() {
        Some('[' | '{' | ',' | ':') => parser("did not find expected node content", end),
        _ => parser(message, end),
    };
    let (message, line, is_scanner) = match error.kind() {
        K::UnexpectedEofFlowSequence | K::UnclosedFlowCollection { open: '[' } => {
            unclosed("did not find expected ',' or ']'")
        }
        K::UnexpectedEofFlowMapping
        | K::UnexpectedEofImplicitFlowMapping
        | K::UnclosedFlowCollection { .. } => unclosed("did not find expected ',' or '}'"),
        K::ExpectedFlowSequenceSeparator => parser("did not find expected ',' or ']'", at),
        K::ExpectedFlowMappingSeparator => parser("did not find expected ',' or '}'", at),
        K::MismatchedFlowCollectionEnd { open: '[', .. } => {
            parser("did not find expected ',' or ']'", at)
        }
        K::MismatchedFlowCollectionEnd { .. } => parser("did not find expected ',' or '}'", at),
        K::ExpectedBlockMappingKey
        | K::UnexpectedEofBlockMapping
        | K::InvalidIndentation
        | K::InvalidTrailingSingleQuotedScalar
        | K::InvalidTrailingDoubleQuotedScalar => parser("did not find expected key", at),
        K::ExpectedBlockSequenceEntry | K::UnexpectedEofBlockSequence => {
            parser("did not find expected '-' indicator", at)
        }
        K::ExpectedNodeContent | K::MisplacedFlowCollectionEnd | K::BlockEntryInFlowCollection => {
            parser("did not find expected node content", at)
        }
        K::ExpectedDocumentStart | K::ExpectedStreamStart | K::InvalidDocumentEnd => {
            parser("did not find expected <document start>", at)
        }
        K::TabInPlainScalar => (
            "found a tab character that violates indentation".to_owned(),
            at + 1,
            true,
        ),
        K::UnclosedQuotedScalar | K::UnexpectedEof => scanner("found unexpected end of stream"),
        K::DocumentIndicatorInQuotedScalar => scanner("found unexpected document indicator"),
        K::TabNotAllowed
        | K::TabInBlockIndentation
        | K::TabInIndentation
        | K::TabAtBlockScalarStart => scanner("found character that cannot start any token"),
        K::UnexpectedCharacter { .. } => scanner("found character that cannot start any token"),
        K::MappingValueNotAllowed | K::InvalidColonPlacement | K::InvalidSimpleKey => {
            scanner("mapping values are not allowed in this context")
        }
        K::MappingKeyNotAllowed => scanner("mapping keys are not allowed in this context"),
        K::BlockSequenceEntryNotAllowed => {
            scanner("block sequence entries are not allowed in this context")
        }
        K::SimpleKeyExpected => scanner("could not find expected ':'"),
        K::UnknownQuotedScalarEscape => scanner("found unknown escape character"),
        K::InvalidQuotedScalarHexEscape | K::InvalidLowSurrogateHexEscape => {
            scanner("did not find expected hexdecimal number")
        }
        K::InvalidUnicodeEscape
        | K::InvalidLowSurrogate
        | K::MissingLowSurrogate
        | K::UnpairedLowSurrogate => scanner("found invalid Unicode character escape code"),
        K::InvalidBlockScalarHeader => scanner("did not find expected comment or line break"),
        K::ZeroBlockScalarIndent => scanner("found an indentation indicator equal to 0"),
        K::MissingAnchorOrAliasName => {
            scanner("did not find expected alphabetic or numeric character")
        }
        K::InvalidDirectiveName | K::MissingDirectiveName => {
            scanner("could not find expected directive name")
        }
        K::UnsupportedYamlMajorVersion => parser("found incompatible YAML document", at),
        K::UndeclaredTagHandle => parser("found undefined tag handle", at),
        K::UnknownAnchor => {
            let name = alias_name(text, mark.byte_offset().unwrap_or(0));
            return YamlError::Meaning {
                message: format!("unknown anchor '{name}' referenced"),
                line: at + 1,
            };
        }
        K::RecursionLimitExceeded => scanner("exceeded max depth"),
        _ => scanner(&error.to_string()),
    };
    let shown = match (line, is_scanner) {
        (0, _) => None,
        (line, true) => Some(line + 1),
        (line, false) => Some(line),
    };
    YamlError::Syntax {
        message,
        shown,
        line: at + 1,
        column: mark.col() + 1,
    }
}

/// The name behind the `*` at or after an offset.
fn alias_name(text: &str, offset: usize) -> &str {
    let rest = text.get(offset..).unwrap_or_default();
    let name = rest
        .trim_start_matches(|character: char| character.is_whitespace())
        .trim_start_matches('*');
    let end = name
        .find(|character: char| !character.is_alphanumeric() && !matches!(character, '-' | '_'));
    name.get(..end.unwrap_or(name.len())).unwrap_or(name)
}
