// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of the core group.

pub(in crate::rules) mod endpoints;
mod image_pull;
pub(in crate::rules) mod image_reference;
mod internal_form;
pub(in crate::rules) mod persistent_volume_claim;
mod pod;
pub(in crate::rules) mod pod_template;
pub(in crate::rules) mod resource_name;
pub(in crate::rules) mod service;

use super::Rules;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "Pod" => Some(&pod::RULES),
        "Endpoints" => Some(&endpoints::RULES),
        "Service" => Some(&service::RULES),
        _ => None,
    }
}
