// SPDX-License-Identifier: Apache-2.0
//! Kinds that share their storage with another: events of two groups, autoscalers of two versions.

use k1s_core::kinds::{self, Kind};
use serde_json::Value;

/// The kind as which objects of a kind are stored.
pub(crate) fn storage_kind(kind: &'static Kind) -> &'static Kind {
    if let Some(custom) = kind.custom {
        return custom
            .storage()
            .unwrap_or_else(|| unreachable!("a definition has exactly one storage version"));
    }
    let (group, version) = match (kind.group, kind.kind) {
        ("events.k8s.io", "Event") => ("", "v1"),
        ("autoscaling", "HorizontalPodAutoscaler") => ("autoscaling", "v2"),
        _ => return kind,
    };
    kinds::of_kind(group, version, kind.kind)
        .unwrap_or_else(|| unreachable!("a kind of the registry is stored as one of the registry"))
}

/// Whether objects of a kind are stored as they are. Those of own kinds are not: what is stored may be of another version, or
/// from before the definition changed.
pub(crate) fn is_stored_as_is(kind: &Kind) -> bool {
    kind.custom.is_none()
        && !matches!(
            (kind.group, kind.version, kind.kind),
            ("events.k8s.io", _, "Event") | ("autoscaling", "v1", "HorizontalPodAutoscaler")
        )
}

/// Turns an object of `kind` into what is stored.
pub(crate) fn to_storage(kind: &'static Kind, object: &mut Value) {
    if is_stored_as_is(kind) {
        return;
    }
    if kind.custom.is_none() {
        k1s_core::convert::to_storage(kind, object);
    }
    name(storage_kind(kind), object);
}

/// Turns a stored object into one of `kind`.
pub(crate) fn from_storage(kind: &'static Kind, object: &mut Value) {
    if is_stored_as_is(kind) {
        return;
    }
    if kind.custom.is_some() {
        // what was stored had been decoded; what is unknown by now is left out
        let _ = k1s_core::decode::decode(kind.schema, object);
    } else {
        k1s_core::convert::from_storage(kind, object);
        k1s_core::decode::tidy(kind.schema, object);
    }
    name(kind, object);
}

/// Leaves in an object what its storage keeps, after all checks: another version of an own kind may know less.
pub(crate) fn settle(kind: &'static Kind, object: &mut Value) {
    let stored = storage_kind(kind);
    if kind.custom.is_some() && kind.version != stored.version {
        // it has been decoded as another version, so its metadata is right
        let _ = k1s_core::decode::decode(stored.schema, object);
    }
    k1s_core::decode::tidy(stored.schema, object);
}

fn name(kind: &Kind, object: &mut Value) {
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.kind.into();
}
