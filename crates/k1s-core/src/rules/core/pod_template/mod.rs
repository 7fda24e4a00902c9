// SPDX-License-Identifier: Apache-2.0
//! Pod templates and pod specs: what is filled in and what is checked wherever one stands, in a Pod as in a Deployment.
//!
//! What only a Pod does (requests from limits, service links, immutability) lives with the Pod.

pub(in crate::rules) mod affinity;
pub(in crate::rules) mod annotation;
pub(in crate::rules) mod check;
mod claim_template;
pub(in crate::rules) mod container;
mod container_default;
mod default;
mod environment;
pub(in crate::rules) mod feature;
pub(in crate::rules) mod foreign_volume;
mod host;
mod mount;
mod overlap;
mod probe;
mod projected_volume;
pub(in crate::rules) mod resource_sum;
pub(in crate::rules) mod resources;
mod security;
#[cfg(test)]
mod tests;
pub(in crate::rules) mod toleration;
mod validate;
pub(in crate::rules) mod volume;
pub(in crate::rules) mod volume_default;
pub(in crate::rules) mod warning;
mod windows;

use serde_json::Value;

use crate::object::list;

pub(in crate::rules) use default::{default_pod_spec, default_template};
pub(in crate::rules) use validate::{validate_metadata, validate_spec, validate_template};

/// All containers of a spec with the list and the place in it, in the order in which Kubernetes visits them.
pub(in crate::rules) fn containers(
    spec: &Value,
) -> impl Iterator<Item = (&'static str, usize, &Value)> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(move |kind| {
            list(spec, &[kind])
                .iter()
                .enumerate()
                .map(move |(index, container)| (kind, index, container))
        })
}
