// SPDX-License-Identifier: Apache-2.0
//! The fields that Kubernetes' types write although they are empty, which an object of a file lacks.

use k1s_core::object::text;
use serde_json::{Value, json};

/// Fills in what the type of the object writes in any case.
pub(super) fn fill(object: &mut Value) {
    let kind = text(object, &["kind"]).to_owned();
    let (specs, status): (&[(&str, Value)], Value) = match kind.as_str() {
        "Pod" | "Job" | "CronJob" => (&[], json!({})),
        "Deployment" => (&[("strategy", json!({}))], json!({})),
        "ReplicaSet" | "ReplicationController" => (&[], json!({ "replicas": 0 })),
        "StatefulSet" => (
            &[("updateStrategy", json!({})), ("serviceName", json!(""))],
            json!({ "availableReplicas": 0, "replicas": 0 }),
        ),
        "DaemonSet" => (
            &[("updateStrategy", json!({}))],
            json!({
                "currentNumberScheduled": 0,
                "desiredNumberScheduled": 0,
                "numberMisscheduled": 0,
                "numberReady": 0,
            }),
        ),
        "Service" => (&[], json!({ "loadBalancer": {} })),
        _ => return,
    };
    if object["status"].is_null() {
        object["status"] = status;
    }
    for (field, empty) in specs {
        if object["spec"][*field].is_null() {
            object["spec"][*field] = empty.clone();
        }
    }
    if kind != "Service" {
        containers(&mut object["spec"]);
    }
}

/// Every container has resources, and every template metadata, be they empty.
fn containers(value: &mut Value) {
    let Some(map) = value.as_object_mut() else {
        return;
    };
    for (field, value) in map {
        match field.as_str() {
            "containers" | "initContainers" => {
                for container in value.as_array_mut().into_iter().flatten() {
                    if container["resources"].is_null() {
                        container["resources"] = json!({});
                    }
                }
            }
            "template" | "jobTemplate" if value.is_object() => {
                if value["metadata"].is_null() {
                    value["metadata"] = json!({});
                }
                containers(&mut value["spec"]);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_of_types() {
        let mut object = json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}}});
        fill(&mut object);
        assert_eq!(
            object,
            json!({"kind": "CronJob", "spec": {"jobTemplate": {"metadata": {}, "spec": {"template": {"metadata": {}, "spec": {"containers": [{"name": "c", "resources": {}}]}}}}}, "status": {}})
        );
        let mut other = json!({"kind": "ConfigMap"});
        fill(&mut other);
        assert_eq!(other, json!({"kind": "ConfigMap"}));
    }
}
