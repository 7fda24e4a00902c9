// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of networking.k8s.io.

mod ingress;
mod ingress_class;
mod network_policy;
mod service_range;
mod typed_reference;

use super::Rules;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "Ingress" => Some(&ingress::RULES),
        "IngressClass" => Some(&ingress_class::RULES),
        "IPAddress" => Some(&service_range::IP_ADDRESS),
        "NetworkPolicy" => Some(&network_policy::RULES),
        "ServiceCIDR" => Some(&service_range::SERVICE_CIDR),
        _ => None,
    }
}
