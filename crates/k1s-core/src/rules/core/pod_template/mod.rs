// SPDX-License-Identifier: Apache-2.0
//! Pod templates and pod specs: what is filled in and what is checked wherever one stands, in a Pod as in a Deployment.
//!
//! What only a Pod does (requests from limits, service links, immutability) lives with the Pod.

mod container_default;
mod default;
mod validate;
mod volume_default;

pub(in crate::rules) use default::{default_pod_spec, default_template};
pub(in crate::rules) use validate::{validate_pod_spec, validate_template};
