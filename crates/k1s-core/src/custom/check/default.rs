// SPDX-License-Identifier: Apache-2.0
//! Defaults are values that their schema takes, with nothing in them that would be taken out.

use serde_json::Value;

use crate::custom::Structural;
use crate::custom::decode::has_unknown;
use crate::custom::list_type;
use crate::custom::structural::Additional;
use crate::custom::validate::Checker;
use crate::field::Errors;

/// Checks the defaults of a structural schema.
pub(super) fn check(schema: &Value, path: &str, errors: &mut Errors) {
    walk(&Structural::parse(schema), true, path, errors);
}

fn walk(schema: &Structural, is_root: bool, path: &str, errors: &mut Errors) {
    if let Some(default) = &schema.default {
        let at = format!("{path}.default");
        if is_root || schema.embedded {
            for key in ["apiVersion", "kind"] {
                if default.get(key).is_none() {
                    errors.required(format!("{at}.{key}"), "");
                }
            }
        }
        if has_unknown(schema, default) {
            errors.invalid(&at, default, "must not have unknown fields");
        } else {
            Checker { base: &at }.check(schema, default, None, "", errors);
            list_type::check(schema, default, &at, errors);
        }
    }
    if let Some(items) = &schema.items {
        walk(items, false, &format!("{path}.items"), errors);
    }
    for (name, property) in &schema.properties {
        walk(
            property,
            false,
            &format!("{path}.properties[{name}]"),
            errors,
        );
    }
    if let Some(Additional::Of(of)) = &schema.additional {
        walk(of, false, &format!("{path}.additionalProperties"), errors);
    }
}
