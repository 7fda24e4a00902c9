// SPDX-License-Identifier: Apache-2.0
//! The node's own port, as kubectl, metrics-server and Prometheus read it, and what bad peers do to it.

use std::collections::BTreeMap;

use pico_node::MAX_CONNECTIONS;
use serde_json::{Value, json};

use crate::rig::Rig;

/// A node that runs a pod of two containers: one works, one has ended with a failure.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.run(2000);
    rig.api.put(
        "/api/v1/namespaces/default/pods/p",
        json!({"metadata": {"name": "p", "namespace": "default"},
            "spec": {"nodeName": "pico", "containers": [
                {"name": "c", "image": "test/ok:v1", "env": [{"name": "SAY", "value": "good day"}]},
                {"name": "d", "image": "test/fails:v1"}]}}),
    );
    rig.run(25_000);
    rig
}

fn get(rig: &mut Rig, path: &str) -> (String, String) {
    let (head, body, _) = rig.kubelet_answer(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
    (head, body)
}

fn json_of(rig: &mut Rig, path: &str) -> Value {
    let (head, body) = get(rig, path);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
    assert!(
        head.contains("\r\nContent-Type: application/json\r\n"),
        "{path}: {head}"
    );
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// Samples of the text format by name and labels. Every family has its type once, before its samples.
fn samples(rig: &mut Rig, path: &str) -> BTreeMap<String, f64> {
    let (head, body) = get(rig, path);
    assert!(
        head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{head}"
    );
    assert!(body.ends_with('\n'));
    let mut types = BTreeMap::new();
    let mut found = BTreeMap::new();
    for line in body.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').expect("a type");
            assert!(matches!(kind, "gauge" | "counter"), "{line}");
            assert!(types.insert(name.to_owned(), kind).is_none(), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let name = series.split('{').next().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(!name.is_empty() && name.chars().all(is_name), "{line}");
        assert!(types.contains_key(name), "{line} has no type");
        if let Some(labels) = series.strip_prefix(&format!("{name}{{")) {
            for label in labels.strip_suffix('}').expect("an end").split(',') {
                let (_, value) = label.split_once('=').expect("a label");
                assert!(value.starts_with('"') && value.ends_with('"'), "{line}");
            }
        }
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(
            found.insert(series.to_owned(), value).is_none(),
            "{line} twice"
        );
    }
    found
}

#[test]
fn health() {
    let mut rig = Rig::new();
    let (head, body) = get(&mut rig, "/readyz");
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert!(body.contains("not registered"), "{body}");
    rig.run(2000);
    for path in ["/healthz", "/livez", "/readyz", "/healthz?verbose"] {
        let (head, body) = get(&mut rig, path);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
        assert_eq!(body, "ok", "{path}");
    }
}

#[test]
fn pods() {
    let mut rig = rig();
    let list = json_of(&mut rig, "/pods");
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (&"PodList".into(), &"v1".into())
    );
    let pod = &list["items"][0];
    assert_eq!(pod["metadata"]["name"], "p");
    assert_eq!(pod["metadata"]["namespace"], "default");
    assert!(pod["metadata"]["uid"].is_string());
    assert_eq!(pod["spec"]["containers"][0]["name"], "c");
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(pod["status"]["containerStatuses"][0]["name"], "c");
    assert_eq!(
        json_of(&mut rig, "/runningpods/")["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn figures_that_metrics_server_reads() {
    let mut rig = rig();
    let found = samples(&mut rig, "/metrics/resource");
    let container = "{container=\"c\",namespace=\"default\",pod=\"p\"}";
    for name in [
        "node_cpu_usage_seconds_total".to_owned(),
        "node_memory_working_set_bytes".to_owned(),
        format!("container_cpu_usage_seconds_total{container}"),
        format!("container_memory_working_set_bytes{container}"),
        format!("container_start_time_seconds{container}"),
    ] {
        assert!(found.contains_key(&name), "{name} of {found:?}");
    }
    assert_eq!(found["resource_scrape_error"], 0.0);
    // Seconds since 1970, and not the ones since the start.
    let started = found[&format!("container_start_time_seconds{container}")];
    assert!(
        (1_700_000_000.0..1_700_000_100.0).contains(&started),
        "{started}"
    );
    assert!(found[&format!("container_memory_working_set_bytes{container}")] >= 1000.0);
}

#[test]
fn figures_that_prometheus_reads() {
    let mut rig = rig();
    let found = samples(&mut rig, "/metrics");
    assert_eq!(found["kubelet_running_pods"], 1.0);
    assert!(found["node_uptime_seconds"] >= 26.0);
    assert!(found["pico_api_requests_total"] >= 5.0);
    let restarts = "pico_container_restarts_total{namespace=\"default\",pod=\"p\",container=\"d\"}";
    assert!(found[restarts] >= 1.0);
    // Counters only grow.
    rig.run(60_000);
    let later = samples(&mut rig, "/metrics");
    for name in [
        "node_uptime_seconds",
        "pico_api_requests_total",
        "pico_api_sent_bytes_total",
    ] {
        assert!(later[name] > found[name], "{name}");
    }
}

#[test]
fn the_summary_that_clients_of_kubelets_read() {
    let mut rig = rig();
    let summary = json_of(&mut rig, "/stats/summary");
    let node = &summary["node"];
    assert_eq!(node["nodeName"], "pico");
    let pod = &summary["pods"][0];
    assert_eq!(pod["podRef"]["name"], "p");
    assert_eq!(pod["podRef"]["namespace"], "default");
    assert!(pod["podRef"]["uid"].is_string());
    for (what, of) in [
        ("node", node),
        ("pod", pod),
        ("container", &pod["containers"][0]),
    ] {
        for (group, field) in [
            ("cpu", "usageNanoCores"),
            ("cpu", "usageCoreNanoSeconds"),
            ("memory", "workingSetBytes"),
            ("memory", "usageBytes"),
        ] {
            assert!(of[group][field].is_u64(), "{what} {group}.{field}: {of}");
        }
        assert!(
            of["cpu"]["time"].is_string() && of["startTime"].is_string(),
            "{what}: {of}"
        );
    }
    assert_eq!(node["fs"]["capacityBytes"].as_u64(), Some(0));
}

#[test]
fn configuration_and_the_board() {
    let mut rig = rig();
    let configured = &json_of(&mut rig, "/configz")["kubeletconfig"];
    assert_eq!(configured["kind"], "KubeletConfiguration");
    assert_eq!(configured["nodeStatusUpdateFrequency"], "10s");
    assert_eq!(configured["maxPods"], 10);
    assert_eq!(json_of(&mut rig, "/spec")["num_cores"], 2);
    assert_eq!(json_of(&mut rig, "/pico/status")["board"], "pico-w");
    assert_eq!(json_of(&mut rig, "/pico/memory"), json!({}));
}

#[test]
fn logs() {
    let mut rig = rig();
    let (head, body) = get(&mut rig, "/containerLogs/default/p/c?tailLines=2");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"),
        "{head}"
    );
    assert_eq!(body, "good day\ngood day\n");
    let (_, body) = get(
        &mut rig,
        "/containerLogs/default/p/c?tailLines=1&timestamps=true",
    );
    assert!(body.starts_with("2023-11-14T22:13:"), "{body}");
    let (_, body) = get(&mut rig, "/containerLogs/default/p/d?previous=true");
    assert_eq!(body, "ending\n");
    for (path, status, why) in [
        ("/containerLogs/default/q/c", 404, "is not on this node"),
        ("/containerLogs/default/p/x", 404, "has no container \"x\""),
        (
            "/containerLogs/default/p/c?previous=true",
            400,
            "previous terminated container \"c\"",
        ),
        (
            "/containerLogs/default/p/c?sinceTime=now",
            400,
            "no time of RFC 3339",
        ),
    ] {
        let (head, body) = get(&mut rig, path);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {head}"
        );
        assert!(body.contains(why), "{path}: {body}");
    }
}

#[test]
fn a_log_of_a_container_that_waits() {
    let mut rig = Rig::new();
    rig.run(2000);
    let waits = json!({"metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "pico", "containers": [{"name": "c", "image": "test/fails:v1"}, {"name": "d", "image": "test/none:v1"}]}});
    rig.api.put("/api/v1/namespaces/default/pods/p", waits);
    rig.run(5000);
    // Between two runs the last one's is told, as with a kubelet: why it fails is what is looked for.
    let (head, last) = get(&mut rig, "/containerLogs/default/p/c");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(!last.is_empty());
    assert_eq!(
        get(&mut rig, "/containerLogs/default/p/c?previous=true").1,
        last
    );
    let (head, body) = get(&mut rig, "/containerLogs/default/p/d");
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let why = "container \"d\" in pod \"p\" is waiting to start: ";
    assert!(body.starts_with(why) && body.contains("image"), "{body}");
}

#[test]
fn anybody_is_told_of_its_health_and_nothing_more() {
    let mut rig = rig();
    let mut check = |request: &str, expected: u16| {
        let now = rig.now;
        assert!(rig.agent.accept(9, now));
        let asked = format!("{request} HTTP/1.1\r\n\r\n");
        rig.agent.served(9, asked.as_bytes(), now, &mut rig.runtime);
        let answer = said(&mut rig, 9);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected} ")),
            "{request}: {answer}"
        );
        assert_eq!(
            expected == 401,
            answer.contains("the API server"),
            "{request}: {answer}"
        );
        rig.agent.served_closed(9);
    };
    for path in ["/healthz", "/livez", "/readyz"] {
        check(&format!("GET {path}"), 200);
    }
    let figures = ["/metrics", "/metrics/resource", "/stats/summary"];
    for path in figures {
        check(&format!("GET {path}"), 401);
    }
    let others = [
        "GET /pods",
        "GET /runningpods/",
        "GET //pods",
        "GET /pods?x=/healthz",
        "GET /containerLogs/default/p/c",
        "GET /spec",
        "GET /configz",
        "GET /pico/status",
        "GET /pico/memory",
        "GET /",
        "GET /none",
        "GET /exec/default/p/c?command=ls&output=1",
        "POST /exec/default/p/c?command=ls&output=1",
        "POST /run/default/p/c?cmd=ls",
        "POST /attach/default/p/c",
        "GET /proxy/default/p/80/",
        "PUT /pods",
        "GET /healthz/x",
        "GET /metrics/cadvisor",
    ];
    for request in others {
        check(request, 401);
    }
    check("PUT /healthz", 405);
    let config = pico_node::Config {
        open_metrics: true,
        ..crate::rig::config("pico")
    };
    rig = Rig::of(config);
    rig.run(2000);
    let mut check = |request: &str, expected: u16| {
        let now = rig.now;
        assert!(rig.agent.accept(9, now));
        let asked = format!("GET {request} HTTP/1.1\r\n\r\n");
        rig.agent.served(9, asked.as_bytes(), now, &mut rig.runtime);
        let answer = said(&mut rig, 9);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected} ")),
            "{request}: {answer}"
        );
        rig.agent.served_closed(9);
    };
    for path in figures {
        check(path, 200);
    }
    check("/pods", 401);
}

