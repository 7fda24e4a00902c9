// SPDX-License-Identifier: Apache-2.0
//! What can go wrong in a command, and how it is told: the words and the exit code are kubectl's.
//!
//! Entry points: [`Error`] and [`Error::render`], which is called once, at the edge.

use std::fmt::Write as _;

use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::PROGRAM;
use crate::flag::{FlagError, Parsed};

/// The outcome of a command.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A sentence of our own; `error: ` is put before it.
    #[error("{0}")]
    Message(String),
    /// Text that is printed as it is.
    #[error("{0}")]
    Text(String),
    /// Wrong arguments: the reader is sent to the help.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// The command, `create configmap`.
        path: String,
    },
    /// Wrong flags: the reader is sent to the usage.
    #[error("{source}")]
    Flag {
        /// What is wrong.
        #[source]
        source: FlagError,
        /// The command, `create configmap`.
        path: String,
    },
    /// A refusal of the API.
    #[error("{}", .0.message)]
    Api(Box<Refusal>),
    /// No server answered.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// A kind that the API does not have.
    #[error("the server doesn't have a resource type {}", Quoted(.resource))]
    NoResource {
        /// As it was asked for, without group and version.
        resource: String,
        /// The group asked for, if any.
        group: String,
        /// The version asked for, if any.
        version: String,
    },
    /// A kubeconfig that cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// Several errors of one command.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Many(Vec<Error>),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    /// Nothing is left to say; the program ends with this code.
    #[error("exit code {0}")]
    Exit(i32),
}

/// A `Status` of the API that is not a success.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    /// HTTP code.
    pub code: u16,
    /// `NotFound`.
    pub reason: String,
    /// What it says.
    pub message: String,
    /// The details of the status, null if there are none.
    pub details: Value,
}

impl Refusal {
    /// Reads an answer that is not a success: a `Status`, or text.
    #[must_use]
    pub fn from_answer(code: u16, body: &[u8]) -> Self {
        if let Ok(status) = serde_json::from_slice::<Value>(body)
            && status["kind"] == "Status"
        {
            return Self {
                code,
                reason: k1s_core::object::text(&status, &["reason"]).to_owned(),
                message: k1s_core::object::text(&status, &["message"]).to_owned(),
                details: status["details"].clone(),
            };
        }
        let (reason, message) = match code {
            400 => (
                "BadRequest",
                "the server rejected our request for an unknown reason",
            ),
            401 => (
                "Unauthorized",
                "the server has asked for the client to provide credentials",
            ),
            403 => (
                "Forbidden",
                "the server does not allow access to the requested resource",
            ),
            404 => (
                "NotFound",
                "the server could not find the requested resource",
            ),
            405 => (
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            ),
            406 => (
                "NotAcceptable",
                "the server was unable to respond with a content type that the client supports",
            ),
            409 => ("Conflict", "the server reported a conflict"),
            415 => (
                "UnsupportedMediaType",
                "the server was unable to respond with a content type that the client supports",
            ),
            422 => (
                "Invalid",
                "the server rejected our request due to an error in our request",
            ),
            429 => (
                "TooManyRequests",
                "the server has received too many requests and has asked us to try again later",
            ),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            504 => (
                "Timeout",
                "the server was unable to return a response in the time allotted, but may still be processing the request",
            ),
            _ => ("", ""),
        };
        let said = String::from_utf8_lossy(body);
        let message = if !message.is_empty() {
            message.to_owned()
        } else if code >= 500 {
            format!(
                "an error on the server ({}) has prevented the request from succeeding",
                Quoted(said.trim())
            )
        } else {
            format!(
                "the server responded with the status code {code} but did not return more information"
            )
        };
        let reason = if reason.is_empty() && code >= 500 {
            "InternalError"
        } else {
            reason
        };
        Self {
            code,
            reason: reason.to_owned(),
            message,
            details: Value::Null,
        }
    }

    /// As a message within a list: `Error from server (NotFound): …`.
    fn in_words(&self) -> String {
        match self.reason.as_str() {
            "Unauthorized" => format!(
                "error: You must be logged in to the server ({})",
                self.message
            ),
            "" => format!("Error from server: {}", self.message),
            reason => format!("Error from server ({reason}): {}", self.message),
        }
    }

