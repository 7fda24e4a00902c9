// SPDX-License-Identifier: Apache-2.0
//! What an update of a Service keeps, drops, and may not change.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    cluster_ips, is_headless, is_reached_from_outside, kind, needs_cluster_ip, needs_health_check,
    needs_node_ports, ports, validate,
};
use crate::field::{Errors, Path};
use crate::object::{self, at, list, map_mut, text};
use crate::rules::keep::same;
use crate::rules::number::number;

const IP: [&str; 2] = ["spec", "clusterIP"];
const IPS: [&str; 2] = ["spec", "clusterIPs"];

/// A new Service that names one address gets the plural field too.
pub(super) fn name_cluster_ips(service: &mut Value) {
    let ip = text(service, &IP).to_owned();
    if !ip.is_empty() && cluster_ips(service).is_empty() {
        object::set(service, &IPS, json!([ip]));
    }
}

/// What was given out and is not mentioned stays.
pub(super) fn keep_allocated(new: &mut Value, old: &Value) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if text(new, &IP).is_empty() && !text(old, &IP).is_empty() {
            object::set(new, &IP, text(old, &IP));
        }
        let first = cluster_ips(old).first().copied();
        if cluster_ips(new).is_empty() && first == Some(text(new, &IP)) {
            object::set(new, &IPS, list(old, &IPS).to_vec());
        }
    }
    if needs_node_ports(old) && needs_node_ports(new) {
        keep_node_ports(new, old);
    }
    const HEALTH: &str = "healthCheckNodePort";
    let port = number(&old["spec"], HEALTH);
    if needs_health_check(old) && needs_health_check(new) && port != 0 {
        object::default(map_mut(new, &["spec"]), HEALTH, port);
    }
}

fn keep_node_ports(new: &mut Value, old: &Value) {
    let by_name: BTreeMap<&str, i64> = ports(old)
        .iter()
        .map(|port| (text(port, &["name"]), number(port, "nodePort")))
        .collect();
    let of = |service: &Value| -> Vec<i64> {
        ports(service)
            .iter()
            .map(|port| number(port, "nodePort"))
            .collect()
    };
    let before = of(old);
    let mut used: Vec<i64> = of(new)
        .into_iter()
        .filter(|port| *port != 0 && before.contains(port))
        .collect();
    let all = map_mut(new, &["spec"])
        .get_mut("ports")
        .and_then(Value::as_array_mut);
    for port in all.into_iter().flatten() {
        let name = text(port, &["name"]).to_owned();
        let known = by_name.get(name.as_str()).copied().unwrap_or_default();
        if number(port, "nodePort") == 0 && known != 0 && !used.contains(&known) {
            object::set(port, &["nodePort"], known);
            used.push(known);
        }
    }
}

/// Brings `clusterIPs` in line with a `clusterIP` that an older client changed alone.
pub(super) fn align_cluster_ips(new: &mut Value, old: &Value) {
    let (ip, before) = (text(new, &IP).to_owned(), text(old, &IP));
    let ips_same = cluster_ips(new) == cluster_ips(old);
    let cleared = cluster_ips(new).is_empty() && !cluster_ips(old).is_empty();
    if ip == before {
        if cleared {
            object::set(new, &IPS, list(old, &IPS).to_vec());
        }
    } else if ip.is_empty() {
        if ips_same {
            object::remove(new, &IPS);
        }
    } else if ips_same || cleared {
        object::set(new, &IPS, json!([ip]));
    }
}

