// SPDX-License-Identifier: Apache-2.0
//! The node's own standing with the API: registration, Lease, status, time, and what goes wrong.

use crate::rig::api::{Fault, LEASE, NODE};
use crate::rig::{Rig, config};
use pico_node::{CRASHES, Counters, PODS, REQUESTS};
use serde_json::{Value, json};

fn condition<'a>(rig: &'a Rig, kind: &str) -> &'a Value {
    let conditions = rig.api.objects[NODE]["status"]["conditions"]
        .as_array()
        .expect("it is there");
    conditions
        .iter()
        .find(|c| c["type"] == kind)
        .expect("it is there")
}

#[test]
fn a_new_node_registers_and_is_ready() {
    let mut rig = Rig::new();
    rig.run(1000);
    assert!(rig.agent.is_ready());
    let node = &rig.api.objects[NODE];
    assert_eq!(
        node["spec"]["taints"][0]["key"],
        "pico.io/embedded-workload"
    );
    assert_eq!(node["spec"]["taints"][0]["effect"], "NoSchedule");
    assert_eq!(node["status"]["capacity"]["pico.io/gpio-pin"], "26");
    assert_eq!(node["status"]["capacity"]["memory"], "264Ki");
    assert_eq!(node["status"]["allocatable"]["memory"], "200Ki");
    assert_eq!(node["status"]["allocatable"]["cpu"], "1800m");
    assert_eq!(
        node["metadata"]["annotations"]["pico.io/available-ecis"],
        r#"["test/ok:v1"]"#
    );
    assert_eq!(condition(&rig, "Ready")["status"], "True");
    // 1 700 000 000 s and half a second that the header cuts off
    assert_eq!(
        condition(&rig, "Ready")["lastTransitionTime"],
        "2023-11-14T22:13:20Z"
    );
    let lease = &rig.api.objects[LEASE];
    assert_eq!(lease["spec"]["holderIdentity"], "pico");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 40);
    assert_eq!(
        lease["metadata"]["ownerReferences"][0]["uid"],
        node["metadata"]["uid"]
    );
}

#[test]
fn an_idle_node_asks_no_more_than_a_kubelet() {
    let mut rig = Rig::new();
    rig.run(10_000);
    let (before, polls) = (rig.api.requests.len(), rig.polls);
    rig.run(3_600_000);
    let leases = rig.api.count(&format!("PATCH {LEASE}"));
    assert!(
        (355..=380).contains(&leases),
        "{leases} renewals in an hour"
    );
    let statuses = rig.api.count(&format!("PATCH {NODE}/status"));
    assert!(
        (12..=14).contains(&statuses),
        "{statuses} statuses in an hour"
    );
    let all = rig.api.requests.len() - before;
    assert!(all < 420, "{all} requests in an hour");
    let polls = rig.polls - polls;
    assert!(polls < 5000, "{polls} wake-ups in an hour");
    assert_eq!(
        rig.api
            .count("GET /api/v1/pods?fieldSelector=spec.nodeName%3Dpico&limit"),
        1
    );
}

#[test]
fn any_segmentation_gives_the_same() {
    let requests = |piece| {
        let mut rig = Rig::new();
        rig.piece = piece;
        rig.run(60_000);
        assert!(rig.agent.is_ready(), "in pieces of {piece}");
        rig.api.requests
    };
    let whole = requests(usize::MAX);
    for piece in [1, 2, 3, 7, 64, 1000] {
        assert_eq!(requests(piece), whole, "in pieces of {piece}");
    }
}

#[test]
fn a_node_that_is_there_is_adopted_with_its_times() {
    let mut rig = Rig::new();
    let since = "2020-01-01T00:00:00Z";
    rig.api.put(
        NODE,
        json!({"metadata": {"name": "pico", "labels": {"mine": "stays"}},
            "status": {"nodeInfo": {"machineID": "pico-0000000000000007"},
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since},
                    {"type": "MemoryPressure", "status": "True", "lastTransitionTime": since}]}}),
    );
    rig.run(2000);
    assert!(rig.agent.is_ready());
    assert_eq!(condition(&rig, "Ready")["lastTransitionTime"], since);
    assert_ne!(
        condition(&rig, "MemoryPressure")["lastTransitionTime"],
        since
    );
    assert_eq!(rig.api.objects[NODE]["metadata"]["labels"]["mine"], "stays");
    assert_eq!(
        rig.api.objects[NODE]["metadata"]["labels"]["pico.io/board"],
        "pico-w"
    );
    assert_eq!(rig.api.count("POST /api/v1/nodes"), 1);
}

