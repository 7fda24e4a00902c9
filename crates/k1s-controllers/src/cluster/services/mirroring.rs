// SPDX-License-Identifier: Apache-2.0
//! EndpointSlices that mirror the Endpoints which somebody keeps by hand for a service without a selector.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{EndpointAddress, Endpoints, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource as _, ResourceExt as _};

use super::subsets::repacked;
use super::write::{Frame, Groups, MANAGED_BY, SERVICE_NAME, carry_out, group, plan};
use crate::cache::{Cache, Queue};
use crate::error::Result;
use crate::setup::Setup;

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
/// Annotations that are the Endpoints' own.
const NOT_COPIED: [&str; 2] = [
    "endpoints.kubernetes.io/last-change-trigger-time",
    "kubectl.kubernetes.io/last-applied-configuration",
];
/// Most addresses of a subset that are mirrored; they are all in one slice.
const MOST_ADDRESSES: usize = 1000;

struct Context {
    client: Client,
    services: Cache<Service>,
    slices: Cache<EndpointSlice>,
}

/// Registers the mirroring of Endpoints.
pub(crate) fn start(setup: &mut Setup) {
    let endpoints = setup.cache::<Endpoints>();
    let services = setup.cache::<Service>();
    let slices = setup.cache::<EndpointSlice>();
    let (queue, keys) = Queue::<Endpoints>::new();
    endpoints.feed_own(&queue);
    services.feed(&queue, |change| {
        let service = change.latest()?;
        Some(ObjectRef::new(&service.name_any()).within(&service.namespace()?))
    });
    slices.feed(&queue, |change| {
        let slice = change.latest().filter(|slice| is_ours(slice))?;
        let name = slice.labels().get(SERVICE_NAME)?;
        Some(ObjectRef::new(name).within(&slice.namespace()?))
    });
    let context = Context {
        client: setup.client(),
        services,
        slices,
    };
    setup.controller(
        "endpointslice-mirroring",
        (queue, keys),
        &endpoints,
        context,
        |endpoints, context| async move { reconcile(&context, &endpoints).await },
    );
}

fn is_ours(slice: &EndpointSlice) -> bool {
    slice
        .labels()
        .get(MANAGED_BY)
        .is_some_and(|by| by == MANAGER)
}

async fn reconcile(context: &Context, endpoints: &Endpoints) -> Result<Action> {
    let (name, namespace) = (
        endpoints.name_any(),
        endpoints.namespace().unwrap_or_default(),
    );
    let present = context.slices.in_namespace(&namespace, |slice| {
        is_ours(slice) && slice.labels().get(SERVICE_NAME) == Some(&name)
    });
    let service = context.services.get(&namespace, &name);
    let groups = if is_mirrored(endpoints, service.as_deref()) {
        groups(endpoints)
    } else {
        Groups::new()
    };
    let mut labels = endpoints.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), name.clone());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    let mut annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| !NOT_COPIED.contains(&key.as_str()));
    let Some(mut owner) = endpoints.controller_owner_ref(&()) else {
        return Ok(Action::await_change());
    };
    owner.block_owner_deletion = Some(true);
    let frame = Frame {
        namespace: namespace.clone(),
        name,
        labels,
        annotations: Some(annotations),
        trigger: None,
        owner,
        most: MOST_ADDRESSES,
        anew: true,
    };
    let present: Vec<Arc<EndpointSlice>> = present;
    let plan = plan(&frame, groups, &present);
    carry_out(&context.client, &context.slices, &namespace, plan).await?;
    Ok(Action::await_change())
}

fn is_mirrored(endpoints: &Endpoints, service: Option<&Service>) -> bool {
    let by_hand = service.is_some_and(|service| {
        let selector = service.spec.as_ref().and_then(|s| s.selector.as_ref());
        selector.is_none_or(|selector| selector.is_empty())
    });
    by_hand
        && endpoints.metadata.deletion_timestamp.is_none()
        && endpoints.labels().get(SKIP).is_none_or(|v| v != "true")
        && !endpoints.annotations().contains_key(LEADER)
}

fn groups(endpoints: &Endpoints) -> Groups {
    let mut groups = Groups::new();
    for subset in repacked(endpoints.subsets.iter().flatten()) {
        let ports: Vec<EndpointPort> = subset
            .ports
            .iter()
            .flatten()
            .map(|port| EndpointPort {
                name: Some(port.name.clone().unwrap_or_default()),
                port: Some(port.port),
                protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".into())),
                app_protocol: port.app_protocol.clone(),
            })
            .collect();
        let ready = subset.addresses.iter().flatten().map(|a| (a, true));
        let unready = subset
            .not_ready_addresses
            .iter()
            .flatten()
            .map(|a| (a, false));
        for (address, ready) in ready.chain(unready).take(MOST_ADDRESSES) {
            let family = if address.ip.contains(':') {
                "IPv6"
            } else {
                "IPv4"
            };
            group(&mut groups, family, ports.clone()).push(endpoint(address, ready));
        }
    }
    groups
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            ..EndpointConditions::default()
        }),
        hostname: address.hostname.clone(),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}
