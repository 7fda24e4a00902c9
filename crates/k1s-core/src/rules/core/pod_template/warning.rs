// SPDX-License-Identifier: Apache-2.0
//! Warnings about pods and pod templates that are accepted: what is old, ambiguous, or does not do what it seems to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::annotation::{APP_ARMOR_PREFIX, SECCOMP_POD, SECCOMP_PREFIX};
use super::check::given;
use super::overlap;
use crate::field::{Path, quote};
use crate::name;
use crate::object::{annotation, at, list, map, text};
use crate::rules::core::persistent_volume_claim;
use crate::rules::core::resource_name::amount;
use crate::rules::number::number;

/// Labels of nodes that have new names.
const OLD_NODE_LABELS: [(&str, &str); 8] = [
    (
        "beta.kubernetes.io/arch",
        "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    ),
    (
        "beta.kubernetes.io/os",
        "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
    (
        "node-role.kubernetes.io/master",
        "use \"node-role.kubernetes.io/control-plane\" instead",
    ),
];
const OLD_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];
/// Types of volume that went: the field, the field as it is told, since when.
const OLD_VOLUMES: [(&str, &str, &str); 9] = [
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "gitRepo",
        "gitRepo",
        "deprecated in v1.11, and disabled by default in v1.33+",
    ),
    (
        "scaleIO",
        "scaleIO",
        "deprecated in v1.16, non-functional in v1.22+",
    ),
    (
        "flocker",
        "flocker",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "storageos",
        "storageOS",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "quobyte",
        "quobyte",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "glusterfs",
        "glusterfs",
        "deprecated in v1.25, non-functional in v1.26+",
    ),
    (
        "cephfs",
        "cephfs",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
    (
        "rbd",
        "rbd",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
];
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const NULL_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// What to tell of a label of nodes, if it has a new name.
pub(in crate::rules) fn of_node_label(key: &str) -> Option<&'static str> {
    OLD_NODE_LABELS
        .iter()
        .find(|(old, _)| *old == key)
        .map(|(_, words)| *words)
}

/// Adds what there is to tell of a Pod.
pub(in crate::rules) fn of_pod(pod: &Value, warnings: &mut Vec<String>) {
    of_parts(
        pod,
        &Path::new("metadata"),
        &Path::new("spec"),
        false,
        warnings,
    );
}

/// Adds what there is to tell of a template at a path.
pub(in crate::rules) fn of_template(template: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    of_parts(
        template,
        &path.child("metadata"),
        &path.child("spec"),
        true,
        warnings,
    );
}

fn of_parts(
    object: &Value,
    metadata: &Path<'_>,
    path: &Path<'_>,
    is_template: bool,
    warnings: &mut Vec<String>,
) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let annotations = metadata.child("annotations");
    of_placement(spec, path, warnings);
    for (key, words) in OLD_ANNOTATIONS {
        if annotation(object, key).is_some() {
            warnings.push(format!("{}: {words}", annotations.key(key)));
        }
    }
    of_volumes(spec, path, warnings);
    overlap::of_volumes(list(spec, &["volumes"]), warnings);
    of_repetitions(spec, path, warnings);
    for key in ["memory", "ephemeral-storage"] {
        of_fraction(spec.get("overhead"), key, &path.child("overhead"), warnings);
    }
    of_pod_seccomp(object, &annotations, warnings);
    for (kind, index, container) in super::containers(spec) {
        let at = path.child(kind);
        let at = at.index(index);
        of_container_profiles(object, container, is_template, &annotations, warnings);
        for part in ["limits", "requests"] {
            let at = at.child("resources");
            for key in ["memory", "ephemeral-storage"] {
                let amounts = container.get("resources").and_then(|r| r.get(part));
                of_fraction(amounts, key, &at.child(part), warnings);
            }
        }
        of_environment(list(container, &["env"]), &at.child("env"), warnings);
    }
    of_ports(spec, path, warnings);
    if number(spec, "terminationGracePeriodSeconds") < 0 {
        warnings.push(format!(
            "{}: must be >= 0; negative values are invalid and will be treated as 1",
            path.child("terminationGracePeriodSeconds")
        ));
    }
    of_null_selectors(spec, path, warnings);
    of_addresses(spec, path, warnings);
}

