// SPDX-License-Identifier: Apache-2.0
//! DNS labels and subdomains (RFC 1123, RFC 1035) as Kubernetes checks them.

use super::{Complaints, max_bytes, max_len, regex_mismatch};

/// Longest DNS label, in bytes.
pub(super) const LABEL_MAX_BYTES: usize = 63;
/// Longest DNS subdomain, in bytes.
pub(super) const SUBDOMAIN_MAX_BYTES: usize = 253;

const LABEL_PATTERN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_MESSAGE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const SUBDOMAIN_PATTERN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const SUBDOMAIN_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const CASELESS_MESSAGE: &str = "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const UNDERSCORE_PATTERN: &str =
    r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
const UNDERSCORE_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
const DNS1035_PATTERN: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const DNS1035_MESSAGE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const WILDCARD_PATTERN: &str =
    r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const WILDCARD_MESSAGE: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";

fn is_lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether `value` starts and ends with a byte of `edge` and has only `edge` and `inner` bytes.
pub(super) fn has_shape(value: &[u8], edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    match value {
        [] => false,
        [only] => edge(*only),
        [first, middle @ .., last] => {
            edge(*first) && edge(*last) && middle.iter().all(|byte| edge(*byte) || inner(*byte))
        }
    }
}

fn is_label(value: &[u8]) -> bool {
    has_shape(value, is_lower_alphanumeric, |byte| byte == b'-')
}

fn is_subdomain(value: &str) -> bool {
    value.as_bytes().split(|byte| *byte == b'.').all(is_label)
}

/// A DNS label (RFC 1123): at most 63 bytes of `a-z`, `0-9` and inner `-`.
pub fn dns1123_label(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > LABEL_MAX_BYTES {
        complaints.push(max_len(LABEL_MAX_BYTES));
    }
    if !is_label(value.as_bytes()) {
        complaints.push(if is_subdomain(value) {
            "must not contain dots".to_owned()
        } else {
            regex_mismatch(LABEL_MESSAGE, LABEL_PATTERN, &["my-name", "123-abc"])
        });
    }
    complaints
}

/// A DNS subdomain (RFC 1123): labels joined by dots, at most 253 bytes together.
pub fn dns1123_subdomain(value: &str) -> Complaints {
    subdomain(value, max_len)
}

/// The prefix of a label key: a subdomain whose length complaint counts bytes.
pub(super) fn key_prefix(value: &str) -> Complaints {
    subdomain(value, max_bytes)
}

fn subdomain(value: &str, too_long: fn(usize) -> String) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > SUBDOMAIN_MAX_BYTES {
        complaints.push(too_long(SUBDOMAIN_MAX_BYTES));
    }
    if !is_subdomain(value) {
        complaints.push(regex_mismatch(
            SUBDOMAIN_MESSAGE,
            SUBDOMAIN_PATTERN,
            &["example.com"],
        ));
    }
    complaints
}

/// A DNS subdomain that may have upper case letters (driver names).
pub fn dns1123_subdomain_caseless(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > SUBDOMAIN_MAX_BYTES {
        complaints.push(max_bytes(SUBDOMAIN_MAX_BYTES));
    }
    let label = |part: &[u8]| {
        has_shape(
            part,
            |byte| byte.is_ascii_alphanumeric(),
            |byte| byte == b'-',
        )
    };
    if !value.as_bytes().split(|byte| *byte == b'.').all(label) {
        complaints.push(regex_mismatch(
            CASELESS_MESSAGE,
            SUBDOMAIN_PATTERN,
            &["Example.com"],
        ));
    }
    complaints
}

/// A DNS subdomain whose labels may start with and hold underscores (search domains of a pod).
pub fn dns1123_subdomain_with_underscore(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > SUBDOMAIN_MAX_BYTES {
        complaints.push(max_len(SUBDOMAIN_MAX_BYTES));
    }
    let label = |part: &[u8]| {
        has_shape(
            part.strip_prefix(b"_").unwrap_or(part),
            is_lower_alphanumeric,
            |byte| byte == b'-' || byte == b'_',
        )
    };
    if !value.as_bytes().split(|byte| *byte == b'.').all(label) {
        complaints.push(regex_mismatch(
            UNDERSCORE_MESSAGE,
            UNDERSCORE_PATTERN,
            &["example.com"],
        ));
    }
    complaints
}

/// A DNS label (RFC 1035): as [`dns1123_label`], but the first character is a letter.
pub fn dns1035_label(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > LABEL_MAX_BYTES {
        complaints.push(max_len(LABEL_MAX_BYTES));
    }
    if !(is_label(value.as_bytes()) && value.starts_with(|first: char| first.is_ascii_lowercase()))
    {
        complaints.push(regex_mismatch(
            DNS1035_MESSAGE,
            DNS1035_PATTERN,
            &["my-name", "abc-123"],
        ));
    }
    complaints
}

/// `*.` and a DNS subdomain (hosts of an Ingress).
pub fn wildcard_dns1123_subdomain(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > SUBDOMAIN_MAX_BYTES {
        complaints.push(max_len(SUBDOMAIN_MAX_BYTES));
    }
    if !value.strip_prefix("*.").is_some_and(is_subdomain) {
        complaints.push(regex_mismatch(
            WILDCARD_MESSAGE,
            WILDCARD_PATTERN,
            &["*.example.com"],
        ));
    }
    complaints
}
