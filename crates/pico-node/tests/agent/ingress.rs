// SPDX-License-Identifier: Apache-2.0
//! Ingresses of the class `pico`: from an edge at a pin to the answer of a backend.

use crate::rig::Rig;
use crate::rig::api::Fault;
use pico_board::{Level, PinMode, Pull};
use serde_json::{Value, json};

const INGRESS: &str = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/gpio-ingress";
const SERVICE: &str = "/api/v1/namespaces/default/services/led-matrix";
const SLICE: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/led-matrix-1";
const POD: &str = "/api/v1/namespaces/default/pods/p";

fn ingress() -> Value {
    json!({"metadata": {"name": "gpio-ingress", "namespace": "default",
            "annotations": {"pico.io/inputs": "button-a.local=15"}},
        "spec": {"ingressClassName": "pico", "rules": [{"host": "button-a.local", "http": {"paths": [
            {"path": "/status/200", "pathType": "Exact",
             "backend": {"service": {"name": "led-matrix", "port": {"number": 80}}}}]}}]}})
}

fn service() -> Value {
    json!({"metadata": {"name": "led-matrix", "namespace": "default"},
        "spec": {"selector": {"app": "led"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
}

fn slice(addresses: &[(&str, bool)]) -> Value {
    let endpoints: Vec<Value> = addresses
        .iter()
        .map(|(address, ready)| json!({"addresses": [address], "conditions": {"ready": ready}}))
        .collect();
    json!({"metadata": {"name": "led-matrix-1", "namespace": "default"}, "addressType": "IPv4",
        "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]})
}

/// A node that has the Ingress; the backend is elsewhere and says `status`.
fn elsewhere(status: u16) -> Rig {
    let mut rig = Rig::new();
    rig.api.put(INGRESS, ingress());
    rig.api.put(SERVICE, service());
    rig.api
        .put(SLICE, slice(&[("10.0.0.8", false), ("10.0.0.9", true)]));
    rig.endpoints
        .insert("10.0.0.9:8080".parse().expect("an address"), status);
    rig.run(3000);
    rig
}

fn press(rig: &mut Rig) {
    rig.runtime.drive(15, Level::Low);
    rig.run(100);
    rig.runtime.drive(15, Level::High);
    rig.run(1000);
}

fn events(rig: &Rig, reason: &str) -> Vec<String> {
    let all = rig.api.objects.values();
    all.filter(|o| o["reason"] == reason)
        .map(|o| {
            assert_eq!(o["involvedObject"]["kind"], "Ingress");
            assert_eq!(o["involvedObject"]["apiVersion"], "networking.k8s.io/v1");
            o["message"].as_str().expect("a text").to_owned()
        })
        .collect()
}

#[test]
fn a_press_is_a_request_to_an_endpoint() {
    let mut rig = elsewhere(200);
    assert_eq!(rig.runtime.pins[&15], PinMode::Input(Pull::Up));
    press(&mut rig);
    let (to, request) = &rig.asked[0];
    assert_eq!(to.to_string(), "10.0.0.9:8080");
    assert!(
        request.starts_with("POST /status/200 HTTP/1.1\r\nHost: button-a.local\r\n"),
        "{request}"
    );
    assert!(request.contains("\r\nContent-Length: 0\r\n"), "{request}");
    // One press, one request, whatever the release does; the next one finds the way by itself.
    let asked = rig.api.requests.len();
    press(&mut rig);
    assert_eq!(rig.asked.len(), 2);
    let services = rig.api.requests[asked..].iter();
    assert_eq!(
        services.filter(|(_, r)| r.contains("/services/")).count(),
        0
    );
    assert_eq!(events(&rig, "BackendFailed"), [] as [&str; 0]);
    assert_eq!(rig.agent.counters().presses, 2);
    // The date of a backend is not the API's.
    assert!(
        rig.agent
            .wall(rig.now)
            .expect("it is known")
            .to_string()
            .starts_with("2023")
    );
}

#[test]
fn credentials_stay_with_the_api() {
    let mut config = crate::rig::config("pico");
    config.authorization = "Bearer secret".to_owned();
    let mut rig = Rig::of(config);
    rig.api.put(INGRESS, ingress());
    rig.api.put(SERVICE, service());
    rig.api.put(SLICE, slice(&[("10.0.0.9", true)]));
    rig.endpoints
        .insert("10.0.0.9:8080".parse().expect("an address"), 200);
    rig.run(3000);
    press(&mut rig);
    assert_eq!(rig.asked.len(), 1);
    assert!(!rig.asked[0].1.contains("secret"), "{}", rig.asked[0].1);
}

#[test]
fn a_bouncing_button_is_one_press() {
    let mut rig = elsewhere(200);
    for n in 0..10 {
        let level = if n % 2 == 0 { Level::Low } else { Level::High };
        rig.runtime.drive(15, level);
        rig.run(3);
    }
    rig.runtime.drive(15, Level::Low);
    rig.run(1000);
    assert_eq!(rig.asked.len(), 1);
    // So is the release, and it is no press.
    for n in 0..9 {
        let level = if n % 2 == 0 { Level::High } else { Level::Low };
        rig.runtime.drive(15, level);
        rig.run(3);
    }
    rig.run(1000);
    assert_eq!(rig.asked.len(), 1);
    // A needle pulse is noise.
    rig.runtime.drive(15, Level::Low);
    rig.run(2);
    rig.runtime.drive(15, Level::High);
    rig.run(1000);
    assert_eq!(rig.asked.len(), 1);
}

#[test]
fn a_container_of_the_node_itself_is_asked_first() {
    let mut rig = elsewhere(200);
    rig.api.put(
        POD,
        json!({"metadata": {"name": "p", "namespace": "default", "labels": {"app": "led"}},
            "spec": {"nodeName": "pico", "containers": [
                {"name": "c", "image": "test/web:v1", "ports": [{"containerPort": 8080}]}]}}),
    );
    rig.run(3000);
    // The image answers GET only.
    rig.api.change(INGRESS, |i| {
        i["metadata"]["annotations"]["pico.io/method"] = "GET".into();
    });
    rig.run(1000);
    press(&mut rig);
    assert_eq!(rig.asked.len(), 0);
    assert_eq!(rig.agent.counters().presses, 1);
    // It says no.
    rig.api.change(INGRESS, |i| {
        i["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/status/503".into();
    });
    rig.run(1000);
    press(&mut rig);
    assert_eq!(
        events(&rig, "BackendFailed"),
        ["button-a.local: GET /status/503 of service default/led-matrix:80: the backend says 503"]
    );
    // It says nothing.
    rig.api.change(INGRESS, |i| {
        i["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/hang".into();
    });
    rig.run(1000);
    press(&mut rig);
    rig.run(20_000);
    assert!(
        events(&rig, "BackendFailed")
            .iter()
            .any(|e| e.ends_with("no answer within 15 s")),
        "{:?}",
        events(&rig, "BackendFailed")
    );
}

#[test]
fn what_goes_wrong_is_an_event() {
    let check = |prepare: &dyn Fn(&mut Rig), expected: &str| {
        let mut rig = elsewhere(200);
        prepare(&mut rig);
        rig.run(1000);
        press(&mut rig);
        rig.run(40_000);
        let said = events(&rig, "BackendFailed");
        assert_eq!(said.len(), 1, "{expected}: {said:?}");
        assert!(said[0].ends_with(expected), "{expected}: {said:?}");
    };
    check(&|rig| rig.api.delete(SERVICE), "there is no such service");
    check(
        &|rig| {
            rig.api
                .change(SERVICE, |s| s["spec"]["ports"][0]["port"] = 81.into())
        },
        "the service has no such port",
    );
    check(
        &|rig| rig.api.put(SLICE, slice(&[("10.0.0.8", false)])),
        "the service has no ready endpoint",
    );
    check(
        &|rig| rig.endpoints.clear(),
        "at 10.0.0.9:8080: the endpoint cannot be reached",
    );
    check(
        &|rig| {
            rig.endpoints
                .insert("10.0.0.9:8080".parse().expect("an address"), 0);
        },
        "at 10.0.0.9:8080: the endpoint does not answer",
    );
    check(
        &|rig| {
            rig.endpoints
                .insert("10.0.0.9:8080".parse().expect("an address"), 500);
        },
        "at 10.0.0.9:8080: the backend says 500",
    );
    check(
        &|rig| {
            let fault = Fault::Status(403, "");
            rig.api
                .faults
                .push_back(("GET /api/v1/namespaces/default/services/", fault));
        },
        "this node may not look for it (403)",
    );
    check(
        &|rig| {
            let fault = Fault::Status(500, "");
            rig.api
                .faults
                .push_back(("GET /api/v1/namespaces/default/services/", fault));
        },
        "the API does not say where it is",
    );
}

#[test]
fn a_known_way_is_gone_without_the_api() {
    let mut rig = elsewhere(200);
    press(&mut rig);
    assert_eq!(rig.asked.len(), 1);
    rig.reachable = false;
    for slot in 0..pico_node::SLOTS {
        rig.hang_up(pico_node::Slot(u8::try_from(slot).expect("a few")));
    }
    rig.run(60_000);
    press(&mut rig);
    assert_eq!(rig.asked.len(), 2, "what was known long ago is still good");
}

#[test]
fn a_backend_slower_than_the_button_loses_presses_and_says_so() {
    let mut rig = elsewhere(0);
    for _ in 0..15 {
        rig.runtime.drive(15, Level::Low);
        rig.run(100);
        rig.runtime.drive(15, Level::High);
        rig.run(100);
    }
    rig.run(2000);
    let said = events(&rig, "InputDropped");
    assert!(
        !said.is_empty() && said[0].contains("8 requests wait"),
        "{said:?}"
    );
    // Those that waited are all tried, and the queue is empty then.
    rig.run(200_000);
    let asked = rig.asked.len();
    assert_eq!(asked, 9, "one under way and eight that waited");
    rig.run(200_000);
    assert_eq!(rig.asked.len(), asked);
}

#[test]
fn pins_are_taken_and_given_back() {
    let mut rig = elsewhere(200);
    let apply = |rig: &mut Rig, name: &str| {
        rig.api.put(
            &format!("/api/v1/namespaces/default/pods/{name}"),
            json!({"metadata": {"name": name, "namespace": "default", "annotations": {"pico.io/gpio-pins": "15"}},
                "spec": {"nodeName": "pico", "containers": [{"name": "c", "image": "test/ok:v1",
                    "resources": {"limits": {"pico.io/gpio-pin": "1"}}}]}}),
        );
        rig.run(3000);
    };
    apply(&mut rig, "late");
    let status = &rig.api.objects["/api/v1/namespaces/default/pods/late"]["status"];
    assert_eq!(status["message"], "GP15 is the input of an Ingress");
    rig.api.delete(INGRESS);
    rig.run(1000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Disabled);
    press(&mut rig);
    assert_eq!(rig.asked.len(), 0);
    // The other way round: the Ingress waits for the pod.
    apply(&mut rig, "holds");
    rig.api.put(INGRESS, ingress());
    rig.run(30_000);
    assert_eq!(
        events(&rig, "InvalidIngress"),
        ["button-a.local: GP15 is in use by pod default/holds"]
    );
    rig.api.delete("/api/v1/namespaces/default/pods/holds");
    rig.run(20_000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Input(Pull::Up));
    press(&mut rig);
    assert_eq!(rig.asked.len(), 1);
}

#[test]
fn only_what_is_meant_is_taken() {
    let check = |change: &dyn Fn(&mut Value), wrong: Option<&str>| {
        let mut object = ingress();
        change(&mut object);
        let mut rig = Rig::new();
        rig.api.put(INGRESS, object);
        rig.run(3000);
        assert!(!rig.runtime.pins.contains_key(&15), "{wrong:?}");
        let said = events(&rig, "InvalidIngress");
        match wrong {
            None => assert_eq!(said, [] as [&str; 0]),
            Some(wrong) => assert!(said.iter().any(|s| s.contains(wrong)), "{wrong}: {said:?}"),
        }
    };
    check(&|i| i["spec"]["ingressClassName"] = "nginx".into(), None);
    check(&|i| i["spec"]["ingressClassName"] = Value::Null, None);
    check(
        &|i| i["metadata"]["annotations"]["pico.io/node"] = "other".into(),
        None,
    );
    check(
        &|i| i["metadata"]["annotations"] = json!({}),
        Some("host \"button-a.local\" has no pin"),
    );
    check(
        &|i| i["metadata"]["annotations"]["pico.io/inputs"] = "button-a.local=x".into(),
        Some("is not HOST=PIN"),
    );
    check(
        &|i| i["metadata"]["annotations"]["pico.io/inputs"] = "button-a.local=24".into(),
        Some("GP24 is not on the header"),
    );
    check(
        &|i| {
            i["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/a b\r\nX: y".into();
        },
        Some("a path without spaces"),
    );
}
