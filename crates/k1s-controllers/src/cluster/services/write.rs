// SPDX-License-Identifier: Apache-2.0
//! Bringing the slices of a service, or of Endpoints, to what is wanted, with few writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, ResourceExt as _};

use super::{Map, digest, trigger};
use crate::cache::Cache;
use crate::error::{Refusal as _, Result};

pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Endpoints by type of address and ports, in order.
pub(super) type Groups = BTreeMap<(String, String), (Vec<EndpointPort>, Vec<Endpoint>)>;

/// What all slices of one owner have in common.
pub(super) struct Frame {
    pub(super) namespace: String,
    /// The name of the service, from which those of the slices are made.
    pub(super) name: String,
    pub(super) labels: Map,
    pub(super) annotations: Option<Map>,
    /// When what led to this happened, if that is told.
    pub(super) trigger: Option<Timestamp>,
    pub(super) owner: OwnerReference,
    /// Most endpoints in one slice.
    pub(super) most: usize,
    /// Whether what is changed is written anew, so that a name once generated is plain from then on.
    pub(super) anew: bool,
}

/// Adds an endpoint to its group.
pub(super) fn group<'a>(
    groups: &'a mut Groups,
    address_type: &str,
    mut ports: Vec<EndpointPort>,
) -> &'a mut Vec<Endpoint> {
    ports.sort_by_cached_key(digest::of_slice_port);
    let key = ports
        .iter()
        .map(|p| {
            format!(
                "{:?} {:?} {:?} {:?};",
                p.name, p.port, p.protocol, p.app_protocol
            )
        })
        .collect();
    let group = groups
        .entry((address_type.to_owned(), key))
        .or_insert_with(|| (ports, Vec::new()));
    &mut group.1
}

/// What slices have to be written and deleted.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<EndpointSlice>,
    pub(super) update: Vec<EndpointSlice>,
    pub(super) delete: Vec<Arc<EndpointSlice>>,
}

/// Plans how `present` becomes what `groups` says. An endpoint stays in the slice in which it is.
pub(super) fn plan(frame: &Frame, groups: Groups, present: &[Arc<EndpointSlice>]) -> Plan {
    let mut plan = Plan::default();
    let is_owned = |slice: &EndpointSlice| {
        let owners = slice.owner_references();
        owners.iter().any(|owner| owner.uid == frame.owner.uid)
    };
    // Another's may carry the same labels; it goes.
    let (mut left, foreign): (Vec<_>, Vec<_>) = present
        .iter()
        .filter(|slice| slice.metadata.deletion_timestamp.is_none())
        .cloned()
        .partition(|slice| is_owned(slice));
    plan.delete = foreign;
    let mut matched = Vec::new();
    for ((address_type, _), (ports, endpoints)) in groups {
        let (mine, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|slice| {
            slice.address_type == address_type
                && slice.ports.as_deref().unwrap_or_default() == ports.as_slice()
        });
        left = rest;
        matched.push((address_type, ports, endpoints, mine));
    }
    for (address_type, ports, endpoints, mine) in matched {
        fill(
            frame,
            &address_type,
            &ports,
            endpoints,
            mine,
            &mut left,
            &mut plan,
        );
    }
    plan.delete.extend(left);
    plan
}

