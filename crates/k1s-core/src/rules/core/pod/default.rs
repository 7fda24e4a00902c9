// SPDX-License-Identifier: Apache-2.0
//! Defaults that a Pod has beside those of any pod spec.

use serde_json::{Map, Value, json};

use crate::object::{self, at, at_mut, default_absent, is_true, list_mut, map_mut, text};
use crate::rules::core::pod_template::{default_pod_spec, resource_sum};
use crate::rules::core::resource_name::{allows_overcommit, is_for_pods, is_huge_pages};

/// Fills in the defaults of a Pod.
pub(super) fn default(pod: &mut Value) {
    let spec = object::make_map(pod).entry("spec").or_insert(Value::Null);
    default_pod_spec(spec);
    if object::int(spec, &["terminationGracePeriodSeconds"]).is_some_and(|seconds| seconds < 0) {
        object::set(spec, &["terminationGracePeriodSeconds"], 1);
    }
    for kind in ["containers", "initContainers"] {
        for container in list_mut(spec, &[kind]) {
            requests_from_limits(container);
        }
    }
    huge_pages_from_containers(spec);
    requests_of_pod(spec);
    default_absent(object::make_map(spec), "enableServiceLinks", true);
    if is_true(spec, &["hostNetwork"]) {
        for kind in ["containers", "initContainers"] {
            for container in list_mut(spec, &[kind]) {
                ports_of_host(container);
            }
        }
    }
    default_pod_ips(pod);
}

/// What a container may use is what it asks for, where it does not say.
fn requests_from_limits(container: &mut Value) {
    let Some(Value::Object(limits)) = at(container, &["resources", "limits"]).cloned() else {
        return;
    };
    fill(container, &["resources", "requests"], limits);
}

/// Adds those of the entries that the map at a path lacks; makes no map for none.
fn fill(parent: &mut Value, path: &[&str], entries: Map<String, Value>) {
    if entries.is_empty() {
        return;
    }
    let map = map_mut(parent, path);
    for (key, value) in entries {
        map.entry(key).or_insert(value);
    }
}

/// A pod with resources of its own may use the huge pages that its containers may use together.
fn huge_pages_from_containers(spec: &mut Value) {
    let says =
        |key: &str| at(spec, &["resources", key]).is_some_and(|l| !object::is_unset(Some(l)));
    if !says("limits") && !says("requests") {
        return;
    }
    let asked = |key: &str| at(spec, &["resources", "requests", key]).is_some();
    let pages = resource_sum::of_containers(spec, "limits")
        .into_iter()
        .filter(|(key, _)| is_huge_pages(key) && !asked(key))
        .map(|(key, sum)| (key, json!(sum.to_string())))
        .collect();
    fill(spec, &["resources", "limits"], pages);
}

/// A pod with limits of its own asks for what its containers ask for together, else for its limits.
fn requests_of_pod(spec: &mut Value) {
    let Some(Value::Object(limits)) = at(spec, &["resources", "limits"]).cloned() else {
        return;
    };
    if limits.is_empty() {
        return;
    }
    let sums = resource_sum::of_containers(spec, "requests")
        .into_iter()
        .filter(|(key, _)| is_for_pods(key) && allows_overcommit(key))
        .map(|(key, sum)| (key, json!(sum.to_string())))
        .collect();
    fill(spec, &["resources", "requests"], sums);
    let limits = limits
        .into_iter()
        .filter(|(key, _)| is_for_pods(key))
        .collect();
    fill(spec, &["resources", "requests"], limits);
}

/// On the host's network a container's ports are the host's.
fn ports_of_host(container: &mut Value) {
    for port in list_mut(container, &["ports"]) {
        if let Some(number) = port.get("containerPort").cloned() {
            object::default(object::make_map(port), "hostPort", number);
        }
    }
}

/// `podIP` is the first of `podIPs`; where they differ the one wins, as old kubelets know it only.
fn default_pod_ips(pod: &mut Value) {
    let Some(status) = at_mut(pod, &["status"]) else {
        return;
    };
    let one = text(status, &["podIP"]).to_owned();
    let first = status
        .pointer("/podIPs/0/ip")
        .and_then(Value::as_str)
        .map(str::to_owned);
    match first {
        Some(first) if one.is_empty() => object::set(status, &["podIP"], first),
        Some(first) if first == one => {}
        None if one.is_empty() => {}
        _ => object::set(status, &["podIPs"], json!([{ "ip": one }])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Value, path: &str, expected: Value) {
        let mut pod = json!({ "spec": spec });
        default(&mut pod);
        assert_eq!(
            pod.pointer(path).cloned().unwrap_or_default(),
            expected,
            "{path} of {pod}"
        );
    }

    #[test]
    fn resources() {
        let limits = json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}});
        check(
            json!({"containers": [{"resources": limits}]}),
            "/spec/containers/0/resources/requests",
            json!({"cpu": "1", "memory": "1Gi"}),
        );
        check(
            json!({"containers": [{"resources": {"requests": {"cpu": "1"}}}], "resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}),
            "/spec/resources/requests",
            json!({"cpu": "1", "memory": "1Gi"}),
        );
        check(
            json!({"containers": [{"resources": {}}]}),
            "/spec/containers/0/resources",
            json!({}),
        );
    }

    #[test]
    fn the_rest() {
        check(json!({}), "/spec/enableServiceLinks", json!(true));
        check(
            json!({"hostNetwork": true, "containers": [{"ports": [{"containerPort": 80}]}]}),
            "/spec/containers/0/ports/0/hostPort",
            json!(80),
        );
    }

    #[test]
    fn addresses() {
        let check = |status: Value, expected: Value| {
            let mut pod = json!({ "status": status });
            default_pod_ips(&mut pod);
            assert_eq!(pod["status"], expected);
        };
        check(
            json!({"podIP": "1"}),
            json!({"podIP": "1", "podIPs": [{"ip": "1"}]}),
        );
        check(
            json!({"podIPs": [{"ip": "1"}, {"ip": "2"}]}),
            json!({"podIP": "1", "podIPs": [{"ip": "1"}, {"ip": "2"}]}),
        );
        check(
            json!({"podIP": "3", "podIPs": [{"ip": "1"}]}),
            json!({"podIP": "3", "podIPs": [{"ip": "3"}]}),
        );
        check(json!({}), json!({}));
    }
}
