// SPDX-License-Identifier: Apache-2.0
//! Label keys ("qualified names"), label values, annotation keys and finalizers.

use super::dns::{has_shape, key_prefix};
use super::{Complaints, max_bytes, regex_mismatch};

/// Longest name part of a label key and longest label value, in bytes.
const MAX_BYTES: usize = 63;
const KEY_PATTERN: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const KEY_MESSAGE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const KEY_EXAMPLES: [&str; 3] = ["MyName", "my.name", "123-abc"];
const VALUE_PATTERN: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const VALUE_MESSAGE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
/// Finalizers without a domain that Kubernetes itself understands.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

fn is_name_part(value: &str) -> bool {
    has_shape(
        value.as_bytes(),
        |byte| byte.is_ascii_alphanumeric(),
        |byte| matches!(byte, b'-' | b'_' | b'.'),
    )
}

/// A label key, also called qualified name: `name` or `prefix.example.com/name`.
pub fn label_key(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    let name = match value.split_once('/') {
        None => value,
        Some((_, rest)) if rest.contains('/') => {
            let mismatch = regex_mismatch(KEY_MESSAGE, KEY_PATTERN, &KEY_EXAMPLES);
            complaints.push(format!(
                "a valid label key {mismatch} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ));
            return complaints;
        }
        Some(("", name)) => {
            complaints.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            complaints.extend(
                key_prefix(prefix)
                    .into_iter()
                    .map(|complaint| format!("prefix part {complaint}")),
            );
            name
        }
    };
    if name.is_empty() {
        complaints.push("name part must be non-empty".to_owned());
    } else if name.len() > MAX_BYTES {
        complaints.push(format!("name part {}", max_bytes(MAX_BYTES)));
    }
    if !is_name_part(name) {
        complaints.push(format!(
            "name part {}",
            regex_mismatch(KEY_MESSAGE, KEY_PATTERN, &KEY_EXAMPLES)
        ));
    }
    complaints
}

/// An annotation key: a label key in which the case of letters does not matter.
pub fn annotation_key(value: &str) -> Complaints {
    if value.bytes().any(|byte| byte.is_ascii_uppercase()) || !value.is_ascii() {
        label_key(&value.to_lowercase())
    } else {
        label_key(value)
    }
}

/// A label value: empty, or at most 63 bytes that start and end alphanumeric.
pub fn label_value(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > MAX_BYTES {
        complaints.push(max_bytes(MAX_BYTES));
    }
    if !value.is_empty() && !is_name_part(value) {
        complaints.push(regex_mismatch(
            VALUE_MESSAGE,
            VALUE_PATTERN,
            &["MyValue", "my_value", "12345"],
        ));
    }
    complaints
}

/// Whether Kubernetes knows this finalizer although it has no domain.
pub fn standard_finalizer(value: &str) -> bool {
    STANDARD_FINALIZERS.contains(&value)
}

/// A finalizer of most built-in kinds has a domain or is a standard one; that it is a label key is checked apart.
pub fn finalizer_name(value: &str) -> Complaints {
    if value.contains('/') || standard_finalizer(value) {
        return Complaints::new();
    }
    vec!["name is neither a standard finalizer name nor is it fully qualified".to_owned()]
}
