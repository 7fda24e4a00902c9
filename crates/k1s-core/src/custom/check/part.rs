// SPDX-License-Identifier: Apache-2.0
//! Columns, subresources and selectable fields of a version.

use serde_json::Value;

use crate::custom::Structural;
use crate::field::Errors;
use crate::object::{list, text};

const TYPES: &str = "boolean,date,integer,number,string";
const FORMATS: &str = "byte,date,date-time,double,float,int32,int64,password";
/// So many fields may be selectable.
const MOST_SELECTABLE: usize = 8;

/// Checks the columns of a table.
pub(super) fn columns(columns: &[Value], path: &str, errors: &mut Errors) {
    for (i, column) in columns.iter().enumerate() {
        let at = format!("{path}[{i}]");
        let word = |key: &str| text(column, &[key]);
        if word("name").is_empty() {
            errors.required(format!("{at}.name"), "");
        }
        let kinds = format!("must be one of {TYPES}");
        match word("type") {
            "" => errors.required(format!("{at}.type"), &kinds),
            own if TYPES.split(',').any(|t| t == own) => {}
            other => errors.invalid_text(format!("{at}.type"), other, kinds),
        }
        let format = word("format");
        if !format.is_empty() && !FORMATS.split(',').any(|f| f == format) {
            let why = format!("must be one of {FORMATS}");
            errors.invalid_text(format!("{at}.format"), format, why);
        }
        match word("jsonPath") {
            "" => errors.required(format!("{at}.JSONPath"), ""),
            own => simple_path(own, &format!("{at}.JSONPath"), errors),
        }
    }
}

fn simple_path(own: &str, at: &str, errors: &mut Errors) {
    if !own.starts_with('.') {
        errors.invalid_text(at, own, "must be a simple json path starting with .");
    }
}

/// Checks the paths of the scale.
pub(super) fn subresources(given: &Value, path: &str, errors: &mut Errors) {
    let Some(scale) = given.get("scale").filter(|s| !s.is_null()) else {
        return;
    };
    let word = |key: &str| text(scale, &[key]);
    for (key, root) in [
        ("specReplicasPath", ".spec"),
        ("statusReplicasPath", ".status"),
    ] {
        let at = format!("{path}.scale.{key}");
        match word(key) {
            "" => errors.required(at, ""),
            own if !own.starts_with('.') => simple_path(own, &at, errors),
            own if !below(own, root) => {
                errors.invalid_text(at, own, format!("should be a json path under {root}"));
            }
            _ => {}
        }
    }
    let own = word("labelSelectorPath");
    let at = format!("{path}.scale.labelSelectorPath");
    if !own.is_empty() && !own.starts_with('.') {
        simple_path(own, &at, errors);
    } else if !own.is_empty() && !below(own, ".spec") && !below(own, ".status") {
        errors.invalid_text(
            at,
            own,
            "should be a json path under either .spec or .status",
        );
    }
}

fn below(path: &str, root: &str) -> bool {
    path.strip_prefix(root)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// Checks the selectable fields against the schema of their version.
pub(super) fn selectable(version: &Value, path: &str, errors: &mut Errors) {
    let fields = list(version, &["selectableFields"]);
    if fields.is_empty() {
        return;
    }
    if fields.len() > MOST_SELECTABLE {
        errors.too_many(path, fields.len(), MOST_SELECTABLE);
    }
    let schema = Structural::parse(&version["schema"]["openAPIV3Schema"]);
    let mut seen: Vec<&str> = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        let at = format!("{path}[{i}].jsonPath");
        let own = text(field, &["jsonPath"]);
        if own.is_empty() {
            errors.required(at, "");
            continue;
        }
        if let Err(why) = target(&schema, own) {
            errors.invalid_text(&at, own, why);
            continue;
        }
        if seen.contains(&own) {
            errors.duplicate(&at, &own.into());
        }
        seen.push(own);
    }
}

fn target(schema: &Structural, path: &str) -> Result<(), &'static str> {
    const UNKNOWN: &str = "is an invalid path: does not refer to a valid field";
    if path.contains(['[', ']']) {
        return Err("is an invalid path: array notation is not allowed");
    }
    let mut here = schema;
    let mut keys = path.strip_prefix('.').ok_or(UNKNOWN)?.split('.');
    let first = keys
        .next()
        .filter(|k| !matches!(*k, "apiVersion" | "kind" | "metadata"));
    for key in std::iter::once(first.ok_or(UNKNOWN)?).chain(keys) {
        here = here.property(key).ok_or(UNKNOWN)?;
    }
    match here.kind.as_str() {
        "string" | "boolean" | "integer" => Ok(()),
        _ => Err(
            "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
        ),
    }
}
