// SPDX-License-Identifier: Apache-2.0
//! What resource quotas count: how much of each resource an object uses, which quotas count it, and what a quota refuses.
//!
//! Entry points: [`charge`] for a write that asks, [`usage`] and [`counts`] for whoever adds up what is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::core::pod::qos;
use super::core::pod_template::resource_sum;
use super::core::resource_name::{amount, amounts, is_extended, is_huge_pages};
use crate::kinds::Kind;
use crate::object::{at, int, is_deleting, list, text};
use crate::quantity::{Quantity, QuantityFormat};
use crate::time::parse_time;

/// Amounts by the name under which quotas know them.
pub type Usage = BTreeMap<String, Quantity>;

/// Kinds of the core group that quotas also count by the bare plural.
const BARE_NAMES: [&str; 4] = [
    "configmaps",
    "resourcequotas",
    "replicationcontrollers",
    "secrets",
];
const OF_PODS: [&str; 10] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
];
/// What every container must ask for where a quota limits it.
const MUST_BE_GIVEN: [&str; 6] = [
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];
const OF_SERVICES: [&str; 3] = ["services", "services.nodeports", "services.loadbalancers"];
const OF_CLAIMS: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];
const CLASS_SUFFIX: &str = ".storageclass.storage.k8s.io/";

/// The name under which all objects of a kind are counted: `count/pods`, `count/deployments.apps`.
#[must_use]
pub fn count_name(group: &str, plural: &str) -> String {
    if group.is_empty() {
        format!("count/{plural}")
    } else {
        format!("count/{plural}.{group}")
    }
}

/// Whether quotas never count objects of a kind.
fn is_ignored(kind: &Kind) -> bool {
    !kind.namespaced || kind.plural == "events"
}

/// Whether a change of an object of this kind may change what it uses.
#[must_use]
pub fn counts_changes(kind: &Kind) -> bool {
    kind.group.is_empty() && matches!(kind.kind, "Pod" | "Service" | "PersistentVolumeClaim")
}

/// Whether objects of a kind use a resource of a quota.
#[must_use]
pub fn uses(kind: &Kind, resource: &str) -> bool {
    if is_ignored(kind) {
        return false;
    }
    if resource == count_name(kind.group, kind.plural) {
        return true;
    }
    match (kind.group, kind.plural) {
        ("", "pods") => {
            OF_PODS.contains(&resource)
                || is_huge_pages(resource)
                || resource
                    .strip_prefix("requests.")
                    .is_some_and(|name| is_huge_pages(name) || is_extended(name))
        }
        ("", "services") => OF_SERVICES.contains(&resource),
        ("", "persistentvolumeclaims") => {
            OF_CLAIMS.contains(&resource)
                || resource
                    .split_once(CLASS_SUFFIX)
                    .is_some_and(|(class, what)| !class.is_empty() && OF_CLAIMS.contains(&what))
        }
        ("", plural) => resource == plural && BARE_NAMES.contains(&plural),
        _ => false,
    }
}

/// What an object uses, at a time in seconds since the epoch.
#[must_use]
pub fn usage(kind: &Kind, object: &Value, now_seconds: i64) -> Usage {
    let mut usage = Usage::new();
    if is_ignored(kind) {
        return usage;
    }
    usage.insert(count_name(kind.group, kind.plural), one());
    match (kind.group, kind.plural) {
        ("", "pods") if is_alive(object, now_seconds) => {
            let spec = object.get("spec").unwrap_or(&Value::Null);
            let [requests, limits] = ["requests", "limits"].map(|what| of_whole_pod(spec, what));
            usage.append(&mut of_pod(&requests, &limits));
        }
        ("", "services") => usage.append(&mut of_service(object)),
        ("", "persistentvolumeclaims") => usage.append(&mut of_claim(object)),
        ("", plural) if BARE_NAMES.contains(&plural) => {
            usage.insert(plural.to_owned(), one());
        }
        _ => {}
    }
    usage
}

