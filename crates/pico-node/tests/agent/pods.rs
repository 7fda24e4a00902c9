// SPDX-License-Identifier: Apache-2.0
//! Pods from the watch to their end, as the API sees them.

use crate::rig::api::Fault;
use crate::rig::{Rig, config};
use pico_board::PinMode;
use pico_node::PODS;
use serde_json::{Value, json};

const POD: &str = "/api/v1/namespaces/default/pods/p";

fn pod(containers: Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "pico", "restartPolicy": "Always", "terminationGracePeriodSeconds": 5,
            "containers": containers}})
}

fn one(image: &str) -> Value {
    pod(json!([{"name": "c", "image": image}]))
}

/// A node that is ready and runs this pod for so many milliseconds.
fn running(pod: Value, ms: u64) -> Rig {
    let mut rig = Rig::new();
    rig.run(2000);
    rig.api.put(POD, pod);
    rig.run(ms);
    rig
}

fn status(rig: &Rig) -> &Value {
    &rig.api.objects[POD]["status"]
}

fn container(rig: &Rig) -> &Value {
    &status(rig)["containerStatuses"][0]
}

fn ready(rig: &Rig) -> String {
    let conditions = status(rig)["conditions"].as_array().expect("it is there");
    conditions
        .iter()
        .find(|c| c["type"] == "Ready")
        .expect("it is there")["status"]
        .as_str()
        .expect("it is there")
        .to_owned()
}

fn reasons(rig: &Rig) -> Vec<String> {
    rig.api
        .objects
        .iter()
        .filter(|(path, _)| path.contains("/events/"))
        .map(|(_, event)| event["reason"].as_str().expect("it is there").to_owned())
        .collect()
}

#[test]
fn a_pod_runs() {
    let rig = running(one("test/ok:v1"), 5000);
    assert_eq!(status(&rig)["phase"], "Running");
    assert_eq!(status(&rig)["podIP"], "10.0.0.7");
    assert_eq!(ready(&rig), "True");
    assert_eq!(container(&rig)["ready"], true);
    assert!(container(&rig)["state"]["running"]["startedAt"].is_string());
    assert_eq!(container(&rig)["imageID"], "sha256:test/ok:v1");
    assert_eq!(reasons(&rig), ["Pulled", "Created", "Started"]);
    assert!(rig.api.count("PATCH /api/v1/namespaces/default/pods") <= 2);
}

#[test]
fn ends_and_restart_policies() {
    let check = |image: &str, policy: &str, phase: &str, restarts: u64, state: &str| {
        let mut object = one(image);
        object["spec"]["restartPolicy"] = policy.into();
        let rig = running(object, 5000);
        let found = container(&rig)["state"]
            .as_object()
            .expect("it is there")
            .keys()
            .next()
            .expect("it is there")
            .clone();
        assert_eq!(
            (
                status(&rig)["phase"].as_str().expect("it is there"),
                container(&rig)["restartCount"]
                    .as_u64()
                    .expect("it is there"),
                found.as_str()
            ),
            (phase, restarts, state),
            "{image} {policy}"
        );
    };
    check("test/done:v1", "Never", "Succeeded", 0, "terminated");
    check("test/done:v1", "OnFailure", "Succeeded", 0, "terminated");
    check("test/done:v1", "Always", "Running", 1, "waiting");
    check("test/fails:v1", "Never", "Failed", 0, "terminated");
    check("test/fails:v1", "OnFailure", "Running", 1, "waiting");
    check("test/fails:v1", "Always", "Running", 1, "waiting");
}

