// SPDX-License-Identifier: Apache-2.0
//! Paths to fields of an object, and what is wrong with them: the causes of an `Invalid` status.

use std::fmt;

use serde_json::Value;

/// A path such as `spec.ports[0].name`, kept as a chain on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    element: Element<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Element<'a> {
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// A path of one field.
    #[must_use]
    pub const fn new(field: &'a str) -> Self {
        Self {
            parent: None,
            element: Element::Field(field),
        }
    }

    /// `self.field`; the name may hold dots itself.
    #[must_use]
    pub const fn child(&'a self, field: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            element: Element::Field(field),
        }
    }

    /// `self[index]`
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Path<'a> {
        Path {
            parent: Some(self),
            element: Element::Index(index),
        }
    }

    /// `self[key]`
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            element: Element::Key(key),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.element {
            Element::Field(name) if self.parent.is_some() => write!(f, ".{name}"),
            Element::Field(name) => f.write_str(name),
            Element::Index(index) => write!(f, "[{index}]"),
            Element::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// What sort of thing is wrong; the `reason` of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing where something must be.
    Required,
    /// A value that cannot be.
    Invalid,
    /// A value that is none of those possible.
    NotSupported,
    /// Something that may not be there, or may not change.
    Forbidden,
    /// A value that is there already.
    Duplicate,
    /// A reference to nothing.
    NotFound,
    /// More bytes than may be.
    TooLong,
    /// More items than may be.
    TooMany,
    /// A value of another type.
    TypeInvalid,
    /// A fault of the server.
    Internal,
}

impl Fault {
    /// `FieldValueRequired` and its like.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::NotFound => "FieldValueNotFound",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Internal => "InternalError",
        }
    }
}

/// One thing that is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Sort of fault.
    pub fault: Fault,
    /// Path of the field.
    pub field: String,
    /// The words without the field: `Invalid value: "x": must be …`.
    pub message: String,
}

/// What is wrong with an object, in the order in which it was found.
#[derive(Debug, Default)]
pub struct Errors(Vec<FieldError>);

impl Errors {
    /// Nothing wrong so far.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The errors.
    #[must_use]
    pub fn into_vec(self) -> Vec<FieldError> {
        self.0
    }

    /// Looks at the errors.
    pub fn iter(&self) -> std::slice::Iter<'_, FieldError> {
        self.0.iter()
    }

    /// Takes over the errors of another list.
    pub fn extend(&mut self, other: Errors) {
        self.0.extend(other.0);
    }

    /// Adds an error whose words are given.
    pub fn push(&mut self, fault: Fault, field: impl fmt::Display, message: impl Into<String>) {
        self.0.push(FieldError {
            fault,
            field: field.to_string(),
            message: message.into(),
        });
    }

    /// `Required value`, with a colon and the detail if there is one.
    pub fn required(&mut self, field: impl fmt::Display, detail: &str) {
        self.push(
            Fault::Required,
            field,
            with_detail("Required value".into(), detail),
        );
    }

    /// `Invalid value: VALUE: DETAIL`
    pub fn invalid(&mut self, field: impl fmt::Display, value: &Value, detail: impl AsRef<str>) {
        self.push(
            Fault::Invalid,
            field,
            with_detail(format!("Invalid value: {}", show(value)), detail.as_ref()),
        );
    }

    /// `Invalid value: "TEXT": DETAIL`
    pub fn invalid_text(&mut self, field: impl fmt::Display, text: &str, detail: impl AsRef<str>) {
        self.push(
            Fault::Invalid,
            field,
            with_detail(format!("Invalid value: {}", quote(text)), detail.as_ref()),
        );
    }

    /// `Unsupported value: VALUE: supported values: "A", "B"`
    pub fn not_supported(&mut self, field: impl fmt::Display, value: &Value, supported: &[&str]) {
        let mut message = format!("Unsupported value: {}", show(value));
        if !supported.is_empty() {
            let all: Vec<String> = supported.iter().map(|s| quote(s)).collect();
            message = format!("{message}: supported values: {}", all.join(", "));
        }
        self.push(Fault::NotSupported, field, message);
    }

    /// `Forbidden: DETAIL`
    pub fn forbidden(&mut self, field: impl fmt::Display, detail: impl AsRef<str>) {
        self.push(
            Fault::Forbidden,
            field,
            with_detail("Forbidden".into(), detail.as_ref()),
        );
    }

    /// `Duplicate value: VALUE`
    pub fn duplicate(&mut self, field: impl fmt::Display, value: &Value) {
        self.push(
            Fault::Duplicate,
            field,
            format!("Duplicate value: {}", show(value)),
        );
    }

    /// `Not found: VALUE`
    pub fn not_found(&mut self, field: impl fmt::Display, value: &Value) {
        self.push(
            Fault::NotFound,
            field,
            format!("Not found: {}", show(value)),
        );
    }

    /// `Too long: may not be more than N bytes`
    pub fn too_long(&mut self, field: impl fmt::Display, most: usize) {
        self.push(
            Fault::TooLong,
            field,
            format!("Too long: may not be more than {most} bytes"),
        );
    }

    /// `Too many: COUNT: must have at most N items`
    pub fn too_many(&mut self, field: impl fmt::Display, count: usize, most: usize) {
        self.push(
            Fault::TooMany,
            field,
            format!("Too many: {count}: must have at most {most} items"),
        );
    }
}

fn with_detail(message: String, detail: &str) -> String {
    if detail.is_empty() {
        message
    } else {
        format!("{message}: {detail}")
    }
}

/// A value as messages show it: text in quotes, the rest as JSON.
#[must_use]
pub fn show(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        other => other.to_string(),
    }
}

/// Text in double quotes, escaped as Go's `%q` does for what people write.
#[must_use]
pub fn quote(text: &str) -> String {
    crate::quote::Quoted(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_written_as_kubernetes_does() {
        let spec = Path::new("spec");
        let ports = spec.child("ports");
        let first = ports.index(0);
        assert_eq!(first.child("name").to_string(), "spec.ports[0].name");
        assert_eq!(
            Path::new("metadata")
                .child("labels")
                .key("a.b/c")
                .to_string(),
            "metadata.labels[a.b/c]"
        );
    }

    #[test]
    fn messages() {
        let mut errors = Errors::new();
        errors.required("a", "");
        errors.invalid("a", &json!(-1), "must be greater than or equal to 0");
        errors.not_supported("a", &json!("x"), &["A", "B"]);
        errors.duplicate("a", &json!("x"));
        let words: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
        assert_eq!(
            words,
            [
                "Required value",
                "Invalid value: -1: must be greater than or equal to 0",
                "Unsupported value: \"x\": supported values: \"A\", \"B\"",
                "Duplicate value: \"x\"",
            ]
        );
        assert_eq!(quote("a\"b\n"), r#""a\"b\n""#);
    }
}