fn one() -> Quantity {
    Quantity::new(1, QuantityFormat::DecimalSi)
}

/// Whether a pod still counts: it has not ended, and has not outstayed its deletion.
fn is_alive(pod: &Value, now_seconds: i64) -> bool {
    if matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed") {
        return false;
    }
    let grace = int(pod, &["metadata", "deletionGracePeriodSeconds"]);
    let end = parse_time(text(pod, &["metadata", "deletionTimestamp"]));
    match (is_deleting(pod), grace, end) {
        (true, Some(grace), Ok(end)) => now_seconds <= end.as_second() + grace,
        _ => true,
    }
}

/// The containers' amounts together, or what the pod says itself, with the overhead of its runtime.
fn of_whole_pod(spec: &Value, what: &str) -> Usage {
    let mut sum = resource_sum::of_containers(spec, what);
    for (name, own) in amounts(at(spec, &["resources", what])) {
        sum.insert(name.to_owned(), own);
    }
    for (name, more) in amounts(spec.get("overhead")) {
        // an overhead raises a limit only where there is one
        if what == "requests" || sum.contains_key(name) {
            add(&mut sum, name, &more);
        }
    }
    sum
}

fn of_pod(requests: &Usage, limits: &Usage) -> Usage {
    let mut usage = Usage::from([("pods".to_owned(), one())]);
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(amount) = requests.get(name) {
            usage.insert(name.to_owned(), amount.clone());
            usage.insert(format!("requests.{name}"), amount.clone());
        }
        if let Some(amount) = limits.get(name) {
            usage.insert(format!("limits.{name}"), amount.clone());
        }
    }
    for (name, amount) in requests {
        if is_huge_pages(name) {
            usage.insert(name.clone(), amount.clone());
        }
        if is_huge_pages(name) || is_extended(name) {
            usage.insert(format!("requests.{name}"), amount.clone());
        }
    }
    usage
}

fn of_service(service: &Value) -> Usage {
    let ports = list(service, &["spec", "ports"]);
    let balanced = text(service, &["spec", "type"]) == "LoadBalancer";
    let without =
        at(service, &["spec", "allocateLoadBalancerNodePorts"]) == Some(&Value::Bool(false));
    let node_ports = match text(service, &["spec", "type"]) {
        "NodePort" => ports.len(),
        "LoadBalancer" if without => ports
            .iter()
            .filter(|port| int(port, &["nodePort"]).is_some_and(|n| n != 0))
            .count(),
        "LoadBalancer" => ports.len(),
        _ => 0,
    };
    [
        ("services", 1),
        ("services.nodeports", node_ports),
        ("services.loadbalancers", usize::from(balanced)),
    ]
    .into_iter()
    .map(|(name, count)| {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        (
            name.to_owned(),
            Quantity::new(count, QuantityFormat::DecimalSi),
        )
    })
    .collect()
}

fn of_claim(claim: &Value) -> Usage {
    let mut usage = Usage::from([(OF_CLAIMS[0].to_owned(), one())]);
    let class = match text(claim, &["spec", "storageClassName"]) {
        "" => at(
            claim,
            &[
                "metadata",
                "annotations",
                "volume.beta.kubernetes.io/storage-class",
            ],
        )
        .and_then(Value::as_str)
        .unwrap_or_default(),
        class => class,
    };
    let asked = amount(at(claim, &["spec", "resources", "requests"]), "storage");
    let allocated = amount(at(claim, &["status", "allocatedResources"]), "storage");
    let storage = match (asked, allocated) {
        (Some(asked), Some(allocated)) => Some(asked.max(allocated)),
        (asked, _) => asked,
    };
    if !class.is_empty() {
        usage.insert(format!("{class}{CLASS_SUFFIX}{}", OF_CLAIMS[0]), one());
    }
    if let Some(storage) = storage {
        if !class.is_empty() {
            usage.insert(
                format!("{class}{CLASS_SUFFIX}{}", OF_CLAIMS[1]),
                storage.clone(),
            );
        }
        usage.insert(OF_CLAIMS[1].to_owned(), storage);
    }
    usage
}

