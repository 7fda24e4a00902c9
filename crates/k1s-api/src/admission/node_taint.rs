// SPDX-License-Identifier: Apache-2.0
//! A new node is not ready: nothing is put on it before it says that it is.

use k1s_core::object::{list, set, text};
use serde_json::{Value, json};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const EFFECT: &str = "NoSchedule";

/// Taints a new node.
pub(super) fn fill(node: &mut Value) {
    let mut taints = list(node, &["spec", "taints"]).to_vec();
    let tainted = taints
        .iter()
        .any(|t| text(t, &["key"]) == NOT_READY && text(t, &["effect"]) == EFFECT);
    if !tainted {
        taints.push(json!({"key": NOT_READY, "effect": EFFECT}));
        set(node, &["spec", "taints"], taints);
    }
}
