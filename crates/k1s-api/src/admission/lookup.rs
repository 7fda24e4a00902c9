// SPDX-License-Identifier: Apache-2.0
//! Other objects that admission looks at.

use std::ops::ControlFlow;

use k1s_core::kinds::{self, Kind};
use k1s_core::status::Status;
use k1s_store::ListRequest;
use serde_json::Value;

use crate::api::Api;
use crate::storage::failure;

/// A built-in kind.
pub(super) fn kind(group: &str, version: &str, kind: &str) -> Result<&'static Kind, Status> {
    kinds::of_kind(group, version, kind)
        .ok_or_else(|| Status::internal(format!("there is no kind {kind}")))
}

/// One object, if it is there.
pub(super) fn one(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
) -> Result<Option<Value>, Status> {
    // a name that cannot be one names nothing
    if name.is_empty() || !k1s_core::name::path_segment_name(name).is_empty() {
        return Ok(None);
    }
    Ok(api.load(kind, namespace, name)?.map(|(object, _)| object))
}

/// All objects of a kind, of one namespace or of the whole cluster.
pub(crate) fn all(api: &Api, kind: &'static Kind, namespace: &str) -> Result<Vec<Value>, Status> {
    let prefix = api.storage().prefix(kind, namespace)?;
    let mut objects = Vec::new();
    api.storage()
        .store
        .scan(&ListRequest::new(prefix), &mut |entry| {
            if let Ok(entry) = entry
                && let Ok(object) = serde_json::from_slice(entry.value())
            {
                objects.push(object);
            }
            ControlFlow::Continue(())
        })
        .map_err(failure)?;
    Ok(objects)
}
