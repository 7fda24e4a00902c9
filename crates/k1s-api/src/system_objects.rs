// SPDX-License-Identifier: Apache-2.0
//! Objects that the API itself keeps, beside the namespaces: the `kubernetes` Service, the addresses behind it, and the
//! PriorityClasses of the system.

use std::net::SocketAddr;

use k1s_core::kinds;
use k1s_core::object;
use serde_json::{Value, json};

use crate::amend::amend;
use crate::api::{Api, Exchange};
use crate::verbs::create::create_object;

/// Name of the Service through which pods reach the API, and its namespace.
const SERVICE: (&str, &str) = ("default", "kubernetes");
/// The port that the Service stands for until a server says another.
const SECURE_PORT: u16 = 6443;
/// The classes that cannot be deleted: name, value, description.
const CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
];

/// Whether a PriorityClass is one of the system's.
pub(crate) fn is_system_class(name: &str) -> bool {
    CLASSES.iter().any(|(known, ..)| *known == name)
}

/// Makes what is missing.
pub(crate) async fn ensure(api: &Api) {
    for (name, value, description) in CLASSES {
        let class = json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": description,
        });
        make(api, "scheduling.k8s.io", "PriorityClass", "", class).await;
    }
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": SERVICE.1,
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": "10.0.0.1",
            "ports": [{"name": "https", "port": 443, "targetPort": SECURE_PORT}],
        },
    });
    make(api, "", "Service", SERVICE.0, service).await;
}

async fn make(api: &Api, group: &str, kind: &str, namespace: &str, object: Value) {
    let Some(kind) = kinds::of_kind(group, "v1", kind) else {
        return;
    };
    let name = object::name(&object);
    if !matches!(api.storage().get(kind, namespace, name), Ok(None)) {
        return;
    }
    // another process may make it at the same time
    let mut exchange = Exchange::internal();
    let made = create_object(api, kind, namespace, object, &mut exchange, false);
    let _ = Box::pin(made).await;
}

/// Makes or puts right an object of the namespace of the Service.
async fn put(api: &Api, group: &str, kind: &str, wanted: Value) {
    let Some(found) = kinds::of_kind(group, "v1", kind) else {
        return;
    };
    let (namespace, name) = SERVICE;
    if matches!(api.storage().get(found, namespace, name), Ok(None)) {
        return make(api, group, kind, namespace, wanted).await;
    }
    let change = amend(api, found, namespace, name, |present| {
        for key in ["subsets", "endpoints", "ports"] {
            if let Some(value) = wanted.get(key) {
                present[key] = value.clone();
            }
        }
    });
    let _ = Box::pin(change).await;
}

impl Api {
    /// Says where this API can be reached, in the `kubernetes` Service and the addresses behind it.
    ///
    /// An address that only this machine can reach is not told, as none of that sort may be in Endpoints; the port is.
    pub async fn advertise(&self, address: SocketAddr) {
        self.prepare().await;
        let port = address.port();
        if let Some(kind) = kinds::of_kind("", "v1", "Service") {
            let change = amend(self, kind, SERVICE.0, SERVICE.1, |service| {
                if let Some(first) = service.pointer_mut("/spec/ports/0") {
                    first["targetPort"] = port.into();
                }
            });
            let _ = Box::pin(change).await;
        }
        let ip = address.ip();
        if ip.is_loopback() || ip.is_unspecified() {
            return;
        }
        let endpoints = json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {
                "name": SERVICE.1,
                "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
            },
            "subsets": [{
                "addresses": [{"ip": ip.to_string()}],
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            }],
        });
        put(self, "", "Endpoints", endpoints).await;
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": SERVICE.1,
                "labels": {"kubernetes.io/service-name": SERVICE.1},
            },
            "addressType": if ip.is_ipv4() { "IPv4" } else { "IPv6" },
            "endpoints": [{"addresses": [ip.to_string()], "conditions": {"ready": true}}],
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        });
        put(self, "discovery.k8s.io", "EndpointSlice", slice).await;
    }
}