#[test]
fn connection_close_is_kept_to() {
    let mut rig = rig();
    for path in ["/healthz", "/pods", "/containerLogs/default/p/c", "/none"] {
        let asked = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n");
        let (head, _, is_closed) = rig.kubelet_answer(asked.as_bytes());
        assert!(is_closed, "{path}");
        assert!(head.contains("\r\nConnection: close"), "{path}: {head}");
        let asked = format!("GET {path} HTTP/1.1\r\n\r\n");
        let (head, _, is_closed) = rig.kubelet_answer(asked.as_bytes());
        assert!(!is_closed && !head.contains("Connection"), "{path}: {head}");
    }
}

#[test]
fn of_idle_peers_the_oldest_gives_way() {
    let mut rig = rig();
    let count = u32::try_from(MAX_CONNECTIONS).expect("a few");
    for id in 10..10 + count {
        rig.run(10);
        assert!(rig.agent.accept(id, rig.now), "{id}");
    }
    // The first one asks and is answered: the second one is the oldest now. Half a request is none.
    for (id, request) in [
        (10, &b"GET /healthz HTTP/1.1\r\n\r\n"[..]),
        (11, b"GET /hea"),
    ] {
        rig.run(10);
        rig.agent.served(id, request, rig.now, &mut rig.runtime);
        let n = rig.agent.serving(id).len();
        assert!(!rig.agent.served_sent(id, n, rig.now, &mut rig.runtime));
    }
    assert!(rig.agent.accept(20, rig.now));
    assert_eq!(rig.agent.served_expired(), Some(11));
    assert_eq!(rig.agent.served_expired(), None);
    // Whoever does nothing for a minute is not waited for.
    rig.run(61_000);
    let mut expired: Vec<u32> = std::iter::from_fn(|| rig.agent.served_expired()).collect();
    expired.sort_unstable();
    assert_eq!(expired, [10, 12, 13, 14, 20]);
}

