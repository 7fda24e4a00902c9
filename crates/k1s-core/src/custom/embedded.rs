// SPDX-License-Identifier: Apache-2.0
//! Embedded resources say what they are, and their metadata is right.

use serde_json::Value;

use super::structural::Structural;
use super::validate::below;
use crate::field::{Errors, Path};
use crate::object::{map, text};
use crate::{meta, name};

/// Checks the embedded resources of an object; the object itself is checked as all are.
pub(super) fn check(schema: &Structural, value: &Value, path: &str, errors: &mut Errors) {
    match value {
        Value::Object(fields) => {
            if schema.embedded && !path.is_empty() {
                check_one(value, path, errors);
            }
            for (key, inner) in fields {
                if let Some(property) = schema.property(key) {
                    check(property, inner, &below(path, key), errors);
                }
            }
        }
        Value::Array(items) => {
            if let Some(of) = &schema.items {
                for (i, item) in items.iter().enumerate() {
                    check(of, item, &format!("{path}[{i}]"), errors);
                }
            }
        }
        _ => {}
    }
}

fn check_one(value: &Value, path: &str, errors: &mut Errors) {
    let at = Path::new(path);
    let metadata = at.child("metadata");
    let own = text(value, &["metadata", "name"]);
    if !own.is_empty() {
        for complaint in name::path_segment_name(own) {
            errors.invalid_text(metadata.child("name"), own, complaint);
        }
    }
    meta::check_labels(
        map(value, &["metadata", "labels"]),
        &metadata.child("labels"),
        errors,
    );
    meta::check_annotations(
        map(value, &["metadata", "annotations"]),
        &metadata.child("annotations"),
        errors,
    );
    let api_version = text(value, &["apiVersion"]);
    if api_version.is_empty() {
        errors.required(at.child("apiVersion"), "must not be empty");
    } else if api_version.matches('/').count() > 1 {
        let why = format!("unexpected GroupVersion string: {api_version}");
        errors.invalid_text(at.child("apiVersion"), api_version, why);
    }
    let kind = text(value, &["kind"]);
    if kind.is_empty() {
        errors.required(at.child("kind"), "must not be empty");
    } else {
        for complaint in name::dns1035_label(&kind.to_lowercase()) {
            let why = format!("may have mixed case, but should otherwise match: {complaint}");
            errors.invalid_text(at.child("kind"), kind, why);
        }
    }
}
