// SPDX-License-Identifier: Apache-2.0
//! Validation of volumes made of Secrets, ConfigMaps, fields of the pod and tokens.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{descending_unreserved, file_mode, given, required};
use super::environment::{validate_field_ref, validate_resource_field_ref};
use crate::field::{Errors, Path};
use crate::object::{list, text};

/// Fields of the pod that a file can hold.
const FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
const TOKEN_SECONDS_MIN: i64 = 10 * 60;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;

pub(super) fn secret(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    named(source, "secretName", path, errors);
}

pub(super) fn config_map(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    named(source, "name", path, errors);
}

fn named(source: &Value, key: &str, path: &Path<'_>, errors: &mut Errors) {
    required(source, key, path, errors);
    file_mode(source, "defaultMode", path, errors);
    validate_items(source, path, errors);
}

fn validate_items(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let items = path.child("items");
    for (index, item) in list(source, &["items"]).iter().enumerate() {
        validate_item(item, &items.index(index), errors);
    }
}

/// A key and the file it goes to.
fn validate_item(item: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(item, "key", path, errors);
    required(item, "path", path, errors);
    descending_unreserved(text(item, &["path"]), &path.child("path"), errors);
    file_mode(item, "mode", path, errors);
}

/// What is wrong with a file is told of the whole volume: its errors have no index.
pub(super) fn downward_api(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    file_mode(source, "defaultMode", path, errors);
    for file in list(source, &["items"]) {
        validate_downward_file(file, path, errors);
    }
}

fn validate_downward_file(file: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(file, "path", path, errors);
    descending_unreserved(text(file, &["path"]), &path.child("path"), errors);
    let field = file.get("fieldRef").filter(|v| !v.is_null());
    let resource = file.get("resourceFieldRef").filter(|v| !v.is_null());
    match (field, resource) {
        (Some(field), resource) => {
            validate_field_ref(field, &FIELDS, &path.child("fieldRef"), errors);
            if resource.is_some() {
                errors.invalid_text(
                    path,
                    "resource",
                    "fieldRef and resourceFieldRef can not be specified simultaneously",
                );
            }
        }
        (None, Some(resource)) => {
            validate_resource_field_ref(resource, true, &path.child("resourceFieldRef"), errors);
        }
        (None, None) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
    }
    file_mode(file, "mode", path, errors);
}

pub(super) fn projected(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    file_mode(source, "defaultMode", path, errors);
    let mut paths = BTreeSet::new();
    let sources = path.child("sources");
    for (index, part) in list(source, &["sources"]).iter().enumerate() {
        let at = sources.index(index);
        validate_part(part, &at, path, &mut paths, errors);
        let types = ["secret", "configMap", "downwardAPI", "serviceAccountToken"];
        if types.iter().filter(|key| given(part, key)).count() > 1 {
            errors.forbidden(at, "may not specify more than 1 volume type per source");
        }
    }
}

/// One source of a projected volume; `paths` are the files that there are already.
fn validate_part<'a>(
    part: &'a Value,
    at: &Path<'_>,
    volume: &Path<'_>,
    paths: &mut BTreeSet<&'a str>,
    errors: &mut Errors,
) {
    for key in ["secret", "configMap"] {
        let Some(source) = part.get(key).filter(|v| !v.is_null()) else {
            continue;
        };
        let here = at.child(key);
        required(source, "name", &here, errors);
        let items = here.child("items");
        for (index, item) in list(source, &["items"]).iter().enumerate() {
            validate_item(item, &items.index(index), errors);
            unique_path(item, text(source, &["name"]), volume, paths, errors);
        }
    }
    if let Some(source) = part.get("downwardAPI").filter(|v| !v.is_null()) {
        for file in list(source, &["items"]) {
            validate_downward_file(file, &at.child("downwardAPI"), errors);
            unique_path(file, text(file, &["path"]), volume, paths, errors);
        }
    }
    if let Some(token) = part.get("serviceAccountToken").filter(|v| !v.is_null()) {
        validate_token(token, &at.child("serviceAccountToken"), volume, errors);
    }
}

fn unique_path<'a>(
    item: &'a Value,
    shown: &str,
    volume: &Path<'_>,
    paths: &mut BTreeSet<&'a str>,
    errors: &mut Errors,
) {
    let file = text(item, &["path"]);
    if !file.is_empty() && !paths.insert(file) {
        errors.invalid_text(volume, shown, "conflicting duplicate paths");
    }
}

fn validate_token(token: &Value, at: &Path<'_>, volume: &Path<'_>, errors: &mut Errors) {
    let seconds = token
        .get("expirationSeconds")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let complaint = if seconds < TOKEN_SECONDS_MIN {
        "may not specify a duration less than 10 minutes"
    } else if seconds > TOKEN_SECONDS_MAX {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        ""
    };
    if !complaint.is_empty() {
        errors.invalid(at.child("expirationSeconds"), &json!(seconds), complaint);
    }
    if required(token, "path", volume, errors) {
        descending_unreserved(text(token, &["path"]), &volume.child("path"), errors);
    }
}
