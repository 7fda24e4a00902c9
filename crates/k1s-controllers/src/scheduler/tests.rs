// SPDX-License-Identifier: Apache-2.0
//! Decisions about a small cluster: two nodes in two zones.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::{Value, json};

use super::filter::{Cycle, Refusal};
use super::pod::PodInfo;
use super::preemption;
use super::state::State;
use super::volumes::{Shelf, Volumes};

fn pod(name: &str, more: &Value) -> Arc<PodInfo> {
    let mut pod = json!({
        "metadata": {"name": name, "namespace": "n", "uid": name, "labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c"}]},
    });
    for (key, value) in more.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    Arc::new(PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap())))
}

fn cpu(amount: &str) -> Value {
    json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": amount}}}]})
}

/// Nodes a and b with two CPUs each, and pods on them: node, specification.
fn cluster(pods: &[(&str, Value)]) -> State {
    let mut state = State::default();
    for (name, zone) in [("a", "east"), ("b", "west")] {
        let node = json!({
            "metadata": {"name": name, "labels": {"host": name, "zone": zone}},
            "status": {"allocatable": {"cpu": "2", "pods": "3"}},
        });
        state.put_node(Arc::new(serde_json::from_value(node).unwrap()));
    }
    for (number, (node, spec)) in pods.iter().enumerate() {
        state.place(node, pod(&format!("p{number}"), spec));
    }
    state
}

/// For each node what speaks against the pod.
fn refusals(state: &State, pod: &PodInfo) -> Vec<(String, Option<Refusal>)> {
    let volumes = Volumes::default();
    let cycle = Cycle::new(pod, state.nodes(), &state.namespaces, &volumes);
    state
        .nodes()
        .map(|node| (node.name().to_owned(), cycle.check(node).err()))
        .collect()
}

/// A claim that one pod may use at a time.
struct OneClaim;

impl Shelf for OneClaim {
    fn claim(&self, _: &str, name: &str) -> Option<Arc<PersistentVolumeClaim>> {
        let claim = json!({
            "metadata": {"name": name, "annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
            "spec": {"accessModes": ["ReadWriteOncePod"], "volumeName": "v"},
        });
        serde_json::from_value(claim).ok().map(Arc::new)
    }

    fn volume(&self, _: &str) -> Option<Arc<PersistentVolume>> {
        Some(Arc::default())
    }

    fn volumes(&self) -> Vec<Arc<PersistentVolume>> {
        Vec::new()
    }

    fn class(&self, _: &str) -> Option<Arc<StorageClass>> {
        None
    }
}

#[test]
fn a_claim_for_one_pod() {
    let with = |claim: &str| json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]});
    let check = |claim: &str, allowed: bool| {
        let state = cluster(&[("a", with("c"))]);
        let pod = pod("new", &with(claim));
        let volumes = Volumes::of(&pod.pod, &OneClaim).unwrap();
        let mut cycle = Cycle::new(&pod, state.nodes(), &state.namespaces, &volumes);
        for node in state.nodes() {
            assert_eq!(cycle.check(node).is_ok(), allowed, "{claim}");
        }
        let (node, other) = (state.node("a").unwrap(), state.place_of("p0").unwrap());
        cycle.remove(&other.1, node);
        assert_eq!(cycle.check(node), Ok(()), "{claim}");
    };
    check("c", false);
    check("d", true);
}