#[test]
fn restarts_back_off() {
    let mut rig = running(one("test/fails:v1"), 3000);
    assert_eq!(
        container(&rig)["state"]["waiting"]["reason"],
        "CrashLoopBackOff"
    );
    assert!(
        container(&rig)["state"]["waiting"]["message"]
            .as_str()
            .expect("it is there")
            .starts_with("back-off 10s restarting failed container=c")
    );
    assert_eq!(container(&rig)["lastState"]["terminated"]["exitCode"], 3);
    // 0, 10, 20, 40, 80, 160, 300, 300 …
    let mut counts = Vec::new();
    for seconds in [10, 20, 40, 80, 160, 300, 300] {
        rig.run(seconds * 1000);
        counts.push(
            container(&rig)["restartCount"]
                .as_u64()
                .expect("it is there"),
        );
    }
    assert_eq!(counts, [2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_memory_limit_that_is_too_small_kills() {
    let rig = running(
        pod(
            json!([{"name": "c", "image": "test/ok:v1", "resources": {"limits": {"memory": "900"}}}]),
        ),
        3000,
    );
    assert_eq!(
        container(&rig)["lastState"]["terminated"]["reason"],
        "OOMKilled"
    );
    assert_eq!(container(&rig)["lastState"]["terminated"]["exitCode"], 137);
    assert_eq!(
        container(&rig)["state"]["waiting"]["reason"],
        "CrashLoopBackOff"
    );
}

#[test]
fn images_that_are_not_there_or_not_good() {
    let mut rig = running(one("test/none:v1"), 500);
    assert_eq!(
        container(&rig)["state"]["waiting"]["reason"],
        "ErrImagePull"
    );
    rig.run(2000);
    assert_eq!(
        container(&rig)["state"]["waiting"]["reason"],
        "ImagePullBackOff"
    );
    assert_eq!(status(&rig)["phase"], "Pending");

    let mut rig = Rig::new();
    rig.runtime.refused = Some("the signature is wrong");
    rig.api.put(POD, one("test/ok:v1"));
    rig.run(3000);
    assert_eq!(
        container(&rig)["state"]["waiting"]["reason"],
        "SignatureValidationFailed"
    );
}

#[test]
fn what_is_asked_for_must_be_there() {
    let check = |limits: Value, annotation: &str, reason: &str, message: &str| {
        let mut object =
            pod(json!([{"name": "c", "image": "test/ok:v1", "resources": {"limits": limits}}]));
        if !annotation.is_empty() {
            object["metadata"]["annotations"] = json!({"pico.io/gpio-pins": annotation});
        }
        let rig = running(object, 3000);
        assert_eq!(
            (
                status(&rig)["phase"].as_str(),
                status(&rig)["reason"].as_str()
            ),
            (Some("Failed"), Some(reason))
        );
        let found = status(&rig)["message"].as_str().expect("it is there");
        assert!(found.contains(message), "{found}");
    };
    check(
        json!({"pico.io/gpio-pin": 27}),
        "",
        "OutOfpico.io/gpio-pin",
        "requested: 27, used: 0, capacity: 26",
    );
    check(
        json!({"pico.io/led": 2}),
        "",
        "OutOfpico.io/led",
        "capacity: 1",
    );
    check(json!({"memory": "300Ki"}), "", "OutOfmemory", "memory");
    check(json!({"cpu": "3"}), "", "OutOfcpu", "requested: 3000");
    check(
        json!({"pico.io/gpio-pin": 1}),
        "25",
        "UnexpectedAdmissionError",
        "GP25 is not on the header",
    );
    check(
        json!({"pico.io/gpio-pin": 1}),
        "1,2",
        "UnexpectedAdmissionError",
        "names 2 pins",
    );
    check(
        json!({"pico.io/gpio-pin": 1}),
        "x",
        "UnsupportedPod",
        "not of the form 15,16",
    );
}

#[test]
fn what_this_node_does_not_have_is_said() {
    let check = |change: &dyn Fn(&mut Value), message: &str| {
        let mut object = one("test/ok:v1");
        change(&mut object);
        let rig = running(object, 3000);
        let found = status(&rig)["message"].as_str().unwrap_or_default();
        assert!(found.contains(message), "{found:?}");
    };
    check(
        &|o| o["spec"]["volumes"] = json!([{"name": "v", "hostPath": {"path": "/"}}]),
        "volume \"v\" is of a kind",
    );
    check(
        &|o| o["spec"]["containers"][0]["livenessProbe"] = json!({"exec": {"command": ["true"]}}),
        "runs a command",
    );
    check(
        &|o| {
            o["spec"]["containers"] = (0..5)
                .map(|n| json!({"name": format!("c{n}"), "image": "x"}))
                .collect()
        },
        "4 containers",
    );
    check(
        &|o| {
            o["spec"]["containers"][0]["env"] = (0..400)
                .map(|n| json!({"name": format!("n{n}"), "value": "x".repeat(50)}))
                .collect()
        },
        "larger than this node can read",
    );
}

#[test]
fn pins_are_free_again_after_a_deletion() {
    let mut rig = running(
        pod(
            json!([{"name": "c", "image": "test/ok:v1", "resources": {"limits": {"pico.io/gpio-pin": 26}}}]),
        ),
        3000,
    );
    let other = "/api/v1/namespaces/default/pods/q";
    let mut second = pod(
        json!([{"name": "c", "image": "test/ok:v1", "resources": {"limits": {"pico.io/gpio-pin": 1}}}]),
    );
    second["metadata"]["name"] = "q".into();
    rig.api.put(other, second.clone());
    rig.run(2000);
    assert_eq!(
        rig.api.objects[other]["status"]["reason"],
        "OutOfpico.io/gpio-pin"
    );
    rig.api.change(POD, |o| {
        o["metadata"]["deletionTimestamp"] = "2023-11-14T22:13:30Z".into();
        o["metadata"]["deletionGracePeriodSeconds"] = 5.into();
    });
    rig.run(2000);
    assert!(
        !rig.api.objects.contains_key(POD),
        "the deletion is confirmed"
    );
    assert_eq!(rig.runtime.pins.len(), 26);
    assert!(
        rig.runtime
            .pins
            .values()
            .all(|mode| *mode == PinMode::Disabled)
    );
    rig.api.delete(other);
    second["metadata"]["uid"] = "another".into();
    rig.api.put(other, second);
    rig.run(2000);
    assert_eq!(rig.api.objects[other]["status"]["phase"], "Running");
}

#[test]
fn a_container_that_will_not_end_is_ended() {
    let mut rig = running(one("test/stubborn:v1"), 3000);
    rig.api.change(POD, |o| {
        o["metadata"]["deletionTimestamp"] = "2023-11-14T22:13:30Z".into();
        o["metadata"]["deletionGracePeriodSeconds"] = 5.into();
    });
    rig.run(4000);
    assert!(rig.api.objects.contains_key(POD));
    rig.run(2000);
    assert!(!rig.api.objects.contains_key(POD));
    assert!(reasons(&rig).contains(&"Killing".to_owned()));
}

#[test]
fn init_containers_come_first_and_one_after_another() {
    let mut object = one("test/ok:v1");
    object["spec"]["initContainers"] =
        json!([{"name": "a", "image": "test/done:v1"}, {"name": "b", "image": "test/fails:v1"}]);
    object["spec"]["restartPolicy"] = "Never".into();
    let rig = running(object.clone(), 3000);
    assert_eq!(status(&rig)["phase"], "Failed");
    assert_eq!(
        status(&rig)["initContainerStatuses"][0]["state"]["terminated"]["exitCode"],
        0
    );
    assert_eq!(
        status(&rig)["initContainerStatuses"][1]["state"]["terminated"]["exitCode"],
        3
    );
    object["spec"]["initContainers"][1]["image"] = "test/done:v1".into();
    let rig = running(object, 3000);
    assert_eq!(
        (
            status(&rig)["phase"].as_str().expect("it is there"),
            ready(&rig).as_str()
        ),
        ("Running", "True")
    );
}

#[test]
fn settings_from_maps() {
    let mut object = one("test/ok:v1");
    object["spec"]["containers"][0]["env"] = json!([{"name": "SAY", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "hello"}}}]);
    let mut rig = running(object, 3000);
    assert_eq!(
        container(&rig)["state"]["waiting"]["reason"],
        "CreateContainerConfigError"
    );
    assert_eq!(
        container(&rig)["state"]["waiting"]["message"],
        "configmap \"words\" not found"
    );
    rig.api.put(
        "/api/v1/namespaces/default/configmaps/words",
        json!({"metadata": {"name": "words"}, "data": {"hello": "good \"day\""}}),
    );
    rig.run(15_000);
    assert_eq!(status(&rig)["phase"], "Running");
    let asked = b"GET /containerLogs/default/p/c?tailLines=1 HTTP/1.1\r\n\r\n";
    assert_eq!(rig.kubelet(asked), "good \"day\"\n");
}

#[test]
fn probes_decide() {
    let web = |probe: &str, path: &str| {
        pod(
            json!([{"name": "c", "image": "test/web:v1", "ports": [{"containerPort": 80}],
            probe: {"httpGet": {"path": path, "port": 80}, "periodSeconds": 1, "failureThreshold": 2}}]),
        )
    };
    assert_eq!(
        ready(&running(web("readinessProbe", "/status/200"), 3000)),
        "True"
    );
    assert_eq!(
        ready(&running(web("readinessProbe", "/status/503"), 3000)),
        "False"
    );
    assert_eq!(
        ready(&running(web("readinessProbe", "/hang"), 5000)),
        "False"
    );
    let rig = running(web("livenessProbe", "/status/500"), 4500);
    assert!(
        container(&rig)["restartCount"]
            .as_u64()
            .expect("it is there")
            >= 1
    );
    assert!(reasons(&rig).contains(&"Unhealthy".to_owned()));
    assert_eq!(
        ready(&running(web("startupProbe", "/status/204"), 3000)),
        "True"
    );
}

#[test]
fn a_container_that_spins_gets_its_share_and_no_more() {
    let limited = pod(
        json!([{"name": "c", "image": "test/spins:v1", "resources": {"limits": {"cpu": "100m"}}}]),
    );
    let mut rig = running(limited, 20_000);
    let summary: Value = serde_json::from_str(&rig.kubelet(b"GET /stats/summary HTTP/1.1\r\n\r\n"))
        .expect("it is there");
    let cores = summary["pods"][0]["cpu"]["usageNanoCores"]
        .as_u64()
        .expect("it is there");
    assert!((90_000_000..=110_000_000).contains(&cores), "{cores}");
    // Without a limit it is one core, and the node does its own work beside it.
    let mut rig = running(one("test/spins:v1"), 30_000);
    let summary: Value = serde_json::from_str(&rig.kubelet(b"GET /stats/summary HTTP/1.1\r\n\r\n"))
        .expect("it is there");
    let cores = summary["node"]["cpu"]["usageNanoCores"]
        .as_u64()
        .expect("it is there");
    assert!((900_000_000..=1_010_000_000).contains(&cores), "{cores}");
    assert!(rig.agent.is_ready());
}

#[test]
fn a_watch_goes_on_where_it_was() {
    let mut rig = running(one("test/ok:v1"), 2000);
    let lists = rig
        .api
        .count("GET /api/v1/pods?fieldSelector=spec.nodeName%3Dpico&limit");
    for _ in 0..3 {
        rig.hang_up(PODS);
        rig.run(5000);
    }
    rig.run(1_200_000);
    assert_eq!(
        rig.api
            .count("GET /api/v1/pods?fieldSelector=spec.nodeName%3Dpico&limit"),
        lists
    );
    assert!(
        rig.api
            .count("GET /api/v1/pods?fieldSelector=spec.nodeName%3Dpico&watch")
            >= 5
    );
    // A deletion that was missed is learned from the watch that goes on.
    rig.reachable = false;
    rig.hang_up(PODS);
    rig.api.delete(POD);
    rig.run(3000);
    rig.reachable = true;
    rig.run(10_000);
    assert!(rig.agent.pod_names().is_empty());
}

#[test]
fn what_the_server_has_forgotten_is_listed_again() {
    let mut rig = running(one("test/ok:v1"), 2000);
    rig.hang_up(PODS);
    rig.api.delete(POD);
    rig.api.revision += 1000;
    rig.api.compacted = rig.api.revision;
    rig.run(10_000);
    assert!(rig.agent.pod_names().is_empty());
    // The same within a watch that is open.
    rig.api.put(POD, one("test/ok:v1"));
    rig.run(3000);
    rig.api.revision += 1000;
    rig.api.compacted = rig.api.revision;
    rig.run(10_000);
    assert_eq!(rig.agent.pod_names(), [("default", "p")]);
    assert_eq!(status(&rig)["phase"], "Running");
}

#[test]
fn a_long_list_comes_in_pages() {
    let mut rig = Rig::new();
    rig.api.page = 3;
    for n in 0..8 {
        let mut object = one("test/ok:v1");
        object["metadata"]["name"] = format!("p{n}").into();
        object["metadata"]["managedFields"] = json!([{"fieldsV1": {"f:x": "y".repeat(100_000)}}]);
        rig.api
            .put(&format!("/api/v1/namespaces/default/pods/p{n}"), object);
    }
    rig.run(20_000);
    assert_eq!(rig.agent.pod_names().len(), 8);
    let running = rig
        .api
        .objects
        .values()
        .filter(|o| o["status"]["phase"] == "Running")
        .count();
    assert_eq!(running, 8);
}

#[test]
fn a_list_that_breaks_off_takes_nothing_away() {
    let mut rig = running(one("test/ok:v1"), 2000);
    rig.api.compacted = rig.api.revision + 1;
    rig.api.revision += 1;
    rig.api.faults.push_back((
        "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dpico&limit",
        Fault::CutAfter(120),
    ));
    rig.hang_up(PODS);
    rig.run(15_000);
    assert_eq!(rig.agent.pod_names(), [("default", "p")]);
    assert_eq!(container(&rig)["restartCount"], 0);
}

#[test]
fn a_pod_of_another_life_is_not_reported_over_its_successor() {
    let mut rig = running(one("test/ok:v1"), 2000);
    rig.api.delete(POD);
    rig.api.put(POD, one("test/ok:v1"));
    rig.run(5000);
    assert_eq!(status(&rig)["phase"], "Running");
    assert_eq!(rig.agent.pod_names().len(), 1);
}

#[test]
fn pins_from_a_config_map() {
    let map = "/api/v1/namespaces/default/configmaps/pins";
    let mut config = config("pico");
    config.pins_map = Some(("default".to_owned(), "pins".to_owned()));
    let mut rig = Rig::of(config);
    rig.api.put(map, json!({"metadata": {"name": "pins"}, "data": {"pin_15": "HIGH", "pin_16": "PWM:128", "pin_25": "LOW", "memory_values": "5=10"}}));
    rig.run(5000);
    assert_eq!(
        rig.runtime.pins[&15],
        PinMode::Output(pico_board::Level::High)
    );
    assert_eq!(rig.runtime.pwm[&16], 128 * 257);
    assert_eq!(
        rig.kubelet(b"GET /pico/memory HTTP/1.1\r\n\r\n"),
        r#"{"5":10}"#
    );
    assert!(reasons(&rig).contains(&"InvalidPinMap".to_owned()));
    // An unchanged map is not applied again, whatever else of it changes.
    let touched = rig.runtime.touched;
    rig.api
        .change(map, |o| o["metadata"]["labels"] = json!({"a": "b"}));
    rig.run(700_000);
    assert_eq!(rig.runtime.touched, touched);
    rig.api.delete(map);
    rig.run(2000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Disabled);
    assert!(rig.runtime.pwm.is_empty());
}

/// How often the container of `test/stores:v1` was started, as its owner's storage has it.
fn starts(rig: &Rig, owner: &str) -> Option<u8> {
    let key = (owner.to_owned(), b"starts".to_vec());
    rig.runtime.data.get(&key).map(|value| value[0])
}

fn with_storage() -> Value {
    pod(
        json!([{"name": "c", "image": "test/stores:v1", "resources": {"limits": {"ephemeral-storage": "1Ki"}}}]),
    )
}

#[test]
fn what_a_pod_stored_goes_with_it() {
    let mut rig = running(with_storage(), 3000);
    let uid = rig.api.objects[POD]["metadata"]["uid"].clone();
    let uid = uid.as_str().expect("it has one");
    assert_eq!(starts(&rig, uid), Some(1));
    rig.api.delete(POD);
    rig.run(2000);
    assert_eq!(rig.runtime.data.len(), 0);
    // One of the same name is another one.
    rig.api.put(POD, with_storage());
    rig.run(2000);
    let uid = rig.api.objects[POD]["metadata"]["uid"].clone();
    assert_eq!(starts(&rig, uid.as_str().expect("it has one")), Some(1));
}

#[test]
fn what_a_pod_of_a_stateful_set_stored_is_found_by_its_successor() {
    let mut object = with_storage();
    object["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u", "controller": true}]);
    let mut rig = running(object.clone(), 3000);
    assert_eq!(starts(&rig, "default/p"), Some(1));
    rig.api.delete(POD);
    rig.run(2000);
    rig.api.put(POD, object);
    rig.run(2000);
    assert_eq!(starts(&rig, "default/p"), Some(2));
}

