// SPDX-License-Identifier: Apache-2.0
//! The controls of the standards, in the order in which they are told: those of baseline, then those of restricted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::containers::{Bad, plural, quoted};
use super::{Level, Policy, Violation};
use crate::field::quote;
use crate::object::{annotation, is_true, list, map, text};
use crate::rules::core::pod_template::annotation::APP_ARMOR_PREFIX;
use crate::rules::core::pod_template::check::given;
use crate::rules::core::pod_template::containers;
use crate::rules::number::number;

/// A control, and where it counts.
pub(super) struct Check {
    pub(super) level: Level,
    /// The minor version that brought it.
    pub(super) since: u32,
    /// The minor version since which restricted has a stricter one instead.
    pub(super) overridden_since: Option<u32>,
    pub(super) run: fn(Policy, &Value, &Value) -> Option<Violation>,
}

const fn baseline(run: fn(Policy, &Value, &Value) -> Option<Violation>) -> Check {
    Check {
        level: Level::Baseline,
        since: 0,
        overridden_since: None,
        run,
    }
}

const fn restricted(since: u32, run: fn(Policy, &Value, &Value) -> Option<Violation>) -> Check {
    Check {
        level: Level::Restricted,
        since,
        overridden_since: None,
        run,
    }
}

pub(super) const CHECKS: [Check; 18] = [
    baseline(app_armor),
    Check {
        overridden_since: Some(22),
        ..baseline(capabilities)
    },
    baseline(host_namespaces),
    Check {
        overridden_since: Some(0),
        ..baseline(host_path)
    },
    baseline(host_ports),
    Check {
        since: 34,
        ..baseline(probe_hosts)
    },
    baseline(privileged),
    baseline(proc_mount),
    baseline(selinux),
    Check {
        since: 19,
        overridden_since: Some(19),
        ..baseline(seccomp)
    },
    baseline(sysctls),
    baseline(windows_host_process),
    restricted(8, privilege_escalation),
    restricted(22, capabilities_restricted),
    restricted(0, volume_types),
    restricted(0, run_as_non_root),
    restricted(23, run_as_user),
    restricted(19, seccomp_restricted),
];

const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Settings of the kernel that are a pod's own, with the minor version since which they are allowed.
const SYSCTLS: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];
const SELINUX_TYPES: [(&str, u32); 5] = [
    ("", 0),
    ("container_t", 0),
    ("container_init_t", 0),
    ("container_kvm_t", 0),
    ("container_engine_t", 31),
];
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn violation(reason: impl Into<String>, detail: impl Into<String>) -> Option<Violation> {
    Some(Violation {
        reason: reason.into(),
        detail: detail.into(),
    })
}

/// Pods with users of their own may be more within.
fn is_relaxed(policy: Policy, spec: &Value) -> bool {
    policy.is_since(35) && spec.get("hostUsers") == Some(&Value::Bool(false))
}

fn is_windows(policy: Policy, spec: &Value) -> bool {
    policy.is_since(25) && text(spec, &["os", "name"]) == "windows"
}

fn context(holder: &Value) -> &Value {
    holder.get("securityContext").unwrap_or(&Value::Null)
}

fn app_armor(_: Policy, pod: &Value, spec: &Value) -> Option<Violation> {
    let forbidden =
        |holder: &Value| text(context(holder), &["appArmorProfile", "type"]) == "Unconfined";
    let mut parts = Vec::new();
    if forbidden(spec) {
        parts.push("pod must not set AppArmor profile type to \"Unconfined\"".to_owned());
    }
    let bad = Bad::of(spec, forbidden);
    if !bad.is_empty() {
        parts.push(format!(
            "{} must not set AppArmor profile type to \"Unconfined\"",
            bad.words()
        ));
    }
    for key in map(pod, &["metadata", "annotations"])
        .into_iter()
        .flat_map(|m| m.keys())
    {
        let profile = annotation(pod, key).unwrap_or_default();
        let allowed =
            profile.is_empty() || profile == "runtime/default" || profile.starts_with("localhost/");
        if key.starts_with(APP_ARMOR_PREFIX) && !allowed {
            parts.push(format!("annotation {key}={}", quote(profile)));
        }
    }
    if parts.is_empty() {
        return None;
    }
    violation(
        plural("forbidden AppArmor profile", parts.len()),
        parts.join(", "),
    )
}

