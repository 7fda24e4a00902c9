// SPDX-License-Identifier: Apache-2.0
//! Options of a request: its query, and the checks that `ListOptions`, `CreateOptions` and their like make.

use std::time::Duration;

use k1s_core::field::{Errors, Fault, quote};
use k1s_core::status::Status;
use percent_encoding::percent_decode;
use serde_json::Value;

/// The query of a request, decoded. Of a parameter given twice the first counts, as in Kubernetes.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes the text behind the question mark.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
        let decode = |part: &str| {
            let plus: Vec<u8> = part
                .bytes()
                .map(|b| if b == b'+' { b' ' } else { b })
                .collect();
            percent_decode(&plus).decode_utf8_lossy().into_owned()
        };
        Self(
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key), decode(value))
                })
                .collect(),
        )
    }

    /// A parameter's value, if it was given.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.as_str())
    }

    /// A parameter's value; empty when it was not given.
    #[must_use]
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(k, _)| k == name)
            .map(|(_, v)| v.as_str())
    }

    /// Any value but `0` and `false` is true, an empty one too.
    #[must_use]
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)
            .map(|v| v != "0" && !v.eq_ignore_ascii_case("false"))
    }

    /// A whole number.
    ///
    /// # Errors
    /// 400 in the words of Go's `strconv`.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, Status> {
        self.get(name).map(parse_int).transpose()
    }
}

fn parse_int(text: &str) -> Result<i64, Status> {
    text.parse::<i64>().map_err(|_| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let why = if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            "value out of range"
        } else {
            "invalid syntax"
        };
        Status::bad_request(format!("strconv.ParseInt: parsing {}: {why}", quote(text)))
    })
}

/// How old an answer may be: `resourceVersion` with `resourceVersionMatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Nothing was said: the newest.
    Newest,
    /// `0`: any.
    Any,
    /// This one or a newer.
    NotOlderThan(u64),
    /// Just this one.
    Exact(u64),
}

/// Options of a list or a watch.
#[derive(Debug)]
pub(crate) struct ListOptions {
    /// Most items to answer with; `None` means all.
    pub limit: Option<usize>,
    /// The token of the page before.
    pub continue_token: String,
    /// How old the answer may be.
    pub version: Version,
    /// Whether to watch.
    pub watch: bool,
    /// How long to watch.
    pub timeout: Option<Duration>,
    /// Whether bookmarks are welcome.
    pub bookmarks: bool,
    /// Whether the present state is to come as events first.
    pub send_initial_events: Option<bool>,
    /// Label selector, not yet parsed.
    pub label_selector: String,
    /// Field selector, not yet parsed.
    pub field_selector: String,
}

impl ListOptions {
    /// Reads and checks the options.
    ///
    /// # Errors
    /// 400 for what cannot be read, 422 for what may not be together.
    pub(crate) fn parse(query: &Query, legacy_watch: bool) -> Result<Self, Status> {
        let limit = query.int("limit")?;
        let limited = limit.is_some_and(|limit| limit > 0);
        let timeout = query.int("timeoutSeconds")?;
        let watch = legacy_watch || query.flag("watch").unwrap_or(false);
        let send_initial_events = query.flag("sendInitialEvents");
        let version = query.text("resourceVersion");
        let matching = query.text("resourceVersionMatch");
        let continue_token = query.text("continue");
        check_list(
            watch,
            send_initial_events,
            version,
            matching,
            continue_token,
        )?;
        let version = match (version, matching) {
            ("", _) => Version::Newest,
            ("0", _) => Version::Any,
            (text, matching) => {
                let number = parse_version(text).map_err(|words| {
                    if watch {
                        Status::new(500, "", words)
                    } else {
                        Status::bad_request(format!("invalid resource version: {words}"))
                    }
                })?;
                // a page of a version that is not said to be a lower bound is a page of just this one
                if matching == "Exact" || matching.is_empty() && limited && !watch {
                    Version::Exact(number)
                } else {
                    Version::NotOlderThan(number)
                }
            }
        };
        if !watch
            && !continue_token.is_empty()
            && !matches!(version, Version::Newest | Version::Any)
        {
            super::verbs::list::Token::decode(continue_token)?;
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        Ok(Self {
            // any version is answered from what is at hand, whole
            limit: limit
                .and_then(|l| usize::try_from(l).ok())
                .filter(|l| *l > 0 && version != Version::Any),
            continue_token: continue_token.into(),
            version,
            watch,
            timeout: timeout
                .and_then(|t| u64::try_from(t).ok())
                .filter(|t| *t > 0)
                .map(Duration::from_secs),
            bookmarks: query.flag("allowWatchBookmarks").unwrap_or(false),
            send_initial_events,
            label_selector: query.text("labelSelector").into(),
            field_selector: query.text("fieldSelector").into(),
        })
    }
}

fn check_list(
    watch: bool,
    initial: Option<bool>,
    version: &str,
    matching: &str,
    continue_token: &str,
) -> Result<(), Status> {
    let mut errors = Errors::new();
    if watch {
        if initial.is_some() && matching != "NotOlderThan" {
            errors.forbidden(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            );
        }
        if !matching.is_empty() {
            if initial.is_none() {
                errors.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
            }
            if matching != "NotOlderThan" {
                errors.not_supported(
                    "resourceVersionMatch",
                    &Value::from(matching),
                    &["NotOlderThan"],
                );
            }
        }
        if !continue_token.is_empty() {
            errors.forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided",
            );
        }
    } else {
        if !matching.is_empty() {
            if version.is_empty() {
                errors.forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                );
            }
            if !continue_token.is_empty() {
                errors.forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden when continue is provided",
                );
            }
            if matching != "Exact" && matching != "NotOlderThan" {
                errors.not_supported(
                    "resourceVersionMatch",
                    &Value::from(matching),
                    &["Exact", "NotOlderThan", ""],
                );
            }
            if matching == "Exact" && version == "0" {
                errors.forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                );
            }
        }
        if initial.is_some() {
            errors.forbidden(
                "sendInitialEvents",
                "sendInitialEvents is forbidden for list",
            );
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid("meta.k8s.io", "ListOptions", "", errors))
    }
}

