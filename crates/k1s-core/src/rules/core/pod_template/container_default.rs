// SPDX-License-Identifier: Apache-2.0
//! Defaults of a container.

use serde_json::{Map, Value};

use crate::object::{self, at_mut, default, default_absent, list_mut, text};
use crate::rules::core::{image_reference, resource_name};

/// What a probe has where nothing, or zero, is said.
const PROBE: [(&str, i64); 4] = [
    ("timeoutSeconds", 1),
    ("periodSeconds", 10),
    ("successThreshold", 1),
    ("failureThreshold", 3),
];

/// Fills in the defaults of a container, an init container or an ephemeral container.
pub(super) fn default_container(container: &mut Value) {
    let policy = pull_policy(text(container, &["image"]));
    let map = object::make_map(container);
    default(map, "imagePullPolicy", policy);
    default(map, "terminationMessagePath", "/dev/termination-log");
    default(map, "terminationMessagePolicy", "File");
    for port in list_mut(container, &["ports"]) {
        default(object::make_map(port), "protocol", "TCP");
    }
    for variable in list_mut(container, &["env"]) {
        default_field_ref(variable, &["valueFrom", "fieldRef"]);
        with_map(variable, &["valueFrom", "fileKeyRef"], |file| {
            default_absent(file, "optional", false);
        });
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        with_map(container, &[probe], |map| {
            for (key, seconds) in PROBE {
                default(map, key, seconds);
            }
        });
        default_http_get(container, &[probe, "httpGet"]);
        with_map(container, &[probe, "grpc"], |grpc| {
            default_absent(grpc, "service", "");
        });
    }
    for hook in ["postStart", "preStop"] {
        default_http_get(container, &["lifecycle", hook, "httpGet"]);
    }
    for key in ["limits", "requests"] {
        if let Some(list) = at_mut(container, &["resources", key]) {
            resource_name::round_up(list);
        }
    }
}

/// How an image is pulled where nothing is said.
pub(super) fn pull_policy(image: &str) -> &'static str {
    if image_reference::is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    }
}

/// `apiVersion: v1` of a reference to a field of the pod.
pub(super) fn default_field_ref(parent: &mut Value, path: &[&str]) {
    with_map(parent, path, |reference| {
        default(reference, "apiVersion", "v1");
    });
}

fn default_http_get(parent: &mut Value, path: &[&str]) {
    with_map(parent, path, |get| {
        default(get, "path", "/");
        default(get, "scheme", "HTTP");
    });
}

/// Changes the map at a path, where there is one.
pub(super) fn with_map(
    parent: &mut Value,
    path: &[&str],
    change: impl FnOnce(&mut Map<String, Value>),
) {
    if let Some(map) = at_mut(parent, path).and_then(Value::as_object_mut) {
        change(map);
    }
}
