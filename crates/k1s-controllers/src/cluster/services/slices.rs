// SPDX-License-Identifier: Apache-2.0
//! The EndpointSlices of a service.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod, Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, ForNode, ForZone,
};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource as _, ResourceExt as _};

use super::trigger::Triggers;
use super::write::{Frame, Groups, MANAGED_BY, SERVICE_NAME, carry_out, group, plan};
use super::{HEADLESS, is_headless, pods, publishes_unready, selector, selects, services};
use crate::cache::Cache;
use crate::error::Result;
use crate::setup::Setup;

const MANAGER: &str = "endpointslice-controller.k8s.io";
/// Most endpoints in one slice.
const MOST_ENDPOINTS: usize = 100;
const ZONE: &str = "topology.kubernetes.io/zone";

struct Context {
    client: Client,
    pods: Cache<Pod>,
    nodes: Cache<Node>,
    slices: Cache<EndpointSlice>,
    triggers: Triggers,
}

/// Registers the EndpointSlice controller.
pub(crate) fn start(setup: &mut Setup) {
    let (all, pods, queue, keys) = services(setup);
    let slices = setup.cache::<EndpointSlice>();
    slices.feed(&queue, |change| {
        let slice = change.latest().filter(|slice| is_ours(slice))?;
        let service = slice.labels().get(SERVICE_NAME)?;
        Some(ObjectRef::new(service).within(&slice.namespace()?))
    });
    let nodes = setup.cache::<Node>();
    // A node has come: pods that were on it before are to be found now.
    let (services, on_it) = (all.clone(), pods.clone());
    nodes.feed(&queue, move |change| {
        let new = change.new.as_deref().filter(|_| change.old.is_none());
        let name = new.map(|node| node.name_any());
        let pods = on_it
            .store()
            .state_filter(|pod| name.is_some() && pods::node_name(pod) == name);
        let selecting = services.store().state_filter(|service| {
            pods.iter()
                .any(|pod| pod.namespace() == service.namespace() && selects(service, pod))
        });
        let keys = selecting.iter().map(|s| ObjectRef::from_obj(s.as_ref()));
        keys.collect::<Vec<_>>()
    });
    let context = Context {
        client: setup.client(),
        pods,
        nodes,
        slices,
        triggers: Triggers::new(&all),
    };
    setup.controller(
        "endpointslice",
        (queue, keys),
        &all,
        context,
        |service, context| async move { reconcile(&context, &service).await },
    );
}

fn is_ours(slice: &EndpointSlice) -> bool {
    slice
        .labels()
        .get(MANAGED_BY)
        .is_some_and(|by| by == MANAGER)
}

async fn reconcile(context: &Context, service: &Service) -> Result<Action> {
    if selector(service).is_none() || service.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
    let pods = context
        .pods
        .in_namespace(&namespace, |pod| selects(service, pod));
    let node = |name: &str| context.nodes.get("", name);
    let trigger = context.triggers.of(service, pods.iter().map(AsRef::as_ref));
    let groups = groups(service, pods.iter().map(AsRef::as_ref), node);
    let present = context.slices.in_namespace(&namespace, |slice| {
        is_ours(slice) && slice.labels().get(SERVICE_NAME) == Some(&name)
    });
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    for key in [HEADLESS, MANAGED_BY, SERVICE_NAME] {
        labels.remove(key);
    }
    labels.insert(SERVICE_NAME.to_owned(), name.clone());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    let Some(mut owner) = service.controller_owner_ref(&()) else {
        return Ok(Action::await_change());
    };
    owner.block_owner_deletion = Some(true);
    let frame = Frame {
        namespace: namespace.clone(),
        name,
        labels,
        annotations: None,
        trigger,
        owner,
        most: MOST_ENDPOINTS,
        anew: false,
    };
    let plan = plan(&frame, groups, &present);
    carry_out(&context.client, &context.slices, &namespace, plan).await?;
    Ok(Action::await_change())
}

