// SPDX-License-Identifier: Apache-2.0
//! `apidiscovery.k8s.io/v2`: all groups with all their resources in one document, with an entity tag.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::{Response, StatusCode};
use k1s_core::kinds::{Kind, Subresource};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::accept::Encoding;
use super::{Request, bare, encode, groups};

/// The discovery of these groups.
pub(super) fn answer(request: &Request<'_>, encoding: Encoding, names: &[&str]) -> Response<Bytes> {
    let document = document(request.own, names);
    let tag = format!(
        "\"{:X}\"",
        Bytes::copy_from_slice(&Sha256::digest(document.to_string()))
    );
    let mut response = if request.header(IF_NONE_MATCH) == tag {
        bare(StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        let mut response = encode::object(request, StatusCode::OK, encoding, &document);
        let content_type = match encoding {
            Encoding::Json => {
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            }
            Encoding::Yaml => {
                "application/yaml;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            }
            Encoding::Protobuf => {
                "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            }
        };
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn document(own: &[&'static Kind], names: &[&str]) -> Value {
    let items: Vec<Value> = names.iter().map(|name| group(own, name)).collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn group(own: &[&'static Kind], name: &str) -> Value {
    let versions: Vec<Value> = groups::versions(own, name)
        .into_iter()
        .map(|version| {
            let resources: Vec<Value> =
                groups::kinds_of(own, name, version).map(resource).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let metadata = if name.is_empty() {
        json!({})
    } else {
        json!({"name": name})
    };
    json!({"metadata": metadata, "versions": versions})
}

fn resource(kind: &Kind) -> Value {
    let mut out = Map::new();
    out.insert("resource".into(), kind.plural.into());
    out.insert(
        "responseKind".into(),
        response_kind(kind, kind.group, kind.version, kind.kind),
    );
    out.insert(
        "scope".into(),
        if kind.namespaced {
            "Namespaced"
        } else {
            "Cluster"
        }
        .into(),
    );
    out.insert("singularResource".into(), kind.singular.into());
    out.insert("verbs".into(), kind.verbs.into());
    for (key, names) in [
        ("shortNames", kind.short_names),
        ("categories", kind.categories),
    ] {
        if !names.is_empty() {
            out.insert(key.into(), names.into());
        }
    }
    if !kind.subresources.is_empty() {
        out.insert(
            "subresources".into(),
            kind.subresources
                .iter()
                .map(|s| subresource(kind, s))
                .collect(),
        );
    }
    Value::Object(out)
}

fn subresource(kind: &Kind, sub: &Subresource) -> Value {
    json!({"subresource": sub.name, "responseKind": response_kind(kind, sub.group, sub.version, sub.kind), "verbs": sub.verbs})
}

/// Group and version are told only where they differ from those of the document.
fn response_kind(of: &Kind, group: &str, version: &str, kind: &str) -> Value {
    let same = (group, version) == (of.group, of.version);
    let (group, version) = if same && of.custom.is_none() {
        ("", "")
    } else {
        (group, version)
    };
    json!({"group": group, "version": version, "kind": kind})
}
