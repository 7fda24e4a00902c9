// SPDX-License-Identifier: Apache-2.0
//! Service accounts and their tokens, roles and bindings.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Identity, Mistake, object};

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// A resource as `--resource` names it: `deployments.apps/scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceArgument {
    /// Resource, in any of its names; `*` for all.
    pub resource: String,
    /// API group, empty where none is given.
    pub group: String,
    /// Subresource, empty where none is given.
    pub subresource: String,
}

/// Takes apart what `--resource` says; a lone `*` makes all others superfluous.
pub fn split_resource(arguments: &[String]) -> Vec<ResourceArgument> {
    let mut resources = Vec::new();
    for argument in arguments {
        let (whole, subresource) = argument.split_once('/').unwrap_or((argument, ""));
        let (resource, group) = whole.split_once('.').unwrap_or((whole, ""));
        let parsed = ResourceArgument {
            resource: resource.to_owned(),
            group: group.to_owned(),
            subresource: subresource.to_owned(),
        };
        if argument == "*" {
            return vec![parsed];
        }
        resources.push(parsed);
    }
    resources
}

/// A ServiceAccount.
pub fn service_account(identity: Identity<'_>) -> Value {
    object("v1", "ServiceAccount", identity.metadata())
}

/// A request for a token of a service account.
pub fn token_request(audiences: &[String], seconds: Option<i64>, bound: Option<Value>) -> Value {
    let mut request = object("authentication.k8s.io/v1", "TokenRequest", json!({}));
    request["spec"] = json!({ "audiences": if audiences.is_empty() { Value::Null } else { audiences.into() }, "expirationSeconds": seconds });
    if let Some(bound) = bound {
        request["spec"]["boundObjectRef"] = bound;
    }
    request
}

/// A Role or ClusterRole, with one rule for each API group and one for other URLs.
pub fn role(
    kind: &str,
    identity: Identity<'_>,
    verbs: &[String],
    resources: &[(String, String)],
    names: &[String],
    urls: &[String],
) -> Value {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, resource) in resources {
        let resources = groups.entry(group).or_default();
        if !resources.contains(&resource.as_str()) {
            resources.push(resource);
        }
    }
    let mut rules = Vec::new();
    for (group, resources) in groups {
        let mut rule =
            json!({ "apiGroups": [group], "resources": resources, "verbs": distinct(verbs) });
        if !names.is_empty() {
            rule["resourceNames"] = distinct(names).into();
        }
        rules.push(rule);
    }
    if !urls.is_empty() {
        rules.push(json!({ "nonResourceURLs": distinct(urls), "verbs": distinct(verbs) }));
    }
    let mut role = object(RBAC, kind, identity.metadata());
    role["rules"] = rules.into();
    role
}

/// A ClusterRole that is the sum of others.
pub fn cluster_role_aggregated(name: &str, labels: &[(String, String)]) -> Value {
    let mut role = object(RBAC, "ClusterRole", json!({ "name": name }));
    let labels: Map<String, Value> = labels
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect();
    role["aggregationRule"] = json!({ "clusterRoleSelectors": [{ "matchLabels": labels }] });
    role["rules"] = Value::Null;
    role
}

/// Who is bound to which role.
#[derive(Debug, Default)]
pub struct Binding<'a> {
    /// `Role` or `ClusterRole`.
    pub role_kind: &'a str,
    /// Name of the role.
    pub role: &'a str,
    /// Users by name.
    pub users: &'a [String],
    /// Groups by name.
    pub groups: &'a [String],
    /// Service accounts as `NAMESPACE:NAME`.
    pub service_accounts: &'a [String],
}

/// A RoleBinding or ClusterRoleBinding.
pub fn role_binding(
    kind: &str,
    identity: Identity<'_>,
    binding: &Binding<'_>,
) -> Result<Value, Mistake> {
    let named = |kind: &str, names: &[String]| -> Vec<Value> {
        names
            .iter()
            .map(|name| json!({ "apiGroup": RBAC_GROUP, "kind": kind, "name": name }))
            .collect()
    };
    let mut subjects = named("User", binding.users);
    subjects.extend(named("Group", binding.groups));
    for account in binding.service_accounts {
        let parts: Vec<&str> = account.split(':').collect();
        let [namespace, name] = parts[..] else {
            return Err(Mistake::new("serviceaccount must be <namespace>:<name>"));
        };
        if namespace.is_empty() || name.is_empty() {
            return Err(Mistake::new("serviceaccount must be <namespace>:<name>"));
        }
        subjects.push(json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace }));
    }
    let mut object = object(RBAC, kind, identity.metadata());
    object["roleRef"] =
        json!({ "apiGroup": RBAC_GROUP, "kind": binding.role_kind, "name": binding.role });
    if !subjects.is_empty() {
        object["subjects"] = subjects.into();
    }
    Ok(object)
}

/// The texts without repetitions; `*` among verbs stands for all.
fn distinct(texts: &[String]) -> Vec<&str> {
    if texts.iter().any(|text| text == "*") {
        return vec!["*"];
    }
    let mut found: Vec<&str> = Vec::new();
    for text in texts {
        if !found.contains(&text.as_str()) {
            found.push(text);
        }
    }
    found
}