/// Capabilities that containers add and may not, and which containers.
fn added<'a>(spec: &'a Value, allowed: &[&str]) -> (Bad<'a>, BTreeSet<&'a str>) {
    let extra = |container: &'a Value| {
        list(context(container), &["capabilities", "add"])
            .iter()
            .filter_map(Value::as_str)
            .filter(|c| !allowed.contains(c))
            .collect::<BTreeSet<&str>>()
    };
    let bad = Bad::of(spec, |container| !extra(container).is_empty());
    let all = containers(spec).flat_map(|(_, _, c)| extra(c)).collect();
    (bad, all)
}

fn not_added(bad: &Bad<'_>, capabilities: &BTreeSet<&str>) -> String {
    let all: Vec<&str> = capabilities.iter().copied().collect();
    format!(
        "{} must not include {} in securityContext.capabilities.add",
        bad.words(),
        quoted(&all)
    )
}

fn capabilities(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let (bad, all) = added(spec, &CAPABILITIES);
    if bad.is_empty() {
        return None;
    }
    violation("non-default capabilities", not_added(&bad, &all))
}

fn capabilities_restricted(policy: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    if is_windows(policy, spec) {
        return None;
    }
    let keeps = Bad::of(spec, |container| {
        !list(context(container), &["capabilities", "drop"])
            .iter()
            .any(|c| c == "ALL")
    });
    let (adds, all) = added(spec, &["NET_BIND_SERVICE"]);
    let mut parts = Vec::new();
    if !keeps.is_empty() {
        parts.push(format!(
            "{} must set securityContext.capabilities.drop=[\"ALL\"]",
            keeps.words()
        ));
    }
    if !adds.is_empty() {
        parts.push(not_added(&adds, &all));
    }
    if parts.is_empty() {
        return None;
    }
    violation("unrestricted capabilities", parts.join("; "))
}

fn host_namespaces(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let used: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|key| is_true(spec, &[key]))
        .map(|key| format!("{key}=true"))
        .collect();
    if used.is_empty() {
        return None;
    }
    violation("host namespaces", used.join(", "))
}

fn host_path(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let names: Vec<&str> = list(spec, &["volumes"])
        .iter()
        .filter(|v| given(v, "hostPath"))
        .map(|v| text(v, &["name"]))
        .collect();
    if names.is_empty() {
        return None;
    }
    violation(
        "hostPath volumes",
        format!("{} {}", plural("volume", names.len()), quoted(&names)),
    )
}

fn host_ports(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    fn ports(container: &Value) -> impl Iterator<Item = i64> {
        list(container, &["ports"])
            .iter()
            .map(|p| number(p, "hostPort"))
            .filter(|p| *p != 0)
    }
    let bad = Bad::of(spec, |container| ports(container).next().is_some());
    if bad.is_empty() {
        return None;
    }
    let mut all: Vec<String> = containers(spec)
        .flat_map(|(_, _, c)| ports(c))
        .map(|p| p.to_string())
        .collect();
    all.sort();
    all.dedup();
    let word = plural("hostPort", all.len());
    let uses = if bad.0.len() == 1 { "uses" } else { "use" };
    violation(
        &word,
        format!("{} {uses} {word} {}", bad.words(), all.join(", ")),
    )
}

fn probe_hosts(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let hosts = |container: &Value| -> Vec<String> {
        [
            "/livenessProbe",
            "/readinessProbe",
            "/startupProbe",
            "/lifecycle/postStart",
            "/lifecycle/preStop",
        ]
        .iter()
        .filter_map(|path| container.pointer(path))
        .flat_map(|handler| {
            ["httpGet", "tcpSocket"].map(|kind| text(handler, &[kind, "host"]).to_owned())
        })
        .filter(|host| !host.is_empty())
        .collect()
    };
    let bad = Bad::of(spec, |container| !hosts(container).is_empty());
    if bad.is_empty() {
        return None;
    }
    let all: BTreeSet<String> = containers(spec).flat_map(|(_, _, c)| hosts(c)).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let word = plural("probe or lifecycle host", all.len());
    let uses = if bad.0.len() == 1 { "uses" } else { "use" };
    violation(
        "probe or lifecycle host",
        format!("{} {uses} {word} {}", bad.words(), quoted(&all)),
    )
}

