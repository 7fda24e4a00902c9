// SPDX-License-Identifier: Apache-2.0
//! Service: defaults, what an update keeps or drops, cells.
//!
//! Cluster IPs and node ports are given out in [`allocate`], which the service calls between preparation and validation.

pub mod allocate;
mod change;
mod cluster_ips;
mod families;
#[cfg(test)]
mod tests;
mod validate;
mod warn;

use serde_json::{Value, json};

use crate::name::NameRule;
use crate::object::{self, is_true, list, map_mut, text};
use crate::rules::keep::{drop_status, keep_spec, keep_status};
use crate::rules::number::number;
use crate::rules::{Clock, Rules, UnknownField, address, cells};

pub(in crate::rules) static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| {
        drop_status(object);
        change::name_cluster_ips(object);
    },
    prepare_update: |new, old, _| {
        keep_status(new, old);
        change::keep_allocated(new, old);
        change::align_cluster_ips(new, old);
        change::drop_what_the_type_lacks(new, old);
    },
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: |object, errors| validate::validate(object, errors),
    validate_update: |new, old, errors| {
        change::validate(new, old, errors);
        validate::validate(new, errors);
    },
    validate_status: |new, _, errors| validate::validate_status(new, errors),
    warnings: |new, _, warnings| warn::warn(new, warnings),
    name: NameRule::Dns1035Label,
    fields: &["spec.clusterIP", "spec.type"],
    field: |object, field| match field {
        "spec.clusterIP" => text(object, &["spec", "clusterIP"]).to_owned(),
        _ => text(object, &["spec", "type"]).to_owned(),
    },
    unknown_field: UnknownField::NotSupported,
    create_on_update: true,
    cells: Some(row),
    ..Rules::NONE
};

const AFFINITY_SECONDS: i64 = 10_800;

/// `spec.type`
fn kind(service: &Value) -> &str {
    text(service, &["spec", "type"])
}

fn ports(service: &Value) -> &[Value] {
    list(service, &["spec", "ports"])
}

/// `spec.clusterIPs`
fn cluster_ips(service: &Value) -> Vec<&str> {
    list(service, &["spec", "clusterIPs"])
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

fn is_headless(service: &Value) -> bool {
    cluster_ips(service).as_slice() == ["None"]
}

/// Whether traffic from outside the cluster can reach it.
fn is_reached_from_outside(service: &Value) -> bool {
    match kind(service) {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !list(service, &["spec", "externalIPs"]).is_empty(),
        _ => false,
    }
}

fn needs_cluster_ip(service: &Value) -> bool {
    matches!(kind(service), "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn needs_node_ports(service: &Value) -> bool {
    match kind(service) {
        "NodePort" => true,
        "LoadBalancer" => {
            object::at(service, &["spec", "allocateLoadBalancerNodePorts"])
                != Some(&Value::Bool(false))
        }
        _ => false,
    }
}

fn needs_health_check(service: &Value) -> bool {
    kind(service) == "LoadBalancer" && text(service, &["spec", "externalTrafficPolicy"]) == "Local"
}

fn default(object: &mut Value) {
    let spec = map_mut(object, &["spec"]);
    object::default(spec, "sessionAffinity", "None");
    object::default(spec, "type", "ClusterIP");
    match spec["sessionAffinity"].as_str() {
        Some("None") => {
            spec.remove("sessionAffinityConfig");
        }
        Some("ClientIP") => {
            let client = map_mut(object, &["spec", "sessionAffinityConfig", "clientIP"]);
            object::default_absent(client, "timeoutSeconds", AFFINITY_SECONDS);
        }
        _ => {}
    }
    let spec = map_mut(object, &["spec"]);
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let port = object::make_map(port);
        object::default(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or(json!(0));
        object::default(port, "targetPort", number);
    }
    if is_reached_from_outside(object) {
        object::default(
            map_mut(object, &["spec"]),
            "externalTrafficPolicy",
            "Cluster",
        );
    }
    let (inside, balanced) = (needs_cluster_ip(object), kind(object) == "LoadBalancer");
    let spec = map_mut(object, &["spec"]);
    if inside {
        object::default_absent(spec, "internalTrafficPolicy", "Cluster");
    }
    if balanced {
        object::default_absent(spec, "allocateLoadBalancerNodePorts", true);
        default_ip_modes(object);
    }
}

fn default_ip_modes(object: &mut Value) {
    let ingress = object.pointer_mut("/status/loadBalancer/ingress");
    for ingress in ingress.and_then(Value::as_array_mut).into_iter().flatten() {
        let ingress = object::make_map(ingress);
        if !object::is_unset(ingress.get("ip")) {
            object::default_absent(ingress, "ipMode", "VIP");
        }
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let inside = cluster_ips(object).first().copied().unwrap_or_default();
    let words: Vec<String> = ports(object).iter().map(port_words).collect();
    vec![
        cells::name(object),
        kind(object).into(),
        cells::or_none(inside),
        outside_words(object).into(),
        cells::or_none(words.join(",")),
        cells::age(object, clock),
        cells::labels(object::at(object, &["spec", "selector"])),
    ]
}

fn port_words(port: &Value) -> String {
    let (number, protocol) = (number(port, "port"), text(port, &["protocol"]));
    match self::number(port, "nodePort") {
        0 => format!("{number}/{protocol}"),
        node => format!("{number}:{node}/{protocol}"),
    }
}

fn outside_words(object: &Value) -> String {
    let external: Vec<&str> = list(object, &["spec", "externalIPs"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match kind(object) {
        "ClusterIP" | "NodePort" if external.is_empty() => cells::NONE.to_owned(),
        "ClusterIP" | "NodePort" => external.join(","),
        "LoadBalancer" => {
            let balanced = address::balancer_words(object);
            let all: Vec<&str> = balanced
                .split(',')
                .filter(|word| !word.is_empty())
                .chain(external)
                .collect();
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        "ExternalName" => text(object, &["spec", "externalName"]).to_owned(),
        _ => cells::UNKNOWN.to_owned(),
    }
}

/// Whether node ports are given out for a load balancer too.
fn allocates_node_ports(service: &Value) -> bool {
    kind(service) == "NodePort"
        || kind(service) == "LoadBalancer"
            && is_true(service, &["spec", "allocateLoadBalancerNodePorts"])
}
