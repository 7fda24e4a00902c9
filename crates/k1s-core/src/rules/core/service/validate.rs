// SPDX-License-Identifier: Apache-2.0
//! Validation of a Service.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    cluster_ips, is_headless, is_reached_from_outside, kind, needs_cluster_ip, needs_health_check,
    ports,
};
use crate::field::{Errors, Fault, Path, quote};
use crate::name;
use crate::object::{annotation, at, list, text};
use crate::rules::address::{
    report, validate_app_protocol, validate_balancer_ingress, validate_cidr, validate_ip,
    validate_port, validate_port_number, validate_protocol, validate_reachable,
};
use crate::rules::label_selector;
use crate::rules::number::number;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const AFFINITIES: [&str; 2] = ["ClientIP", "None"];
const TRAFFIC_POLICIES: [&str; 2] = ["Cluster", "Local"];
const DISTRIBUTIONS: [&str; 3] = ["PreferClose", "PreferSameZone", "PreferSameNode"];
const IP_MODES: [&str; 2] = ["Proxy", "VIP"];
const MOST_AFFINITY_SECONDS: i64 = 86_400;
const KUBELET_PORT: i64 = 10_250;
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const MODE: &str = "service.kubernetes.io/topology-mode";

/// Checks the whole of a Service.
pub(super) fn validate(service: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    validate_topology(service, errors);
    if ports(service).is_empty() && !is_headless(service) && kind(service) != "ExternalName" {
        errors.required(path.child("ports"), "");
    }
    validate_by_type(service, &path, errors);
    validate_ports(service, &path.child("ports"), errors);
    label_selector::validate_labels(
        at(service, &["spec", "selector"]),
        &path.child("selector"),
        errors,
    );
    validate_affinity(service, &path, errors);
    super::cluster_ips::validate(service, errors);
    let external = path.child("externalIPs");
    for (index, ip) in texts(service, "externalIPs").enumerate() {
        if validate_ip(ip, &external.index(index), errors) {
            validate_reachable(ip, &external.index(index), errors);
        }
    }
    validate_type(service, &path, errors);
    validate_port_pairs(service, &path.child("ports"), errors);
    validate_source_ranges(service, &path, errors);
    validate_node_port_allocation(service, &path, errors);
    validate_class(service, errors);
    validate_outside_traffic(service, &path, errors);
    validate_inside_traffic(service, &path, errors);
}

fn texts<'a>(service: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    list(service, &["spec", key])
        .iter()
        .filter_map(Value::as_str)
}

fn validate_topology(service: &Value, errors: &mut Errors) {
    if let (Some(hints), Some(mode)) = (annotation(service, HINTS), annotation(service, MODE))
        && hints != mode
    {
        errors.invalid_text(
            Path::new("metadata").child("annotations").key(MODE),
            mode,
            format!("must match annotations[{HINTS}] when both are specified"),
        );
    }
}

fn validate_by_type(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    let kind = kind(service);
    if kind == "LoadBalancer" {
        for (index, port) in ports(service).iter().enumerate() {
            if number(port, "port") == KUBELET_PORT {
                errors.invalid(
                    path.child("ports").index(index),
                    &json!(KUBELET_PORT),
                    format!(
                        "may not expose port {KUBELET_PORT} externally since it is used by kubelet"
                    ),
                );
            }
        }
    }
    if matches!(kind, "LoadBalancer" | "NodePort") && is_headless(service) {
        errors.invalid_text(
            path.child("clusterIPs").index(0),
            "None",
            format!("may not be set to 'None' for {kind} services"),
        );
    }
    if kind == "ExternalName" {
        validate_external_name(service, path, errors);
    }
}

fn validate_external_name(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    const FORBIDDEN: &str = "may not be set for ExternalName services";
    if !cluster_ips(service).is_empty() {
        errors.forbidden(path.child("clusterIPs"), FORBIDDEN);
    }
    if !list(service, &["spec", "ipFamilies"]).is_empty() {
        errors.forbidden(path.child("ipFamilies"), FORBIDDEN);
    }
    if at(service, &["spec", "ipFamilyPolicy"]).is_some() {
        errors.forbidden(path.child("ipFamilyPolicy"), FORBIDDEN);
    }
    let name = text(service, &["spec", "externalName"]);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        errors.required(path.child("externalName"), "");
    } else {
        let path = path.child("externalName");
        report(name::dns1123_subdomain(name), name, &path, errors);
    }
}