/// Whether a quota counts an object: every scope of the quota must hold of it.
#[must_use]
pub fn counts(quota: &Value, kind: &Kind, object: &Value) -> bool {
    let plain = list(quota, &["spec", "scopes"])
        .iter()
        .filter_map(Value::as_str)
        .all(|scope| in_scope(kind, object, scope, "Exists", &[]));
    plain
        && list(quota, &["spec", "scopeSelector", "matchExpressions"])
            .iter()
            .all(|expression| {
                in_scope(
                    kind,
                    object,
                    text(expression, &["scopeName"]),
                    text(expression, &["operator"]),
                    list(expression, &["values"]),
                )
            })
}

fn in_scope(kind: &Kind, object: &Value, scope: &str, operator: &str, values: &[Value]) -> bool {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let selected = |own: &str| {
        let listed = values.iter().any(|v| v.as_str() == Some(own));
        match operator {
            "Exists" => !own.is_empty(),
            "DoesNotExist" => own.is_empty(),
            "In" => !own.is_empty() && listed,
            "NotIn" => !listed,
            _ => false,
        }
    };
    match (kind.group, kind.plural, scope) {
        ("", "pods", "Terminating") => {
            int(spec, &["activeDeadlineSeconds"]).is_some_and(|s| s >= 0)
        }
        ("", "pods", "NotTerminating") => {
            int(spec, &["activeDeadlineSeconds"]).is_none_or(|s| s < 0)
        }
        ("", "pods", "BestEffort") => qos::class(object) == "BestEffort",
        ("", "pods", "NotBestEffort") => qos::class(object) != "BestEffort",
        ("", "pods", "PriorityClass") => selected(text(spec, &["priorityClassName"])),
        ("", "pods", "CrossNamespacePodAffinity") => looks_across_namespaces(spec),
        ("", "persistentvolumeclaims", "VolumeAttributesClass") => {
            selected(text(spec, &["volumeAttributesClassName"]))
        }
        _ => false,
    }
}

/// Whether an affinity of a pod names other namespaces.
fn looks_across_namespaces(spec: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|sort| {
        let Some(affinity) = at(spec, &["affinity", sort]) else {
            return false;
        };
        let names = |term: &Value| {
            !list(term, &["namespaces"]).is_empty()
                || term.get("namespaceSelector").is_some_and(|s| !s.is_null())
        };
        list(
            affinity,
            &["requiredDuringSchedulingIgnoredDuringExecution"],
        )
        .iter()
        .any(names)
            || list(
                affinity,
                &["preferredDuringSchedulingIgnoredDuringExecution"],
            )
            .iter()
            .filter_map(|weighted| weighted.get("podAffinityTerm"))
            .any(names)
    })
}

