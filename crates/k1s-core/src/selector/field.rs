// SPDX-License-Identifier: Apache-2.0
//! Field selectors: `metadata.name=a,status.phase!=Running`.
//!
//! A value escapes `\`, `,` and `=` with a backslash; empty terms are skipped.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::str::FromStr;

/// Why a field selector could not be read; `Display` is the message that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A term has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    NotUnderstood {
        /// The whole selector.
        selector: String,
        /// The term without an operator.
        term: String,
    },
    /// A backslash stands before something that needs none, or at the end.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A comma or an equal sign in a value without a backslash.
    #[error("invalid field selector: unescaped character in value: {}", u32::from(*.0))]
    Unescaped(char),
}

/// One term of a field selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldTerm {
    /// The field's path, such as `metadata.name`.
    pub field: String,
    /// The value, without escapes.
    pub value: String,
    /// Whether the field must have the value (`=`), or must not (`!=`).
    pub equal: bool,
}

impl Display for FieldTerm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.field)?;
        out.write_str(if self.equal { "=" } else { "!=" })?;
        for character in self.value.chars() {
            if matches!(character, '\\' | ',' | '=') {
                out.write_str("\\")?;
            }
            write!(out, "{character}")?;
        }
        Ok(())
    }
}

/// A field selector: terms that must all hold. The empty one selects everything.
///
/// # Examples
/// ```
/// use k1s_core::selector::FieldSelector;
/// let selector: FieldSelector = "metadata.name==a,".parse().unwrap();
/// assert_eq!(selector.to_string(), "metadata.name=a");
/// assert!(selector.matches_object(&serde_json::json!({"metadata": {"name": "a"}})));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

impl FieldSelector {
    /// Selects every object.
    pub fn everything() -> Self {
        Self::default()
    }

    /// The objects whose field has the value.
    pub fn equal(field: &str, value: &str) -> Self {
        Self {
            terms: vec![FieldTerm {
                field: field.to_owned(),
                value: value.to_owned(),
                equal: true,
            }],
        }
    }

    /// Reads the text form, as in the query parameter `fieldSelector`.
    ///
    /// # Errors
    /// When a term has no operator or a value is wrongly escaped.
    pub fn parse(text: &str) -> Result<Self, FieldSelectorError> {
        let mut parts = split(text);
        parts.sort_unstable();
        let terms = parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| term(text, part));
        Ok(Self {
            terms: terms.collect::<Result<_, _>>()?,
        })
    }

    /// Lets `check` refuse or rename each field; terms that become empty on both sides go away.
    ///
    /// # Errors
    /// The first error of `check`.
    pub fn try_map<E>(
        self,
        mut check: impl FnMut(String, String) -> Result<(String, String), E>,
    ) -> Result<Self, E> {
        let mut terms = Vec::with_capacity(self.terms.len());
        for FieldTerm {
            field,
            value,
            equal,
        } in self.terms
        {
            let (field, value) = check(field, value)?;
            if !(field.is_empty() && value.is_empty()) {
                terms.push(FieldTerm {
                    field,
                    value,
                    equal,
                });
            }
        }
        Ok(Self { terms })
    }

    /// The terms, ordered as text.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether every object is selected.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The one value that the field must have, if the selector says so.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.terms
            .iter()
            .find(|term| term.equal && term.field == field)
            .map(|term| term.value.as_str())
    }

    /// Whether the fields have the values; `value_of` gives the empty text for a field that is absent.
    pub fn matches<'a>(&self, mut value_of: impl FnMut(&str) -> Cow<'a, str>) -> bool {
        self.terms
            .iter()
            .all(|term| (value_of(&term.field) == term.value) == term.equal)
    }

    /// Whether the fields of a JSON object, found by their dotted paths, have the values.
    pub fn matches_object(&self, object: &Value) -> bool {
        self.matches(|field| field_text(object, field))
    }
}

/// A scalar inside an object as text; absent fields, maps and lists are empty.
fn field_text<'a>(object: &'a Value, field: &str) -> Cow<'a, str> {
    let found = field
        .split('.')
        .try_fold(object, |value, name| value.get(name));
    match found {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Bool(flag)) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(""),
    }
}

/// Cuts at the commas that no backslash protects.
fn split(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|character| {
        let protected = std::mem::take(&mut escaped);
        escaped = !protected && character == '\\';
        !protected && character == ','
    })
    .collect()
}

fn term(selector: &str, part: &str) -> Result<FieldTerm, FieldSelectorError> {
    let operator = part.char_indices().find_map(|(at, _)| {
        let rest = part.get(at..)?;
        [("!=", false), ("==", true), ("=", true)]
            .into_iter()
            .find_map(|(operator, equal)| Some((at, equal, rest.strip_prefix(operator)?)))
    });
    let Some((at, equal, value)) = operator else {
        return Err(FieldSelectorError::NotUnderstood {
            selector: selector.to_owned(),
            term: part.to_owned(),
        });
    };
    let field = part.get(..at).unwrap_or_default().to_owned();
    Ok(FieldTerm {
        field,
        value: unescape(value)?,
        equal,
    })
}

fn unescape(text: &str) -> Result<String, FieldSelectorError> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
                Some(other) => return Err(FieldSelectorError::Escape(format!("\\{other}"))),
                None => return Err(FieldSelectorError::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(character)),
            _ => plain.push(character),
        }
    }
    Ok(plain)
}

impl FromStr for FieldSelector {
    type Err = FieldSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Display for FieldSelector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                out.write_str(",")?;
            }
            term.fmt(out)?;
        }
        Ok(())
    }
}
