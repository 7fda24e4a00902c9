// SPDX-License-Identifier: Apache-2.0
//! Node ports of Services whose pods run on the node.

use crate::rig::Rig;
use pico_node::SERVICES;
use serde_json::{Value, json};

const WEB: &str = "/api/v1/namespaces/default/services/web";
const POD: &str = "/api/v1/namespaces/default/pods/p";

fn service(node_port: u16, target: Value) -> Value {
    json!({"metadata": {"name": "web", "namespace": "default", "uid": "web"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "externalTrafficPolicy": "Local",
            "ports": [{"name": "http", "port": 80, "targetPort": target, "nodePort": node_port}]}})
}

fn pod() -> Value {
    json!({"metadata": {"name": "p", "namespace": "default", "labels": {"app": "web", "tier": "1"}},
        "spec": {"nodeName": "pico", "terminationGracePeriodSeconds": 1, "containers": [
            {"name": "c", "image": "test/web:v1", "ports": [{"name": "http", "containerPort": 8080}]}]}})
}

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.run(2000);
    rig.api.put(POD, pod());
    rig.run(3000);
    rig
}

fn ports(rig: &Rig) -> Vec<u16> {
    let mut all: Vec<u16> = rig.agent.ports().collect();
    all.sort_unstable();
    all
}

