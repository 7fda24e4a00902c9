// SPDX-License-Identifier: Apache-2.0
//! What a bad API server or network does to a node that runs a pod: it goes on working, and asks no more than it may.

use serde_json::{Value, json};

use crate::rig::Rig;
use crate::rig::api::{Fault, LEASE, NODE};
use pico_node::PODS;

const POD: &str = "/api/v1/namespaces/default/pods/p";
const LIST: &str = "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dpico&limit";

fn pod(name: &str, node: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "test/ok:v1"}]}})
}

fn running() -> Rig {
    let mut rig = Rig::new();
    rig.run(2000);
    rig.api.put(POD, pod("p", "pico"));
    rig.run(3000);
    assert_is_well(&mut rig);
    rig
}

/// The last sign of life: of the Lease, and of the status, which does its work where Leases are refused.
fn heartbeats(rig: &Rig) -> [Value; 2] {
    [
        rig.api.objects[LEASE]["spec"]["renewTime"].clone(),
        rig.api.objects[NODE]["status"]["conditions"][0]["lastHeartbeatTime"].clone(),
    ]
}

/// The node is ready and gives signs of life, and its pod runs since it was first started.
fn assert_is_well(rig: &mut Rig) {
    assert!(rig.agent.is_ready());
    let before = heartbeats(rig);
    rig.run(25_000);
    assert_ne!(heartbeats(rig), before);
    let status = &rig.api.objects[POD]["status"];
    assert_eq!(status["phase"], "Running");
    assert_eq!(status["containerStatuses"][0]["restartCount"], 0);
}

#[test]
fn every_refusal_of_every_request_is_waited_out() {
    for status in [400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503, 504] {
        for request in [
            "PATCH /apis/coordination",
            "PATCH /api/v1/nodes",
            "GET /api/v1/pods",
            "PATCH /api/v1/namespaces/default/pods",
            "POST /api/v1/namespaces/default/events",
            "GET /api/v1/nodes/",
        ] {
            let mut rig = running();
            for _ in 0..3 {
                rig.api
                    .faults
                    .push_back((request, Fault::Status(status, "")));
            }
            let (asked, polls) = (rig.api.requests.len(), rig.polls);
            // Everything is asked for once more: the status is due, the watch begins anew, the pod changes.
            rig.hang_up(PODS);
            rig.api
                .change(POD, |o| o["metadata"]["labels"] = json!({"a": "b"}));
            rig.run(400_000);
            let asked = rig.api.requests.len() - asked;
            assert!(asked < 200, "{status} to {request}: {asked} requests");
            let polls = rig.polls - polls;
            assert!(polls < 3000, "{status} to {request}: {polls} wake-ups");
            assert_is_well(&mut rig);
        }
    }
}

#[test]
fn an_hour_of_401_is_survived() {
    let mut rig = running();
    for _ in 0..2000 {
        rig.api.faults.push_back(("", Fault::Status(401, "")));
    }
    let asked = rig.api.requests.len();
    rig.run(3_600_000);
    let asked = rig.api.requests.len() - asked;
    assert!(asked < 1000, "{asked} requests");
    rig.api.faults.clear();
    rig.run(180_000);
    assert_is_well(&mut rig);
}

#[test]
fn answers_that_come_slowly_are_read() {
    let mut rig = running();
    for request in ["PATCH /apis/coordination", LIST] {
        rig.api.faults.push_back((request, Fault::Slow(20)));
    }
    rig.api.compacted = rig.api.revision + 1;
    rig.api.revision += 1;
    rig.hang_up(PODS);
    let reconnects = rig.agent.counters().reconnects;
    rig.run(120_000);
    assert!(rig.api.faults.is_empty(), "both were asked");
    assert_eq!(
        rig.agent.counters().reconnects,
        reconnects + 1,
        "none was given up"
    );
    assert_is_well(&mut rig);
}

#[test]
fn a_byte_in_a_minute_is_no_answer() {
    let mut rig = running();
    rig.api
        .faults
        .push_back(("PATCH /apis/coordination", Fault::Slow(60_000)));
    rig.run(60_000);
    assert!(rig.agent.counters().reconnects >= 1);
    assert_is_well(&mut rig);
}

