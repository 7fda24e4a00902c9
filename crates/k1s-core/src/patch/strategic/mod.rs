// SPDX-License-Identifier: Apache-2.0
//! Strategic merge patch: a merge patch that knows how each list and map wants to be merged.
//!
//! What a field wants comes from a [`PatchSchema`]. [`apply`] patches an object; [`create`] and
//! [`create_three_way`] compute patches, the latter for client-side apply. Directives in a patch
//! (`$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`) steer the merge and
//! do not become part of the object.
//!
//! The rules are those of Kubernetes, with their corners: a new element of a plain patch lands
//! before the existing ones, an element with `$patch: replace` empties its list, and so on.

mod apply;
mod builtin;
mod conflict;
mod diff;
mod error;
mod list;
mod schema;
#[cfg(test)]
mod tests;

pub use apply::apply;
pub use builtin::BuiltIn;
pub use diff::{create, create_three_way, require_identity};
pub use error::StrategicPatchError;
pub use schema::{PatchField, PatchSchema, PatchStrategy};

use serde_json::{Map, Value};

type Object = Map<String, Value>;
type Result<T, E = StrategicPatchError> = std::result::Result<T, E>;

const DIRECTIVE: &str = "$patch";
const DELETE: &str = "delete";
const REPLACE: &str = "replace";
const MERGE: &str = "merge";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
const SET_ORDER: &str = "$setElementOrder";

/// The field that a parallel key such as `$setElementOrder/containers` speaks of.
fn parallel_field<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    key.strip_prefix(prefix)?.strip_prefix('/')
}

/// Whether the value is the map of an element to delete.
fn deletes(element: &Value) -> bool {
    element.get(DIRECTIVE).and_then(Value::as_str) == Some(DELETE)
}