/// Drops what the new type has no use for, where the client left it as it was.
pub(super) fn drop_what_the_type_lacks(new: &mut Value, old: &Value) {
    if needs_cluster_ip(old) && !needs_cluster_ip(new) {
        if cluster_ips(new) == cluster_ips(old) {
            object::remove(new, &IP);
            object::remove(new, &IPS);
        }
        drop_if_same(new, old, "ipFamilies");
        drop_if_same(new, old, "ipFamilyPolicy");
        drop_if_same(new, old, "internalTrafficPolicy");
    }
    if is_reached_from_outside(old) && !is_reached_from_outside(new) {
        drop_if_same(new, old, "externalTrafficPolicy");
    }
    if needs_node_ports(old) && !needs_node_ports(new) && same_node_ports(new, old) {
        let all = map_mut(new, &["spec"])
            .get_mut("ports")
            .and_then(Value::as_array_mut);
        for port in all.into_iter().flatten() {
            object::remove(port, &["nodePort"]);
        }
    }
    if needs_health_check(old) && !needs_health_check(new) {
        drop_if_same(new, old, "healthCheckNodePort");
    }
    if kind(old) == "LoadBalancer" && kind(new) != "LoadBalancer" {
        drop_if_same(new, old, "allocateLoadBalancerNodePorts");
        drop_if_same(new, old, "loadBalancerClass");
    }
    if kind(new) != "LoadBalancer" {
        object::remove(new, &["status", "loadBalancer"]);
    }
}

fn drop_if_same(new: &mut Value, old: &Value, key: &str) {
    if at(new, &["spec", key]) == at(old, &["spec", key]) {
        object::remove(new, &["spec", key]);
    }
}

fn same_node_ports(new: &Value, old: &Value) -> bool {
    ports(new).len() == ports(old).len()
        && ports(new)
            .iter()
            .zip(ports(old))
            .all(|(a, b)| number(a, "nodePort") == number(b, "nodePort"))
}

/// Checks what may not change.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    validate_primary(new, old, errors);
    validate_class(new, old, errors);
    validate_health_check(new, old, errors);
}

/// The first address and the first family stay; the second may come and go.
fn validate_primary(new: &Value, old: &Value, errors: &mut Errors) {
    if kind(new) == "ExternalName" || kind(old) == "ExternalName" {
        return;
    }
    let headless = (is_headless(old), is_headless(new));
    let spec = Path::new("spec");
    if headless != (true, true) {
        let path = spec.child("clusterIPs");
        validate_order(new, old, "clusterIPs", "clusterIP", &path, errors);
    }
    if headless == (false, false) {
        let path = spec.child("ipFamilies");
        validate_order(new, old, "ipFamilies", "ipFamily", &path, errors);
    }
}

fn validate_order(
    new: &Value,
    old: &Value,
    key: &str,
    one: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (before, after) = (list(old, &["spec", key]), list(new, &["spec", key]));
    let all = json!(after);
    if before.len() == after.len() {
        for index in (0..before.len()).filter(|index| before[*index] != after[*index]) {
            errors.invalid(path.index(index), &all, "may not change once set");
        }
        return;
    }
    match (before.first(), after.first()) {
        (Some(_), None) => {
            let detail = format!("primary {one} can not be unset");
            errors.invalid(path.index(0), &all, detail);
        }
        (Some(was), Some(is)) if was != is => {
            errors.invalid(path.index(0), &all, "may not change once set");
        }
        _ => {}
    }
    let policy = text(new, &["spec", "ipFamilyPolicy"]);
    if after.len() == 1 && before.len() > 1 && policy != "SingleStack" {
        let detail = format!("must be set to 'SingleStack' when releasing the secondary {one}");
        errors.invalid_text("spec.ipFamilyPolicy", policy, detail);
    }
}

fn validate_class(new: &Value, old: &Value, errors: &mut Errors) {
    const CLASS: [&str; 2] = ["spec", "loadBalancerClass"];
    let balanced = kind(new) == "LoadBalancer" && kind(old) == "LoadBalancer";
    if balanced && !same(at(new, &CLASS), at(old, &CLASS)) {
        errors.invalid(
            Path::new("spec").child("loadBalancerClass"),
            at(new, &CLASS).unwrap_or(&Value::Null),
            "may not change once set",
        );
    }
    validate::validate_class(new, errors);
}

fn validate_health_check(new: &Value, old: &Value, errors: &mut Errors) {
    const PORT: &str = "healthCheckNodePort";
    let (before, after) = (number(&old["spec"], PORT), number(&new["spec"], PORT));
    if needs_health_check(old) && needs_health_check(new) && before != after {
        errors.invalid(
            Path::new("spec").child(PORT),
            &json!(after),
            "field is immutable",
        );
    }
}
