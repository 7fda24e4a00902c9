// SPDX-License-Identifier: Apache-2.0
//! Images that are asked of a registry: when, how often, and what the API is told of it.

use pico_node::ImageError;
use serde_json::{Value, json};

use crate::rig::{Rig, config};

const POD: &str = "/api/v1/namespaces/default/pods/p";
const IMAGE: &str = "r.example/own:v1";

fn pod(image: &str, policy: &str) -> Value {
    json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "pico", "restartPolicy": "Always", "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "c", "image": image, "imagePullPolicy": policy}]}})
}

fn rig(registry: Result<&'static str, ImageError>) -> Rig {
    let mut rig = Rig::of(config("pico"));
    rig.runtime.registry.insert(IMAGE.to_owned(), registry);
    rig.run(2000);
    rig
}

fn waiting(rig: &Rig) -> (String, String) {
    let waiting = &rig.api.objects[POD]["status"]["containerStatuses"][0]["state"]["waiting"];
    let text = |name: &str| waiting[name].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

fn is_running(rig: &Rig) -> bool {
    rig.api.objects[POD]["status"]["containerStatuses"][0]["state"]["running"].is_object()
}

fn events(rig: &Rig) -> Vec<String> {
    let mut events: Vec<_> = rig
        .api
        .objects
        .iter()
        .filter(|(path, _)| path.contains("/events/"))
        .map(|(path, event)| {
            (
                path.clone(),
                event["message"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    events.sort();
    events.into_iter().map(|(_, message)| message).collect()
}

#[test]
fn a_pod_brings_its_credentials() {
    let mut rig = rig(Ok("test/ok:v1"));
    let mut object = pod(IMAGE, "IfNotPresent");
    object["spec"]["imagePullSecrets"] =
        json!([{"name": "own"}, {"name": "old"}, {"name": "none"}, {"name": "other"}]);
    rig.api.put(
        "/api/v1/namespaces/default/secrets/own",
        json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eyJhdXRocyI6IHt9fQ=="}}),
    );
    rig.api.put(
        "/api/v1/namespaces/default/secrets/old",
        json!({"data": {".dockercfg": "e30="}}),
    );
    rig.api.put(
        "/api/v1/namespaces/default/secrets/other",
        json!({"data": {"x": "e30="}}),
    );
    rig.api.put(POD, object);
    rig.run(5000);
    assert!(is_running(&rig), "{:?}", waiting(&rig));
    assert_eq!(rig.runtime.pull_secrets, [&b"{\"auths\": {}}"[..], b"{}"]);
    let said = events(&rig);
    let unable = "Unable to retrieve some image pull secrets (none, other); attempting to pull the image may not succeed.";
    assert_eq!(
        said.iter().filter(|text| *text == unable).count(),
        1,
        "{said:?}"
    );
    // What they hold is nobody's business but the registry's.
    assert!(!format!("{:?}", rig.api.objects[POD]["status"]).contains("auths"));
}

#[test]
fn secrets_for_registries_are_not_read_for_images_in_flash() {
    let mut rig = rig(Ok("test/ok:v1"));
    let mut object = pod("test/ok:v1", "IfNotPresent");
    object["spec"]["imagePullSecrets"] = json!([{"name": "own"}]);
    rig.api.put(POD, object);
    rig.run(5000);
    assert!(is_running(&rig), "{:?}", waiting(&rig));
    assert_eq!(rig.api.count("GET /api/v1/namespaces/default/secrets"), 0);
    assert!(rig.api.count("GET /api/v1") > 0);
}

#[test]
fn an_image_comes_from_its_registry_once() {
    let mut rig = rig(Ok("test/ok:v1"));
    rig.runtime.pull_takes = 3;
    rig.api.put(POD, pod(IMAGE, "IfNotPresent"));
    rig.run(500);
    assert!(!is_running(&rig));
    rig.run(3000);
    assert!(is_running(&rig));
    assert_eq!(
        events(&rig),
        [
            "Pulling image \"r.example/own:v1\"",
            "Successfully pulled image \"r.example/own:v1\"",
            "Created container: c",
            "Started container c"
        ]
    );
    let node = &rig.api.objects["/api/v1/nodes/pico"];
    assert_eq!(
        node["metadata"]["annotations"]["pico.io/available-ecis"],
        "[\"r.example/own:v1\"]"
    );
    assert_eq!(node["status"]["images"][0]["names"][0], IMAGE);
    let asked = rig.runtime.pulls.len();
    assert_eq!(asked, 4);
    rig.api.delete(POD);
    rig.run(5000);
    rig.api.put(POD, pod(IMAGE, "IfNotPresent"));
    rig.run(3000);
    assert!(is_running(&rig));
    assert_eq!(rig.runtime.pulls.len(), asked, "it is in flash");
}

#[test]
fn a_registry_that_fails_is_asked_again_with_growing_pauses() {
    let mut rig = rig(Err(ImageError::Unavailable("the registry says 404".into())));
    rig.api.put(POD, pod(IMAGE, "IfNotPresent"));
    rig.run(500);
    let (reason, message) = waiting(&rig);
    assert_eq!(reason, "ErrImagePull");
    assert_eq!(
        message,
        "failed to pull image \"r.example/own:v1\": the registry says 404"
    );
    rig.run(2000);
    let (reason, message) = waiting(&rig);
    assert_eq!(reason, "ImagePullBackOff");
    assert_eq!(
        message,
        "Back-off pulling image \"r.example/own:v1\": failed to pull image \"r.example/own:v1\": the registry says 404"
    );
    assert_eq!(rig.runtime.pulls.len(), 1, "a back-off asks nobody");
    rig.run(3_600_000);
    // After 10, 20, 40, … 300 seconds.
    assert!(
        (12..=17).contains(&rig.runtime.pulls.len()),
        "{}",
        rig.runtime.pulls.len()
    );
    rig.runtime
        .registry
        .insert(IMAGE.to_owned(), Ok("test/ok:v1"));
    rig.run(320_000);
    assert!(is_running(&rig), "{:?}", waiting(&rig));
}

#[test]
fn an_image_that_is_not_to_be_trusted_says_so() {
    let mut rig = rig(Err(ImageError::Refused("the image is not signed".into())));
    rig.api.put(POD, pod(IMAGE, "IfNotPresent"));
    rig.run(3000);
    let (reason, message) = waiting(&rig);
    assert_eq!(reason, "SignatureValidationFailed");
    assert_eq!(
        message,
        "ECI 'r.example/own:v1' is refused: the image is not signed"
    );
}

#[test]
fn policies() {
    let check = |image: &str, policy: &str, reason: &str, pulls: usize| {
        let mut rig = rig(Ok("test/ok:v1"));
        rig.api.put(POD, pod(image, policy));
        rig.run(900);
        assert_eq!(waiting(&rig).0, reason, "{image} {policy}");
        assert_eq!(is_running(&rig), reason.is_empty(), "{image} {policy}");
        assert_eq!(rig.runtime.pulls.len(), pulls, "{image} {policy}");
    };
    check(IMAGE, "Always", "", 1);
    check(IMAGE, "IfNotPresent", "", 1);
    check(IMAGE, "Never", "ErrImageNeverPull", 0);
    // What names no registry is in flash or nowhere.
    check("test/ok:v1", "Always", "", 0);
    check("test/ok:v1", "Never", "", 0);
    check("test/none:v1", "Always", "ErrImagePull", 0);
    check("test/none:v1", "Never", "ErrImageNeverPull", 0);
}

#[test]
fn always_asks_at_each_start_and_the_images_in_use_are_told() {
    let mut rig = rig(Ok("test/fails:v1"));
    rig.runtime.pull_takes = 1;
    rig.api.put(
        "/api/v1/namespaces/default/pods/other",
        json!({"kind": "Pod", "metadata": {"name": "other", "namespace": "default"},
            "spec": {"nodeName": "pico", "containers": [{"name": "c", "image": "test/ok:v1"}]}}),
    );
    rig.run(1000);
    rig.api.put(POD, pod(IMAGE, "Always"));
    rig.run(5000);
    let pulls = &rig.runtime.pulls;
    // The first restart comes at once, the second after ten seconds.
    assert_eq!(pulls.len(), 4, "{pulls:?}");
    assert!(
        pulls[1].1.contains(&"sha256:test/ok:v1".to_owned()),
        "{pulls:?}"
    );
}

#[test]
fn a_pod_that_is_deleted_while_its_image_comes_is_gone() {
    let mut rig = rig(Ok("test/ok:v1"));
    rig.runtime.pull_takes = 1_000_000;
    rig.api.put(POD, pod(IMAGE, "IfNotPresent"));
    rig.run(5000);
    rig.api.change(POD, |pod| {
        pod["metadata"]["deletionTimestamp"] = "2023-11-14T22:13:30Z".into();
        pod["metadata"]["deletionGracePeriodSeconds"] = 1.into();
    });
    rig.run(3000);
    assert!(!rig.api.objects.contains_key(POD));
    assert!(rig.agent.pod_names().is_empty());
}
