// SPDX-License-Identifier: Apache-2.0
//! Keys and small values inside objects: environment variables, ConfigMap keys, ports, headers.

use super::dns::SUBDOMAIN_MAX_BYTES;
use super::{Complaints, inclusive_range, max_len, regex_mismatch};

const PORT_NAME_MAX_BYTES: usize = 15;

fn only(value: &str, allowed: fn(u8) -> bool) -> bool {
    !value.is_empty() && value.bytes().all(allowed)
}

/// Keys become file names, so they must not lead out of their directory.
fn leaves_directory(value: &str) -> Option<String> {
    match value {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ if value.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

/// A C identifier.
pub fn c_identifier(value: &str) -> Complaints {
    let valid = only(value, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !value.starts_with(|first: char| first.is_ascii_digit());
    if valid {
        return Complaints::new();
    }
    vec![regex_mismatch(
        "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
        "[A-Za-z_][A-Za-z0-9_]*",
        &["my_name", "MY_NAME", "MyName"],
    )]
}

/// The name of an environment variable, by the strict rule (`envFrom` prefixes before 1.34).
pub fn env_var_name(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    let valid = only(value, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
    }) && !value.starts_with(|first: char| first.is_ascii_digit());
    if !valid {
        complaints.push(regex_mismatch(
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
            "[-._a-zA-Z][-._a-zA-Z0-9]*",
            &["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
        ));
    }
    complaints.extend(leaves_directory(value));
    complaints
}

/// The name of an environment variable, by the rule of current releases: printable ASCII without `=`.
pub fn relaxed_env_var_name(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.is_empty() {
        complaints.push("environment variable name must be non-empty".to_owned());
    }
    if !value
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'=')
    {
        complaints.push(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        );
    }
    complaints
}

/// A key of a ConfigMap or a Secret.
pub fn config_map_key(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > SUBDOMAIN_MAX_BYTES {
        complaints.push(max_len(SUBDOMAIN_MAX_BYTES));
    }
    if !only(value, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
    }) {
        complaints.push(regex_mismatch(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    complaints.extend(leaves_directory(value));
    complaints
}

/// A port name (IANA service name, RFC 6335).
pub fn port_name(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    if value.len() > PORT_NAME_MAX_BYTES {
        complaints.push(max_len(PORT_NAME_MAX_BYTES));
    }
    if !only(value, |byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
    }) {
        complaints.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !value.bytes().any(|byte| byte.is_ascii_lowercase()) {
        complaints.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        complaints.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        complaints.push("must not begin or end with a hyphen".to_owned());
    }
    complaints
}

/// A number within `low..=high`.
pub fn in_range(value: i64, low: i64, high: i64) -> Complaints {
    if (low..=high).contains(&value) {
        Complaints::new()
    } else {
        vec![inclusive_range(low, high)]
    }
}

/// A port number, 1 to 65535.
pub fn port_number(value: i64) -> Complaints {
    in_range(value, 1, 65535)
}

/// A numeric user or group, 0 to 2147483647.
pub fn user_or_group_id(value: i64) -> Complaints {
    in_range(value, 0, i64::from(i32::MAX))
}

/// A percentage such as `25%`.
pub fn percent(value: &str) -> Complaints {
    if value
        .strip_suffix('%')
        .is_some_and(|digits| only(digits, |byte| byte.is_ascii_digit()))
    {
        return Complaints::new();
    }
    vec![regex_mismatch(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )]
}

/// The name of an HTTP header.
pub fn http_header_name(value: &str) -> Complaints {
    if only(value, |byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Complaints::new();
    }
    vec![regex_mismatch(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}
