// SPDX-License-Identifier: Apache-2.0
//! What has to be read from the API, beside an object, to describe it.

use serde_json::Value;

use super::field::Fields;
use super::page::selector;

/// A GET whose answer goes under `key` of [`super::Related::found`].
#[derive(Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Where the answer belongs.
    pub key: String,
    /// The path of the request.
    pub path: String,
    /// Its query, not yet encoded.
    pub query: Vec<(&'static str, String)>,
}

/// The lookups for an object.
pub fn lookups(object: &Value) -> Vec<Lookup> {
    let (name, namespace) = (
        object.text("metadata.name"),
        object.text("metadata.namespace"),
    );
    let core = |resource: &str| format!("/api/v1/namespaces/{namespace}/{resource}");
    let slices = |service: &str| {
        let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
        (
            path,
            vec![(
                "labelSelector",
                format!("kubernetes.io/service-name={service}"),
            )],
        )
    };
    let selected = |path: String| {
        let labels = object.at("spec.selector");
        let labels = if object.text("kind") == "ReplicationController" {
            &serde_json::json!({ "matchLabels": labels })
        } else {
            labels
        };
        (path, vec![("labelSelector", selector(labels))])
    };
    let lookup = |key: &str, (path, query): (String, Vec<(&'static str, String)>)| Lookup {
        key: key.to_owned(),
        path,
        query,
    };
    match object.text("kind") {
        "Namespace" => ["resourcequotas", "limitranges"]
            .map(|resource| {
                lookup(
                    resource,
                    (format!("/api/v1/namespaces/{name}/{resource}"), vec![]),
                )
            })
            .into(),
        "Node" => {
            let fields =
                format!("spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed");
            let lease =
                format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}");
            vec![
                lookup(
                    "pods",
                    ("/api/v1/pods".to_owned(), vec![("fieldSelector", fields)]),
                ),
                lookup("lease", (lease, vec![])),
            ]
        }
        "Service" => vec![lookup("endpointslices", slices(name))],
        "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet" => {
            vec![lookup("pods", selected(core("pods")))]
        }
        "Deployment" => vec![lookup(
            "replicasets",
            selected(format!("/apis/apps/v1/namespaces/{namespace}/replicasets")),
        )],
        "PersistentVolumeClaim" => vec![lookup("pods", (core("pods"), vec![]))],
        "Ingress" => {
            let paths = object
                .list("spec.rules")
                .iter()
                .flat_map(|rule| rule.list("http.paths"))
                .map(|path| path.at("backend"));
            let backends = [object.at("spec.defaultBackend")].into_iter().chain(paths);
            let mut services: Vec<&str> = backends
                .map(|backend| backend.text("service.name"))
                .filter(|name| !name.is_empty())
                .collect();
            services.sort_unstable();
            services.dedup();
            let both = services.into_iter().flat_map(|service| {
                let endpoints = lookup(&format!("endpointslices/{service}"), slices(service));
                [
                    endpoints,
                    lookup(
                        &format!("services/{service}"),
                        (core(&format!("services/{service}")), vec![]),
                    ),
                ]
            });
            both.collect()
        }
        _ => Vec::new(),
    }
}

/// The field selectors of an object's events. Those of a node are under its UID or, by the kubelet, under its name.
pub fn event_selectors(object: &Value) -> Vec<String> {
    let metadata = object.at("metadata");
    let (kind, name) = (object.text("kind"), metadata.text("name"));
    let mirror = metadata
        .map("annotations")
        .get("kubernetes.io/config.mirror")
        .and_then(Value::as_str);
    let uid = mirror
        .filter(|_| kind == "Pod")
        .unwrap_or_else(|| metadata.text("uid"));
    let kind_term = if kind == "Pod" {
        String::new()
    } else {
        format!("involvedObject.kind={kind},")
    };
    let namespace = metadata.text("namespace");
    let selector = |uid: &str| {
        format!(
            "{kind_term}involvedObject.name={name},involvedObject.namespace={namespace},involvedObject.uid={uid}"
        )
    };
    if kind == "Node" {
        vec![selector(name), selector(uid)]
    } else {
        vec![selector(uid)]
    }
}