#[test]
fn a_list_cut_at_any_byte_takes_nothing_away() {
    let mut rig = running();
    for n in (0..900).step_by(37) {
        rig.api.revision += 1;
        rig.api.compacted = rig.api.revision;
        rig.api.faults.push_back((LIST, Fault::CutAfter(n)));
        rig.hang_up(PODS);
        rig.run(70_000);
        assert!(rig.api.faults.is_empty());
        assert_eq!(rig.agent.pod_names(), [("default", "p")], "cut after {n}");
    }
    assert_is_well(&mut rig);
}

#[test]
fn json_as_deep_as_the_sea_is_refused() {
    for nest in ["[", "{\"a\":"] {
        let deep = nest.repeat(50_000);
        for body in [
            deep.clone(),
            format!("{{\"items\":[{deep}"),
            format!("{{\"items\":[{{\"metadata\":{{\"uid\":{deep}"),
            format!("{{\"type\":\"ADDED\",\"object\":{deep}"),
        ] {
            let mut rig = running();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let answer = answer.into_bytes();
            rig.api
                .faults
                .push_back(("GET /api/v1/pods", Fault::Garbage(answer)));
            rig.hang_up(PODS);
            rig.run(70_000);
            assert!(rig.api.faults.is_empty());
            assert_is_well(&mut rig);
        }
    }
}

#[test]
fn garbage_on_a_watch_is_survived() {
    for garbage in [
        "nonsense\n",
        "{\"type\":\"ADDED\"}\n",
        "{\"type\":\"ADDED\",\"object\":null}\n",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"uid\":7,\"name\":[]}}}\n",
        "{\"type\":\"DELETED\",\"object\":{}}\n",
        "{\"type\":\"NEW\",\"object\":{}}\n",
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"\"}}}\n",
        "[]\n",
    ] {
        let mut rig = running();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{garbage}\r\n0\r\n\r\n",
            garbage.len()
        );
        rig.api
            .faults
            .push_back(("GET /api/v1/pods", Fault::Garbage(answer.into_bytes())));
        rig.hang_up(PODS);
        rig.run(70_000);
        assert!(rig.api.faults.is_empty());
        assert_eq!(rig.agent.pod_names(), [("default", "p")], "{garbage}");
        assert_is_well(&mut rig);
    }
}

#[test]
fn a_server_that_lists_the_whole_cluster_is_read_to_the_end() {
    let mut rig = running();
    rig.api.page = usize::MAX;
    for n in 0..3000 {
        let name = format!("other{n}");
        rig.api.put(
            &format!("/api/v1/namespaces/default/pods/{name}"),
            pod(&name, "another-node"),
        );
    }
    rig.api.revision += 1;
    rig.api.compacted = rig.api.revision;
    rig.hang_up(PODS);
    rig.run(10_000);
    assert_eq!(rig.agent.pod_names(), [("default", "p")]);
    assert_is_well(&mut rig);
}

#[test]
fn a_node_deleted_by_hand_comes_back_with_its_pods() {
    let mut rig = running();
    rig.api.delete(NODE);
    rig.api.delete(LEASE);
    rig.run(320_000);
    assert_eq!(
        rig.api.objects[NODE]["spec"]["taints"][0]["key"],
        "pico.io/embedded-workload"
    );
    assert_is_well(&mut rig);
}

#[test]
fn a_day_without_a_link_ends_no_pod() {
    let mut rig = running();
    rig.reachable = false;
    rig.swallow();
    rig.run(86_400_000);
    let log = rig.kubelet(b"GET /run/default/p/c?cmd=uptime HTTP/1.1\r\n\r\n");
    assert!(log.starts_with("864"), "{log}");
    rig.reachable = true;
    rig.run(61_000);
    assert_is_well(&mut rig);
}

#[test]
fn a_server_whose_clock_jumps_ends_no_pod() {
    let mut rig = running();
    for jump in [86_400_000_i64 * 365, -86_400_000 * 700, 86_400_000 * 335] {
        rig.api.clock = rig.api.clock.checked_add_signed(jump).expect("a time");
        rig.run(60_000);
        assert_is_well(&mut rig);
    }
}