fn validate_ports(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    let all = ports(service);
    let mut names = BTreeSet::new();
    for (index, port) in all.iter().enumerate() {
        let path = path.index(index);
        let name = text(port, &["name"]);
        let name_path = path.child("name");
        if name.is_empty() {
            if all.len() > 1 {
                errors.required(name_path, "");
            }
        } else {
            report(name::dns1123_label(name), name, &name_path, errors);
            if !names.insert(name) {
                errors.duplicate(name_path, &json!(name));
            }
        }
        validate_port_number(number(port, "port"), &path.child("port"), errors);
        validate_protocol(port, &path, errors);
        validate_port(port.get("targetPort"), &path.child("targetPort"), errors);
        validate_app_protocol(port, &path, errors);
    }
}

fn validate_affinity(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    let affinity = text(service, &["spec", "sessionAffinity"]);
    let config = at(service, &["spec", "sessionAffinityConfig"]);
    let config_path = path.child("sessionAffinityConfig");
    if affinity.is_empty() {
        errors.required(path.child("sessionAffinity"), "");
    } else if !AFFINITIES.contains(&affinity) {
        errors.not_supported(path.child("sessionAffinity"), &json!(affinity), &AFFINITIES);
    }
    if affinity == "None" && config.is_some() {
        errors.forbidden(config_path, "must not be set when session affinity is None");
    }
    if affinity != "ClientIP" {
        return;
    }
    let seconds = config
        .and_then(|config| at(config, &["clientIP", "timeoutSeconds"]))
        .and_then(Value::as_i64);
    let client = config_path.child("clientIP");
    match seconds {
        None => errors.required(config_path, "when session affinity type is ClientIP"),
        Some(seconds) if seconds <= 0 || seconds > MOST_AFFINITY_SECONDS => errors.invalid(
            client.child("timeoutSeconds"),
            &json!(seconds),
            format!("must be greater than 0 and less than {MOST_AFFINITY_SECONDS}"),
        ),
        Some(_) => {}
    }
}

fn validate_type(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    let kind = kind(service);
    if kind.is_empty() {
        errors.required(path.child("type"), "");
    } else if !TYPES.contains(&kind) {
        errors.not_supported(path.child("type"), &json!(kind), &TYPES);
    }
}

