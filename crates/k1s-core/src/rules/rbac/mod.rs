// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of rbac.authorization.k8s.io.

mod binding;
mod role;

use super::Rules;

/// The group of roles, users and groups.
const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "ClusterRole" => Some(&role::CLUSTER_ROLE),
        "ClusterRoleBinding" => Some(&binding::CLUSTER_ROLE_BINDING),
        "Role" => Some(&role::ROLE),
        "RoleBinding" => Some(&binding::ROLE_BINDING),
        _ => None,
    }
}
