// SPDX-License-Identifier: Apache-2.0
//! Lists that are sets or maps hold no element twice.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::key_of;
use super::structural::{List, Structural};
use crate::field::Errors;

/// Tells the elements that are there before.
pub(super) fn check(schema: &Structural, value: &Value, path: &str, errors: &mut Errors) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                if let Some(property) = schema.property(key) {
                    let path = super::validate::below(path, key);
                    check(property, inner, &path, errors);
                }
            }
        }
        Value::Array(items) => {
            if schema.list != List::Atomic {
                let mut seen: BTreeMap<String, usize> = BTreeMap::new();
                for (i, item) in items.iter().enumerate() {
                    let key = key_of(&schema.list, item);
                    // keys of maps are sorted, so equal values have equal texts
                    let count = seen.entry(key.to_string()).or_default();
                    *count += 1;
                    // what is there three times is told once
                    if *count == 2 {
                        errors.duplicate(format!("{path}[{i}]"), &key);
                    }
                }
            }
            if let Some(of) = &schema.items {
                for (i, item) in items.iter().enumerate() {
                    check(of, item, &format!("{path}[{i}]"), errors);
                }
            }
        }
        _ => {}
    }
}
