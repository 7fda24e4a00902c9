// SPDX-License-Identifier: Apache-2.0
//! Discovery document by document: the versions, the groups, one group, the resources of a group and version.

use base64::Engine as _;
use bytes::Bytes;
use http::{Response, StatusCode};
use k1s_core::kinds::{Kind, Subresource};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Request, accept, aggregated, encode, groups, restful};

/// `/api`: the versions of the core group, or all of it in the aggregated form.
pub(super) fn versions(request: &Request<'_>) -> Response<Bytes> {
    if let Some(refused) = restful::refused(request, restful::OBJECTS) {
        return refused;
    }
    if let Some(encoding) = accept::aggregated(request) {
        return aggregated::answer(request, encoding, &[""]);
    }
    let addresses = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": request.host()}]);
    document(
        request,
        &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}),
    )
}

/// `/apis`: the other groups, or all of them in the aggregated form.
pub(super) fn groups(request: &Request<'_>) -> Response<Bytes> {
    let names = groups::names(request.own);
    if let Some(encoding) = accept::aggregated(request) {
        return aggregated::answer(request, encoding, &names);
    }
    let groups: Vec<Value> = names
        .iter()
        .map(|g| api_group(g, &groups::versions(request.own, g)))
        .collect();
    document(
        request,
        &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
    )
}

/// `/apis/GROUP`
pub(super) fn group(request: &Request<'_>, name: &str, versions: &[&str]) -> Response<Bytes> {
    let mut group = api_group(name, versions);
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    document(request, &group)
}

/// `/api/v1` and `/apis/GROUP/VERSION`
pub(super) fn resources(request: &Request<'_>, group: &str, version: &str) -> Response<Bytes> {
    if let Some(refused) = restful::refused(request, restful::OBJECTS) {
        return refused;
    }
    let resources: Vec<Value> = groups::kinds_of(request.own, group, version)
        .flat_map(|kind| {
            std::iter::once(resource(kind))
                .chain(kind.subresources.iter().map(|s| subresource(kind, s)))
        })
        .collect();
    let mut list = json!({"kind": "APIResourceList", "groupVersion": group_version(group, version), "resources": resources});
    if !group.is_empty() {
        list["apiVersion"] = "v1".into();
    }
    document(request, &list)
}

fn document(request: &Request<'_>, document: &Value) -> Response<Bytes> {
    match accept::whole(request) {
        Some(encoding) => encode::object(request, StatusCode::OK, encoding, document),
        None => encode::raw_json(
            StatusCode::NOT_ACCEPTABLE,
            &accept::not_acceptable().to_json(),
        ),
    }
}

fn api_group(name: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|v| json!({"groupVersion": group_version(name, v), "version": v}))
        .collect();
    json!({"name": name, "preferredVersion": versions.first(), "versions": versions})
}

fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

fn resource(kind: &Kind) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), kind.plural.into());
    out.insert("singularName".into(), kind.singular.into());
    out.insert("namespaced".into(), kind.namespaced.into());
    out.insert("kind".into(), kind.kind.into());
    out.insert("verbs".into(), kind.verbs.into());
    for (key, names) in [
        ("shortNames", kind.short_names),
        ("categories", kind.categories),
    ] {
        if !names.is_empty() {
            out.insert(key.into(), names.into());
        }
    }
    // what is only asked, such as a review, is not stored
    if kind.allows("create") && kind.allows("list") {
        out.insert(
            "storageVersionHash".into(),
            storage_version_hash(kind).into(),
        );
    }
    Value::Object(out)
}

fn subresource(kind: &Kind, sub: &Subresource) -> Value {
    let mut out = json!({
        "name": format!("{}/{}", kind.plural, sub.name),
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": sub.kind,
        "verbs": sub.verbs,
    });
    if (sub.group, sub.version) != (kind.group, kind.version) {
        out["group"] = sub.group.into();
        out["version"] = sub.version.into();
    }
    out
}

/// Tells clients when objects are stored in another version than before.
fn storage_version_hash(kind: &Kind) -> String {
    if let Some(storage) = kind.custom.and_then(|c| c.storage()) {
        return hash(storage.group, storage.version, storage.kind);
    }
    let (group, version) = match (kind.group, kind.plural) {
        ("events.k8s.io", "events") => ("", "v1"),
        ("autoscaling", "horizontalpodautoscalers") => ("autoscaling", "v2"),
        (group @ "apiextensions.k8s.io", "customresourcedefinitions")
        | (group @ "storage.k8s.io", "volumeattributesclasses") => (group, "v1beta1"),
        (group, _) => (group, kind.version),
    };
    hash(group, version, kind.kind)
}

fn hash(group: &str, version: &str, kind: &str) -> String {
    let hash = Sha256::digest(format!("{group}/{version}/{kind}"));
    base64::engine::general_purpose::STANDARD.encode(&hash[..8])
}