#[test]
fn who_does_not_take_the_answer_is_not_waited_for() {
    let mut rig = rig();
    assert!(rig.agent.accept(10, rig.now));
    let now = rig.now;
    rig.agent
        .served(10, b"GET /healthz HTTP/1.1\r\n\r\n", now, &mut rig.runtime);
    assert!(!rig.agent.serving(10).is_empty());
    rig.run(59_000);
    assert_eq!(rig.agent.served_expired(), None);
    rig.run(2000);
    assert_eq!(rig.agent.served_expired(), Some(10));
    assert!(rig.agent.serving(10).is_empty());
}

#[test]
fn logs_that_are_followed_leave_room_for_questions() {
    let mut rig = web();
    let asked = b"GET /containerLogs/default/p/c?follow=true HTTP/1.1\r\n\r\n";
    let followers = u32::try_from(MAX_CONNECTIONS).expect("a few") - 1;
    for id in 0..followers {
        assert!(rig.agent.accept_trusted(100 + id, rig.now));
        rig.agent.served(100 + id, asked, rig.now, &mut rig.runtime);
        while !rig.agent.serving(100 + id).is_empty() {
            let n = rig.agent.serving(100 + id).len();
            rig.agent
                .served_sent(100 + id, n, rig.now, &mut rig.runtime);
        }
    }
    let (head, body, _) = rig.kubelet_answer(asked);
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(
        body.contains("4 logs are being followed, commands run"),
        "{body}"
    );
    assert_eq!(get(&mut rig, "/healthz").1, "ok");
    // A log that says nothing is no idle peer.
    rig.run(120_000);
    assert_eq!(rig.agent.served_expired(), None);
}

