// SPDX-License-Identifier: Apache-2.0
//! One line per pod spec: what is wrong with it.

use serde_json::{Value, json};

use super::{default_pod_spec, validate_spec};
use crate::field::{Errors, Path};

/// Checks the spec of a Pod that has one container; what is given is merged into spec and container.
fn check(spec: Value, container: Value, expected: &[&str]) {
    let mut whole = json!({"containers": [{"name": "c", "image": "i"}]});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    for (key, value) in container.as_object().unwrap() {
        whole["containers"][0][key] = value.clone();
    }
    default_pod_spec(&mut whole);
    let pod = json!({"metadata": {"name": "p"}, "spec": whole});
    let mut errors = Errors::new();
    validate_spec(&pod["spec"], Some(&pod), &Path::new("spec"), &mut errors);
    let found: Vec<String> = errors
        .iter()
        .map(|e| format!("{}: {}", e.field, e.message))
        .collect();
    assert_eq!(found, expected, "{pod}");
}

fn spec(spec: Value, expected: &[&str]) {
    check(spec, json!({}), expected);
}

fn container(container: Value, expected: &[&str]) {
    check(json!({}), container, expected);
}

#[test]
fn containers() {
    container(json!({}), &[]);
    container(
        json!({"imagePullPolicy": "Often"}),
        &[
            r#"spec.containers[0].imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never""#,
        ],
    );
    container(
        json!({"terminationMessagePolicy": "X"}),
        &[
            r#"spec.containers[0].terminationMessagePolicy: Unsupported value: "X": supported values: "File", "FallbackToLogsOnError""#,
        ],
    );
    container(
        json!({"resizePolicy": [{"resourceName": "gpu", "restartPolicy": "NotRequired"}]}),
        &[
            r#"spec.containers[0].resizePolicy: Unsupported value: "gpu": supported values: "cpu", "memory""#,
        ],
    );
    container(json!({"restartPolicy": "Never"}), &[]);
    container(
        json!({"restartPolicyRules": [{"action": "Restart"}]}),
        &[
            "spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used",
            "spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified",
        ],
    );
    spec(
        json!({"initContainers": [{"name": "i", "image": "i", "livenessProbe": {"exec": {"command": ["x"]}}}]}),
        &[
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
        ],
    );
    spec(
        json!({"ephemeralContainers": [{"name": "e", "image": "i", "targetContainerName": "x"}]}),
        &[r#"spec.ephemeralContainers[0].targetContainerName: Not found: "x""#],
    );
}

#[test]
fn environment() {
    container(
        json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}}]}),
        &[],
    );
    container(
        json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]}),
        &[
            r#"spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs""#,
        ],
    );
    container(
        json!({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "3"}}}]}),
        &[
            r#"spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource"#,
        ],
    );
    container(
        json!({"env": [{"name": "A", "valueFrom": {"fileKeyRef": {"key": "k", "path": "p", "volumeName": "v"}}}]}),
        &[r#"spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: "v""#],
    );
    container(
        json!({"envFrom": [{}]}),
        &[
            "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`",
        ],
    );
}

#[test]
fn volumes() {
    let volume = |source: Value, expected: &[&str]| {
        let mut volume = json!({"name": "v"});
        for (key, value) in source.as_object().unwrap() {
            volume[key] = value.clone();
        }
        spec(json!({ "volumes": [volume] }), expected);
    };
    volume(
        json!({"emptyDir": {"sizeLimit": "-1"}}),
        &[
            "spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity",
        ],
    );
    volume(
        json!({"hostPath": {"path": "/x", "type": "Door"}}),
        &[
            r#"spec.volumes[0].hostPath.type: Unsupported value: "Door": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket""#,
        ],
    );
    volume(
        json!({"persistentVolumeClaim": {}}),
        &["spec.volumes[0].persistentVolumeClaim.claimName: Required value"],
    );
    volume(
        json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "../x"}]}}),
        &[r#"spec.volumes[0].secret.items[0].path: Invalid value: "../x": must not contain '..'"#],
    );
    volume(
        json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 1}}]}}),
        &[
            "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
        ],
    );
    volume(
        json!({"downwardAPI": {"items": [{"path": "p"}]}}),
        &[
            "spec.volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required",
        ],
    );
    volume(
        json!({"image": {}}),
        &["spec.volumes[0].image.reference: Required value"],
    );
    volume(
        json!({"ephemeral": {}}),
        &["spec.volumes[0].ephemeral.volumeClaimTemplate: Required value"],
    );
    check(
        json!({"volumes": [{"name": "v"}]}),
        json!({"volumeMounts": [{"name": "v", "mountPath": "/x", "mountPropagation": "Bidirectional"}]}),
        &[
            "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers",
        ],
    );
    check(
        json!({"volumes": [{"name": "v"}]}),
        json!({"volumeDevices": [{"name": "v", "devicePath": "/x"}]}),
        &[
            r#"spec.containers[0].volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"#,
        ],
    );
}