fn of_placement(spec: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    let selector = path.child("nodeSelector");
    for key in map(spec, &["nodeSelector"])
        .into_iter()
        .flat_map(|m| m.keys())
    {
        if let Some(words) = of_node_label(key) {
            warnings.push(format!("{}: {words}", selector.key(key)));
        }
    }
    let affinity = path.child("affinity");
    let nodes = affinity.child("nodeAffinity");
    let wishes = at(spec, &["affinity", "nodeAffinity"]).unwrap_or(&Value::Null);
    let required = nodes.child(REQUIRED);
    let terms = required.child("nodeSelectorTerms");
    for (index, term) in list(wishes, &[REQUIRED, "nodeSelectorTerms"])
        .iter()
        .enumerate()
    {
        of_node_term(term, false, &terms.index(index), warnings);
    }
    let preferred = nodes.child(PREFERRED);
    for (index, term) in list(wishes, &[PREFERRED]).iter().enumerate() {
        let preference = term.get("preference").unwrap_or(&Value::Null);
        of_node_term(
            preference,
            true,
            &preferred.index(index).child("preference"),
            warnings,
        );
    }
    let spreading = path.child("topologySpreadConstraints");
    for (index, constraint) in list(spec, &["topologySpreadConstraints"])
        .iter()
        .enumerate()
    {
        let at = spreading.index(index);
        let key = text(constraint, &["topologyKey"]);
        if let Some(words) = of_node_label(key) {
            warnings.push(format!("{}: {key} is {words}", at.child("topologyKey")));
        }
        if !given(constraint, "labelSelector") {
            warnings.push(format!("{}: {NULL_SELECTOR}", at.child("labelSelector")));
        }
    }
}

pub(in crate::rules) fn of_node_term(
    term: &Value,
    with_values: bool,
    path: &Path<'_>,
    warnings: &mut Vec<String>,
) {
    let expressions = path.child("matchExpressions");
    for (index, expression) in list(term, &["matchExpressions"]).iter().enumerate() {
        let at = expressions.index(index);
        let key = text(expression, &["key"]);
        if let Some(words) = of_node_label(key) {
            warnings.push(format!("{}: {key} is {words}", at.child("key")));
        }
        let values = at.child("values");
        let given = list(expression, &["values"])
            .iter()
            .filter_map(Value::as_str);
        for (index, value) in given.enumerate().filter(|_| with_values) {
            for complaint in name::label_value(value) {
                warnings.push(format!(
                    "{}: {value} is invalid, {complaint}",
                    values.index(index)
                ));
            }
        }
    }
}

fn of_volumes(spec: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    let volumes = path.child("volumes");
    for (index, volume) in list(spec, &["volumes"]).iter().enumerate() {
        let here = volumes.index(index);
        for (key, shown, words) in OLD_VOLUMES {
            if given(volume, key) {
                warnings.push(format!("{}: {words}", here.child(shown)));
            }
        }
        let claim = ["ephemeral", "volumeClaimTemplate", "spec"];
        if let Some(claim) = at(volume, &claim) {
            let here = here.child("ephemeral");
            let here = here.child("volumeClaimTemplate");
            let here = here.child("spec");
            persistent_volume_claim::warn_of_spec(claim, &here, warnings);
        }
    }
}

/// Host aliases and pull secrets that stand there twice, or are empty.
fn of_repetitions(spec: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    for (key, field, what) in [
        ("hostAliases", "ip", "ip"),
        ("imagePullSecrets", "name", "name"),
    ] {
        let here = path.child(key);
        let mut seen = BTreeSet::new();
        for (index, item) in list(spec, &[key]).iter().enumerate() {
            let value = text(item, &[field]);
            if !seen.insert(value) {
                let at = here.index(index);
                warnings.push(format!(
                    "{}: duplicate {what} {}",
                    at.child(field),
                    quote(value)
                ));
            }
        }
    }
    let here = path.child("imagePullSecrets");
    for (index, item) in list(spec, &["imagePullSecrets"]).iter().enumerate() {
        if text(item, &["name"]).is_empty() {
            warnings.push(format!(
                "{}: invalid empty name \"\"",
                here.index(index).child("name")
            ));
        }
    }
}