#[test]
fn what_a_pod_stored_that_went_while_the_board_was_off_is_freed() {
    let mut rig = Rig::new();
    for owner in ["an-old-uid", "default/web-0"] {
        let key = (owner.to_owned(), b"starts".to_vec());
        rig.runtime.data.insert(key, vec![7]);
    }
    rig.run(5000);
    assert_eq!(starts(&rig, "an-old-uid"), None);
    assert_eq!(starts(&rig, "default/web-0"), Some(7));
}

#[test]
fn what_the_downward_api_tells() {
    let mut rig = Rig::new();
    rig.run(2000);
    rig.api.put(
        "/api/v1/namespaces/default/configmaps/small",
        json!({"data": {"a": "one", "b": "two"}}),
    );
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let env = |name: &str, from: Value| json!({"name": name, "valueFrom": from});
    rig.api.put(POD, json!({
        "metadata": {"name": "p", "namespace": "default", "labels": {"app": "x", "tier": "a\"b"},
            "annotations": {"note": "hi", "long": "x".repeat(9000)}},
        "spec": {"nodeName": "pico",
            "volumes": [
                {"name": "d", "downwardAPI": {"items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    {"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}},
                    {"path": "deep/memory", "resourceFieldRef": {"containerName": "d", "resource": "limits.memory", "divisor": "1Ki"}}]}},
                {"name": "all", "projected": {"sources": [
                    {"configMap": {"name": "small", "items": [{"key": "a", "path": "x/a"}]}},
                    {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}},
                {"name": "kube-api-access", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "token"}}, {"configMap": {"name": "kube-root-ca.crt"}}]}}],
            "containers": [
                {"name": "c", "image": "test/ok:v1", "env": [
                    env("NOTE", field("metadata.annotations['note']")),
                    env("NONE", field("metadata.annotations['none']")),
                    env("IPS", field("status.podIPs"))],
                 "volumeMounts": [{"name": "d", "mountPath": "/etc/d"}, {"name": "all", "mountPath": "/etc/all"},
                    {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]},
                {"name": "d", "image": "test/ok:v1", "resources": {"limits": {"memory": "32Ki"}}}]}}));
    rig.run(5000);
    assert_eq!(status(&rig)["phase"], "Running", "{}", status(&rig));
    let mut said = |words: &str| {
        rig.kubelet(format!("POST /run/default/p/c?cmd={words} HTTP/1.1\r\n\r\n").as_bytes())
    };
    assert_eq!(said("env"), "NOTE=hi\nNONE=\nIPS=10.0.0.7\n");
    assert_eq!(said("cat+/etc/d/labels"), "app=\"x\"\ntier=\"a\\\"b\"");
    assert_eq!(said("cat+/etc/d/notes"), "note=\"hi\"");
    assert_eq!(said("cat+/etc/d/deep/memory"), "32");
    assert_eq!(said("cat+/etc/all/x/a"), "one");
    assert_eq!(said("cat+/etc/all/name"), "p");
    assert_eq!(
        rig.api
            .count("GET /api/v1/namespaces/default/configmaps/kube-root-ca.crt"),
        0
    );
}

