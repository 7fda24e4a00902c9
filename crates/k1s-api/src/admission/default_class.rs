// SPDX-License-Identifier: Apache-2.0
//! Classes for those who name none: of storage for claims, of ingress for Ingresses; and whether a claim may grow.

use k1s_core::kinds::Kind;
use k1s_core::object::{self, annotation, at, is_true, text};
use k1s_core::quantity::Quantity;
use k1s_core::status::Status;
use serde_json::Value;

use super::lookup;
use crate::api::Api;

const STORAGE_CLASS: [&str; 2] = ["spec", "storageClassName"];
const STORAGE_CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
const INGRESS_CLASS: [&str; 2] = ["spec", "ingressClassName"];
const INGRESS_CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const STORAGE_DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
const INGRESS_DEFAULT: [&str; 1] = ["ingressclass.kubernetes.io/is-default-class"];

/// Gives a claim without a class the default one, if there is one.
pub(super) fn fill_claim(api: &Api, claim: &mut Value) -> Result<(), Status> {
    let has_class = at(claim, &STORAGE_CLASS).is_some()
        || annotation(claim, STORAGE_CLASS_ANNOTATION).is_some();
    if has_class {
        return Ok(());
    }
    let classes = lookup::kind("storage.k8s.io", "v1", "StorageClass")?;
    if let Some(class) = newest_default(api, classes, &STORAGE_DEFAULT)? {
        object::set(claim, &STORAGE_CLASS, class);
    }
    Ok(())
}

/// Gives an Ingress without a class the default one, if there is one.
pub(super) fn fill_ingress(api: &Api, ingress: &mut Value) -> Result<(), Status> {
    let has_class = at(ingress, &INGRESS_CLASS).is_some()
        || annotation(ingress, INGRESS_CLASS_ANNOTATION).is_some();
    if has_class {
        return Ok(());
    }
    let classes = lookup::kind("networking.k8s.io", "v1", "IngressClass")?;
    if let Some(class) = newest_default(api, classes, &INGRESS_DEFAULT)? {
        object::set(ingress, &INGRESS_CLASS, class);
    }
    Ok(())
}

/// The name of the default class that was made last; of several of one second the first by name.
fn newest_default(
    api: &Api,
    kind: &'static Kind,
    marks: &[&str],
) -> Result<Option<String>, Status> {
    let is_default = |class: &Value| {
        marks
            .iter()
            .any(|key| annotation(class, key) == Some("true"))
    };
    let mut classes = lookup::all(api, kind, "")?;
    classes.retain(is_default);
    let made = |class: &Value| text(class, &["metadata", "creationTimestamp"]).to_owned();
    classes.sort_by(|a, b| {
        let newest_first = made(b).cmp(&made(a));
        newest_first.then_with(|| object::name(a).cmp(object::name(b)))
    });
    Ok(classes.first().map(|class| object::name(class).to_owned()))
}

/// A claim grows only when it is bound, and when its class says that it may.
pub(super) fn check_growth(
    api: &Api,
    kind: &'static Kind,
    new: &Value,
    old: &Value,
) -> Result<(), Status> {
    let size = |claim: &Value| {
        at(claim, &["spec", "resources", "requests", "storage"])
            .and_then(|size| Quantity::from_json(size).ok())
            .unwrap_or_else(Quantity::zero)
    };
    if size(new) <= size(old) {
        return Ok(());
    }
    let refuse = |why: &str| Err(Status::forbidden(kind, object::name(new), why));
    if text(old, &["status", "phase"]) != "Bound" {
        return refuse("only bound persistent volume claims can be expanded");
    }
    let class =
        annotation(new, STORAGE_CLASS_ANNOTATION).unwrap_or_else(|| text(new, &STORAGE_CLASS));
    let classes = lookup::kind("storage.k8s.io", "v1", "StorageClass")?;
    match lookup::one(api, classes, "", class)? {
        Some(class) if is_true(&class, &["allowVolumeExpansion"]) => Ok(()),
        _ => refuse(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
        ),
    }
}