#[test]
fn filters() {
    let check = |pods: &[(&str, Value)], spec: Value, expected: [&str; 2]| {
        let state = cluster(pods);
        let words: Vec<String> = refusals(&state, &pod("new", &spec))
            .into_iter()
            .map(|(_, refusal)| refusal.map_or_else(String::new, |r| r.reasons.join(", ")))
            .collect();
        assert_eq!(words, expected, "{spec}");
    };
    let term =
        |key: &str| json!([{"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": key}]);
    let near = |sort: &str, key: &str| json!({"affinity": {sort: {"requiredDuringSchedulingIgnoredDuringExecution": term(key)}}});
    let spread = |key: &str, more: Value| {
        let mut constraint = json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "x"}}});
        for (key, value) in more.as_object().unwrap() {
            constraint[key] = value.clone();
        }
        json!({"topologySpreadConstraints": [constraint]})
    };
    let one = || ("a", cpu("1"));
    check(&[], cpu("2"), ["", ""]);
    check(&[one()], cpu("1500m"), ["Insufficient cpu", ""]);
    check(
        &[one()],
        json!({"nodeSelector": {"host": "b"}}),
        ["node(s) didn't match Pod's node affinity/selector", ""],
    );
    check(
        &[("a", json!({})), ("a", json!({})), ("a", json!({}))],
        json!({}),
        ["Too many pods", ""],
    );
    check(
        &[one()],
        near("podAffinity", "host"),
        ["", "node(s) didn't match pod affinity rules"],
    );
    check(&[], near("podAffinity", "host"), ["", ""]);
    check(
        &[],
        near("podAffinity", "rack"),
        ["node(s) didn't match pod affinity rules"; 2],
    );
    check(
        &[one()],
        near("podAntiAffinity", "host"),
        ["node(s) didn't match pod anti-affinity rules", ""],
    );
    check(
        &[("b", near("podAntiAffinity", "zone"))],
        json!({}),
        [
            "",
            "node(s) didn't satisfy existing pods anti-affinity rules",
        ],
    );
    check(
        &[one()],
        spread("zone", json!({})),
        ["node(s) didn't match pod topology spread constraints", ""],
    );
    check(&[one()], spread("zone", json!({"maxSkew": 2})), ["", ""]);
    check(
        &[one()],
        spread("zone", json!({"whenUnsatisfiable": "ScheduleAnyway"})),
        ["", ""],
    );
    check(
        &[one(), ("b", json!({}))],
        spread("zone", json!({"minDomains": 3})),
        ["node(s) didn't match pod topology spread constraints"; 2],
    );
    check(
        &[],
        spread("rack", json!({})),
        ["node(s) didn't match pod topology spread constraints (missing required label)"; 2],
    );
    let port = |number: i32| json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": number}]}]});
    check(
        &[("a", port(80))],
        port(80),
        [
            "node(s) didn't have free ports for the requested pod ports",
            "",
        ],
    );
    check(&[("a", port(80))], port(81), ["", ""]);
}

#[test]
fn preemptions() {
    let check =
        |pods: &[(&str, i32, &str)], new: &str, expected: Result<(&str, &[&str]), &[&str]>| {
            let pods: Vec<(&str, Value)> = pods
                .iter()
                .map(|(node, priority, amount)| {
                    let mut spec = cpu(amount);
                    spec["priority"] = json!(priority);
                    (*node, spec)
                })
                .collect();
            let state = cluster(&pods);
            let mut spec = cpu(new);
            spec["priority"] = json!(10);
            let pod = pod("new", &spec);
            let refusals = refusals(&state, &pod);
            let volumes = Volumes::default();
            let cycle = Cycle::new(&pod, state.nodes(), &state.namespaces, &volumes);
            let nodes = state
                .nodes()
                .zip(refusals.iter().map(|(_, refusal)| refusal.as_ref()));
            let found = preemption::find(&cycle, nodes, &[]);
            let found = found
                .map(|c| {
                    let victims = c.victims.iter().map(|v| v.name().to_owned());
                    (c.node, victims.collect::<Vec<_>>())
                })
                .map_err(|why| why.into_iter().map(String::from).collect::<Vec<_>>());
            let owned = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
            let expected = expected
                .map(|(node, victims)| (node.to_owned(), owned(victims)))
                .map_err(owned);
            assert_eq!(found, expected, "{pods:?}");
        };
    // The least important victim goes, and no more of them than needed.
    check(&[("a", 5, "2"), ("b", 1, "2")], "1", Ok(("b", &["p1"])));
    check(
        &[("a", 1, "1"), ("a", 2, "1"), ("b", 9, "2")],
        "1",
        Ok(("a", &["p0"])),
    );
    check(
        &[("a", 1, "1"), ("a", 1, "1"), ("b", 1, "2")],
        "2",
        Ok(("b", &["p2"])),
    );
    let none = "No preemption victims found for incoming pod";
    check(&[("a", 10, "2"), ("b", 10, "2")], "1", Err(&[none, none]));
    let vain = "Preemption is not helpful for scheduling";
    check(&[("a", 1, "2"), ("b", 1, "2")], "3", Err(&[vain, vain]));
}