fn validate_port_pairs(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    if kind(service) == "ClusterIP" {
        for (index, port) in ports(service).iter().enumerate() {
            if number(port, "nodePort") != 0 {
                errors.forbidden(
                    path.index(index).child("nodePort"),
                    "may not be used when `type` is 'ClusterIP'",
                );
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports(service).iter().enumerate() {
        let node = number(port, "nodePort");
        if node != 0 && !seen.insert((text(port, &["protocol"]), node)) {
            errors.duplicate(path.index(index).child("nodePort"), &json!(node));
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports(service).iter().enumerate() {
        let (protocol, number) = (text(port, &["protocol"]), number(port, "port"));
        if !seen.insert((protocol, number)) {
            let words = format!(
                "{{\"Name\":\"\",\"Protocol\":{},\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}",
                quote(protocol)
            );
            errors.push(
                Fault::Duplicate,
                path.index(index),
                format!("Duplicate value: {words}"),
            );
        }
    }
}

fn validate_source_ranges(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    const ONLY: &str = "may only be used when `type` is 'LoadBalancer'";
    let balanced = kind(service) == "LoadBalancer";
    // the field is told with a capital
    let ranges = path.child("LoadBalancerSourceRanges");
    if texts(service, "loadBalancerSourceRanges").next().is_some() {
        if !balanced {
            errors.forbidden(ranges, ONLY);
        }
        for (index, range) in texts(service, "loadBalancerSourceRanges").enumerate() {
            validate_cidr(range.trim(), &ranges.index(index), errors);
        }
    } else if let Some(value) = annotation(service, SOURCE_RANGES) {
        let annotations = Path::new("metadata");
        let annotations = annotations.child("annotations");
        let path = annotations.key(SOURCE_RANGES);
        if !balanced {
            errors.forbidden(path, ONLY);
        }
        for range in value.split(',').map(str::trim).filter(|r| !r.is_empty()) {
            validate_cidr(range, &path, errors);
        }
    }
}

fn validate_node_port_allocation(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("allocateLoadBalancerNodePorts");
    let given = at(service, &["spec", "allocateLoadBalancerNodePorts"]).is_some();
    match (kind(service) == "LoadBalancer", given) {
        (true, false) => errors.required(path, ""),
        (false, true) => errors.forbidden(path, "may only be used when `type` is 'LoadBalancer'"),
        _ => {}
    }
}

/// Checks the class of the load balancer.
pub(super) fn validate_class(service: &Value, errors: &mut Errors) {
    let Some(class) = at(service, &["spec", "loadBalancerClass"]).and_then(Value::as_str) else {
        return;
    };
    let path = Path::new("spec");
    let path = path.child("loadBalancerClass");
    if kind(service) == "LoadBalancer" {
        report(name::label_key(class), class, &path, errors);
    } else {
        errors.forbidden(path, "may only be used when `type` is 'LoadBalancer'");
    }
}

fn validate_outside_traffic(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    let policy = text(service, &["spec", "externalTrafficPolicy"]);
    let policy_path = path.child("externalTrafficPolicy");
    if !is_reached_from_outside(service) {
        if !policy.is_empty() {
            errors.invalid_text(
                policy_path,
                policy,
                "may only be set for externally-accessible services",
            );
        }
    } else if policy.is_empty() {
        errors.required(policy_path, "");
    } else if !TRAFFIC_POLICIES.contains(&policy) {
        errors.not_supported(policy_path, &json!(policy), &TRAFFIC_POLICIES);
    }
    let port = number(&service["spec"], "healthCheckNodePort");
    let port_path = path.child("healthCheckNodePort");
    match (needs_health_check(service), port) {
        (false, 0) => {}
        (false, port) => errors.invalid(
            port_path,
            &json!(port),
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
        (true, 0) => errors.required(port_path, ""),
        (true, port) => validate_port_number(port, &port_path, errors),
    }
}

fn validate_inside_traffic(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (key, supported) in [
        ("internalTrafficPolicy", &TRAFFIC_POLICIES[..]),
        ("trafficDistribution", &DISTRIBUTIONS[..]),
    ] {
        match at(service, &["spec", key]) {
            Some(value) if !value.as_str().is_some_and(|v| supported.contains(&v)) => {
                errors.not_supported(path.child(key), value, supported);
            }
            None if key == "internalTrafficPolicy" && needs_cluster_ip(service) => {
                errors.required(path.child(key), "");
            }
            _ => {}
        }
    }
}

/// Checks the status of a Service.
pub(super) fn validate_status(service: &Value, errors: &mut Errors) {
    let path = Path::new("status");
    let path = path.child("loadBalancer");
    let path = path.child("ingress");
    let ingress = list(service, &["status", "loadBalancer", "ingress"]);
    if kind(service) != "LoadBalancer" && !ingress.is_empty() {
        errors.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'");
        return;
    }
    for (index, ingress) in ingress.iter().enumerate() {
        let path = path.index(index);
        validate_ip_mode(ingress, &path, errors);
        validate_balancer_ingress(ingress, &path, errors);
    }
}

fn validate_ip_mode(ingress: &Value, path: &Path<'_>, errors: &mut Errors) {
    let has_ip = !text(ingress, &["ip"]).is_empty();
    let path = path.child("ipMode");
    match ingress.get("ipMode") {
        None if has_ip => errors.required(path, "must be specified when `ip` is set"),
        Some(_) if !has_ip => errors.forbidden(path, "may not be specified when `ip` is not set"),
        Some(mode) if !mode.as_str().is_some_and(|m| IP_MODES.contains(&m)) => {
            errors.not_supported(path, mode, &IP_MODES)
        }
        _ => {}
    }
}