/// The endpoints of a service, by type of address and by the ports that they have.
fn groups<'a>(
    service: &Service,
    all: impl Iterator<Item = &'a Pod> + Clone,
    node_of: impl Fn(&str) -> Option<Arc<Node>>,
) -> Groups {
    let mut groups = Groups::new();
    let spec = service.spec.clone().unwrap_or_default();
    let families = spec
        .ip_families
        .clone()
        .unwrap_or_else(|| vec!["IPv4".into()]);
    let ports = spec.ports.as_deref().unwrap_or_default();
    for family in families {
        let mut any = false;
        for pod in all.clone().filter(|pod| !pods::is_finished(pod)) {
            let addresses: Vec<String> = pods::addresses(pod)
                .into_iter()
                .filter(|ip| ip.contains(':') == (family == "IPv6"))
                .map(str::to_owned)
                .collect();
            if addresses.is_empty() {
                continue;
            }
            let at_pod = ports
                .iter()
                .filter_map(|port| {
                    Some(EndpointPort {
                        name: Some(port.name.clone().unwrap_or_default()),
                        port: Some(pods::number(port, pod)?),
                        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".into())),
                        app_protocol: port.app_protocol.clone(),
                    })
                })
                .collect();
            let serving = pods::is_ready(pod);
            let terminating = pods::is_going(pod);
            let ready = publishes_unready(service) || serving && !terminating;
            let name = pods::node_name(pod);
            let node = name.as_deref().and_then(&node_of);
            // One on a node that is not there is not to be found.
            if node.is_none() && !publishes_unready(service) {
                continue;
            }
            any = true;
            let mut endpoint = Endpoint {
                addresses,
                conditions: Some(EndpointConditions {
                    ready: Some(ready),
                    serving: Some(serving),
                    terminating: Some(terminating),
                }),
                hostname: pods::hostname(pod, service),
                zone: node.and_then(|node| node.labels().get(ZONE).cloned()),
                node_name: name,
                target_ref: Some(pods::reference(pod)),
                ..Endpoint::default()
            };
            endpoint.hints = ready.then(|| hints(&spec, &endpoint)).flatten();
            group(&mut groups, &family, at_pod).push(endpoint);
        }
        if !any {
            group(&mut groups, &family, Vec::new());
        }
    }
    groups
}

/// For whom an endpoint that is ready is meant first: those near it, where the service says so.
fn hints(spec: &ServiceSpec, endpoint: &Endpoint) -> Option<EndpointHints> {
    let node_too = match spec.traffic_distribution.as_deref()? {
        "PreferClose" | "PreferSameZone" => false,
        "PreferSameNode" => true,
        _ => return None,
    };
    let zone = endpoint.zone.clone().map(|name| vec![ForZone { name }]);
    let node = endpoint.node_name.clone().filter(|_| node_too);
    let node = node.map(|name| vec![ForNode { name }]);
    (zone.is_some() || node.is_some()).then_some(EndpointHints {
        for_zones: zone,
        for_nodes: node,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn hints_by_traffic_distribution() {
        let check = |distribution: Option<&str>, zone: Option<&str>, expected: Value| {
            let spec = ServiceSpec {
                traffic_distribution: distribution.map(str::to_owned),
                ..ServiceSpec::default()
            };
            let endpoint = Endpoint {
                zone: zone.map(str::to_owned),
                node_name: Some("n".into()),
                ..Endpoint::default()
            };
            assert_eq!(json!(hints(&spec, &endpoint)), expected, "{distribution:?}");
        };
        let zone = json!([{"name": "z"}]);
        let node = json!([{"name": "n"}]);
        check(None, Some("z"), Value::Null);
        check(Some("PreferClose"), Some("z"), json!({"forZones": zone}));
        check(Some("PreferSameZone"), Some("z"), json!({"forZones": zone}));
        check(Some("PreferSameZone"), None, Value::Null);
        check(
            Some("PreferSameNode"),
            Some("z"),
            json!({"forZones": zone, "forNodes": node}),
        );
        check(Some("PreferSameNode"), None, json!({"forNodes": node}));
    }
}
