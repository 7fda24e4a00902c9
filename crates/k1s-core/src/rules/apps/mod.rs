// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of apps.

mod controller_revision;
mod daemon_set;
mod deployment;
mod replica_set;
mod stateful_set;
pub(in crate::rules) mod template;

use super::Rules;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "ControllerRevision" => Some(&controller_revision::RULES),
        "DaemonSet" => Some(&daemon_set::RULES),
        "Deployment" => Some(&deployment::RULES),
        "ReplicaSet" => Some(&replica_set::RULES),
        "StatefulSet" => Some(&stateful_set::RULES),
        _ => None,
    }
}
