// SPDX-License-Identifier: Apache-2.0
//! ServiceAccount.

use serde_json::{Value, json};

use crate::object::{annotation, list_mut, text};
use crate::rules::{Clock, Request, Rules, cells};

const MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

pub(super) static RULES: Rules = Rules {
    prepare_create: |account, _| keep_names(account),
    prepare_update: |new: &mut Value, _: &Value, _: &Request<'_>| keep_names(new),
    warnings,
    cells: Some(cells),
    ..Rules::NONE
};

/// Of references to secrets the name counts.
fn keep_names(account: &mut Value) {
    for secret in list_mut(account, &["secrets"]) {
        let name = text(secret, &["name"]);
        *secret = if name.is_empty() {
            json!({})
        } else {
            json!({ "name": name })
        };
    }
}

fn warnings(account: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
    let had = old.is_some_and(|old| annotation(old, MOUNTABLE_SECRETS).is_some());
    if !had && annotation(account, MOUNTABLE_SECRETS).is_some() {
        warnings.push(format!(
            "metadata.annotations[{MOUNTABLE_SECRETS}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        ));
    }
}

fn cells(account: &Value, clock: &Clock) -> Vec<Value> {
    vec![cells::name(account), cells::age(account, clock)]
}