    /// As the only error: an invalid object is told cause by cause.
    fn alone(&self) -> String {
        if self.reason != "Invalid" {
            return self.in_words();
        }
        let mut out = "The request is invalid".to_owned();
        if self.details.is_null() {
            if !self.message.is_empty() {
                let _ = write!(out, ": {}", self.message);
            }
            return out;
        }
        let text = |key: &str| k1s_core::object::text(&self.details, &[key]);
        let causes = k1s_core::object::list(&self.details, &["causes"]);
        if !text("kind").is_empty() || !text("name").is_empty() {
            out = format!("The {} {} is invalid", text("kind"), Quoted(text("name")));
        } else if !self.message.is_empty() && causes.is_empty() {
            let _ = write!(out, ": {}", self.message);
        }
        let mut lines: Vec<String> = Vec::new();
        for cause in causes {
            let field = k1s_core::object::text(cause, &["field"]);
            let message = k1s_core::object::text(cause, &["message"]);
            let line = if field.is_empty() {
                message.to_owned()
            } else {
                format!("{field}: {message}")
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        match lines.as_slice() {
            [] => {}
            [one] => {
                let _ = write!(out, ": {one}");
            }
            many => {
                out.push_str(": ");
                for line in many {
                    let _ = write!(out, "\n* {line}");
                }
            }
        }
        out
    }
}

/// A request that found no server, or lost it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} {}: {why}", title(.method), Quoted(.url))]
pub struct Unreachable {
    /// `GET`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// What happened: `dial tcp 127.0.0.1:1: connect: connection refused`.
    pub why: String,
}

/// `GET` as `Get`.
fn title(method: &str) -> String {
    let (first, rest) = method.split_at(method.len().min(1));
    format!("{first}{}", rest.to_lowercase())
}

impl Unreachable {
    fn in_words(&self) -> String {
        if self.why.contains("connection refused") {
            let host = self.url.split("//").nth(1).unwrap_or(&self.url);
            let host = host.split(['/', '?']).next().unwrap_or(host);
            return format!(
                "The connection to the server {host} was refused - did you specify the right host or port?"
            );
        }
        format!("Unable to connect to the server: {}", self.why)
    }
}

impl Error {
    /// A sentence of our own.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// `unexpected arguments: [a b]`, and where the help is.
    #[must_use]
    pub fn unexpected(what: &str, args: &Parsed) -> Self {
        Self::usage(format!("{what}: [{}]", args.args.join(" ")), args)
    }

    /// Wrong arguments of a command, and where its help is.
    pub fn usage(message: impl Into<String>, args: &Parsed) -> Self {
        Self::Usage {
            message: message.into(),
            path: args.path.clone(),
        }
    }

    /// A resource that nobody has, told without a title before the words; other errors as they are.
    #[must_use]
    pub fn untitled(self) -> Self {
        match self {
            Self::NoResource { .. } => Self::Text(self.to_string()),
            other => other,
        }
    }

    /// Several errors; one alone stays what it is.
    ///
    /// # Errors
    /// Unless there are none.
    pub fn all(mut errors: Vec<Self>) -> Result {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Many(errors)),
        }
    }

    /// The refusal, if the API said no.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Api(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the API says that there is no such object.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|r| r.reason == "NotFound")
    }

    /// The error with what was tried on which file before the API's words.
    #[must_use]
    pub fn with_source(mut self, verb: &str, source: &str) -> Self {
        if source.is_empty() {
            return self;
        }
        let before = |message: &str| format!("error when {verb} {}: {message}", Quoted(source));
        match &mut self {
            Self::Api(refusal) => refusal.message = before(&refusal.message),
            Self::Message(message) => *message = before(message),
            _ => {}
        }
        self
    }

    /// What is written to standard error; may be empty.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = match self {
            Self::Exit(_) => return String::new(),
            Self::Output(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return String::new(),
            Self::Output(e) => format!("error: {self}: {e}"),
            Self::Text(text) => text.clone(),
            Self::Usage { message, path } => {
                format!("error: {message}\nSee '{PROGRAM} {path} -h' for help and examples")
            }
            Self::Flag { source, path } => {
                let path = if path.is_empty() {
                    String::new()
                } else {
                    format!(" {path}")
                };
                format!("error: {source}\nSee '{PROGRAM}{path} --help' for usage.")
            }
            Self::Api(refusal) => refusal.alone(),
            Self::Configuration(text) => format!("Error in configuration: {text}"),
            Self::NoResource { .. } => format!("error: {}", self.in_words()),
            Self::Unreachable(unreachable) => unreachable.in_words(),
            Self::Message(text) if text.starts_with("error: ") => text.clone(),
            Self::Message(text) => format!("error: {text}"),
            Self::Many(errors) => errors
                .iter()
                .map(|e| e.in_words())
                .collect::<Vec<_>>()
                .join("\n"),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    /// The words of one error among several.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Api(refusal) => refusal.in_words(),
            Self::Unreachable(unreachable) => unreachable.in_words(),
            Self::NoResource {
                resource,
                group,
                version,
            } => {
                let head = format!(
                    "the server doesn't have a resource type {}",
                    Quoted(resource)
                );
                match (group.as_str(), version.as_str()) {
                    ("", "") => head,
                    (group, "") => format!("{head} in group {}", Quoted(group)),
                    ("", version) => format!("{head} in version {}", Quoted(version)),
                    (group, version) => format!(
                        "{head} in group {} and version {}",
                        Quoted(group),
                        Quoted(version)
                    ),
                }
            }
            other => other.to_string(),
        }
    }

    /// The exit code of the program.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Exit(code) => *code,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(code: u16, status: Value, words: &str) {
        let refusal = Refusal::from_answer(code, status.to_string().as_bytes());
        assert_eq!(Error::Api(Box::new(refusal)).render(), words);
    }

    #[test]
    fn refusals_are_worded_by_reason() {
        check(
            404,
            json!({"kind": "Status", "reason": "NotFound", "message": "configmaps \"a\" not found"}),
            "Error from server (NotFound): configmaps \"a\" not found\n",
        );
        check(
            422,
            json!({"kind": "Status", "reason": "Invalid", "message": "no", "details": {"kind": "Widget", "name": "one", "causes": [
                {"field": "spec.size", "message": "bad"}, {"message": "worse"}]}}),
            "The Widget \"one\" is invalid: \n* spec.size: bad\n* worse\n",
        );
        check(
            422,
            json!({"kind": "Status", "reason": "Invalid", "message": "rejected", "details": {}}),
            "The request is invalid: rejected\n",
        );
        check(
            404,
            json!("404 page not found"),
            "Error from server (NotFound): the server could not find the requested resource\n",
        );
    }

    #[test]
    fn no_server() {
        let error = Error::from(Unreachable {
            method: "GET".into(),
            url: "http://127.0.0.1:1/api?x=y".into(),
            why: "dial tcp 127.0.0.1:1: connect: connection refused".into(),
        });
        assert_eq!(
            error.render(),
            "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?\n"
        );
        assert_eq!(
            error.to_string(),
            "Get \"http://127.0.0.1:1/api?x=y\": dial tcp 127.0.0.1:1: connect: connection refused"
        );
    }
}
