// SPDX-License-Identifier: Apache-2.0
//! What is told to the user: errors and warnings, with the attribute they are about.

use crate::path::Path;
use crate::proto;

/// Errors and warnings of one call.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<proto::Diagnostic>);

impl Diagnostics {
    /// Adds an error: what failed, and why and what to do.
    pub fn error(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(proto::Severity::Error, None, summary.into(), detail.into());
    }

    /// Adds an error about an attribute.
    pub fn error_at(&mut self, at: &Path, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(
            proto::Severity::Error,
            Some(at),
            summary.into(),
            detail.into(),
        );
    }

    /// Adds a warning.
    pub fn warning(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(
            proto::Severity::Warning,
            None,
            summary.into(),
            detail.into(),
        );
    }

    /// Adds a warning about an attribute.
    pub fn warning_at(&mut self, at: &Path, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(
            proto::Severity::Warning,
            Some(at),
            summary.into(),
            detail.into(),
        );
    }

    fn push(
        &mut self,
        severity: proto::Severity,
        at: Option<&Path>,
        summary: String,
        detail: String,
    ) {
        self.0.push(proto::Diagnostic {
            severity: severity.into(),
            summary,
            detail,
            attribute: at.filter(|p| !p.is_root()).map(Path::to_proto),
        });
    }

    /// Whether there is an error among them.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|d| d.severity == i32::from(proto::Severity::Error))
    }

    /// Summary and detail of each, for tests and logs.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|d| (&d.summary[..], &d.detail[..]))
    }

    pub(crate) fn into_proto(self) -> Vec<proto::Diagnostic> {
        self.0
    }
}