/// A node whose pod answers HTTP on port 8080.
fn web() -> Rig {
    let mut rig = Rig::new();
    rig.run(2000);
    rig.api.put(
        "/api/v1/namespaces/default/pods/p",
        json!({"metadata": {"name": "p", "namespace": "default"},
            "spec": {"nodeName": "pico", "containers": [
                {"name": "c", "image": "test/web:v1", "ports": [{"containerPort": 8080}]}]}}),
    );
    rig.run(3000);
    rig
}

/// Asks a container on a new connection; what was said after `ms` milliseconds.
fn ask(rig: &mut Rig, id: u32, request: &str, ms: u64) -> String {
    assert!(rig.agent.accept_on(id, 8080, rig.now));
    let (request, now) = (format!("{request} HTTP/1.1\r\n\r\n"), rig.now);
    rig.agent
        .served(id, request.as_bytes(), now, &mut rig.runtime);
    rig.run(ms);
    said(rig, id)
}

fn said(rig: &mut Rig, id: u32) -> String {
    rig.agent.follow(rig.now, &mut rig.runtime);
    let said = String::from_utf8_lossy(rig.agent.serving(id)).into_owned();
    rig.agent
        .served_sent(id, said.len(), rig.now, &mut rig.runtime);
    said
}

#[test]
fn a_container_answers_on_its_port() {
    let mut rig = web();
    assert_eq!(rig.agent.ports().collect::<Vec<_>>(), [8080]);
    assert_eq!(
        ask(&mut rig, 1, "GET /status/201", 20),
        "HTTP/1.1 201 Created\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n\r\n"
    );
    // The connection can be used again, and another one beside it.
    let now = rig.now;
    rig.agent.served(
        1,
        b"GET /status/404 HTTP/1.1\r\n\r\n",
        now,
        &mut rig.runtime,
    );
    assert!(ask(&mut rig, 2, "GET /status/200", 50).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(said(&mut rig, 1).starts_with("HTTP/1.1 404 Not Found\r\n"));
    // The pod goes, and its port with it.
    rig.api.delete("/api/v1/namespaces/default/pods/p");
    rig.run(2000);
    assert_eq!(rig.agent.ports().count(), 0);
    assert!(ask(&mut rig, 3, "GET /", 20).starts_with("HTTP/1.1 503 "));
}

#[test]
fn the_api_server_is_let_through_to_a_container() {
    let mut rig = web();
    let mut check = |is_trusted: bool, request: &str, expected: &str| {
        let now = rig.now;
        let is_taken = match is_trusted {
            true => rig.agent.accept_trusted(9, now),
            false => rig.agent.accept(9, now),
        };
        assert!(is_taken);
        let asked = format!("{request} HTTP/1.1\r\n\r\n");
        rig.agent.served(9, asked.as_bytes(), now, &mut rig.runtime);
        rig.run(20);
        let answer = said(&mut rig, 9);
        assert!(answer.starts_with(expected), "{request}: {answer}");
        rig.agent.served_closed(9);
    };
    check(
        true,
        "GET /proxy/default/p/8080/status/201",
        "HTTP/1.1 201 ",
    );
    check(
        false,
        "GET /proxy/default/p/8080/status/201",
        "HTTP/1.1 401 ",
    );
    check(
        true,
        "GET /proxy/default/p/8081/status/201",
        "HTTP/1.1 503 ",
    );
    check(true, "GET /proxy/default/q/8080/", "HTTP/1.1 404 ");
    check(true, "GET /proxy/default/p/http/", "HTTP/1.1 404 ");
    check(true, "GET /proxy/default", "HTTP/1.1 404 ");
}

#[test]
fn a_container_that_does_not_answer_is_given_up_after_ten_seconds() {
    let mut rig = web();
    assert_eq!(ask(&mut rig, 1, "GET /hang", 9000), "");
    // Another one waits until the first is given up.
    assert_eq!(ask(&mut rig, 2, "GET /status/200", 900), "");
    rig.run(200);
    assert!(said(&mut rig, 1).starts_with("HTTP/1.1 504 "));
    rig.run(50);
    assert!(said(&mut rig, 2).starts_with("HTTP/1.1 200 OK\r\n"));
    // One who goes away does not block the next.
    assert_eq!(ask(&mut rig, 3, "GET /hang", 20), "");
    rig.agent.served_closed(3);
    assert!(ask(&mut rig, 4, "GET /status/200", 50).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn visitors_of_containers_take_no_room_from_the_nodes_own_port() {
    let mut rig = web();
    let count = u32::try_from(MAX_CONNECTIONS).expect("a few");
    for id in 10..10 + count {
        assert_eq!(ask(&mut rig, id, "GET /hang", 1), "");
    }
    assert!(!rig.agent.accept_on(99, 8080, rig.now), "all are busy");
    assert_eq!(get(&mut rig, "/healthz").1, "ok");
}

#[test]
fn a_port_that_cannot_be_had_is_an_event_of_the_node() {
    let mut rig = web();
    rig.agent.port_refused(8080, "address in use", rig.now);
    rig.run(2000);
    let messages: Vec<&str> = rig
        .api
        .objects
        .values()
        .filter(|o| o["reason"] == "PortRefused")
        .filter_map(|o| o["message"].as_str())
        .collect();
    assert_eq!(
        messages,
        ["port 8080 of a container cannot be served: address in use"]
    );
}
