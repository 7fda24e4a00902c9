// SPDX-License-Identifier: Apache-2.0
//! What limit ranges do to pods and claims: they fill in amounts, and say what is too little or too much.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::core::pod_template::resource_sum;
use super::core::resource_name::{amount, amounts};
use crate::object::{list, list_mut, map, map_mut, set, text};
use crate::quantity::Quantity;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";
const CONTAINER: &str = "Container";
const POD: &str = "Pod";
const CLAIM: &str = "PersistentVolumeClaim";
/// Lists of containers with the words for one of them.
const CONTAINERS: [(&str, &str); 2] = [
    ("containers", "container"),
    ("initContainers", "init container"),
];
/// What a pod as a whole may say itself instead of the sum of its containers.
const OF_PODS: [&str; 2] = ["cpu", "memory"];

type Amounts = BTreeMap<String, Quantity>;

/// Gives the containers of a new pod the amounts that they lack, and notes in an annotation which.
pub fn fill(pod: &mut Value, range: &Value) {
    let (mut requests, mut limits) = (Map::new(), Map::new());
    for limit in of_type(range, CONTAINER) {
        requests.extend(map(limit, &["defaultRequest"]).cloned().unwrap_or_default());
        limits.extend(map(limit, &["default"]).cloned().unwrap_or_default());
    }
    let mut notes = Vec::new();
    for (kind, words) in CONTAINERS {
        for container in list_mut(pod, &["spec", kind]) {
            let name = text(container, &["name"]).to_owned();
            for (key, what, defaults) in [
                ("requests", "request", &requests),
                ("limits", "limit", &limits),
            ] {
                let added = add(container, key, defaults);
                if !added.is_empty() {
                    notes.push(format!("{} {what} for {words} {name}", added.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        set(pod, &["metadata", "annotations", ANNOTATION], note);
    }
}

/// Adds the amounts that are missing; gives their names, sorted.
fn add(container: &mut Value, key: &str, defaults: &Map<String, Value>) -> Vec<String> {
    let own = map(container, &["resources", key]);
    let missing: Vec<String> = defaults
        .keys()
        .filter(|name| own.is_none_or(|own| !own.contains_key(*name)))
        .cloned()
        .collect();
    if !missing.is_empty() {
        let list = map_mut(container, &["resources", key]);
        for name in &missing {
            list.insert(name.clone(), defaults[name].clone());
        }
    }
    missing
}

fn of_type<'a>(range: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    list(range, &["spec", "limits"])
        .iter()
        .filter(move |limit| text(limit, &["type"]) == kind)
}

/// What a limit range has against a pod.
#[must_use]
pub fn pod_complaints(pod: &Value, range: &Value) -> Vec<String> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let mut complaints = Vec::new();
    for limit in list(range, &["spec", "limits"]) {
        match text(limit, &["type"]) {
            CONTAINER => {
                for container in CONTAINERS.iter().flat_map(|(kind, _)| list(spec, &[kind])) {
                    let resources = container.get("resources").unwrap_or(&Value::Null);
                    let [requests, limits] =
                        ["requests", "limits"].map(|k| collect(resources.get(k)));
                    complain(CONTAINER, limit, &requests, &limits, &mut complaints);
                }
            }
            POD => {
                let [requests, limits] = ["requests", "limits"].map(|k| of_whole_pod(spec, k));
                complain(POD, limit, &requests, &limits, &mut complaints);
            }
            _ => {}
        }
    }
    complaints
}

fn collect(list: Option<&Value>) -> Amounts {
    amounts(list)
        .map(|(name, amount)| (name.to_owned(), amount))
        .collect()
}

/// The sum over the containers, or what the pod says itself.
fn of_whole_pod(spec: &Value, key: &str) -> Amounts {
    let mut sum = resource_sum::of_containers(spec, key);
    let own = spec.get("resources").and_then(|r| r.get(key));
    for name in OF_PODS {
        if let Some(amount) = amount(own, name) {
            sum.insert(name.to_owned(), amount);
        }
    }
    sum
}

fn complain(
    kind: &str,
    limit: &Value,
    requests: &Amounts,
    limits: &Amounts,
    complaints: &mut Vec<String>,
) {
    for (name, min) in amounts(limit.get("min")) {
        let words = format!("minimum {name} usage per {kind} is {min}");
        complaints.extend(match (requests.get(name), limits.get(name)) {
            (None, _) => Some(format!("{words}.  No request is specified")),
            (Some(request), _) if *request < min => {
                Some(format!("{words}, but request is {request}"))
            }
            (_, Some(limit)) if *limit < min => Some(format!("{words}, but limit is {limit}")),
            _ => None,
        });
    }
    for (name, max) in amounts(limit.get("max")) {
        let words = format!("maximum {name} usage per {kind} is {max}");
        complaints.extend(match (requests.get(name), limits.get(name)) {
            (_, None) => Some(format!("{words}.  No limit is specified")),
            (_, Some(limit)) if *limit > max => Some(format!("{words}, but limit is {limit}")),
            (Some(request), _) if *request > max => {
                Some(format!("{words}, but request is {request}"))
            }
            _ => None,
        });
    }
    for (name, ratio) in amounts(limit.get("maxLimitRequestRatio")) {
        complaints.extend(ratio_complaint(
            kind,
            name,
            &ratio,
            requests.get(name),
            limits.get(name),
        ));
    }
}

fn ratio_complaint(
    kind: &str,
    name: &str,
    most: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let words = format!("{name} max limit to request ratio per {kind} is {most}");
    let Some(request) = request.filter(|r| !r.is_zero()) else {
        return Some(format!(
            "{words}, but no request is specified or request is 0"
        ));
    };
    let Some(limit) = limit.filter(|l| !l.is_zero()) else {
        return Some(format!("{words}, but no limit is specified or limit is 0"));
    };
    let ratio = limit.to_f64() / request.to_f64();
    (ratio > most.to_f64()).then(|| format!("{words}, but provided ratio is {ratio:.6}"))
}

/// What a limit range has against a claim.
#[must_use]
pub fn claim_complaints(claim: &Value, range: &Value) -> Vec<String> {
    let requests = claim.pointer("/spec/resources/requests");
    let mut complaints = Vec::new();
    for limit in of_type(range, CLAIM) {
        for (name, min) in amounts(limit.get("min")) {
            let words = format!("minimum {name} usage per {CLAIM} is {min}");
            complaints.extend(match amount(requests, name) {
                None => Some(format!("{words}.  No request is specified")),
                Some(request) if request < min => {
                    Some(format!("{words}, but request is {request}"))
                }
                Some(_) => None,
            });
        }
        for (name, max) in amounts(limit.get("max")) {
            let words = format!("maximum {name} usage per {CLAIM} is {max}");
            complaints.extend(match amount(requests, name) {
                None => Some(format!("{words}.  No request is specified")),
                Some(request) if request > max => {
                    Some(format!("{words}, but request is {request}"))
                }
                Some(_) => None,
            });
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_are_filled_in() {
        let range = json!({"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}}]}});
        let mut pod = json!({"spec": {"containers": [{"name": "c"}, {"name": "d", "resources": {"requests": {"cpu": "2"}}}]}});
        fill(&mut pod, &range);
        assert_eq!(
            pod["spec"]["containers"][0]["resources"],
            json!({"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}})
        );
        assert_eq!(
            pod["metadata"]["annotations"][ANNOTATION],
            "LimitRanger plugin set: cpu request for container c; cpu limit for container c; cpu limit for container d"
        );
    }

    #[test]
    fn complaints() {
        let check = |limit: Value, resources: Value, expected: &[&str]| {
            let range = json!({"spec": {"limits": [limit]}});
            let pod = json!({"spec": {"containers": [{"resources": resources}]}});
            assert_eq!(pod_complaints(&pod, &range), expected);
        };
        let max = json!({"type": "Container", "max": {"cpu": "2"}});
        check(max.clone(), json!({"limits": {"cpu": "2"}}), &[]);
        check(
            max.clone(),
            json!({"limits": {"cpu": "3"}}),
            &["maximum cpu usage per Container is 2, but limit is 3"],
        );
        check(
            max,
            json!({}),
            &["maximum cpu usage per Container is 2.  No limit is specified"],
        );
        check(
            json!({"type": "Pod", "maxLimitRequestRatio": {"cpu": "2"}}),
            json!({"limits": {"cpu": "3"}, "requests": {"cpu": "1"}}),
            &["cpu max limit to request ratio per Pod is 2, but provided ratio is 3.000000"],
        );
    }
}