/// Bytes come whole.
pub(in crate::rules) fn of_fraction(
    amounts: Option<&Value>,
    key: &str,
    path: &Path<'_>,
    warnings: &mut Vec<String>,
) {
    if let Some(amount) = amount(amounts, key).filter(|a| a.milli_value() % 1000 != 0) {
        warnings.push(format!(
            "{}: fractional byte value {} is invalid, must be an integer",
            path.key(key),
            quote(&amount.to_string())
        ));
    }
}

fn of_pod_seccomp(object: &Value, annotations: &Path<'_>, warnings: &mut Vec<String>) {
    let has_field = object
        .pointer("/spec/securityContext/seccompProfile")
        .is_some();
    if !has_field && annotation(object, SECCOMP_POD).is_some() {
        warnings.push(format!(
            "{}: non-functional in v1.27+; use the \"seccompProfile\" field instead",
            annotations.key(SECCOMP_POD)
        ));
    }
}

fn of_container_profiles(
    object: &Value,
    container: &Value,
    is_template: bool,
    annotations: &Path<'_>,
    warnings: &mut Vec<String>,
) {
    let name = text(container, &["name"]);
    let key = format!("{SECCOMP_PREFIX}{name}");
    let has_field = container
        .pointer("/securityContext/seccompProfile")
        .is_some();
    if !has_field && annotation(object, &key).is_some() {
        warnings.push(format!(
            "{}: non-functional in v1.27+; use the \"seccompProfile\" field instead",
            annotations.key(&key)
        ));
    }
    let key = format!("{APP_ARMOR_PREFIX}{name}");
    let Some(written) = annotation(object, &key) else {
        return;
    };
    let own = container.pointer("/securityContext/appArmorProfile");
    let of_pod = object.pointer("/spec/securityContext/appArmorProfile");
    let meant = super::annotation::app_armor_profile(written);
    // A Pod's annotation has become a field by now, where it means one.
    let told = match (is_template, own) {
        (true, Some(_)) => true,
        (true, None) => of_pod.is_some() && of_pod == meant.as_ref(),
        (false, Some(own)) => Some(own) != meant.as_ref() || of_pod == meant.as_ref(),
        (false, None) => of_pod.is_some() && of_pod == meant.as_ref(),
    };
    if !told {
        warnings.push(format!(
            "{}: deprecated since v1.30; use the \"appArmorProfile\" field instead",
            annotations.key(&key)
        ));
    }
}

/// A variable that stands there twice hides the first, unless it is made of it.
fn of_environment(variables: &[Value], path: &Path<'_>, warnings: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (index, variable) in variables.iter().enumerate() {
        let name = text(variable, &["name"]);
        if seen.insert(name) {
            continue;
        }
        let reference = format!("$({name})");
        let value = text(variable, &["value"]);
        if given(variable, "valueFrom") || value == reference || !value.contains(&reference) {
            warnings.push(format!(
                "{}: hides previous definition of {}, which may be dropped when using apply",
                path.index(index),
                quote(name)
            ));
        }
    }
}

fn of_ports(spec: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    let mut ports: BTreeMap<(i64, &str), Vec<(String, &Value)>> = BTreeMap::new();
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut of_names = Vec::new();
    for (kind, index, container) in super::containers(spec) {
        let at = path.child(kind);
        let at = at.index(index);
        let at = at.child("ports");
        for (index, port) in list(container, &["ports"]).iter().enumerate() {
            let field = at.index(index).to_string();
            of_host_ip(port, &field, warnings);
            let key = (number(port, "containerPort"), text(port, &["protocol"]));
            let others = ports.entry(key).or_default();
            for (other_field, other) in others.iter() {
                if let Some(what) = port_clash(port, other) {
                    warnings.push(format!(
                        "{field}: {what} port definition with {other_field}"
                    ));
                }
            }
            others.push((field.clone(), port));
            let name = text(port, &["name"]);
            if name.is_empty() {
                continue;
            }
            match names.get(name) {
                Some(other) => of_names.push(format!(
                    "{field}: duplicate port name {} with {other}, services and probes that select ports by name will use {other}",
                    quote(name)
                )),
                None => {
                    names.insert(name, field);
                }
            }
        }
    }
    warnings.append(&mut of_names);
}

