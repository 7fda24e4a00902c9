// SPDX-License-Identifier: Apache-2.0
//! ClusterRoles with an aggregationRule: their rules are those of the ClusterRoles that it selects.

use k1s_core::kinds;
use k1s_core::object::{self, list, map};
use k1s_core::selector::LabelSelector;
use k1s_store::ListRequest;
use serde_json::Value;

use crate::amend::amend;
use crate::api::Api;

/// After a ClusterRole was written or went: the rules of all that aggregate are made anew.
pub(crate) async fn aggregate(api: &Api) {
    let Some(kind) = kinds::of_kind("rbac.authorization.k8s.io", "v1", "ClusterRole") else {
        return;
    };
    let mut roles: Vec<Value> = Vec::new();
    let Ok(prefix) = api.storage().prefix(kind, "") else {
        return;
    };
    let _ = api
        .storage()
        .store
        .scan(&ListRequest::new(prefix), &mut |entry| {
            roles.extend(
                entry
                    .ok()
                    .and_then(|e| serde_json::from_slice(e.value()).ok()),
            );
            std::ops::ControlFlow::Continue(())
        });
    for role in &roles {
        let selectors = list(role, &["aggregationRule", "clusterRoleSelectors"]);
        if selectors.is_empty() {
            continue;
        }
        let rules = Value::from(rules_of(&roles, role, selectors));
        if role.get("rules") == Some(&rules) {
            continue;
        }
        // a failure is tried again at the next write of a role
        let put = amend(api, kind, "", object::name(role), |role| {
            role["rules"] = rules.clone();
        });
        let _ = Box::pin(put).await;
    }
}

/// The rules of all roles that one of the selectors selects, each rule once, in the order of the roles' names.
fn rules_of(roles: &[Value], aggregate: &Value, selectors: &[Value]) -> Vec<Value> {
    let mut rules = Vec::new();
    for selector in selectors {
        let Ok(selector) = LabelSelector::from_object(Some(selector)) else {
            continue;
        };
        for role in roles {
            let labels = map(role, &["metadata", "labels"]);
            if object::name(role) == object::name(aggregate) || !selector.matches(&labels) {
                continue;
            }
            for rule in list(role, &["rules"]) {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_are_joined_once() {
        let role = |name: &str, labels: Value, rules: Value| json!({"metadata": {"name": name, "labels": labels}, "rules": rules});
        let read = json!({"verbs": ["get"]});
        let roles = [
            role("all", json!({"into": "all"}), json!([{"verbs": ["own"]}])),
            role("a", json!({"into": "all"}), json!([read])),
            role(
                "b",
                json!({"into": "all"}),
                json!([read, {"verbs": ["list"]}]),
            ),
            role("c", json!({}), json!([{"verbs": ["delete"]}])),
        ];
        let selectors = [json!({"matchLabels": {"into": "all"}})];
        assert_eq!(
            rules_of(&roles, &roles[0], &selectors),
            [read, json!({"verbs": ["list"]})]
        );
    }
}
