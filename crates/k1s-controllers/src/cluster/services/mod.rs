// SPDX-License-Identifier: Apache-2.0
//! Where the pods of a service are to be found: Endpoints, EndpointSlices, and slices that mirror Endpoints made by hand.

mod digest;
mod endpoints;
mod mirroring;
mod pods;
mod slices;
mod subsets;
mod trigger;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt as _;
use kube::runtime::reflector::ObjectRef;

use crate::cache::{Cache, Change, Queue};
use crate::setup::Setup;

pub(crate) use endpoints::start as start_endpoints;
pub(crate) use mirroring::start as start_mirroring;
pub(crate) use slices::start as start_slices;

/// The label of what belongs to a headless service.
const HEADLESS: &str = "service.kubernetes.io/headless";

type Map = BTreeMap<String, String>;

/// The queue of services, fed by them and by their pods.
fn services(
    setup: &mut Setup,
) -> (
    Cache<Service>,
    Cache<Pod>,
    Queue<Service>,
    tokio::sync::mpsc::UnboundedReceiver<ObjectRef<Service>>,
) {
    let (services, pods) = (setup.cache::<Service>(), setup.cache::<Pod>());
    let (queue, keys) = Queue::<Service>::new();
    services.feed_own(&queue);
    let all = services.clone();
    pods.feed(&queue, move |change| of_pod(&all, change));
    (services, pods, queue, keys)
}

/// The services whose endpoints a change of a pod makes different.
fn of_pod(services: &Cache<Service>, change: &Change<Pod>) -> Vec<ObjectRef<Service>> {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && !pods::differ(old, new)
    {
        return Vec::new();
    }
    let Some(namespace) = change.latest().and_then(|pod| pod.namespace()) else {
        return Vec::new();
    };
    let states: Vec<&Arc<Pod>> = change.states().collect();
    let selecting = services.in_namespace(&namespace, |service| {
        states.iter().any(|pod| selects(service, pod))
    });
    selecting
        .iter()
        .map(|service| ObjectRef::from_obj(service.as_ref()))
        .collect()
}

/// The selector of a service that has pods of its own.
fn selector(service: &Service) -> Option<&Map> {
    let spec = service.spec.as_ref()?;
    let selector = spec.selector.as_ref()?;
    (spec.type_.as_deref() != Some("ExternalName") && !selector.is_empty()).then_some(selector)
}

fn selects(service: &Service, pod: &Pod) -> bool {
    selector(service).is_some_and(|wanted| {
        let labels = pod.metadata.labels.as_ref();
        wanted
            .iter()
            .all(|(key, value)| labels.and_then(|l| l.get(key)) == Some(value))
    })
}

fn is_headless(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.and_then(|s| s.cluster_ip.as_deref()) == Some("None")
}

/// Whether the pods of a service count as ready whatever they say.
fn publishes_unready(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.and_then(|s| s.publish_not_ready_addresses) == Some(true)
}
