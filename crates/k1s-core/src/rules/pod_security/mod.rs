// SPDX-License-Identifier: Apache-2.0
//! Pod Security Standards: the labels of a namespace that ask for one, and what a pod has against it.

mod checks;
mod containers;

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::object::{label, map};

const PREFIX: &str = "pod-security.kubernetes.io/";
const LEVELS: [&str; 3] = ["privileged", "baseline", "restricted"];
/// Modes in the order in which their labels are checked.
const MODES: [&str; 3] = ["enforce", "audit", "warn"];

/// How much a pod may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Privileged,
    /// Nothing that is known to let a pod out.
    Baseline,
    /// Little, as hardened pods do.
    Restricted,
}

/// A level of a version of the standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The level.
    pub level: Level,
    /// Minor version; the latest where it is none.
    pub minor: Option<u32>,
}

/// What is against a policy: a few words, and the rest of the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `host namespaces`
    pub reason: String,
    /// `hostNetwork=true`
    pub detail: String,
}

impl Policy {
    /// What everything is allowed by.
    pub const PRIVILEGED: Self = Self {
        level: Level::Privileged,
        minor: None,
    };

    /// The policy that the labels of a namespace ask for in a mode: `enforce`, `warn`. Without a `warn` label the enforced one is
    /// warned about, too.
    #[must_use]
    pub fn of_namespace(namespace: &Value, mode: &str) -> Self {
        let own = label(namespace, &format!("{PREFIX}{mode}"));
        if own.is_none()
            && mode == "warn"
            && label(namespace, &format!("{PREFIX}{mode}-version")).is_none()
        {
            return Self::of_namespace(namespace, "enforce");
        }
        let level = match own {
            None | Some("privileged") => Level::Privileged,
            Some("baseline") => Level::Baseline,
            // a level that is not known is the strictest
            Some(_) => Level::Restricted,
        };
        let version = label(namespace, &format!("{PREFIX}{mode}-version"));
        Self {
            level,
            minor: version.and_then(minor),
        }
    }

    /// `restricted:latest`
    #[must_use]
    pub fn words(&self) -> String {
        let level = LEVELS[self.level as usize];
        match self.minor {
            Some(minor) => format!("{level}:v1.{minor}"),
            None => format!("{level}:latest"),
        }
    }

    fn is_since(&self, minor: u32) -> bool {
        self.minor.is_none_or(|own| own >= minor)
    }
}

/// The minor version of `v1.30`.
fn minor(version: &str) -> Option<u32> {
    version
        .strip_prefix("v1.")
        .filter(|m| *m == "0" || !m.starts_with('0'))
        .and_then(|m| m.parse().ok())
}

/// Checks the labels of a namespace that ask for a policy.
pub(in crate::rules) fn validate_labels(namespace: &Value, errors: &mut Errors) {
    let metadata = Path::new("metadata");
    let path = metadata.child("labels");
    for mode in MODES {
        let key = format!("{PREFIX}{mode}");
        if let Some(level) = label(namespace, &key).filter(|level| !LEVELS.contains(level)) {
            let detail = format!("must be one of {}", LEVELS.join(", "));
            errors.invalid_text(path.key(&key), level, detail);
        }
        let key = format!("{PREFIX}{mode}-version");
        if let Some(version) = label(namespace, &key)
            && version != "latest"
            && minor(version).is_none()
        {
            errors.invalid_text(path.key(&key), version, "must be \"latest\" or \"v1.x\"");
        }
    }
}

/// Whether a namespace asks for anything.
#[must_use]
pub fn asks(namespace: &Value) -> bool {
    map(namespace, &["metadata", "labels"]).is_some_and(|l| l.keys().any(|k| k.starts_with(PREFIX)))
}

/// What a pod or a pod template has against a policy.
#[must_use]
pub fn violations(policy: Policy, pod: &Value) -> Vec<Violation> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    checks::CHECKS
        .iter()
        .filter(|check| policy.level >= check.level && policy.is_since(check.since))
        .filter(|check| {
            !(policy.level == Level::Restricted
                && check
                    .overridden_since
                    .is_some_and(|minor| policy.is_since(minor)))
        })
        .filter_map(|check| (check.run)(policy, pod, spec))
        .collect()
}

/// All of it in one sentence: `host namespaces (hostNetwork=true), hostPort (container "c" uses hostPort 80)`.
#[must_use]
pub fn words(violations: &[Violation]) -> String {
    let parts: Vec<String> = violations
        .iter()
        .map(|v| format!("{} ({})", v.reason, v.detail))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests;
