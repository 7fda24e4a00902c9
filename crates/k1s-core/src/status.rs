// SPDX-License-Identifier: Apache-2.0
//! `metav1.Status`: what went wrong (or right), as Kubernetes tells a client.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::field::Errors;
use crate::kinds::Kind;

/// An answer of kind `Status` that is a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// `reason`, empty where Kubernetes gives none.
    pub reason: &'static str,
    /// The words.
    pub message: String,
    /// `details`, if there are any.
    pub details: Option<Box<Details>>,
    /// `metadata.continue`, which a 410 on a list carries.
    pub continue_token: Option<String>,
}

/// `details` of a [`Status`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// Group of the resource.
    pub group: String,
    /// Resource, or kind, as Kubernetes tells it for this reason.
    pub kind: String,
    /// Uid of the object.
    pub uid: String,
    /// The causes: reason, message, field.
    pub causes: Vec<Cause>,
    /// When to ask again, in seconds; 0 means nothing is said.
    pub retry_after_seconds: u32,
}

/// A cause in [`Details`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// `reason`, such as `FieldValueInvalid`.
    pub reason: String,
    /// The words.
    pub message: String,
    /// Path of the field.
    pub field: String,
}

impl Status {
    /// A status without details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            continue_token: None,
        }
    }

    /// The same with details.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// 400 `BadRequest`
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 404 `NotFound` of an object.
    #[must_use]
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!(
                "{} {} not found",
                kind.group_resource(),
                crate::field::quote(name)
            ),
        )
        .with_details(of(kind, name))
    }

    /// 404 of a path that serves nothing.
    #[must_use]
    pub fn no_such_resource() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
        .with_details(Details::default())
    }

    /// 409 `AlreadyExists`
    #[must_use]
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!(
                "{} {} already exists",
                kind.group_resource(),
                crate::field::quote(name)
            ),
        )
        .with_details(of(kind, name))
    }

    /// 409 `Conflict`
    #[must_use]
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {}: {why}",
            kind.group_resource(),
            crate::field::quote(name)
        );
        Self::new(409, "Conflict", message).with_details(of(kind, name))
    }

    /// 403 `Forbidden`
    #[must_use]
    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let what = if name.is_empty() {
            kind.group_resource()
        } else {
            format!("{} {}", kind.group_resource(), crate::field::quote(name))
        };
        Self::new(403, "Forbidden", format!("{what} is forbidden: {why}"))
            .with_details(of(kind, name))
    }

    /// 422 `Invalid` of an object of a kind.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, errors: Errors) -> Self {
        let mut seen: Vec<String> = Vec::new();
        let mut causes = Vec::new();
        for error in errors.into_vec() {
            let line = format!("{}: {}", error.field, error.message);
            causes.push(Cause {
                reason: error.fault.reason().into(),
                message: error.message,
                field: error.field,
            });
            if !seen.contains(&line) {
                seen.push(line);
            }
        }
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let mut message = format!("{qualified} {} is invalid", crate::field::quote(name));
        match seen.as_slice() {
            [] => {}
            [one] => message = format!("{message}: {one}"),
            many => message = format!("{message}: [{}]", many.join(", ")),
        }
        Self::new(422, "Invalid", message).with_details(Details {
            name: name.into(),
            group: group.into(),
            kind: kind.into(),
            causes,
            ..Details::default()
        })
    }

    /// 405 `MethodNotAllowed`
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with_details(Details::default())
    }

    /// 500 `InternalError`
    #[must_use]
    pub fn internal(message: impl fmt::Display) -> Self {
        let message = message.to_string();
        let causes = vec![Cause {
            message: message.clone(),
            ..Cause::default()
        }];
        Self::new(
            500,
            "InternalError",
            format!("Internal error occurred: {message}"),
        )
        .with_details(Details {
            causes,
            ..Details::default()
        })
    }

    /// The object that a client gets.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut out = json!({
            "apiVersion": "v1",
            "kind": "Status",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            out["reason"] = self.reason.into();
        }
        if let Some(token) = &self.continue_token {
            out["metadata"]["continue"] = token.as_str().into();
        }
        if let Some(details) = &self.details {
            out["details"] = details.to_json();
        }
        out
    }
}

impl Details {
    /// As JSON, empty parts left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        for (key, text) in [
            ("name", &self.name),
            ("group", &self.group),
            ("kind", &self.kind),
            ("uid", &self.uid),
        ] {
            if !text.is_empty() {
                out.insert(key.into(), text.as_str().into());
            }
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(|c| {
                let mut out = Map::new();
                for (key, text) in [
                    ("reason", &c.reason),
                    ("message", &c.message),
                    ("field", &c.field),
                ] {
                    if !text.is_empty() {
                        out.insert(key.into(), text.as_str().into());
                    }
                }
                Value::Object(out)
            });
            out.insert("causes".into(), causes.collect());
        }
        if self.retry_after_seconds != 0 {
            out.insert("retryAfterSeconds".into(), self.retry_after_seconds.into());
        }
        Value::Object(out)
    }
}

fn of(kind: &Kind, name: &str) -> Details {
    Details {
        name: name.into(),
        group: kind.group.into(),
        kind: kind.plural.into(),
        ..Details::default()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn not_found_names_the_resource() {
        let kind = kinds::of_kind("apps", "v1", "Deployment").unwrap();
        let status = Status::not_found(kind, "a").to_json();
        assert_eq!(status["message"], "deployments.apps \"a\" not found");
        assert_eq!(
            status["details"],
            json!({"group": "apps", "kind": "deployments", "name": "a"})
        );
    }

    #[test]
    fn invalid_lists_its_causes_once() {
        let mut errors = Errors::new();
        errors.required("spec.x", "");
        errors.required("spec.x", "");
        errors.required("spec.y", "because");
        let status = Status::invalid("apps", "Deployment", "a", errors);
        assert_eq!(
            status.message,
            "Deployment.apps \"a\" is invalid: [spec.x: Required value, spec.y: Required value: because]"
        );
    }
}