#[test]
fn of_two_boards_with_one_name_the_living_one_keeps_it() {
    let mut rig = Rig::new();
    rig.api.put(
        NODE,
        json!({"metadata": {"name": "pico"}, "status": {"nodeInfo": {"machineID": "pico-other"}}}),
    );
    let lease = |s: u64| json!({"metadata": {"name": "pico"}, "spec": {"renewTime": pico_node::time::Wall::from_unix_ms(1_700_000_000_000 + s * 1000).micro().to_string()}});
    rig.api.put(LEASE, lease(0));
    rig.run(20_000);
    assert!(!rig.agent.is_ready() && rig.agent.is_name_taken());
    assert_eq!(
        rig.api.count(&format!("PATCH {NODE}")),
        0,
        "it is left alone"
    );
    // The other one dies; its Lease runs out.
    rig.run(120_000);
    assert!(rig.agent.is_ready());
    assert_eq!(
        rig.api.objects[NODE]["status"]["nodeInfo"]["machineID"],
        "pico-0000000000000007"
    );
}

#[test]
fn a_node_that_was_deleted_comes_back() {
    let mut rig = Rig::new();
    rig.run(15_000);
    let uid = rig.api.objects[NODE]["metadata"]["uid"].clone();
    rig.api.delete(NODE);
    rig.api.delete(LEASE);
    rig.run(15_000);
    assert_ne!(rig.api.objects[NODE]["metadata"]["uid"], uid);
    assert_eq!(
        rig.api.objects[NODE]["spec"]["taints"][0]["key"],
        "pico.io/embedded-workload"
    );
    assert!(rig.api.objects.contains_key(LEASE));
    assert!(rig.agent.is_ready());
}

#[test]
fn pressure_is_said_at_once_and_a_status_without_change_rarely() {
    let mut rig = Rig::new();
    rig.runtime.usage = pico_node::Usage {
        memory: 100,
        memory_total: 1000,
        ..pico_node::Usage::default()
    };
    rig.run(30_000);
    let before = rig.api.count(&format!("PATCH {NODE}/status"));
    let since = condition(&rig, "Ready")["lastTransitionTime"].clone();
    rig.runtime.usage.memory = 900;
    rig.run(12_000);
    assert_eq!(condition(&rig, "MemoryPressure")["status"], "True");
    assert_eq!(
        condition(&rig, "MemoryPressure")["reason"],
        "KubeletHasInsufficientMemory"
    );
    assert_eq!(condition(&rig, "Ready")["lastTransitionTime"], since);
    assert_eq!(rig.api.count(&format!("PATCH {NODE}/status")), before + 1);
}

#[test]
fn refusals_are_waited_out() {
    for status in [401, 403, 429, 500, 503] {
        let mut rig = Rig::new();
        for _ in 0..3 {
            rig.api
                .faults
                .push_back(("POST /api/v1/nodes", Fault::Status(status, "")));
        }
        rig.run(1000);
        assert!(!rig.agent.is_ready(), "{status}");
        rig.run(60_000);
        assert!(rig.agent.is_ready(), "{status}");
        assert_eq!(rig.api.count("POST /api/v1/nodes"), 4, "{status}");
    }
}

#[test]
fn retry_after_is_kept() {
    let mut rig = Rig::new();
    rig.api.faults.push_back((
        "POST /api/v1/nodes",
        Fault::Status(429, "Retry-After: 20\r\n"),
    ));
    rig.run(19_000);
    assert_eq!(rig.api.count("POST /api/v1/nodes"), 1);
    rig.run(5000);
    assert!(rig.agent.is_ready());
}

#[test]
fn garbage_and_cuts_are_survived() {
    let never_ending = [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'x'; 100_000]].concat();
    for garbage in [
        &never_ending[..],
        b"\0\0\0\0\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"a\":[}]}",
        b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n",
    ] {
        let mut rig = Rig::new();
        rig.api
            .faults
            .push_back(("POST /api/v1/nodes", Fault::Garbage(garbage.to_vec())));
        rig.run(60_000);
        assert!(
            rig.agent.is_ready(),
            "{:?}",
            String::from_utf8_lossy(garbage)
        );
    }
    // Cut anywhere: the node was made, so it is adopted afterwards.
    for n in [0, 5, 20, 60, 100, 300, 900] {
        let mut rig = Rig::new();
        rig.api
            .faults
            .push_back(("POST /api/v1/nodes", Fault::CutAfter(n)));
        rig.run(60_000);
        assert!(rig.agent.is_ready(), "cut after {n} bytes");
    }
}

#[test]
fn silence_is_noticed() {
    let mut rig = Rig::new();
    rig.run(5000);
    rig.api
        .faults
        .push_back(("PATCH /apis/coordination", Fault::Silence));
    let before = rig.api.requests.len();
    rig.run(60_000);
    assert!(
        rig.agent.counters().reconnects >= 2,
        "the watch is made anew as well"
    );
    assert!(rig.api.requests.len() > before + 4);
    let lease = rig.api.objects[LEASE]["spec"]["renewTime"]
        .as_str()
        .expect("it is there");
    assert!(lease > "2023-11-14T22:14:10", "{lease}");
}

#[test]
fn a_day_without_a_link() {
    let mut rig = Rig::new();
    rig.run(10_000);
    rig.reachable = false;
    rig.swallow();
    let polls = rig.polls;
    rig.run(86_400_000);
    assert!(rig.polls - polls < 40_000, "{} wake-ups", rig.polls - polls);
    rig.reachable = true;
    rig.run(61_000);
    let lease = rig.api.objects[LEASE]["spec"]["renewTime"]
        .as_str()
        .expect("it is there");
    assert!(lease > "2023-11-15T22:13:", "{lease}");
    assert!(rig.agent.is_ready());
}

