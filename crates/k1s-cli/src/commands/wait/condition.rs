// SPDX-License-Identifier: Apache-2.0
//! What `--for` says, and whether an object is so.

use k1s_core::object::{at, int, list, text};
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::describe::field::shown;
use crate::error::{Error, Result};

/// What is waited for.
#[derive(Debug)]
pub(super) enum Condition {
    /// The object is there.
    Created,
    /// The object is gone.
    Deleted,
    /// A condition of the status has a value.
    Status {
        /// Type of the condition, in any case.
        name: String,
        /// Its status, in any case.
        value: String,
    },
    /// A path leads to a value, or with no value to anything.
    Path {
        /// JSONPath template.
        path: k1s_core::jsonpath::JsonPath,
        /// What it is compared with.
        value: Option<String>,
    },
}

impl Condition {
    /// Reads what `--for` says.
    pub(super) fn parse(text: &str) -> Result<Self> {
        match text.to_lowercase().as_str() {
            "create" => return Ok(Self::Created),
            "delete" => return Ok(Self::Deleted),
            _ => {}
        }
        if let Some(condition) = text.strip_prefix("condition=") {
            let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
            return Ok(Self::Status {
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
        if let Some(input) = text.strip_prefix("jsonpath=") {
            return Self::path(input);
        }
        Err(Error::message(format!(
            "unrecognized condition: {}",
            Quoted(text)
        )))
    }

    fn path(input: &str) -> Result<Self> {
        let parts = split(input);
        let (path, value) = match parts.as_slice() {
            [path] => (path, None),
            [path, value] => (path, Some(value.trim_matches(['\'', '"']).to_owned())),
            _ => {
                return Err(Error::message(
                    "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'",
                ));
            }
        };
        let path =
            k1s_core::jsonpath::relaxed(path).map_err(|error| Error::message(error.to_string()))?;
        if value.as_deref() == Some("") {
            return Err(Error::message(
                "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
            ));
        }
        if path.is_empty() {
            return Err(Error::message("jsonpath expression cannot be empty"));
        }
        let path = k1s_core::jsonpath::JsonPath::parse(&path)
            .map(|path| path.allow_missing_keys(true))
            .map_err(|error| Error::message(error.to_string()))?;
        Ok(Self::Path { path, value })
    }

    /// Whether an object, or that there is none, is what is waited for.
    pub(super) fn met(&self, object: Option<&Value>) -> Result<bool> {
        let Some(object) = object else {
            return Ok(matches!(self, Self::Deleted));
        };
        match self {
            Self::Created => Ok(true),
            Self::Deleted => Ok(false),
            Self::Status { name, value } => Ok(status(object, name, value)),
            Self::Path { path, value } => leads_to(object, path, value.as_deref()),
        }
    }
}

/// Splits at single `=`; two of them are one in a comparison.
fn split(input: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = input.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '=' {
            if let Some(part) = parts.last_mut() {
                part.push(letter);
            }
        } else if letters.next_if_eq(&'=').is_some() {
            if let Some(part) = parts.last_mut() {
                part.push_str("==");
            }
        } else {
            parts.push(String::new());
        }
    }
    parts
}

fn status(object: &Value, name: &str, value: &str) -> bool {
    let conditions = list(object, &["status", "conditions"]);
    let Some(condition) = conditions
        .iter()
        .find(|condition| text(condition, &["type"]).eq_ignore_ascii_case(name))
    else {
        return false;
    };
    let observed = int(condition, &["observedGeneration"])
        .or_else(|| int(object, &["status", "observedGeneration"]));
    let old = match (int(object, &["metadata", "generation"]), observed) {
        (Some(generation), Some(observed)) => observed < generation,
        _ => false,
    };
    !old && at(condition, &["status"]).is_some()
        && text(condition, &["status"]).eq_ignore_ascii_case(value)
}

fn leads_to(
    object: &Value,
    path: &k1s_core::jsonpath::JsonPath,
    value: Option<&str>,
) -> Result<bool> {
    let results = path
        .values(object)
        .map_err(|error| Error::message(error.to_string()))?;
    match results.as_slice() {
        [] => Ok(false),
        [found] if found.is_empty() => Ok(false),
        [found] if found.len() > 1 => Err(Error::message(
            "given jsonpath expression matches more than one value",
        )),
        [found] => match value {
            None => Ok(true),
            Some(_) if found[0].is_object() || found[0].is_array() => Err(Error::message(
                "jsonpath leads to a nested object or list which is not supported",
            )),
            Some(value) => Ok(shown(&found[0]).trim() == value.trim()),
        },
        _ => Err(Error::message(
            "given jsonpath expression matches more than one list",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn single_signs_split() {
        let check = |input: &str, parts: &[&str]| assert_eq!(split(input), parts);
        check("{.a}", &["{.a}"]);
        check("{.a}=1", &["{.a}", "1"]);
        check("{.a[?(@.b==\"c\")].d}=x", &["{.a[?(@.b==\"c\")].d}", "x"]);
        check(
            "a.b.c====d.e.f===g.h.i===",
            &["a.b.c====d.e.f==", "g.h.i==", ""],
        );
    }
}
