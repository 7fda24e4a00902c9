// SPDX-License-Identifier: Apache-2.0
//! The Endpoints of a service.

use k8s_openapi::api::core::v1::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service,
};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};

use super::subsets::repacked;
use super::trigger::{self, Triggers};
use super::{HEADLESS, is_headless, pods, publishes_unready, selector, selects, services};
use crate::cache::Cache;
use crate::error::{Refusal as _, Result};
use crate::setup::Setup;

const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// Most addresses in one object.
const MOST_ADDRESSES: usize = 1000;

struct Context {
    client: Client,
    pods: Cache<Pod>,
    endpoints: Cache<Endpoints>,
    triggers: Triggers,
}

/// Registers the Endpoints controller.
pub(crate) fn start(setup: &mut Setup) {
    let (all, pods, queue, keys) = services(setup);
    let endpoints = setup.cache::<Endpoints>();
    endpoints.feed(&queue, |change| {
        // What somebody else has changed or deleted is put right.
        change
            .old
            .as_deref()
            .map(|old| ObjectRef::new(&old.name_any()).within(&old.namespace().unwrap_or_default()))
    });
    let client = setup.client();
    let (of_gone, gone) = (client.clone(), endpoints.clone());
    let deleted = all.changes();
    setup.task(delete_with_services(of_gone, gone, deleted));
    let context = Context {
        client,
        pods,
        endpoints,
        triggers: Triggers::new(&all),
    };
    setup.controller(
        "endpoints",
        (queue, keys),
        &all,
        context,
        |service, context| async move { reconcile(&context, &service).await },
    );
}

/// Endpoints go with their service.
async fn delete_with_services(
    client: Client,
    endpoints: Cache<Endpoints>,
    mut changes: tokio::sync::mpsc::UnboundedReceiver<crate::cache::Change<Service>>,
) {
    while let Some(change) = changes.recv().await {
        let (None, Some(service)) = (change.new, change.old) else {
            continue;
        };
        let namespace = service.namespace().unwrap_or_default();
        if endpoints.get(&namespace, &service.name_any()).is_none() && selector(&service).is_none()
        {
            continue;
        }
        let api: Api<Endpoints> = Api::namespaced(client.clone(), &namespace);
        if let Err(error) = api
            .delete(&service.name_any(), &DeleteParams::default())
            .await
            && !error.is_not_found()
        {
            tracing::debug!(%error, "endpoints of a service that is gone");
        }
    }
}

async fn reconcile(context: &Context, service: &Service) -> Result<Action> {
    if selector(service).is_none() || service.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
    let pods = context
        .pods
        .in_namespace(&namespace, |pod| selects(service, pod));
    let time = context.triggers.of(service, pods.iter().map(AsRef::as_ref));
    let subsets = subsets(service, pods.iter().map(AsRef::as_ref));
    let (subsets, cut) = within_capacity(subsets);
    let present = context.endpoints.get(&namespace, &name);
    let mut wanted = present.as_deref().cloned().unwrap_or_default();
    wanted.metadata.name = Some(name);
    wanted.metadata.namespace = Some(namespace.clone());
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    wanted.metadata.labels = Some(labels);
    let mut annotations = wanted.metadata.annotations.take().unwrap_or_default();
    annotations.remove(OVER_CAPACITY);
    if cut {
        annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    }
    wanted.metadata.annotations = Some(annotations);
    trigger::note(&mut wanted.metadata.annotations, time);
    wanted.subsets = (!subsets.is_empty()).then_some(subsets);
    let api: Api<Endpoints> = Api::namespaced(context.client.clone(), &namespace);
    let params = PostParams::default();
    let written = match present {
        Some(present) if same(&present, &wanted) => return Ok(Action::await_change()),
        Some(_) => api.replace(&wanted.name_any(), &params, &wanted).await,
        None => api.create(&params, &wanted).await,
    };
    context.endpoints.caught_up(&written?).await;
    Ok(Action::await_change())
}

fn same(present: &Endpoints, wanted: &Endpoints) -> bool {
    present.metadata.labels == wanted.metadata.labels
        && trigger::same_otherwise(
            present.metadata.annotations.as_ref(),
            wanted.metadata.annotations.as_ref(),
        )
        && present.subsets.as_deref().unwrap_or_default()
            == wanted.subsets.as_deref().unwrap_or_default()
}