#[test]
fn a_map_is_read_whole_or_not_at_all() {
    for (bytes, is_optional, fits) in [
        (5000, false, true),
        (15_000, true, true),
        (17_000, false, false),
        (17_000, true, false),
    ] {
        let mut rig = Rig::new();
        rig.run(2000);
        rig.api.put(
            "/api/v1/namespaces/default/configmaps/big",
            json!({"data": {"a": "x".repeat(bytes), "b": "two"}}),
        );
        rig.api.put(POD, json!({
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {"nodeName": "pico",
                "volumes": [{"name": "v", "configMap": {"name": "big", "optional": is_optional}}],
                "containers": [{"name": "c", "image": "test/ok:v1", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}}));
        rig.run(5000);
        if fits {
            let said = rig.kubelet(b"POST /run/default/p/c?cmd=cat+/v/a HTTP/1.1\r\n\r\n");
            assert_eq!(said.len(), bytes, "{bytes}");
        } else {
            let waiting = &container(&rig)["state"]["waiting"];
            assert_eq!(waiting["reason"], "CreateContainerConfigError", "{waiting}");
            let message = waiting["message"].as_str().expect("it is there");
            assert!(
                message.contains("configmap \"big\" cannot be read: it holds more than the 16 KiB"),
                "{message}"
            );
        }
    }
}

#[test]
fn a_pod_that_is_refused_has_an_event() {
    for (spec, reason) in [
        (
            json!([{"name": "c", "image": "test/ok:v1", "resources": {"limits": {"pico.io/gpio-pin": 27}}}]),
            "OutOfpico.io/gpio-pin",
        ),
        (
            json!([{"name": "c", "image": "test/ok:v1", "restartPolicy": "Always"}]),
            "UnsupportedPod",
        ),
    ] {
        let rig = running(pod(spec), 5000);
        assert_eq!(status(&rig)["reason"], reason);
        assert_eq!(reasons(&rig), [reason]);
    }
}

#[test]
fn containers_behind_others_say_so() {
    let mut object = one("test/ok:v1");
    object["spec"]["initContainers"] =
        json!([{"name": "i", "image": "test/spins:v1"}, {"name": "j", "image": "test/ok:v1"}]);
    let rig = running(object, 3000);
    let reason = |list: &str, n: usize| status(&rig)[list][n]["state"]["waiting"]["reason"].clone();
    assert!(status(&rig)["initContainerStatuses"][0]["state"]["running"].is_object());
    assert_eq!(reason("initContainerStatuses", 1), "PodInitializing");
    assert_eq!(reason("containerStatuses", 0), "PodInitializing");
}