#[test]
fn a_server_that_closes_idle_connections_is_no_failure() {
    let mut rig = Rig::new();
    rig.run(5000);
    for _ in 0..50 {
        rig.hang_up(REQUESTS);
        rig.hang_up(PODS);
        rig.run(10_500);
    }
    let leases: Vec<u64> = rig
        .api
        .requests
        .iter()
        .filter(|(_, r)| r.starts_with("PATCH /apis/coordination"))
        .map(|(at, _)| *at)
        .collect();
    let longest = leases
        .windows(2)
        .map(|w| w[1] - w[0])
        .max()
        .expect("it is there");
    assert!(longest < 12_000, "a Lease was not renewed for {longest} ms");
}

#[test]
fn the_clock_follows_the_servers() {
    let mut rig = Rig::new();
    rig.run(5000);
    rig.api.clock += 3_600_000;
    rig.run(25_000);
    let lease = rig.api.objects[LEASE]["spec"]["renewTime"]
        .as_str()
        .expect("it is there");
    assert!(lease.starts_with("2023-11-14T23:13:"), "{lease}");
    rig.api.clock -= 7_200_000;
    rig.run(25_000);
    let lease = rig.api.objects[LEASE]["spec"]["renewTime"]
        .as_str()
        .expect("it is there");
    assert!(lease.starts_with("2023-11-14T21:1"), "{lease}");
}

#[test]
fn without_leases_the_status_is_the_heartbeat() {
    let mut rig = Rig::new();
    for _ in 0..1000 {
        rig.api
            .faults
            .push_back(("POST /apis/coordination", Fault::Status(404, "")));
    }
    rig.run(305_000);
    let statuses = rig.api.count(&format!("PATCH {NODE}/status"));
    assert!(statuses >= 28, "{statuses}");
}

#[test]
fn counters_count() {
    let mut rig = Rig::new();
    assert_eq!(rig.agent.counters(), Counters::default());
    rig.run(10_000);
    let counters = rig.agent.counters();
    assert_eq!(
        (counters.errors, counters.lists, counters.reconnects),
        // The two kinds that this API does not have.
        (2, 1, 0)
    );
    assert!(counters.requests >= 4 && counters.sent > 1000 && counters.received > 1000);
}

#[test]
fn a_board_that_crashes_again_and_again_starts_in_safe_mode() {
    let mut config = config("pico");
    config.crashes = CRASHES;
    let mut rig = Rig::of(config);
    rig.run(2000);
    assert!(rig.agent.is_safe_mode() && rig.agent.is_ready());
    assert_eq!(condition(&rig, "Ready")["status"], "False");
    assert_eq!(condition(&rig, "Ready")["reason"], "SafeMode");
    let path = "/api/v1/namespaces/default/pods/p";
    rig.api.put(
        path,
        json!({"metadata": {"name": "p", "namespace": "default"},
            "spec": {"nodeName": "pico", "containers": [{"name": "c", "image": "test/ok:v1"}]}}),
    );
    rig.run(5000);
    let waiting = &rig.api.objects[path]["status"]["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(waiting["reason"], "SafeMode");
    assert_eq!(rig.kubelet(b"GET /healthz HTTP/1.1\r\n\r\n"), "ok");
    // After ten minutes it tries again with its pods, and after ten more it has proved itself.
    rig.run(590_000);
    assert_eq!(condition(&rig, "Ready")["status"], "False");
    rig.run(10_000);
    assert_eq!(condition(&rig, "Ready")["status"], "True");
    assert_eq!(rig.api.objects[path]["status"]["phase"], "Running");
    assert_eq!(rig.runtime.stable, 0);
    rig.run(600_000);
    assert_eq!((rig.agent.is_safe_mode(), rig.runtime.stable), (false, 1));
}

#[test]
fn one_crash_is_no_reason_to_stop() {
    let mut config = config("pico");
    config.crashes = 1;
    let mut rig = Rig::of(config);
    rig.run(599_000);
    assert!(!rig.agent.is_safe_mode());
    assert_eq!(condition(&rig, "Ready")["status"], "True");
    assert_eq!(rig.runtime.stable, 0);
    rig.run(600_000);
    assert_eq!(rig.runtime.stable, 1);
}

#[test]
fn a_failing_flash_is_an_event_of_the_node() {
    let mut rig = Rig::new();
    rig.run(2000);
    rig.runtime.failure = Some("storage cannot be freed: the flash failed".to_owned());
    rig.run(15_000);
    let events: Vec<&Value> = rig
        .api
        .objects
        .iter()
        .filter(|(path, _)| path.contains("/events/"))
        .map(|(_, event)| event)
        .collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["reason"], "FlashFailed");
    assert_eq!(
        events[0]["message"],
        "storage cannot be freed: the flash failed"
    );
}