/// Spreads the endpoints of one group over its slices.
fn fill(
    frame: &Frame,
    address_type: &str,
    ports: &[EndpointPort],
    endpoints: Vec<Endpoint>,
    mut mine: Vec<Arc<EndpointSlice>>,
    others: &mut Vec<Arc<EndpointSlice>>,
    plan: &mut Plan,
) {
    mine.sort_by_key(|slice| slice.name_any());
    let is_first = |slice: &EndpointSlice, endpoint: &Endpoint| {
        slice
            .endpoints
            .iter()
            .any(|e| e.addresses == endpoint.addresses && e.target_ref == endpoint.target_ref)
    };
    let mut parts: Vec<(Option<Arc<EndpointSlice>>, Vec<Endpoint>)> = mine
        .into_iter()
        .map(|slice| (Some(slice), Vec::new()))
        .collect();
    let mut fresh = Vec::new();
    for endpoint in endpoints {
        let home = parts.iter_mut().find(|(slice, part)| {
            part.len() < frame.most
                && slice
                    .as_ref()
                    .is_some_and(|slice| is_first(slice, &endpoint))
        });
        match home {
            Some((_, part)) => part.push(endpoint),
            None => fresh.push(endpoint),
        }
    }
    for endpoint in fresh {
        match parts.iter_mut().find(|(_, part)| part.len() < frame.most) {
            Some((_, part)) => part.push(endpoint),
            None => parts.push((None, vec![endpoint])),
        }
    }
    if parts.is_empty() {
        // A service without endpoints has one empty slice.
        parts.push((None, Vec::new()));
    }
    let mut kept_one = false;
    for (slice, part) in parts {
        if part.is_empty() && kept_one {
            plan.delete.extend(slice);
            continue;
        }
        kept_one = true;
        // Rather than that one slice goes and another comes, one changes its ports.
        let slice = slice.or_else(|| {
            let at = others
                .iter()
                .position(|other| other.address_type == address_type)?;
            Some(others.remove(at))
        });
        let wanted = slice_of(frame, address_type, ports, part, slice.as_deref());
        match slice {
            None => plan.create.push(wanted),
            Some(present) if same(&present, &wanted) => {}
            Some(_) => plan.update.push(wanted),
        }
    }
}

fn slice_of(
    frame: &Frame,
    address_type: &str,
    ports: &[EndpointPort],
    endpoints: Vec<Endpoint>,
    present: Option<&EndpointSlice>,
) -> EndpointSlice {
    let mut present = present.cloned();
    if let Some(present) = present.as_mut().filter(|_| frame.anew) {
        present.metadata.generate_name = None;
    }
    let mut slice = present.unwrap_or_else(|| EndpointSlice {
        metadata: kube::core::ObjectMeta {
            generate_name: Some(format!("{}-", frame.name)),
            namespace: Some(frame.namespace.clone()),
            ..Default::default()
        },
        address_type: address_type.to_owned(),
        ..EndpointSlice::default()
    });
    slice.metadata.labels = Some(frame.labels.clone());
    if let Some(annotations) = &frame.annotations {
        slice.metadata.annotations = Some(annotations.clone());
    }
    trigger::note(&mut slice.metadata.annotations, frame.trigger);
    slice.metadata.owner_references = Some(vec![frame.owner.clone()]);
    slice.ports = (!ports.is_empty()).then(|| ports.to_vec());
    slice.endpoints = endpoints;
    slice
}

fn same(present: &EndpointSlice, wanted: &EndpointSlice) -> bool {
    present.metadata.labels == wanted.metadata.labels
        && trigger::same_otherwise(
            present.metadata.annotations.as_ref(),
            wanted.metadata.annotations.as_ref(),
        )
        && present.metadata.owner_references == wanted.metadata.owner_references
        && present.ports.as_deref().unwrap_or_default()
            == wanted.ports.as_deref().unwrap_or_default()
        && present.endpoints == wanted.endpoints
}

/// Does what was planned.
pub(super) async fn carry_out(
    client: &Client,
    cache: &Cache<EndpointSlice>,
    namespace: &str,
    plan: Plan,
) -> Result {
    let api: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let params = PostParams::default();
    for slice in plan.create {
        cache.caught_up(&api.create(&params, &slice).await?).await;
    }
    for slice in plan.update {
        let written = api.replace(&slice.name_any(), &params, &slice).await?;
        cache.caught_up(&written).await;
    }
    for slice in plan.delete {
        match api
            .delete(&slice.name_any(), &DeleteParams::default())
            .await
        {
            Ok(_) => cache.gone(slice.as_ref()).await,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
