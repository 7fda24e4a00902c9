// SPDX-License-Identifier: Apache-2.0
//! A path and the operations on it, independent of the version of OpenAPI, and what many operations share.

use crate::parameter::Parameter;

/// A path with its operations.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) path: String,
    pub(crate) operations: Vec<Operation>,
}

/// An operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) tag: String,
    /// `list`, `watch`, `post` and so on; empty for discovery.
    pub(crate) action: &'static str,
    /// Group, version and kind; all empty for discovery.
    pub(crate) kind: Option<(&'static str, &'static str, &'static str)>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    /// Types that a body may have.
    pub(crate) consumes: &'static [&'static str],
    /// Types that an answer may have.
    pub(crate) produces: &'static [&'static str],
    /// Status codes with their words, all answered with the same content.
    pub(crate) codes: &'static [(&'static str, &'static str)],
    /// The schema of the content; without one it is text.
    pub(crate) content: Option<&'static str>,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) schema: &'static str,
    pub(crate) required: bool,
}

/// Anything.
pub(crate) const ANY: &[&str] = &["*/*"];
/// JSON alone.
pub(crate) const JSON: &[&str] = &["application/json"];
/// An object.
pub(crate) const OBJECT: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
/// An object of an own kind.
pub(crate) const OWN: &[&str] = &["application/json", "application/yaml"];
/// A patch of an own kind, which has no strategies.
pub(crate) const OWN_PATCH: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];
/// A list or a watch.
pub(crate) const LIST: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];
/// A log.
pub(crate) const LOG: &[&str] = &[
    "text/plain",
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
/// A patch.
pub(crate) const PATCH: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// What a read answers.
pub(crate) const OK: &[(&str, &str)] = &[("200", "OK")];
/// What a write answers that may create.
pub(crate) const CREATED: &[(&str, &str)] = &[("200", "OK"), ("201", "Created")];
/// What a deletion answers.
pub(crate) const ACCEPTED: &[(&str, &str)] = &[("200", "OK"), ("202", "Accepted")];
/// What a creation answers.
pub(crate) const CREATED_OR_ACCEPTED: &[(&str, &str)] =
    &[("200", "OK"), ("201", "Created"), ("202", "Accepted")];
