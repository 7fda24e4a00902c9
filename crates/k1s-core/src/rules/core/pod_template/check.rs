// SPDX-License-Identifier: Apache-2.0
//! Small checks that the parts of a pod spec share.

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name::{self, Complaints};
use crate::object::text;

const FILE_MODE_MAX: i64 = 0o777;

/// `parent[key]` is there; says whether it is.
pub(in crate::rules) fn required(
    parent: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) -> bool {
    let there = !text(parent, &[key]).is_empty();
    if !there {
        errors.required(path.child(key), "");
    }
    there
}

/// Reports what a rule complains about.
pub(in crate::rules) fn complain(
    complaints: Complaints,
    value: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for complaint in complaints {
        errors.invalid_text(path, value, complaint);
    }
}

/// A DNS label.
pub(in crate::rules) fn dns_label(value: &str, path: &Path<'_>, errors: &mut Errors) {
    complain(name::dns1123_label(value), value, path, errors);
}

/// A DNS subdomain.
pub(in crate::rules) fn dns_subdomain(value: &str, path: &Path<'_>, errors: &mut Errors) {
    complain(name::dns1123_subdomain(value), value, path, errors);
}

/// `parent[key]` is there and a DNS label.
pub(in crate::rules) fn required_label(
    parent: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if required(parent, key, path, errors) {
        dns_label(text(parent, &[key]), &path.child(key), errors);
    }
}

/// `parent[key]`, where it is given, is one of these.
pub(in crate::rules) fn one_of(
    parent: &Value,
    key: &str,
    allowed: &[&str],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(value) = parent.get(key).and_then(Value::as_str)
        && !allowed.contains(&value)
    {
        errors.not_supported(path.child(key), &json!(value), allowed);
    }
}

/// `parent[key]` is there and one of these.
pub(in crate::rules) fn required_one_of(
    parent: &Value,
    key: &str,
    allowed: &[&str],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if required(parent, key, path, errors) {
        one_of(parent, key, allowed, path, errors);
    }
}

/// `parent[key]`, where it is given, is a number that a rule accepts.
pub(in crate::rules) fn number(
    parent: &Value,
    key: &str,
    rule: impl Fn(i64) -> Complaints,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(value) = parent.get(key).and_then(Value::as_i64) {
        for complaint in rule(value) {
            errors.invalid(path.child(key), &json!(value), complaint);
        }
    }
}

/// `parent[key]`, where it is given, is the mode of a file.
pub(in crate::rules) fn file_mode(parent: &Value, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let rule = |mode| {
        if (0..=FILE_MODE_MAX).contains(&mode) {
            Complaints::new()
        } else {
            vec!["must be a number between 0 and 0777 (octal), both inclusive".to_owned()]
        }
    };
    number(parent, key, rule, path, errors);
}

/// A path none of whose parts is `..`.
pub(in crate::rules) fn no_backsteps(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if has_backsteps(value) {
        errors.invalid_text(path, value, "must not contain '..'");
    }
}

/// Whether a part of a path is `..`.
pub(in crate::rules) fn has_backsteps(value: &str) -> bool {
    value.split('/').any(|part| part == "..")
}

/// A path that leads downwards.
pub(in crate::rules) fn descending(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.starts_with('/') {
        errors.invalid_text(path, value, "must be a relative path");
    }
    no_backsteps(value, path, errors);
}

/// A path that leads downwards and does not start with `..`.
pub(in crate::rules) fn descending_unreserved(value: &str, path: &Path<'_>, errors: &mut Errors) {
    descending(value, path, errors);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.invalid_text(path, value, "must not start with '..'");
    }
}

/// A port by number or by name.
pub(in crate::rules) fn port(value: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    match value {
        Some(Value::String(port)) => complain(name::port_name(port), port, path, errors),
        other => {
            let port = other.and_then(Value::as_i64).unwrap_or_default();
            for complaint in name::port_number(port) {
                errors.invalid(path, &json!(port), complaint);
            }
        }
    }
}

/// Whether `parent[key]` is there and no null.
pub(in crate::rules) fn given(parent: &Value, key: &str) -> bool {
    parent.get(key).is_some_and(|v| !v.is_null())
}
