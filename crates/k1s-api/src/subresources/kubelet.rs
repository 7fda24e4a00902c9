// SPDX-License-Identifier: Apache-2.0
//! The kubelet that runs a pod, and which of its containers is meant.

use k1s_core::kinds;
use k1s_core::object::{self, int, list, text};
use k1s_core::status::Status;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::api::Api;
use crate::kubelets::{CERTIFICATE_ANNOTATION, Kubelet, Trust};
use crate::route::Target;

/// The port of a kubelet whose node does not say which.
const KUBELET_PORT: u16 = 10250;
/// Addresses are tried in this order, as K3s and kubeadm have kube-apiserver do.
const ADDRESSES: [&str; 5] = [
    "InternalIP",
    "ExternalIP",
    "Hostname",
    "InternalDNS",
    "ExternalDNS",
];
/// What stands in a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Adds a parameter to a query, with its question mark.
pub(super) fn append(query: &mut String, name: &str, value: &str) {
    query.push(if query.is_empty() { '?' } else { '&' });
    query.push_str(name);
    query.push('=');
    query.extend(utf8_percent_encode(value, PLAIN));
}

/// The container that is meant: the one that was named, or the only one.
pub(super) fn container<'a>(pod: &'a Value, named: &'a str) -> Result<&'a str, Status> {
    let names = |field| {
        list(pod, &["spec", field])
            .iter()
            .map(|container| text(container, &["name"]))
    };
    let all: Vec<&str> = names("initContainers")
        .chain(names("containers"))
        .chain(names("ephemeralContainers"))
        .collect();
    match all.as_slice() {
        _ if !named.is_empty() => all.contains(&named).then_some(named).ok_or_else(|| {
            Status::bad_request(format!(
                "container {named} is not valid for pod {}",
                object::name(pod)
            ))
        }),
        [only] => Ok(only),
        all => Err(Status::bad_request(format!(
            "a container name must be specified for pod {}, choose one of: [{}]",
            object::name(pod),
            all.join(" ")
        ))),
    }
}

/// Where the kubelet of a node is, and what its certificate must be.
///
/// # Errors
/// When the node is not there, says not where it is or whose certificate it has, or is hollow.
pub(super) fn locate(
    api: &Api,
    target: &Target,
    node: &str,
    any_certificate: bool,
) -> Result<Kubelet, Status> {
    let stored = match kinds::of_kind("", "v1", "Node") {
        Some(nodes) => api.load(nodes, "", node)?,
        None => None,
    };
    let Some((object, _)) = stored else {
        return Err(Status::not_found(target.kind, node));
    };
    let runtime = text(&object, &["status", "nodeInfo", "containerRuntimeVersion"]);
    if runtime.starts_with("hollow://") {
        let message = format!(
            "node {node:?} is hollow: nothing runs in its pods, so there is no {} of them",
            target.subresource
        );
        return Err(Status::new(501, "NotImplemented", message));
    }
    let addresses = list(&object, &["status", "addresses"]);
    let host = ADDRESSES.iter().find_map(|kind| {
        let found = addresses.iter().find(|a| text(a, &["type"]) == *kind)?;
        Some(text(found, &["address"]).to_owned())
    });
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        let known: Vec<String> = addresses
            .iter()
            .map(|a| format!("{{{} {}}}", text(a, &["type"]), text(a, &["address"])))
            .collect();
        let known = known.join(" ");
        let message = format!("no preferred addresses found; known addresses: [{known}]");
        return Err(Status::new(500, "", message));
    };
    let trust = match object::annotation(&object, CERTIFICATE_ANNOTATION).map(digest) {
        _ if any_certificate => Trust::Any,
        Some(Some(digest)) => Trust::Certificate(digest),
        Some(None) => {
            let message = format!(
                "the annotation {CERTIFICATE_ANNOTATION} of node {node:?} is not the 64 hexadecimal digits of a SHA-256"
            );
            return Err(Status::new(500, "", message));
        }
        None => {
            let message = format!(
                "node {node:?} has no annotation {CERTIFICATE_ANNOTATION}, so its kubelet could be anybody; only \
                 kubectl logs --insecure-skip-tls-verify-backend asks it all the same"
            );
            return Err(Status::new(500, "", message));
        }
    };
    let port = int(
        &object,
        &["status", "daemonEndpoints", "kubeletEndpoint", "Port"],
    )
    .and_then(|port| u16::try_from(port).ok())
    .filter(|port| *port > 0)
    .unwrap_or(KUBELET_PORT);
    Ok(Kubelet { host, port, trust })
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(out)
}
