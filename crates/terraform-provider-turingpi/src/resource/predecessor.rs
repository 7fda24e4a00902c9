// SPDX-License-Identifier: Apache-2.0
//! States of the provider that came before this one: the same names, where their meaning was right.
//!
//! Its states have version 0, these have [`VERSION`]. What is new has the value that it has where nothing is configured, so that a plan
//! after the change of the provider finds nothing to do.

use serde_json::Value as Json;
use tfplugin::{Block, Move, Schema, Value};

/// The version of all states here.
pub(super) const VERSION: i64 = 1;

/// The provider whose resources are taken over by a `moved` block.
const PREDECESSOR: &str = "jfreed-dev/turingpi";

/// The schema of a resource here.
pub(super) fn schema(block: Block) -> Schema {
    Schema::new(block).version(VERSION)
}

/// Brings a state forward: defaults where it has nothing.
pub(super) fn upgrade(mut state: Json, schema: &Schema) -> Json {
    if let Json::Object(object) = &mut state {
        for (name, attribute) in &schema.block.attributes {
            // what was not set may be an empty text there; a line may be empty
            let unset = attribute.optional && attribute.default.is_none() && name != "command";
            if unset && object.get(name).and_then(Json::as_str) == Some("") {
                object.insert(name.clone(), Json::Null);
            }
            if let Some(default) = &attribute.default
                && object.get(name).is_none_or(Json::is_null)
            {
                object.insert(name.clone(), default.to_json());
            }
        }
    }
    state
}

/// Takes over the state of the same type of the predecessor.
pub(super) fn take_over(from: &mut Move, target: &str, schema: &Schema) {
    if from.source_type != target || !from.source_provider.ends_with(PREDECESSOR) {
        return;
    }
    let state = upgrade(from.source_state.clone(), schema);
    match Value::from_json(&state, &schema.value_type()) {
        Ok(state) => from.state = state,
        Err(e) => from.diagnostics.error(
            "The state cannot be taken over",
            format!(
                "The state of {target} of {} does not fit: {e}.",
                from.source_provider
            ),
        ),
    }
}
