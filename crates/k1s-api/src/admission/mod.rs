// SPDX-License-Identifier: Apache-2.0
//! Admission: what a write needs to know of other objects, and what it is given that must be free.
//!
//! [`create`] and [`update`] may change the object, before the kind's rules check it; [`check_create`] sees it afterwards. What is
//! allocated (cluster IPs, node ports) is claimed in the transaction that writes the object.

mod default_class;
mod limit_range;
mod lookup;
mod node_taint;
mod pod_security;
pub(crate) mod pods;
mod priority_class;
pub(crate) mod quota;
mod runtime_class;
mod service_account;
mod services;
mod tolerations;

use k1s_core::kinds::Kind;
use k1s_core::status::Status;
use serde_json::Value;

pub(crate) use lookup::all as all_of;

use crate::api::{Api, Exchange};
use crate::storage::{Claim, Claims};

/// Admits a new object, as the kind of the request.
pub(crate) fn create(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    object: &mut Value,
    exchange: &mut Exchange,
) -> Result<Claims, Status> {
    let _ = exchange;
    match (kind.group, kind.kind) {
        ("", "Pod") => pods::create(api, kind, namespace, object)?,
        ("", "Node") => node_taint::fill(object),
        ("", "PersistentVolumeClaim") => default_class::fill_claim(api, object)?,
        ("", "Service") => return services::create(api, kind, object, exchange),
        ("networking.k8s.io", "Ingress") => default_class::fill_ingress(api, object)?,
        _ => {}
    }
    Ok(Claims::default())
}

/// Looks at a new object that its rules have found right.
pub(crate) fn check_create(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    object: &Value,
    exchange: &mut Exchange,
) -> Result<(), Status> {
    match (kind.group, kind.kind) {
        ("", "Pod") => pods::check_create(api, kind, namespace, object, exchange),
        ("", "PersistentVolumeClaim") => limit_range::check_claim(api, kind, namespace, object),
        ("scheduling.k8s.io", "PriorityClass") => {
            priority_class::check_default(api, kind, object, true)
        }
        _ => pod_security::check_template(api, kind, namespace, object, None, exchange),
    }
}

/// Admits a change.
pub(crate) fn update(
    api: &Api,
    kind: &'static Kind,
    new: &mut Value,
    old: &Value,
    exchange: &mut Exchange,
) -> Result<Claims, Status> {
    let _ = exchange;
    match (kind.group, kind.kind) {
        ("", "Pod") => pods::update(new, old),
        ("", "Service") => return services::update(api, kind, new, old, exchange),
        _ => {}
    }
    Ok(Claims::default())
}

/// Looks at a change that the rules have found right: of the whole object, or by a subresource that changes its spec.
pub(crate) fn check_update(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    new: &Value,
    old: &Value,
    exchange: &mut Exchange,
) -> Result<(), Status> {
    match (kind.group, kind.kind) {
        ("", "Pod") => {
            pods::check_resized(api, kind, namespace, new, old)?;
            pod_security::check_pod(api, kind, namespace, new, Some(old), exchange)
        }
        ("", "Namespace") => pod_security::check_namespace(api, new, old, exchange),
        ("scheduling.k8s.io", "PriorityClass") => {
            priority_class::check_default(api, kind, new, false)
        }
        ("", "PersistentVolumeClaim") => {
            default_class::check_growth(api, kind, new, old)?;
            limit_range::check_claim(api, kind, namespace, new)
        }
        _ => pod_security::check_template(api, kind, namespace, new, Some(old), exchange),
    }
}

/// What an object has been allocated, to be given back when it goes.
pub(crate) fn claims_of(kind: &Kind, object: &Value) -> Vec<Claim> {
    match (kind.group, kind.kind) {
        ("", "Service") => services::claims_of(object),
        _ => Vec::new(),
    }
}
