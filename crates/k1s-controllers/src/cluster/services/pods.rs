// SPDX-License-Identifier: Apache-2.0
//! What a pod is to a service: an address, a host name, the number behind a port's name.

use k8s_openapi::api::core::v1::{ObjectReference, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt as _;

pub(super) use crate::workload::pod::{is_finished, is_going, is_ready};

/// The addresses of a pod.
pub(super) fn addresses(pod: &Pod) -> Vec<&str> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let mut all: Vec<&str> = status
        .pod_ips
        .iter()
        .flatten()
        .map(|ip| ip.ip.as_str())
        .collect();
    if all.is_empty() {
        all.extend(status.pod_ip.as_deref());
    }
    all.retain(|ip| !ip.is_empty());
    all
}

/// Whether two states of a pod make different endpoints. The phase alone does not: the kubelet tells with it that the pod is
/// not ready.
pub(super) fn differ(old: &Pod, new: &Pod) -> bool {
    let spec = |pod: &Pod| {
        let spec = pod.spec.as_ref();
        spec.map(|s| (s.node_name.clone(), s.hostname.clone(), s.subdomain.clone()))
    };
    is_going(old) != is_going(new)
        || is_ready(old) != is_ready(new)
        || addresses(old) != addresses(new)
        || old.metadata.labels != new.metadata.labels
        || old.uid() != new.uid()
        || spec(old) != spec(new)
}

/// The host name under which the service knows the pod.
pub(super) fn hostname(pod: &Pod, service: &Service) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let hostname = spec.hostname.clone().filter(|name| !name.is_empty())?;
    (spec.subdomain.as_deref() == Some(&service.name_any())).then_some(hostname)
}

pub(super) fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".into()),
        namespace: pod.namespace(),
        name: Some(pod.name_any()),
        uid: pod.uid(),
        ..ObjectReference::default()
    }
}

pub(super) fn node_name(pod: &Pod) -> Option<String> {
    let name = pod.spec.as_ref()?.node_name.clone()?;
    (!name.is_empty()).then_some(name)
}

/// The number of a service's port at a pod; none where the pod has no port of that name.
pub(super) fn number(port: &ServicePort, pod: &Pod) -> Option<i32> {
    let name = match &port.target_port {
        Some(IntOrString::Int(0)) | None => return Some(port.port),
        Some(IntOrString::Int(number)) => return Some(*number),
        Some(IntOrString::String(name)) if name.is_empty() => return Some(port.port),
        Some(IntOrString::String(name)) => name,
    };
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let spec = pod.spec.as_ref()?;
    let restartable = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|c| c.restart_policy.as_deref() == Some("Always"));
    spec.containers
        .iter()
        .chain(restartable)
        .flat_map(|container| container.ports.iter().flatten())
        .find(|port| {
            port.name.as_deref() == Some(name)
                && port.protocol.as_deref().unwrap_or("TCP") == protocol
        })
        .map(|port| port.container_port)
}
