// SPDX-License-Identifier: Apache-2.0
//! Where kinds keep the specification of their pods, and the containers in it.

use k1s_core::object::text;
use serde_json::Value;

use crate::error::{Error, Result};

/// The JSON pointer of a kind's pod specification, if it has one.
fn path(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some("/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        "DaemonSet"
        | "Deployment"
        | "Job"
        | "ReplicaSet"
        | "ReplicationController"
        | "StatefulSet" => Some("/spec/template/spec"),
        _ => None,
    }
}

/// The specification of an object's pods.
///
/// # Errors
/// When the object has none.
pub(super) fn of(object: &mut Value) -> Result<&mut Value> {
    let kind = text(object, &["kind"]).to_owned();
    let (_, version) = k1s_core::kinds::split_api_version(text(object, &["apiVersion"]));
    let type_in_go = format!("*{version}.{kind}");
    let title = title(object);
    path(&kind)
        .and_then(|path| object.pointer_mut(path))
        .ok_or_else(|| {
            Error::message(format!(
                "error: {title} the object is not a pod or does not have a pod template: {type_in_go}"
            ))
        })
}

/// `services/web`, as the API names an object's resource.
pub(super) fn title(object: &Value) -> String {
    let (group, version) = k1s_core::kinds::split_api_version(text(object, &["apiVersion"]));
    let kind = text(object, &["kind"]);
    let plural = k1s_core::kinds::of_kind(group, version, kind)
        .map_or_else(|| kind.to_lowercase(), |known| known.plural.to_owned());
    format!("{plural}/{}", text(object, &["metadata", "name"]))
}

/// The containers whose names fit, the init containers last.
pub(super) fn containers<'a>(spec: &'a mut Value, names: &str) -> Vec<&'a mut Value> {
    let Some(spec) = spec.as_object_mut() else {
        return Vec::new();
    };
    let (mut main, mut init) = (Vec::new(), Vec::new());
    for (field, list) in spec.iter_mut() {
        let into = match field.as_str() {
            "containers" => &mut main,
            "initContainers" => &mut init,
            _ => continue,
        };
        into.extend(
            list.as_array_mut()
                .into_iter()
                .flatten()
                .filter(|container| fits(names.as_bytes(), text(container, &["name"]).as_bytes())),
        );
    }
    main.extend(init);
    main
}

/// Whether a name fits a pattern in which `*` stands for any text.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            fits(&pattern[1..], name) || !name.is_empty() && fits(pattern, &name[1..])
        }
        (Some(p), Some(n)) if p == n => fits(&pattern[1..], &name[1..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_by_name() {
        let mut spec = json!({"containers": [{"name": "main"}, {"name": "side"}], "initContainers": [{"name": "init"}]});
        let mut check = |names: &str, wanted: &[&str]| {
            let found: Vec<String> = containers(&mut spec, names)
                .iter()
                .map(|c| text(c, &["name"]).to_owned())
                .collect();
            assert_eq!(found, wanted, "{names}");
        };
        check("*", &["main", "side", "init"]);
        check("*i*", &["main", "side", "init"]);
        check("s*", &["side"]);
        check("main", &["main"]);
        check("mai", &[]);
    }

    #[test]
    fn only_some_kinds_have_pods() {
        let mut service =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {}});
        assert_eq!(
            of(&mut service).unwrap_err().to_string(),
            "error: services/web the object is not a pod or does not have a pod template: *v1.Service"
        );
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []}});
        assert_eq!(of(&mut pod).unwrap(), &json!({"containers": []}));
    }
}
