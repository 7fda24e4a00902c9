// SPDX-License-Identifier: Apache-2.0
//! The API groups and their versions, in the order in which discovery tells them.

use std::cmp::Ordering;

use k1s_core::kinds::{self, Kind};

/// The built-in groups, the most important first; others follow by name.
const ORDER: [&str; 21] = [
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

fn all<'a>(own: &'a [&'static Kind]) -> impl Iterator<Item = &'static Kind> + 'a {
    kinds::all().iter().chain(own.iter().copied())
}

/// Whether a group, and its version where one is said, is of the built-in kinds.
pub(super) fn is_built_in(group: &str, version: &str) -> bool {
    let mut all = kinds::all().iter();
    all.any(|k| k.group == group && (version.is_empty() || k.version == version))
}

/// The groups that are served but for the core group.
pub(super) fn names(own: &[&'static Kind]) -> Vec<&'static str> {
    let mut names: Vec<&str> = all(own)
        .map(|k| k.group)
        .filter(|g| !g.is_empty())
        .collect();
    names.sort_unstable_by_key(|g| (ORDER.iter().position(|o| o == g).unwrap_or(ORDER.len()), *g));
    names.dedup();
    names
}

/// The versions of a group, the preferred one first; none when the group is not served.
pub(super) fn versions(own: &[&'static Kind], group: &str) -> Vec<&'static str> {
    let mut versions: Vec<&str> = all(own)
        .filter(|k| k.group == group)
        .map(|k| k.version)
        .collect();
    versions.sort_unstable_by(|a, b| by_importance(a, b));
    versions.dedup();
    versions
}

/// The kinds of a group and version, by the names of their resources.
pub(super) fn kinds_of<'a>(
    own: &'a [&'static Kind],
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = &'static Kind> {
    all(own).filter(move |k| k.group == group && k.version == version)
}

/// Compares versions as Kubernetes does: v10, v2, v1, v2beta1, v1beta2, v1alpha1, foo10.
pub(super) fn by_importance(a: &str, b: &str) -> Ordering {
    match (parts(a), parts(b)) {
        (Some(a), Some(b)) => b.cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Stability (2 for a version without a word), major and minor number.
fn parts(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let word = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (major, rest) = rest.split_at(word);
    let number = |digits: &str| {
        if digits.starts_with('0') {
            None
        } else {
            digits.parse::<u64>().ok()
        }
    };
    let major = number(major)?;
    if rest.is_empty() {
        return Some((2, major, 0));
    }
    let (stability, minor) = match (rest.strip_prefix("alpha"), rest.strip_prefix("beta")) {
        (Some(minor), _) => (0, minor),
        (_, Some(minor)) => (1, minor),
        _ => return None,
    };
    Some((stability, major, number(minor)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_by_importance() {
        let mut versions = [
            "foo10", "v1alpha1", "v2beta1", "v1", "foo1", "v10", "v1beta2", "v2", "v01", "v1gamma1",
        ];
        versions.sort_unstable_by(|a, b| by_importance(a, b));
        assert_eq!(
            versions,
            [
                "v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo1", "foo10", "v01",
                "v1gamma1"
            ]
        );
    }

    #[test]
    fn groups_of_the_tables() {
        assert_eq!(
            names(&[])[..3],
            ["apiregistration.k8s.io", "apps", "events.k8s.io"]
        );
        assert_eq!(versions(&[], "autoscaling"), ["v2", "v1"]);
        assert!(versions(&[], "nobody").is_empty());
    }
}
