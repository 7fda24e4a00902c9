// SPDX-License-Identifier: Apache-2.0
//! JSON with its fields in the order of Kubernetes' Go types.
//!
//! kubectl prints objects that it made, or read into a type, with the fields as their type declares them, where `get`
//! prints them sorted. One list of names is enough for the kinds that commands make; the few types that disagree with
//! it are told apart by the field they stand in.

use serde_json::{Map, Value};

/// Fields in the order of the types that hold them.
const ORDER: &[&str] = &[
    "kind",
    "apiVersion",
    "metadata",
    "apiGroup",
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
    "secrets",
    "imagePullSecrets",
    "automountServiceAccountToken",
    "immutable",
    "data",
    "binaryData",
    "stringData",
    "subjects",
    "roleRef",
    "value",
    "globalDefault",
    "description",
    "preemptionPolicy",
    "spec",
    "status",
    "schedule",
    "timeZone",
    "startingDeadlineSeconds",
    "concurrencyPolicy",
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "replicas",
    "ports",
    "selector",
    "manualSelector",
    "clusterIP",
    "clusterIPs",
    "type",
    "template",
    "strategy",
    "minReadySeconds",
    "revisionHistoryLimit",
    "progressDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "completionMode",
    "suspend",
    "podReplacementPolicy",
    "jobTemplate",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
    "rollingUpdate",
    "maxUnavailable",
    "maxSurge",
    "volumes",
    "initContainers",
    "containers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "serviceAccount",
    "nodeName",
    "hostNetwork",
    "securityContext",
    "affinity",
    "schedulerName",
    "tolerations",
    "priorityClassName",
    "priority",
    "enableServiceLinks",
    "preemptionPolicy",
    "image",
    "command",
    "args",
    "workingDir",
    "hostPort",
    "containerPort",
    "envFrom",
    "env",
    "valueFrom",
    "verbs",
    "apiGroups",
    "resources",
    "resourceNames",
    "nonResourceURLs",
    "volumeMounts",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "stdin",
    "stdinOnce",
    "tty",
    "protocol",
    "appProtocol",
    "port",
    "targetPort",
    "nodePort",
    "number",
    "externalIPs",
    "sessionAffinity",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "externalName",
    "externalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "internalTrafficPolicy",
    "ingressClassName",
    "defaultBackend",
    "tls",
    "rules",
    "aggregationRule",
    "host",
    "http",
    "paths",
    "path",
    "pathType",
    "backend",
    "service",
    "hosts",
    "secretName",
    "loadBalancer",
    "minAvailable",
    "observedGeneration",
    "disruptionsAllowed",
    "currentHealthy",
    "desiredHealthy",
    "expectedPods",
    "hard",
    "scopes",
    "used",
    "scaleTargetRef",
    "minReplicas",
    "maxReplicas",
    "metrics",
    "behavior",
    "currentReplicas",
    "desiredReplicas",
    "resource",
    "target",
    "averageValue",
    "averageUtilization",
    "matchLabels",
    "matchExpressions",
    "key",
    "operator",
    "values",
    "audiences",
    "expirationSeconds",
    "boundObjectRef",
    "token",
    "expirationTimestamp",
    "userInfo",
    "username",
    "groups",
    "extra",
    "phase",
    "conditions",
    "reason",
    "message",
];

/// Fields whose content has names of the user's own, sorted.
const FREE: [&str; 12] = [
    "labels",
    "annotations",
    "data",
    "binaryData",
    "stringData",
    "matchLabels",
    "hard",
    "used",
    "limits",
    "requests",
    "nodeSelector",
    "extra",
];

/// Fields whose type puts its own fields in another order.
const SPECIAL: [(&str, &[&str]); 5] = [
    (
        "target",
        &["type", "value", "averageValue", "averageUtilization"],
    ),
    ("roleRef", &["apiGroup", "kind", "name"]),
    (
        "ownerReferences",
        &[
            "apiVersion",
            "kind",
            "name",
            "uid",
            "controller",
            "blockOwnerDeletion",
        ],
    ),
    ("scaleTargetRef", &["kind", "name", "apiVersion"]),
    ("boundObjectRef", &["kind", "apiVersion", "name", "uid"]),
];

/// Prints an object of a built-in type, indented by four spaces.
pub fn object(value: &Value) -> String {
    print(value, ORDER)
}

/// Prints an object of a built-in type in one line.
pub fn compact(value: &Value) -> String {
    let mut out = String::new();
    write_compact(&mut out, value, "");
    out
}

/// Prints JSON with its fields in this order, others after them by name, indented by four spaces.
pub fn print(value: &Value, order: &[&str]) -> String {
    let mut out = String::new();
    write(&mut out, value, "", order, 0);
    out.push('\n');
    out
}

fn write(out: &mut String, value: &Value, field: &str, order: &[&str], level: usize) {
    let line = |out: &mut String, level: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", level));
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('{');
            for (number, (name, value)) in sorted(fields, field, order).into_iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                line(out, level + 1);
                out.push_str(&k1s_core::json::print(&Value::from(name.as_str())));
                out.push_str(": ");
                write(out, value, name, order, level + 1);
            }
            line(out, level);
            out.push('}');
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                line(out, level + 1);
                write(out, item, field, order, level + 1);
            }
            line(out, level);
            out.push(']');
        }
        plain => out.push_str(&k1s_core::json::print(plain)),
    }
}

fn write_compact(out: &mut String, value: &Value, field: &str) {
    match value {
        Value::Object(fields) => {
            out.push('{');
            for (number, (name, value)) in sorted(fields, field, ORDER).into_iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                out.push_str(&k1s_core::json::print(&Value::from(name.as_str())));
                out.push(':');
                write_compact(out, value, name);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                write_compact(out, item, field);
            }
            out.push(']');
        }
        plain => out.push_str(&k1s_core::json::print(plain)),
    }
}

fn sorted<'a>(
    fields: &'a Map<String, Value>,
    parent: &str,
    order: &[&str],
) -> Vec<(&'a String, &'a Value)> {
    let order = SPECIAL
        .iter()
        .find(|(field, _)| *field == parent)
        .map_or(order, |(_, order)| order);
    let order = if FREE.contains(&parent) { &[] } else { order };
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by_key(|(name, _)| {
        (
            order
                .iter()
                .position(|known| known == name)
                .unwrap_or(usize::MAX),
            *name,
        )
    });
    sorted
}

#[cfg(test)]
mod tests {
    use super::object;
    use serde_json::json;

    #[test]
    fn fields_stand_as_types_declare_them() {
        let binding = json!({"apiVersion": "v1", "kind": "RoleBinding", "metadata": {"name": "x", "labels": {"z": "1", "name": "2"}}, "roleRef": {"name": "r", "kind": "Role", "apiGroup": "g"}, "subjects": []});
        let expected = "{\n    \"kind\": \"RoleBinding\",\n    \"apiVersion\": \"v1\",\n    \"metadata\": {\n        \"name\": \"x\",\n        \"labels\": {\n            \"name\": \"2\",\n            \"z\": \"1\"\n        }\n    },\n    \"subjects\": [],\n    \"roleRef\": {\n        \"apiGroup\": \"g\",\n        \"kind\": \"Role\",\n        \"name\": \"r\"\n    }\n}\n";
        assert_eq!(object(&binding), expected);
    }
}
