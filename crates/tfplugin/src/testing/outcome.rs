// SPDX-License-Identifier: Apache-2.0
//! What steps of a test give back.

use std::fmt;

use crate::cty::Value;
use crate::path::Path;
use crate::proto::{self, AttributePath};

/// A resource in a state.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its type.
    pub type_name: String,
    /// Its state; null where there is none.
    pub state: Value,
    pub(super) private: Vec<u8>,
}

impl Instance {
    /// None yet.
    #[must_use]
    pub fn none(type_name: &str) -> Self {
        Self {
            type_name: type_name.to_owned(),
            state: Value::Null,
            private: Vec::new(),
        }
    }

    /// An attribute of its state as text, as `state show` writes it without quotes.
    #[must_use]
    pub fn text(&self, attribute: &str) -> String {
        match self.state.attribute(attribute) {
            Value::String(text) => text.clone(),
            other => other.to_json().to_string(),
        }
    }
}

/// What a plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// A new one.
    Create,
    /// A change in place.
    Update,
    /// The end of it, then a new one.
    Replace,
    /// The end of it.
    Delete,
}

/// A plan for one instance.
#[derive(Clone, Debug)]
pub struct Change {
    /// What it does.
    pub action: Action,
    /// What it will be; unknown where it shows only then.
    pub planned: Value,
    /// Attributes because of which it is replaced.
    pub replaces: Vec<String>,
    /// What was said beside it.
    pub told: Vec<Told>,
    pub(super) before: Instance,
    pub(super) config: Value,
    pub(super) private: Vec<u8>,
}

/// What a list found.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What people call it.
    pub display_name: String,
    /// Its state.
    pub state: Value,
}

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whether it is an error.
    pub is_error: bool,
    /// In a line.
    pub summary: String,
    /// At length.
    pub detail: String,
    /// The attribute that it is about; empty where it is about none.
    pub at: String,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_error { "error" } else { "warning" };
        write!(f, "{kind}: {}", self.summary)?;
        if !self.at.is_empty() {
            write!(f, " (at {})", self.at)?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// Why a step failed: what the provider told, or what a host would have said of it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Failure(pub Vec<Told>);

impl Failure {
    pub(super) fn host(text: impl Into<String>) -> Self {
        Self(vec![Told {
            is_error: true,
            summary: "the host does not take it".into(),
            detail: text.into(),
            at: String::new(),
        }])
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Self::host(status.message())
    }
}

/// A part that the provider does not have.
pub(super) fn instead(what: &str, name: &str) -> Failure {
    Failure::host(format!("this provider has no {what} {name}"))
}

/// Warnings, or all that was told where there is an error among it.
pub(super) fn heard(diagnostics: Vec<proto::Diagnostic>) -> Result<Vec<Told>, Failure> {
    let told: Vec<_> = diagnostics
        .into_iter()
        .map(|d| Told {
            is_error: d.severity == i32::from(proto::Severity::Error),
            summary: d.summary,
            detail: d.detail,
            at: d.attribute.as_ref().map(path).unwrap_or_default(),
        })
        .collect();
    if told.iter().any(|t| t.is_error) {
        Err(Failure(told))
    } else {
        Ok(told)
    }
}

/// Paths as they are written.
pub(super) fn paths(paths: &[AttributePath]) -> Vec<String> {
    paths.iter().map(path).collect()
}

fn path(path: &AttributePath) -> String {
    Path::from_proto(path).to_string()
}