#[test]
fn probes_and_hooks() {
    container(
        json!({"livenessProbe": {"grpc": {"port": 0}}}),
        &[
            "spec.containers[0].livenessProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    );
    container(
        json!({"readinessProbe": {"exec": {"command": ["x"]}, "terminationGracePeriodSeconds": 1}}),
        &[
            "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes",
        ],
    );
    container(
        json!({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}),
        &[
            "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
        ],
    );
    container(
        json!({"livenessProbe": {"httpGet": {"port": 80, "scheme": "FTP"}}}),
        &[
            r#"spec.containers[0].livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS""#,
        ],
    );
}

#[test]
fn resources() {
    container(
        json!({"resources": {"limits": {"hugepages-2Mi": "4Mi"}, "requests": {"hugepages-2Mi": "4Mi"}}}),
        &["spec.containers[0].resources: Forbidden: HugePages require cpu or memory"],
    );
    container(
        json!({"resources": {"claims": [{"name": "x"}]}}),
        &[
            r#"spec.containers[0].resources.claims[0]: Not found: "x": must be one of the names in pod.spec.resourceClaims which is empty"#,
        ],
    );
    check(
        json!({"resources": {"requests": {"cpu": "1"}}}),
        json!({"resources": {"requests": {"cpu": "2"}}}),
        &[
            r#"spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2"#,
        ],
    );
    spec(
        json!({"resources": {"limits": {"ephemeral-storage": "1"}}}),
        &[
            r#"spec.resources.limits[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory""#,
        ],
    );
    spec(
        json!({"overhead": {"cpu": "-1"}}),
        &[r#"spec.overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0"#],
    );
}

#[test]
fn placement() {
    spec(
        json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 1}]}),
        &[
            "spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
        ],
    );
    spec(
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.uid", "operator": "In", "values": ["x"]}]}]}}}}),
        &[
            r#"spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key: Invalid value: "metadata.uid": not a valid field selector key"#,
        ],
    );
    spec(
        json!({"tolerations": [{"key": "a", "operator": "Lt", "value": "1"}]}),
        &[
            r#"spec.tolerations[0].operator: Unsupported value: "Lt": supported values: "Equal", "Exists", "Lt", "Gt""#,
        ],
    );
    spec(
        json!({"schedulingGates": [{"name": "a"}, {"name": "a"}]}),
        &[r#"spec.schedulingGates[1]: Duplicate value: "a""#],
    );
}

#[test]
fn host_and_security() {
    spec(
        json!({"dnsPolicy": "None"}),
        &["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    );
    spec(
        json!({"hostnameOverride": "h", "setHostnameAsFQDN": true}),
        &["spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true"],
    );
    spec(
        json!({"hostUsers": false, "hostPID": true}),
        &["spec.HostPID: Forbidden: when `hostUsers` is false"],
    );
    spec(
        json!({"os": {"name": "plan9"}}),
        &[r#"spec.os: Unsupported value: "plan9": supported values: "linux", "windows""#],
    );
    spec(
        json!({"os": {"name": "windows"}, "securityContext": {"runAsUser": 1}}),
        &["spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod"],
    );
    spec(
        json!({"securityContext": {"seccompProfile": {"type": "Localhost"}}}),
        &[
            "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
        ],
    );
    spec(
        json!({"hostNetwork": true, "securityContext": {"sysctls": [{"name": "net.a", "value": "1"}]}}),
        &[
            r#"spec.securityContext.sysctls[0].name: Invalid value: "net.a": may not be specified when 'hostNetwork' is true"#,
        ],
    );
    container(
        json!({"securityContext": {"procMount": "Unmasked"}}),
        &[
            "spec.containers[0].securityContext.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false to use `Unmasked`",
        ],
    );
    spec(
        json!({"preemptionPolicy": "Maybe"}),
        &[
            r#"spec.preemptionPolicy: Unsupported value: "Maybe": supported values: "PreemptLowerPriority", "Never""#,
        ],
    );
    spec(
        json!({"resourceClaims": [{"name": "a"}]}),
        &[
            r#"spec.resourceClaims[0]: Invalid value: {"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"#,
        ],
    );
}