fn privileged(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let bad = Bad::of(spec, |container| {
        is_true(context(container), &["privileged"])
    });
    if bad.is_empty() {
        return None;
    }
    violation(
        "privileged",
        format!(
            "{} must not set securityContext.privileged=true",
            bad.words()
        ),
    )
}

fn proc_mount(policy: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let kind = |container| text(context(container), &["procMount"]);
    let bad = Bad::of(spec, |container| {
        !["", "Default"].contains(&kind(container))
    });
    if bad.is_empty() || is_relaxed(policy, spec) {
        return None;
    }
    let all: BTreeSet<&str> = containers(spec)
        .map(|(_, _, c)| kind(c))
        .filter(|k| !["", "Default"].contains(k))
        .collect();
    let all: Vec<&str> = all.into_iter().collect();
    violation(
        "procMount",
        format!(
            "{} must not set securityContext.procMount to {}",
            bad.words(),
            quoted(&all)
        ),
    )
}

fn selinux(policy: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    fn options(holder: &Value) -> &Value {
        context(holder)
            .get("seLinuxOptions")
            .unwrap_or(&Value::Null)
    }
    let allowed = |kind: &str| {
        SELINUX_TYPES
            .iter()
            .any(|(t, since)| *t == kind && policy.is_since(*since))
    };
    let has = |holder: &Value, key: &str| !text(options(holder), &[key]).is_empty();
    let forbidden = |holder: &Value| {
        !allowed(text(options(holder), &["type"])) || has(holder, "user") || has(holder, "role")
    };
    let mut who = Vec::new();
    if forbidden(spec) {
        who.push("pod".to_owned());
    }
    let bad = Bad::of(spec, forbidden);
    if !bad.is_empty() {
        who.push(bad.words());
    }
    if who.is_empty() {
        return None;
    }
    let holders = || std::iter::once(spec).chain(containers(spec).map(|(_, _, c)| c));
    let types: BTreeSet<&str> = holders()
        .map(|h| text(options(h), &["type"]))
        .filter(|kind| !allowed(kind))
        .collect();
    let types: Vec<&str> = types.into_iter().collect();
    let mut what = Vec::new();
    if !types.is_empty() {
        what.push(format!(
            "{} {}",
            plural("type", types.len()),
            quoted(&types)
        ));
    }
    for key in ["user", "role"] {
        if holders().any(|h| has(h, key)) {
            what.push(format!("{key} may not be set"));
        }
    }
    violation(
        "seLinuxOptions",
        format!(
            "{} set forbidden securityContext.seLinuxOptions: {}",
            who.join(" and "),
            what.join("; ")
        ),
    )
}

fn sysctls(policy: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let allowed = |name: &str| {
        SYSCTLS
            .iter()
            .any(|(s, since)| *s == name && policy.is_since(*since))
    };
    let mut names: Vec<&str> = list(context(spec), &["sysctls"])
        .iter()
        .map(|s| text(s, &["name"]))
        .filter(|name| !allowed(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return None;
    }
    violation("forbidden sysctls", names.join(", "))
}

/// The pod and the containers for which something holds, with words for each.
fn pod_and_containers(spec: &Value, holds: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut who = Vec::new();
    if holds(spec) {
        who.push("pod".to_owned());
    }
    let bad = Bad::of(spec, holds);
    if !bad.is_empty() {
        who.push(bad.words());
    }
    who
}

fn windows_host_process(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let who = pod_and_containers(spec, |h| {
        is_true(context(h), &["windowsOptions", "hostProcess"])
    });
    if who.is_empty() {
        return None;
    }
    violation(
        "hostProcess",
        format!(
            "{} must not set securityContext.windowsOptions.hostProcess=true",
            who.join(" and ")
        ),
    )
}

fn privilege_escalation(policy: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let bad = Bad::of(spec, |container| {
        context(container).get("allowPrivilegeEscalation") != Some(&Value::Bool(false))
    });
    if bad.is_empty() || is_windows(policy, spec) {
        return None;
    }
    violation(
        "allowPrivilegeEscalation != false",
        format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
            bad.words()
        ),
    )
}

