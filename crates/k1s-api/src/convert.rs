// SPDX-License-Identifier: Apache-2.0
//! Kinds that share their storage with another: events of two groups, autoscalers of two versions.

use k1s_core::kinds::{self, Kind};
use serde_json::Value;

/// The kind as which objects of a kind are stored.
pub(crate) fn storage_kind(kind: &Kind) -> &'static Kind {
    let (group, version) = match (kind.group, kind.kind) {
        ("events.k8s.io", "Event") => ("", "v1"),
        ("autoscaling", "HorizontalPodAutoscaler") => ("autoscaling", "v2"),
        _ => (kind.group, kind.version),
    };
    kinds::of_kind(group, version, kind.kind)
        .unwrap_or_else(|| unreachable!("a kind of the registry is stored as one of the registry"))
}

/// Whether objects of a kind are stored as they are.
pub(crate) fn is_stored_as_is(kind: &Kind) -> bool {
    !matches!(
        (kind.group, kind.version, kind.kind),
        ("events.k8s.io", _, "Event") | ("autoscaling", "v1", "HorizontalPodAutoscaler")
    )
}

/// Turns an object of `kind` into what is stored.
pub(crate) fn to_storage(kind: &Kind, object: &mut Value) {
    if is_stored_as_is(kind) {
        return;
    }
    k1s_core::convert::to_storage(kind, object);
    name(storage_kind(kind), object);
}

/// Turns a stored object into one of `kind`.
pub(crate) fn from_storage(kind: &Kind, object: &mut Value) {
    if is_stored_as_is(kind) {
        return;
    }
    k1s_core::convert::from_storage(kind, object);
    k1s_core::decode::tidy(kind.schema, object);
    name(kind, object);
}

fn name(kind: &Kind, object: &mut Value) {
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.kind.into();
}