/// Reads a resource version.
///
/// # Errors
/// The words of Kubernetes.
pub(crate) fn parse_version(text: &str) -> Result<u64, String> {
    parse_uint(text)
        .map_err(|why| format!("resourceVersion: Invalid value: {}: {why}", quote(text)))
}

/// Reads a number that has no sign.
///
/// # Errors
/// The words of Go's `strconv`.
pub(crate) fn parse_uint(text: &str) -> Result<u64, String> {
    text.parse::<u64>()
        .ok()
        .filter(|_| !text.starts_with('+'))
        .ok_or_else(|| {
            let why = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
                "value out of range"
            } else {
                "invalid syntax"
            };
            format!("strconv.ParseUint: parsing {}: {why}", quote(text))
        })
}

/// What is done with fields that a kind does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// Dropped.
    Ignore,
    /// Dropped, with a warning.
    Warn,
    /// Refused.
    Strict,
}

/// Options of a write.
#[derive(Clone, Debug)]
pub(crate) struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// What is done with unknown fields.
    pub field_validation: FieldValidation,
}

/// The kind of options, as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    /// `CreateOptions`
    Create,
    /// `UpdateOptions`
    Update,
    /// `PatchOptions`
    Patch,
}

impl WriteOptions {
    /// Reads and checks the options.
    ///
    /// # Errors
    /// 422 for what cannot be.
    pub(crate) fn parse(query: &Query, kind: WriteKind) -> Result<Self, Status> {
        let mut errors = Errors::new();
        let force = query.flag("force");
        let field_manager = query.text("fieldManager");
        if kind == WriteKind::Patch && force.is_some() {
            errors.forbidden("force", "may not be specified for non-apply patch");
        }
        if field_manager.len() > 128 {
            errors.push(
                Fault::TooLong,
                "fieldManager",
                "Too long: may not be more than 128 bytes",
            );
        }
        if let Some((at, found)) = field_manager.char_indices().find(|(_, c)| c.is_control()) {
            errors.invalid_text(
                "fieldManager",
                field_manager,
                format!(
                    "invalid character U+{:04X} (at position {at})",
                    u32::from(found)
                ),
            );
        }
        let dry_run = check_dry_run(query.all("dryRun"), &mut errors);
        let field_validation = match query.text("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                errors.not_supported(
                    "fieldValidation",
                    &Value::from(other),
                    &["", "Ignore", "Strict", "Warn"],
                );
                FieldValidation::Warn
            }
        };
        if errors.is_empty() {
            return Ok(Self {
                dry_run,
                field_validation,
            });
        }
        let name = match kind {
            WriteKind::Create => "CreateOptions",
            WriteKind::Update => "UpdateOptions",
            WriteKind::Patch => "PatchOptions",
        };
        Err(Status::invalid("meta.k8s.io", name, "", errors))
    }
}

/// A body that says what it is says that it is options.
fn check_kind(body: &Value) -> Result<(), Status> {
    let kind = body["kind"].as_str().unwrap_or_default();
    if matches!(kind, "" | "DeleteOptions") {
        return Ok(());
    }
    let version = match body["apiVersion"].as_str().unwrap_or_default() {
        "" => "v1",
        version => version,
    };
    Err(Status::bad_request(format!(
        "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:111\"",
        quote(kind),
        quote(version)
    )))
}

fn check_dry_run<'a>(values: impl Iterator<Item = &'a str>, errors: &mut Errors) -> bool {
    let values: Vec<&str> = values.collect();
    if values.iter().any(|v| *v != "All") {
        let all: Vec<Value> = values.iter().map(|v| Value::from(*v)).collect();
        errors.not_supported("dryRun", &Value::from(all), &["All"]);
    }
    !values.is_empty()
}