fn volume_types(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let kind = |volume: &'_ Value| -> Option<String> {
        volume
            .as_object()?
            .iter()
            .find(|(key, value)| *key != "name" && !value.is_null())
            .map(|(key, _)| key.clone())
    };
    let bad: Vec<(&str, String)> = list(spec, &["volumes"])
        .iter()
        .filter_map(|v| Some((text(v, &["name"]), kind(v)?)))
        .filter(|(_, kind)| !VOLUMES.contains(&kind.as_str()))
        .collect();
    if bad.is_empty() {
        return None;
    }
    let names: Vec<&str> = bad.iter().map(|(name, _)| *name).collect();
    let types: BTreeSet<&str> = bad.iter().map(|(_, kind)| kind.as_str()).collect();
    let types: Vec<&str> = types.into_iter().collect();
    violation(
        "restricted volume types",
        format!(
            "{} {} {} {} {}",
            plural("volume", names.len()),
            quoted(&names),
            if names.len() == 1 { "uses" } else { "use" },
            plural("restricted volume type", types.len()),
            quoted(&types)
        ),
    )
}

fn run_as_non_root(policy: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    if is_relaxed(policy, spec) {
        return None;
    }
    let says = |holder: &Value| context(holder).get("runAsNonRoot").and_then(Value::as_bool);
    let of_pod = says(spec);
    let explicit = pod_and_containers(spec, |h| says(h) == Some(false));
    // What the pod says does not matter where each container says it.
    let all_say = containers(spec).all(|(_, _, c)| says(c) == Some(true));
    if !explicit.is_empty() && !all_say {
        return violation(
            "runAsNonRoot != true",
            format!(
                "{} must not set securityContext.runAsNonRoot=false",
                explicit.join(" and ")
            ),
        );
    }
    let silent = Bad::of(spec, |container| says(container).is_none());
    if silent.is_empty() || of_pod == Some(true) {
        return None;
    }
    violation(
        "runAsNonRoot != true",
        format!(
            "pod or {} must set securityContext.runAsNonRoot=true",
            silent.words()
        ),
    )
}

fn run_as_user(policy: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    let who = pod_and_containers(spec, |h| {
        context(h).get("runAsUser").and_then(Value::as_i64) == Some(0)
    });
    if who.is_empty() || is_relaxed(policy, spec) {
        return None;
    }
    violation(
        "runAsUser=0",
        format!("{} must not set runAsUser=0", who.join(" and ")),
    )
}

fn profile(holder: &Value) -> &str {
    text(context(holder), &["seccompProfile", "type"])
}

fn unconfined(spec: &Value) -> Option<Violation> {
    let who = pod_and_containers(spec, |h| {
        !["", "RuntimeDefault", "Localhost"].contains(&profile(h))
    });
    if who.is_empty() {
        return None;
    }
    let types: BTreeSet<&str> = std::iter::once(spec)
        .chain(containers(spec).map(|(_, _, c)| c))
        .map(profile)
        .filter(|kind| !["", "RuntimeDefault", "Localhost"].contains(kind))
        .collect();
    let types: Vec<&str> = types.into_iter().collect();
    violation(
        "seccompProfile",
        format!(
            "{} must not set securityContext.seccompProfile.type to {}",
            who.join(" and "),
            quoted(&types)
        ),
    )
}

fn seccomp(_: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    unconfined(spec)
}

fn seccomp_restricted(policy: Policy, _: &Value, spec: &Value) -> Option<Violation> {
    if is_windows(policy, spec) {
        return None;
    }
    if let Some(violation) = unconfined(spec) {
        return Some(violation);
    }
    let silent = Bad::of(spec, |container| profile(container).is_empty());
    if silent.is_empty() || !profile(spec).is_empty() {
        return None;
    }
    violation(
        "seccompProfile",
        format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            silent.words()
        ),
    )
}
