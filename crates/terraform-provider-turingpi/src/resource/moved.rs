// SPDX-License-Identifier: Apache-2.0
//! States of the provider that came before this one: the same names, where their meaning was right.

use tfplugin::{Move, Schema, Value};

/// The provider whose resources are taken over by a `moved` block.
const PREDECESSOR: &str = "jfreed-dev/turingpi";

/// Takes over the state of the same type of the predecessor: what both have, and the defaults of what is new.
pub(crate) fn take_over(from: &mut Move, target: &str, schema: &Schema) {
    if from.source_type != target || !from.source_provider.ends_with(PREDECESSOR) {
        return;
    }
    match Value::from_json(&from.source_state, &schema.value_type()) {
        Ok(mut state) => {
            for (name, attribute) in &schema.block.attributes {
                if state.attribute(name).is_null()
                    && let Some(default) = &attribute.default
                {
                    state.set(name, default.clone());
                }
            }
            from.state = state;
        }
        Err(e) => from.diagnostics.error(
            "The state cannot be taken over",
            format!(
                "The state of {target} of {} does not fit: {e}.",
                from.source_provider
            ),
        ),
    }
}