/// What becomes of the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// Options of a delete.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Seconds until a pod is gone.
    pub grace_period_seconds: Option<i64>,
    /// What becomes of dependents, if it was said.
    pub propagation: Option<Propagation>,
    /// The uid that the object must have.
    pub uid: Option<String>,
    /// The version that the object must have.
    pub resource_version: Option<String>,
    /// Dependents were asked to be deleted in the old way, `orphanDependents: false`.
    pub cascades: bool,
}

impl DeleteOptions {
    /// Reads the options from the body, or, if there is none, from the query.
    ///
    /// # Errors
    /// 400 for a body that cannot be read, 422 for what cannot be.
    pub(crate) fn parse(query: &Query, body: Option<&Value>) -> Result<Self, Status> {
        let mut out = Self::default();
        let mut errors = Errors::new();
        let (orphan, propagation, dry_run);
        if let Some(body) = body {
            let mut body = body.clone();
            check_kind(&body)?;
            if let Some(schema) = k1s_core::schema::Schema::named(
                "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
            ) {
                k1s_core::decode::decode(schema, &mut body)
                    .map_err(|e| Status::bad_request(e.to_string()))?;
            }
            out.grace_period_seconds = body["gracePeriodSeconds"].as_i64();
            out.uid = body["preconditions"]["uid"].as_str().map(str::to_owned);
            out.resource_version = body["preconditions"]["resourceVersion"]
                .as_str()
                .map(str::to_owned);
            orphan = body["orphanDependents"].as_bool();
            propagation = body["propagationPolicy"].as_str().map(str::to_owned);
            let values: Vec<String> = body["dryRun"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            dry_run = values;
        } else {
            out.grace_period_seconds = query.int("gracePeriodSeconds")?;
            out.uid = query.get("uid").map(str::to_owned);
            out.resource_version = query.get("resourceVersion").map(str::to_owned);
            orphan = query.flag("orphanDependents");
            propagation = query.get("propagationPolicy").map(str::to_owned);
            dry_run = query.all("dryRun").map(str::to_owned).collect();
        }
        out.cascades = orphan == Some(false);
        if orphan.is_some()
            && let Some(policy) = &propagation
        {
            errors.invalid_text(
                "propagationPolicy",
                policy,
                "orphanDependents and deletionPropagation cannot be both set",
            );
        }
        out.propagation = match (propagation.as_deref(), orphan) {
            (Some("Background"), _) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) => Some(Propagation::Orphan),
            (Some(other), _) => {
                errors.not_supported(
                    "propagationPolicy",
                    &Value::from(other),
                    &["Foreground", "Background", "Orphan", "nil"],
                );
                None
            }
            (None, Some(true)) => Some(Propagation::Orphan),
            (None, Some(false)) => Some(Propagation::Background),
            (None, None) => None,
        };
        out.dry_run = check_dry_run(dry_run.iter().map(String::as_str), &mut errors);
        if errors.is_empty() {
            Ok(out)
        } else {
            Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", errors))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db&watch&limit=5&x=1+2&x=3");
        assert_eq!(query.text("labelSelector"), "a=b");
        assert_eq!(query.flag("watch"), Some(true));
        assert_eq!(query.int("limit").unwrap(), Some(5));
        assert_eq!(query.text("x"), "1 2");
        assert_eq!(query.all("x").count(), 2);
    }

    fn list(query: &str, expected: &str) {
        let got = match ListOptions::parse(&Query::parse(query), false) {
            Ok(options) => format!("{:?} {:?}", options.version, options.limit),
            Err(status) => format!("{} {}", status.code, status.message),
        };
        assert_eq!(got, expected, "{query}");
    }

    #[test]
    fn list_options() {
        list("", "Newest None");
        list("limit=-1&resourceVersion=0", "Any None");
        list("limit=3&resourceVersion=7", "Exact(7) Some(3)");
        list("resourceVersion=7", "NotOlderThan(7) None");
        list("limit=3&resourceVersion=0", "Any None");
        list(
            "limit=",
            "400 strconv.ParseInt: parsing \"\": invalid syntax",
        );
        list(
            "resourceVersion=99999999999999999999",
            "400 invalid resource version: resourceVersion: Invalid value: \"99999999999999999999\": strconv.ParseUint: parsing \"99999999999999999999\": value out of range",
        );
        list(
            "resourceVersion=7&resourceVersionMatch=Exact",
            "Exact(7) None",
        );
        list(
            "limit=many",
            "400 strconv.ParseInt: parsing \"many\": invalid syntax",
        );
        list(
            "limit=99999999999999999999",
            "400 strconv.ParseInt: parsing \"99999999999999999999\": value out of range",
        );
        list(
            "resourceVersion=7&continue=x",
            "400 invalid continue token: continue key is not valid: illegal base64 data at input byte 0",
        );
        list(
            "resourceVersion=7&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6Nywic3RhcnQiOiJhXHUwMDAwIn0",
            "400 specifying resource version is not allowed when using continue",
        );
        list(
            "sendInitialEvents=true",
            "422 ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
        );
    }
}
