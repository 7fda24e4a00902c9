// SPDX-License-Identifier: Apache-2.0
//! The rule that the names of one kind of object follow.

use super::{Complaints, dns1035_label, dns1123_label, dns1123_subdomain};
use std::borrow::Cow;

/// How the objects of a kind may be named. Each kind has one such rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum NameRule {
    /// A DNS subdomain: most kinds.
    #[default]
    Dns1123Subdomain,
    /// A DNS subdomain, of which a `generateName` is not looked at: ReplicationController.
    Dns1123SubdomainAsMade,
    /// A DNS label that may start with a digit: Namespace.
    Dns1123Label,
    /// A DNS label that starts with a letter: Service.
    Dns1035Label,
    /// Anything that can be one segment of a path: RBAC kinds.
    PathSegment,
}

impl NameRule {
    /// Checks a whole name.
    pub fn name(self, name: &str) -> Complaints {
        match self {
            Self::Dns1123Subdomain | Self::Dns1123SubdomainAsMade => dns1123_subdomain(name),
            Self::Dns1123Label => dns1123_label(name),
            Self::Dns1035Label => dns1035_label(name),
            Self::PathSegment => path_segment_name(name),
        }
    }

    /// Checks a `generateName`, to which characters will be appended: it may end with a dash.
    pub fn generate_name(self, prefix: &str) -> Complaints {
        match self {
            Self::PathSegment => forbidden_in_path(prefix),
            Self::Dns1123SubdomainAsMade => Vec::new(),
            _ => self.name(&with_trailing_dash_masked(prefix)),
        }
    }
}

/// The last two bytes become one letter, as Kubernetes does it, when the last is a dash.
fn with_trailing_dash_masked(prefix: &str) -> Cow<'_, str> {
    match prefix
        .len()
        .checked_sub(2)
        .and_then(|end| prefix.get(..end))
    {
        Some(rest) if prefix.is_ascii() && prefix.ends_with('-') => Cow::Owned(format!("{rest}a")),
        _ => Cow::Borrowed(prefix),
    }
}

fn forbidden_in_path(value: &str) -> Complaints {
    ['/', '%']
        .into_iter()
        .filter(|part| value.contains(*part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

/// A name that is one segment of a path: neither `.` nor `..`, without `/` and `%`.
pub fn path_segment_name(value: &str) -> Complaints {
    match value {
        "." | ".." => vec![format!("may not be '{value}'")],
        _ => forbidden_in_path(value),
    }
}
