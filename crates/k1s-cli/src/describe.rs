// SPDX-License-Identifier: Apache-2.0
//! Descriptions of objects for people: what `describe` prints, from JSON alone.
//!
//! [`lookups`] says what else has to be read for an object, [`describe`] writes the page from the object and what was
//! found. Nothing here talks to a server.

mod certificate;
mod container;
mod event;
pub(crate) mod field;
mod generic;
mod ingress;
mod job;
mod lookup;
mod node;
pub(crate) mod page;
mod plain;
pub(crate) mod pod;
mod policy;
mod quantity;
pub(crate) mod rbac;
mod service;
mod storage;
pub(crate) mod time;
mod volume;
mod workload;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

pub use lookup::{Lookup, event_selectors, lookups};

pub(crate) use event::age as event_age;
use page::Page;
pub(crate) use workload::selector_text;

/// What a description needs beside the object itself.
pub struct Related {
    /// The time from which ages are counted.
    pub now: Timestamp,
    /// The object's events, or none where they are not wanted.
    pub events: Option<Vec<Value>>,
    /// What the lookups found, or how they failed, by their keys.
    pub found: BTreeMap<String, Result<Value, String>>,
}

impl Related {
    /// Nothing but the time.
    pub fn nothing(now: Timestamp) -> Self {
        Self {
            now,
            events: None,
            found: BTreeMap::new(),
        }
    }

    /// The items of a list that was looked up; empty where nobody looked.
    fn list(&self, key: &str) -> Result<&[Value], &str> {
        match self.found.get(key) {
            Some(Ok(list)) => Ok(field::Fields::list(list, "items")),
            Some(Err(error)) => Err(error),
            None => Ok(&[]),
        }
    }

    /// An object that was looked up.
    fn object(&self, key: &str) -> Result<&Value, &str> {
        match self.found.get(key) {
            Some(Ok(object)) => Ok(object),
            Some(Err(error)) => Err(error),
            None => Err("not looked up"),
        }
    }
}

/// The description of an object.
pub fn describe(object: &Value, related: &Related) -> String {
    let api_version = field::Fields::text(object, "apiVersion");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let mut page = Page::default();
    describer(group, field::Fields::text(object, "kind"))(&mut page, object, related);
    page.finish()
}

/// The function that describes objects of a kind.
fn describer(group: &str, kind: &str) -> fn(&mut Page, &Value, &Related) {
    match (group, kind) {
        ("", "ConfigMap") => plain::config_map,
        ("", "Secret") => plain::secret,
        ("", "ServiceAccount") => plain::service_account,
        ("", "Namespace") => plain::namespace,
        ("", "Pod") => pod::pod,
        ("", "Node") => node::node,
        ("", "Service") => service::service,
        ("", "Endpoints") => service::endpoints,
        ("", "ReplicationController") => workload::replication_controller,
        ("", "ResourceQuota") => policy::resource_quota,
        ("", "LimitRange") => policy::limit_range,
        ("", "PersistentVolume") => storage::persistent_volume,
        ("", "PersistentVolumeClaim") => storage::persistent_volume_claim,
        ("apps", "Deployment") => workload::deployment,
        ("apps", "ReplicaSet") => workload::replica_set,
        ("apps", "StatefulSet") => workload::stateful_set,
        ("apps", "DaemonSet") => workload::daemon_set,
        ("batch", "Job") => job::job,
        ("batch", "CronJob") => job::cron_job,
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler,
        ("certificates.k8s.io", "CertificateSigningRequest") => certificate::signing_request,
        ("discovery.k8s.io", "EndpointSlice") => service::endpoint_slice,
        ("networking.k8s.io", "Ingress") => ingress::ingress,
        ("networking.k8s.io", "IngressClass") => ingress::ingress_class,
        ("networking.k8s.io", "IPAddress") => service::ip_address,
        ("networking.k8s.io", "ServiceCIDR") => service::service_cidr,
        ("networking.k8s.io", "NetworkPolicy") => ingress::network_policy,
        ("policy", "PodDisruptionBudget") => policy::disruption_budget,
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => rbac::role,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => rbac::binding,
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class,
        ("storage.k8s.io", "StorageClass") => storage::storage_class,
        ("storage.k8s.io", "VolumeAttributesClass") => storage::volume_attributes_class,
        ("storage.k8s.io", "CSINode") => storage::csi_node,
        _ => generic::object,
    }
}

#[cfg(test)]
mod tests;
