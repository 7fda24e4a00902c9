// SPDX-License-Identifier: Apache-2.0
//! Defaults of a pod template and of a pod spec.

use serde_json::{Map, Value, json};

use super::container_default::default_container;
use super::feature;
use super::volume_default::default_volume;
use crate::object::{self, at_mut, default_absent, list_mut};
use crate::rules::core::resource_name;

const GRACE_PERIOD_SECONDS: i64 = 30;
const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Fills in the defaults of a `PodTemplateSpec`, and drops fields of features that are off.
pub(in crate::rules) fn default_template(template: &mut Value) {
    object::map_mut(template, &["metadata"]);
    let spec = object::make_map(template)
        .entry("spec")
        .or_insert(Value::Null);
    default_pod_spec(spec);
    feature::drop_from_spec(spec);
}

/// Fills in the defaults of a `PodSpec`.
pub(in crate::rules) fn default_pod_spec(spec: &mut Value) {
    let map = object::make_map(spec);
    object::default(map, "dnsPolicy", "ClusterFirst");
    object::default(map, "restartPolicy", "Always");
    object::default(map, "schedulerName", "default-scheduler");
    default_absent(map, "securityContext", json!({}));
    default_absent(map, "terminationGracePeriodSeconds", GRACE_PERIOD_SECONDS);
    name_the_service_account_twice(map);
    for volume in list_mut(spec, &["volumes"]) {
        default_volume(volume);
    }
    for kind in CONTAINER_LISTS {
        for container in list_mut(spec, &[kind]) {
            default_container(container);
        }
    }
    for path in [
        &["overhead"][..],
        &["resources", "limits"],
        &["resources", "requests"],
    ] {
        if let Some(list) = at_mut(spec, path) {
            resource_name::round_up(list);
        }
    }
}

/// `serviceAccount` is the old name of `serviceAccountName`: both are shown, the new one wins.
fn name_the_service_account_twice(spec: &mut Map<String, Value>) {
    const NEW: &str = "serviceAccountName";
    const OLD: &str = "serviceAccount";
    if object::is_unset(spec.get(NEW))
        && let Some(old) = spec.get(OLD).filter(|v| !object::is_unset(Some(v)))
    {
        spec.insert(NEW.into(), old.clone());
    }
    match spec.get(NEW).filter(|v| !object::is_unset(Some(v))) {
        Some(new) => {
            spec.insert(OLD.into(), new.clone());
        }
        None => {
            spec.remove(OLD);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Value, path: &str, expected: Value) {
        let mut template = json!({ "spec": spec });
        default_template(&mut template);
        assert_eq!(
            template
                .pointer(&format!("/spec{path}"))
                .cloned()
                .unwrap_or_default(),
            expected,
            "{path} of {template}"
        );
    }

    #[test]
    fn defaults_of_the_spec() {
        check(json!({}), "/dnsPolicy", json!("ClusterFirst"));
        check(json!({}), "/terminationGracePeriodSeconds", json!(30));
        check(
            json!({"terminationGracePeriodSeconds": 0}),
            "/terminationGracePeriodSeconds",
            json!(0),
        );
        check(json!({}), "/securityContext", json!({}));
        check(
            json!({"serviceAccountName": "a", "serviceAccount": "b"}),
            "/serviceAccount",
            json!("a"),
        );
        check(
            json!({"serviceAccount": "b"}),
            "/serviceAccountName",
            json!("b"),
        );
        check(json!({}), "/serviceAccount", Value::Null);
    }

    #[test]
    fn defaults_of_containers() {
        let with = |container: Value| json!({ "containers": [container] });
        check(
            with(json!({"image": "x"})),
            "/containers/0/imagePullPolicy",
            json!("Always"),
        );
        check(
            with(json!({"image": "x:1"})),
            "/containers/0/imagePullPolicy",
            json!("IfNotPresent"),
        );
        check(
            with(json!({"ports": [{"containerPort": 1}]})),
            "/containers/0/ports/0/protocol",
            json!("TCP"),
        );
        check(
            with(json!({"startupProbe": {"grpc": {"port": 1}}})),
            "/containers/0/startupProbe",
            json!({"grpc": {"port": 1, "service": ""}, "failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}),
        );
        check(
            with(json!({"lifecycle": {"postStart": {"httpGet": {"port": 1}}}})),
            "/containers/0/lifecycle/postStart/httpGet",
            json!({"path": "/", "port": 1, "scheme": "HTTP"}),
        );
    }

    #[test]
    fn defaults_of_volumes() {
        let with = |volume: Value| json!({ "volumes": [volume] });
        check(with(json!({"name": "v"})), "/volumes/0/emptyDir", json!({}));
        check(
            with(json!({"hostPath": {"path": "/x"}})),
            "/volumes/0/hostPath/type",
            json!(""),
        );
        check(
            with(json!({"secret": {}})),
            "/volumes/0/secret/defaultMode",
            json!(420),
        );
        check(
            with(json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}})),
            "/volumes/0/projected",
            json!({"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}),
        );
        check(
            with(json!({"ephemeral": {"volumeClaimTemplate": {"spec": {}}}})),
            "/volumes/0/ephemeral/volumeClaimTemplate/spec/volumeMode",
            json!("Filesystem"),
        );
    }
}