/// The subsets of a service.
fn subsets<'a>(service: &Service, pods: impl Iterator<Item = &'a Pod>) -> Vec<EndpointSubset> {
    let ports = service.spec.as_ref().and_then(|s| s.ports.as_deref());
    let ports = ports.unwrap_or_default();
    let unready_too = publishes_unready(service);
    let family = service
        .spec
        .as_ref()
        .and_then(|s| s.ip_families.as_ref()?.first().cloned());
    let mut of_pods = Vec::new();
    for pod in pods {
        let node = pods::node_name(pod);
        // One that is on no node cannot be reached, whatever address it has been given.
        if pods::is_finished(pod) || pods::is_going(pod) && !unready_too || node.is_none() {
            continue;
        }
        let v6 = family.as_deref() == Some("IPv6");
        let Some(ip) = pods::addresses(pod)
            .into_iter()
            .find(|ip| ip.contains(':') == v6)
        else {
            continue;
        };
        let at_pod: Vec<EndpointPort> = ports
            .iter()
            .filter_map(|port| {
                Some(EndpointPort {
                    name: port.name.clone().filter(|name| !name.is_empty()),
                    port: pods::number(port, pod)?,
                    protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".into())),
                    app_protocol: port.app_protocol.clone(),
                })
            })
            .collect();
        if at_pod.is_empty() && !(ports.is_empty() && is_headless(service)) {
            continue;
        }
        let address = vec![EndpointAddress {
            ip: ip.to_owned(),
            hostname: pods::hostname(pod, service),
            node_name: node,
            target_ref: Some(pods::reference(pod)),
        }];
        let ready = unready_too || pods::is_ready(pod);
        let (addresses, not_ready_addresses) = if ready {
            (Some(address), None)
        } else {
            (None, Some(address))
        };
        of_pods.push(EndpointSubset {
            addresses,
            not_ready_addresses,
            ports: Some(at_pod),
        });
    }
    repacked(of_pods.iter())
}

/// The subsets with at most so many addresses as one object may have, and whether some were left out; those that are not
/// ready first.
fn within_capacity(mut subsets: Vec<EndpointSubset>) -> (Vec<EndpointSubset>, bool) {
    let len = |list: &Option<Vec<EndpointAddress>>| list.as_ref().map_or(0, Vec::len);
    let ready: usize = subsets.iter().map(|s| len(&s.addresses)).sum();
    let all: usize = ready
        + subsets
            .iter()
            .map(|s| len(&s.not_ready_addresses))
            .sum::<usize>();
    if all <= MOST_ADDRESSES {
        return (subsets, false);
    }
    let mut left_ready = MOST_ADDRESSES.min(ready);
    let mut left_unready = MOST_ADDRESSES - left_ready;
    for subset in &mut subsets {
        for (list, left) in [
            (&mut subset.addresses, &mut left_ready),
            (&mut subset.not_ready_addresses, &mut left_unready),
        ] {
            if let Some(addresses) = list {
                addresses.truncate(*left);
                *left -= addresses.len();
                if addresses.is_empty() {
                    *list = None;
                }
            }
        }
    }
    subsets.retain(|s| s.addresses.is_some() || s.not_ready_addresses.is_some());
    (subsets, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(name: &str, ready: bool, ports: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "n", "uid": name},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "ports": ports}]},
            "status": {"podIP": format!("10.0.0.{}", name.len()), "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
        }))
        .unwrap()
    }

    #[test]
    fn subsets_of_services() {
        let check = |spec: Value, expected: &str| {
            let service: Service =
                serde_json::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).unwrap();
            let pods = [
                pod("a", true, json!([{"name": "web", "containerPort": 80}])),
                pod("bb", false, json!([{"name": "web", "containerPort": 80}])),
                pod("ccc", true, json!([{"name": "web", "containerPort": 81}])),
                pod("dddd", true, json!([])),
            ];
            let names = |list: Option<Vec<EndpointAddress>>| {
                let names = list.unwrap_or_default().into_iter();
                names
                    .filter_map(|a| a.target_ref?.name)
                    .collect::<Vec<_>>()
                    .join("+")
            };
            let all: Vec<String> = subsets(&service, pods.iter())
                .into_iter()
                .map(|s| {
                    let ports = s.ports.unwrap_or_default();
                    let ports: Vec<String> = ports.iter().map(|p| p.port.to_string()).collect();
                    format!(
                        "{}/{}:{}",
                        names(s.addresses),
                        names(s.not_ready_addresses),
                        ports.join(",")
                    )
                })
                .collect();
            assert_eq!(all.join(" "), expected);
        };
        check(
            json!({"ports": [{"port": 8, "targetPort": 9}]}),
            "a+ccc+dddd/bb:9",
        );
        check(json!({"ports": [{"port": 8}]}), "a+ccc+dddd/bb:8");
        check(
            json!({"ports": [{"port": 8, "targetPort": "web"}]}),
            "a/bb:80 ccc/:81",
        );
        check(json!({"clusterIP": "None"}), "a+ccc+dddd/bb:");
        check(json!({}), "");
        check(
            json!({"publishNotReadyAddresses": true, "ports": [{"port": 8}]}),
            "a+bb+ccc+dddd/:8",
        );
    }
}
