// SPDX-License-Identifier: Apache-2.0
//! Domains of several segments, and paths and keys that a domain prefixes.
//!
//! These checks may complain about a part of the value, or that a value is required, so they
//! return [`DomainProblem`] rather than bare messages.

use super::{dns1123_label, dns1123_subdomain, label_key, regex_mismatch};

/// What is wrong with a domain-like value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainProblem {
    /// The value is empty: a `Required value` without further words.
    Required,
    /// An `Invalid value`: the offending part and the complaint about it.
    Invalid {
        /// The value to show, which may be a part of the whole.
        value: String,
        /// What is wrong with it.
        complaint: String,
    },
}

fn invalid(value: &str, complaint: impl Into<String>) -> DomainProblem {
    DomainProblem::Invalid {
        value: value.to_owned(),
        complaint: complaint.into(),
    }
}

/// A DNS name of at least three segments, such as `jobs.example.com`.
pub fn fully_qualified_name(name: &str) -> Option<DomainProblem> {
    if name.is_empty() {
        return Some(DomainProblem::Required);
    }
    let complaints = dns1123_subdomain(name);
    if !complaints.is_empty() {
        return Some(invalid(name, complaints.join(",")));
    }
    (name.split('.').count() < 3).then(|| {
        invalid(
            name,
            "should be a domain with at least three segments separated by dots",
        )
    })
}

/// A DNS name of at least two segments, each a DNS label; one trailing dot is allowed.
pub fn fully_qualified_domain_name(name: &str) -> Option<DomainProblem> {
    if name.is_empty() {
        return Some(DomainProblem::Required);
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let complaints = dns1123_subdomain(name);
    if !complaints.is_empty() {
        return Some(invalid(name, complaints.join(",")));
    }
    if name.split('.').count() < 2 {
        return Some(invalid(
            name,
            "should be a domain with at least two segments separated by dots",
        ));
    }
    name.split('.').find_map(|label| {
        let complaints = dns1123_label(label);
        (!complaints.is_empty()).then(|| invalid(label, complaints.join(",")))
    })
}

/// `example.com/some/path`: a domain, a slash and a path (controller names).
pub fn domain_prefixed_path(value: &str) -> Vec<DomainProblem> {
    const PATH: &str = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
    if value.is_empty() {
        return vec![DomainProblem::Required];
    }
    let Some((host, path)) = value
        .split_once('/')
        .filter(|(host, path)| !host.is_empty() && !path.is_empty())
    else {
        return vec![invalid(
            value,
            r#"must be a domain-prefixed path (such as "acme.io/foo")"#,
        )];
    };
    let mut problems: Vec<_> = dns1123_subdomain(host)
        .into_iter()
        .map(|complaint| invalid(host, complaint))
        .collect();
    if !path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte))
    {
        problems.push(invalid(path, regex_mismatch("Invalid path", PATH, &[])));
    }
    problems
}

/// `example.com/key`: a label key that must have its prefix.
pub fn domain_prefixed_key(value: &str) -> Vec<DomainProblem> {
    if value.is_empty() {
        return vec![DomainProblem::Required];
    }
    let mut problems: Vec<_> = label_key(value)
        .into_iter()
        .map(|complaint| invalid(value, complaint))
        .collect();
    if problems.is_empty() && !value.contains('/') {
        problems.push(invalid(
            value,
            r#"must be a domain-prefixed key (such as "acme.io/foo")"#,
        ));
    }
    problems
}
