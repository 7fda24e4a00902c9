// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of networking.k8s.io.

mod ingress;
mod ingress_class;
mod network_policy;
mod typed_reference;

use super::Rules;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "Ingress" => Some(&ingress::RULES),
        "IngressClass" => Some(&ingress_class::RULES),
        "NetworkPolicy" => Some(&network_policy::RULES),
        _ => None,
    }
}