fn ask(rig: &mut Rig, id: u32, port: u16, path: &str) -> String {
    assert!(rig.agent.accept_on(id, port, rig.now));
    let request = format!("GET {path} HTTP/1.1\r\n\r\n");
    let now = rig.now;
    rig.agent
        .served(id, request.as_bytes(), now, &mut rig.runtime);
    rig.run(50);
    rig.agent.follow(rig.now, &mut rig.runtime);
    let said = String::from_utf8_lossy(rig.agent.serving(id)).into_owned();
    rig.agent.served_closed(id);
    said.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_node_port_leads_to_the_container() {
    let mut rig = rig();
    assert_eq!(ports(&rig), [8080]);
    rig.api.put(WEB, service(30080, json!("http")));
    rig.run(1000);
    assert_eq!(ports(&rig), [8080, 30080]);
    assert_eq!(
        ask(&mut rig, 1, 30080, "/status/201"),
        "HTTP/1.1 201 Created"
    );
    // The Service changes its port, then loses its type, then is deleted.
    rig.api.put(WEB, service(30081, json!(8080)));
    rig.run(1000);
    assert_eq!(ports(&rig), [8080, 30081]);
    assert_eq!(
        ask(&mut rig, 2, 30080, "/status/201"),
        "HTTP/1.1 503 Service Unavailable"
    );
    rig.api
        .change(WEB, |s| s["spec"]["type"] = "ClusterIP".into());
    rig.run(1000);
    assert_eq!(ports(&rig), [8080]);
    rig.api.put(WEB, service(30082, json!(8080)));
    rig.run(1000);
    assert_eq!(ports(&rig), [8080, 30082]);
    rig.api.delete(WEB);
    rig.run(1000);
    assert_eq!(ports(&rig), [8080]);
}

#[test]
fn only_ready_pods_that_are_selected_are_served() {
    let check = |change: &dyn Fn(&mut Value, &mut Value), expected: &[u16]| {
        let (mut pod, mut service) = (pod(), service(30080, json!(8080)));
        change(&mut pod, &mut service);
        let mut rig = Rig::new();
        rig.api.put(WEB, service);
        rig.run(2000);
        rig.api.put(POD, pod);
        rig.run(3000);
        assert_eq!(ports(&rig), expected);
    };
    check(&|_, _| {}, &[8080, 30080]);
    check(
        &|_, service| service["spec"]["selector"]["app"] = "other".into(),
        &[8080],
    );
    check(
        &|_, service| service["spec"]["selector"] = Value::Null,
        &[8080],
    );
    check(
        &|_, service| service["metadata"]["namespace"] = "other".into(),
        &[8080],
    );
    check(
        &|_, service| service["spec"]["ports"][0]["targetPort"] = 8081.into(),
        &[8080],
    );
    check(
        &|_, service| service["spec"]["ports"][0]["protocol"] = "UDP".into(),
        &[8080],
    );
    // The image answers no probe on this path: it is never ready.
    check(
        &|pod, _| {
            pod["spec"]["containers"][0]["readinessProbe"] =
                json!({"httpGet": {"path": "/status/500", "port": 8080}});
        },
        &[8080],
    );
}

#[test]
fn services_are_watched_only_while_a_pod_has_a_port() {
    let mut rig = Rig::new();
    rig.api.put(WEB, service(30080, json!(8080)));
    rig.run(60_000);
    assert_eq!(rig.api.count("GET /api/v1/services"), 0);
    rig.api.put(POD, pod());
    rig.run(3000);
    assert_eq!(ports(&rig), [8080, 30080]);
    assert_eq!(rig.api.count("GET /api/v1/services?limit"), 1);
    // A pod of another Service comes: what was not kept is listed.
    let other = "/api/v1/namespaces/default/pods/other";
    let mut second = pod();
    second["metadata"]["name"] = "other".into();
    second["metadata"]["labels"] = json!({"app": "other"});
    second["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090.into();
    let mut of_other = service(30090, json!(9090));
    of_other["metadata"]["name"] = "other".into();
    of_other["metadata"]["uid"] = "other".into();
    of_other["spec"]["selector"]["app"] = "other".into();
    rig.api
        .put("/api/v1/namespaces/default/services/other", of_other);
    rig.run(1000);
    assert_eq!(ports(&rig), [8080, 30080]);
    rig.api.put(other, second);
    rig.run(3000);
    assert_eq!(ports(&rig), [8080, 9090, 30080, 30090]);
    // They go, and nobody asks any more.
    rig.api.delete(POD);
    rig.api.delete(other);
    rig.run(5000);
    assert_eq!(ports(&rig), [] as [u16; 0]);
    let before = rig.api.count("GET /api/v1/services");
    rig.run(3_600_000);
    assert_eq!(rig.api.count("GET /api/v1/services"), before);
}

#[test]
fn a_list_that_was_forgotten_is_read_again() {
    let mut rig = rig();
    rig.api.put(WEB, service(30080, json!(8080)));
    rig.run(1000);
    assert_eq!(ports(&rig), [8080, 30080]);
    // It goes while the watch is down, and the server forgets that it did.
    rig.hang_up(SERVICES);
    rig.api.delete(WEB);
    rig.api.compacted = rig.api.revision;
    rig.run(10_000);
    assert_eq!(ports(&rig), [8080]);
}

#[test]
fn no_more_ports_than_a_board_has_room_for() {
    let mut rig = rig();
    let mut many = service(30000, json!(8080));
    let port = |n: u16| json!({"name": format!("p{n}"), "port": n, "targetPort": 8080, "nodePort": 30000 + n});
    many["spec"]["ports"] = (1..=20).map(port).collect::<Vec<_>>().into();
    rig.api.put(WEB, many);
    rig.run(2000);
    assert_eq!(ports(&rig).len(), 9, "the container's and eight node ports");
    rig.agent.port_refused(30001, "address in use", rig.now);
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
        [
            "node port 30009 of service default/web is not served: this node serves 8",
            "node port 30001 of service default/web cannot be served: address in use"
        ]
    );
}

#[test]
fn a_cluster_that_shows_no_services_is_asked_seldom() {
    let mut rig = Rig::new();
    rig.api.absent.push("/api/v1/services");
    rig.run(2000);
    rig.api.put(POD, pod());
    rig.run(3_600_000);
    assert!(rig.api.count("GET /api/v1/services") <= 8);
    assert_eq!(ports(&rig), [8080]);
}