/// The quota's `status.used` after a write, or none where the write changes nothing about it.
///
/// # Errors
/// The words of the refusal, when the quota does not allow the write.
pub fn charge(
    quota: &Value,
    kind: &Kind,
    new: &Value,
    old: Option<&Value>,
    now_seconds: i64,
) -> Result<Option<Value>, String> {
    let name = crate::object::name(quota);
    let hard = at(quota, &["status", "hard"]);
    let used = at(quota, &["status", "used"]);
    let limited: BTreeSet<&str> = amounts(hard)
        .map(|(resource, _)| resource)
        .filter(|resource| uses(kind, resource))
        .collect();
    if limited.is_empty() || !counts(quota, kind, new) {
        return Ok(None);
    }
    if let Some(missing) = missing(kind, new, &limited) {
        return Err(format!("failed quota: {name}: must specify {missing}"));
    }
    let unknown: Vec<&str> = limited
        .iter()
        .copied()
        .filter(|resource| amount(used, resource).is_none())
        .collect();
    if !unknown.is_empty() {
        return Err(format!(
            "status unknown for quota: {name}, resources: {}",
            unknown.join(",")
        ));
    }
    let own = usage(kind, new, now_seconds);
    let negative: Vec<&str> = own
        .iter()
        .filter(|(_, amount)| amount.sign() < 0)
        .map(|(resource, _)| resource.as_str())
        .collect();
    if !negative.is_empty() {
        return Err(format!(
            "quota usage is negative for resource(s): {}",
            negative.join(",")
        ));
    }
    let mut delta = own;
    if let Some(old) = old {
        for (resource, before) in usage(kind, old, now_seconds) {
            add(&mut delta, &resource, &before.neg());
        }
    }
    delta.retain(|resource, amount| !amount.is_zero() && limited.contains(resource.as_str()));
    if delta.is_empty() {
        return Ok(None);
    }
    let mut after: Usage = amounts(used)
        .map(|(resource, amount)| (resource.to_owned(), amount))
        .collect();
    let mut exceeded = Vec::new();
    for (resource, more) in &delta {
        add(&mut after, resource, more);
        if let (Some(after), Some(most)) = (after.get(resource), amount(hard, resource))
            && *after > most
        {
            exceeded.push(resource.as_str());
        }
    }
    if !exceeded.is_empty() {
        let print = |amount: &dyn Fn(&str) -> Option<Quantity>| {
            let each = exceeded
                .iter()
                .filter_map(|resource| Some(format!("{resource}={}", amount(resource)?)));
            each.collect::<Vec<_>>().join(",")
        };
        return Err(format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            print(&|resource| delta.get(resource).cloned()),
            print(&|resource| amount(used, resource)),
            print(&|resource| amount(hard, resource)),
        ));
    }
    Ok(Some(to_json(&after)))
}

/// Amounts as an object holds them.
#[must_use]
pub fn to_json(usage: &Usage) -> Value {
    let entries: Map<String, Value> = usage
        .iter()
        .map(|(resource, amount)| (resource.clone(), amount.to_string().into()))
        .collect();
    Value::Object(entries)
}

/// Adds to the amount of one resource.
pub fn add(usage: &mut Usage, resource: &str, more: &Quantity) {
    let own = usage
        .entry(resource.to_owned())
        .or_insert_with(Quantity::zero);
    if let Ok(sum) = own.add(more) {
        *own = sum;
    }
}

