// SPDX-License-Identifier: Apache-2.0
//! One line per pod: what is told of it.

use super::*;
use serde_json::json;

fn check(level: Level, minor: Option<u32>, spec: Value, expected: &str) {
    let pod = json!({ "spec": spec });
    let found = violations(Policy { level, minor }, &pod);
    assert_eq!(words(&found), expected, "{pod}");
}

#[test]
fn baseline() {
    let check = |spec, expected| check(Level::Baseline, None, spec, expected);
    check(json!({"containers": [{"name": "c"}]}), "");
    check(json!({"hostIPC": true}), "host namespaces (hostIPC=true)");
    check(
        json!({"containers": [{"name": "c", "ports": [{"hostPort": 80}]}]}),
        "hostPort (container \"c\" uses hostPort 80)",
    );
    check(
        json!({"volumes": [{"name": "h", "hostPath": {}}]}),
        "hostPath volumes (volume \"h\")",
    );
    check(
        json!({"hostUsers": false, "containers": [{"name": "c", "securityContext": {"procMount": "Unmasked"}}],
            "securityContext": {"seLinuxOptions": {"type": "spc_t", "user": "u"}, "sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_syncookies"}]}}),
        "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not be set), forbidden sysctls (kernel.msgmax)",
    );
    check(
        json!({"containers": [{"name": "c", "securityContext": {"privileged": true}}]}),
        "privileged (container \"c\" must not set securityContext.privileged=true)",
    );
}

#[test]
fn restricted() {
    let good = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    check(
        Level::Restricted,
        None,
        json!({"containers": [{"name": "c", "securityContext": good}]}),
        "",
    );
    check(
        Level::Restricted,
        None,
        json!({"containers": [{"name": "good", "securityContext": good}, {"name": "bad", "securityContext": {"capabilities": {"add": ["SYS_TIME"], "drop": ["ALL"]}}}, {"name": "worse"}]}),
        "allowPrivilegeEscalation != false (containers \"bad\", \"worse\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"worse\" must set securityContext.capabilities.drop=[\"ALL\"]; container \"bad\" must not include \"SYS_TIME\" in securityContext.capabilities.add), runAsNonRoot != true (pod or containers \"bad\", \"worse\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or containers \"bad\", \"worse\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
    );
    check(
        Level::Restricted,
        Some(18),
        json!({"containers": [{"name": "c"}]}),
        "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true (pod or container \"c\" must set securityContext.runAsNonRoot=true)",
    );
    check(Level::Privileged, None, json!({"hostPID": true}), "");
}

#[test]
fn labels() {
    let namespace = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/enforce-version": "v1.30"}}});
    let policy = Policy::of_namespace(&namespace, "enforce");
    assert_eq!(policy.words(), "baseline:v1.30");
    assert_eq!(Policy::of_namespace(&namespace, "warn"), policy);
    assert_eq!(Policy::of_namespace(&json!({}), "warn"), Policy::PRIVILEGED);
    let wrong = json!({"metadata": {"labels": {"pod-security.kubernetes.io/audit": "", "pod-security.kubernetes.io/enforce-version": "1.30"}}});
    let mut errors = Errors::new();
    validate_labels(&wrong, &mut errors);
    assert_eq!(errors.len(), 2);
}
