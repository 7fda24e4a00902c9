// SPDX-License-Identifier: Apache-2.0
//! References to an object of any kind by group, kind and name.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::name;
use crate::object::text;
use crate::rules::address::report;

/// Checks `apiGroup`, `kind` and `name`.
pub(super) fn validate(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(group) = reference.get("apiGroup").and_then(Value::as_str) {
        let path = path.child("apiGroup");
        report(name::dns1123_subdomain(group), group, &path, errors);
    }
    for key in ["kind", "name"] {
        let value = text(reference, &[key]);
        let path = path.child(key);
        if value.is_empty() {
            errors.required(path, "");
        } else {
            report(name::path_segment_name(value), value, &path, errors);
        }
    }
}