/// What containers of a pod do not say although a quota limits it, with their names.
fn missing(kind: &Kind, pod: &Value, limited: &BTreeSet<&str>) -> Option<String> {
    if kind.plural != "pods" || !kind.group.is_empty() {
        return None;
    }
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let of_pod_level = |what: &str, name: &str| amount(at(spec, &["resources", what]), name);
    for container in ["containers", "initContainers"]
        .iter()
        .flat_map(|sort| list(spec, &[sort]))
    {
        for resource in MUST_BE_GIVEN.iter().filter(|r| limited.contains(**r)) {
            let (what, name) = match resource.split_once('.') {
                Some((what, name)) => (what, name),
                None => ("requests", *resource),
            };
            let given = amount(at(container, &["resources", what]), name)
                .or_else(|| of_pod_level(what, name));
            if given.is_none() {
                missing
                    .entry(resource)
                    .or_default()
                    .insert(text(container, &["name"]));
            }
        }
    }
    let each: Vec<String> = missing
        .into_iter()
        .map(|(resource, containers)| {
            let names: Vec<&str> = containers.into_iter().collect();
            format!("{resource} for: {}", names.join(","))
        })
        .collect();
    (!each.is_empty()).then(|| each.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use serde_json::json;

    fn kind(group: &str, kind: &str) -> &'static Kind {
        kinds::of_kind(group, "v1", kind).unwrap()
    }

    #[test]
    fn usages() {
        let check = |of: &Kind, object: Value, expected: Value| {
            let all = usage(of, &object, 1_000);
            let mut all = to_json(&all);
            all.as_object_mut()
                .unwrap()
                .retain(|key, _| expected.get(key).is_some());
            assert_eq!(all, expected, "{object}");
        };
        let pod = kind("", "Pod");
        check(
            pod,
            json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "100m", "a.b/gpu": "1"}, "limits": {"memory": "1Gi"}}}]}}),
            json!({"pods": "1", "count/pods": "1", "cpu": "100m", "requests.cpu": "100m", "limits.memory": "1Gi", "requests.a.b/gpu": "1"}),
        );
        check(
            pod,
            json!({"status": {"phase": "Failed"}}),
            json!({"count/pods": "1"}),
        );
        assert!(!usage(pod, &json!({"status": {"phase": "Failed"}}), 0).contains_key("pods"));
        check(
            kind("", "Service"),
            json!({"spec": {"type": "NodePort", "ports": [{}, {}]}}),
            json!({"services": "1", "services.nodeports": "2", "services.loadbalancers": "0"}),
        );
        check(
            kind("", "PersistentVolumeClaim"),
            json!({"spec": {"storageClassName": "x", "resources": {"requests": {"storage": "1Gi"}}}}),
            json!({"persistentvolumeclaims": "1", "requests.storage": "1Gi", "x.storageclass.storage.k8s.io/requests.storage": "1Gi"}),
        );
        check(
            kind("apps", "Deployment"),
            json!({}),
            json!({"count/deployments.apps": "1"}),
        );
    }

    #[test]
    fn scopes() {
        let check = |scopes: Value, pod: Value, expected: bool| {
            let quota = json!({"spec": scopes});
            assert_eq!(counts(&quota, kind("", "Pod"), &pod), expected, "{scopes}");
        };
        let plain = json!({"spec": {"containers": [{}]}});
        let classy = json!({"spec": {"priorityClassName": "a", "activeDeadlineSeconds": 5, "containers": [{}]}});
        check(json!({}), plain.clone(), true);
        check(json!({"scopes": ["BestEffort"]}), plain.clone(), true);
        check(json!({"scopes": ["NotBestEffort"]}), plain.clone(), false);
        check(json!({"scopes": ["Terminating"]}), plain.clone(), false);
        check(json!({"scopes": ["Terminating"]}), classy.clone(), true);
        let class = |operator: &str, values: Value| json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": operator, "values": values}]}});
        check(class("In", json!(["a"])), classy.clone(), true);
        check(class("In", json!(["b"])), classy.clone(), false);
        check(class("NotIn", json!(["a"])), plain.clone(), true);
        check(class("Exists", json!([])), plain, false);
    }

    #[test]
    fn charging() {
        let check = |status: Value, pod: Value, expected: Result<Option<Value>, &str>| {
            let quota = json!({"metadata": {"name": "q"}, "status": status});
            let answer = charge(&quota, kind("", "Pod"), &pod, None, 0);
            assert_eq!(answer, expected.map_err(str::to_owned), "{status}");
        };
        let pod = |cpu: &str| json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}});
        let status = |hard: &str, used: &str| json!({"hard": {"requests.cpu": hard}, "used": {"requests.cpu": used}});
        check(
            status("1", "0"),
            pod("600m"),
            Ok(Some(json!({"requests.cpu": "600m"}))),
        );
        check(
            status("1", "600m"),
            pod("500m"),
            Err(
                "exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1",
            ),
        );
        check(
            status("1", "0"),
            json!({"spec": {"containers": [{"name": "c"}, {"name": "d"}]}}),
            Err("failed quota: q: must specify requests.cpu for: c,d"),
        );
        check(
            json!({"hard": {"pods": "1"}}),
            pod("1"),
            Err("status unknown for quota: q, resources: pods"),
        );
        check(json!({"hard": {"services": "1"}}), pod("1"), Ok(None));
        check(json!({}), pod("1"), Ok(None));
    }
}