fn of_host_ip(port: &Value, field: &str, warnings: &mut Vec<String>) {
    let ip = text(port, &["hostIP"]);
    if !ip.is_empty() && number(port, "hostPort") == 0 {
        warnings.push(format!(
            "{field}: hostIP set without hostPort: {{Name:{} HostPort:0 ContainerPort:{} Protocol:{} HostIP:{ip}}}",
            text(port, &["name"]),
            number(port, "containerPort"),
            text(port, &["protocol"]),
        ));
    }
}

/// How two definitions of one port of the pod get in each other's way.
fn port_clash(port: &Value, other: &Value) -> Option<&'static str> {
    let [ip, other_ip] = [port, other].map(|p| text(p, &["hostIP"]));
    let [host, other_host] = [port, other].map(|p| number(p, "hostPort"));
    if ip == other_ip && host == other_host {
        Some("duplicate")
    } else if host == 0 || other_host == 0 {
        Some("overlapping")
    } else if host == other_host && ip.is_empty() != other_ip.is_empty() {
        Some("dangerously ambiguous")
    } else {
        None
    }
}

fn of_null_selectors(spec: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    let affinity = path.child("affinity");
    for kind in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.child(kind);
        let wishes = at(spec, &["affinity", kind]).unwrap_or(&Value::Null);
        let (required, preferred) = (pods.child(REQUIRED), pods.child(PREFERRED));
        for (index, term) in list(wishes, &[REQUIRED]).iter().enumerate() {
            if !given(term, "labelSelector") {
                let here = required.index(index);
                warnings.push(format!("{}: {NULL_SELECTOR}", here.child("labelSelector")));
            }
        }
        for (index, term) in list(wishes, &[PREFERRED]).iter().enumerate() {
            let term = term.get("podAffinityTerm").unwrap_or(&Value::Null);
            if !given(term, "labelSelector") {
                let here = preferred.index(index);
                let here = here.child("podAffinityTerm");
                warnings.push(format!("{}: {NULL_SELECTOR}", here.child("labelSelector")));
            }
        }
    }
}

fn of_addresses(spec: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    let config = path.child("dnsConfig");
    let servers = config.child("nameservers");
    let given = list(spec, &["dnsConfig", "nameservers"])
        .iter()
        .filter_map(Value::as_str);
    for (index, server) in given.enumerate() {
        warnings.extend(name::ip_warnings(&servers.index(index).to_string(), server));
    }
    let aliases = path.child("hostAliases");
    for (index, alias) in list(spec, &["hostAliases"]).iter().enumerate() {
        let field = aliases.index(index).child("ip").to_string();
        warnings.extend(name::ip_warnings(&field, text(alias, &["ip"])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(spec: Value, expected: &[&str]) {
        let mut warnings = Vec::new();
        of_pod(&json!({ "spec": spec }), &mut warnings);
        assert_eq!(warnings, expected, "{spec}");
    }

    #[test]
    fn warnings() {
        check(json!({"containers": [{"name": "c"}]}), &[]);
        check(
            json!({"nodeSelector": {"beta.kubernetes.io/os": "linux"}}),
            &[
                "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead",
            ],
        );
        check(
            json!({"containers": [{"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "A", "value": "x$(A)"}]}]}),
            &[
                "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply",
            ],
        );
        let port = json!({"containerPort": 80, "protocol": "TCP"});
        check(
            json!({"containers": [{"ports": [port]}, {"ports": [port]}]}),
            &[
                "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
            ],
        );
        check(
            json!({"volumes": [{"name": "v", "glusterfs": {}}]}),
            &["spec.volumes[0].glusterfs: deprecated in v1.25, non-functional in v1.26+"],
        );
        check(
            json!({"topologySpreadConstraints": [{"topologyKey": "zone"}]}),
            &[
                "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
            ],
        );
        check(
            json!({"containers": [{"resources": {"limits": {"memory": "1500m"}}}]}),
            &[
                "spec.containers[0].resources.limits[memory]: fractional byte value \"1500m\" is invalid, must be an integer",
            ],
        );
        check(
            json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}),
            &["spec.imagePullSecrets[1].name: duplicate name \"a\""],
        );
    }
}
