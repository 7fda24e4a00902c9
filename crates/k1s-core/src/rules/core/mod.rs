// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of the core group.

mod config_map;
pub(in crate::rules) mod endpoints;
pub(in crate::rules) mod event;
mod image_pull;
pub(in crate::rules) mod image_reference;
mod internal_form;
mod limit_range;
mod namespace;
mod node;
pub(in crate::rules) mod persistent_volume;
pub(in crate::rules) mod persistent_volume_claim;
mod persistent_volume_source;
pub(in crate::rules) mod pod;
pub(in crate::rules) mod pod_template;
mod replication_controller;
pub(in crate::rules) mod resource_name;
mod resource_quota;
mod secret;
pub(in crate::rules) mod service;
mod service_account;
mod storage_request;
mod template;

use super::Rules;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "ConfigMap" => Some(&config_map::RULES),
        "Event" => Some(&event::RULES),
        "LimitRange" => Some(&limit_range::RULES),
        "Namespace" => Some(&namespace::RULES),
        "Node" => Some(&node::RULES),
        "Pod" => Some(&pod::RULES),
        "PersistentVolume" => Some(&persistent_volume::RULES),
        "PersistentVolumeClaim" => Some(&persistent_volume_claim::RULES),
        "Endpoints" => Some(&endpoints::RULES),
        "Service" => Some(&service::RULES),
        "PodTemplate" => Some(&template::RULES),
        "ReplicationController" => Some(&replication_controller::RULES),
        "ResourceQuota" => Some(&resource_quota::RULES),
        "Secret" => Some(&secret::RULES),
        "ServiceAccount" => Some(&service_account::RULES),
        _ => None,
    }
}
