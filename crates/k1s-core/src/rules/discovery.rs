// SPDX-License-Identifier: Apache-2.0
//! EndpointSlice, the kind of discovery.k8s.io.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::address::{report, validate_app_protocol, validate_ip, validate_reachable};
use super::keep::immutable_root;
use super::{Clock, Generation, Rules, cells, domain, label_selector};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, list, map, text};

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    (kind == "EndpointSlice").then_some(&RULES)
}

static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| drop_topology(object, &[]),
    prepare_update: |new, old, _| drop_topology(new, list(old, &["endpoints"])),
    validate: |object, errors| validate(object, errors),
    validate_update: |new, old, errors| {
        validate(new, errors);
        immutable_root(new, old, "addressType", errors);
    },
    warnings: |new, old, warnings| warn(new, old.is_none(), warnings),
    generation: Generation::ContentAndLabels,
    cells: Some(row),
    ..Rules::NONE
};

const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
const MOST_ENDPOINTS: usize = 1000;
const MOST_ADDRESSES: usize = 100;
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const MOST_PORTS: usize = 20_000;
const MOST_TOPOLOGY_LABELS: usize = 16;
const MOST_HINTS: usize = 8;
/// So many ports and endpoints are shown in a table.
const SHOWN: usize = 3;

fn default(object: &mut Value) {
    let ports = object.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        let port = object::make_map(port);
        object::default_absent(port, "name", "");
        object::default_absent(port, "protocol", "TCP");
    }
}

/// The topology labels of an older version are not taken any more, only kept.
fn drop_topology(object: &mut Value, old: &[Value]) {
    const KEY: &str = "deprecatedTopology";
    let endpoints = object.get_mut("endpoints").and_then(Value::as_array_mut);
    for (index, endpoint) in endpoints.into_iter().flatten().enumerate() {
        let before = old.get(index).and_then(|old| old.get(KEY));
        if endpoint.get(KEY) != before {
            object::remove(endpoint, &[KEY]);
        }
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let kind = text(object, &["addressType"]);
    if kind.is_empty() {
        errors.required("addressType", "");
    } else if !ADDRESS_TYPES.contains(&kind) {
        errors.not_supported("addressType", &json!(kind), &ADDRESS_TYPES);
    }
    let endpoints = list(object, &["endpoints"]);
    let path = Path::new("endpoints");
    if endpoints.len() > MOST_ENDPOINTS {
        errors.too_many(path, endpoints.len(), MOST_ENDPOINTS);
    } else {
        for (index, endpoint) in endpoints.iter().enumerate() {
            validate_endpoint(endpoint, kind, &path.index(index), errors);
        }
    }
    validate_ports(list(object, &["ports"]), &Path::new("ports"), errors);
}

fn validate_endpoint(endpoint: &Value, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let addresses = list(endpoint, &["addresses"]);
    let addresses_path = path.child("addresses");
    if addresses.is_empty() {
        errors.required(addresses_path, "must contain at least 1 address");
    } else if addresses.len() > MOST_ADDRESSES {
        errors.too_many(addresses_path, addresses.len(), MOST_ADDRESSES);
    }
    for (index, address) in addresses.iter().filter_map(Value::as_str).enumerate() {
        validate_address(address, kind, &addresses_path, index, errors);
    }
    if let Some(node) = endpoint.get("nodeName").and_then(Value::as_str) {
        let path = path.child("nodeName");
        report(name::dns1123_subdomain(node), node, &path, errors);
    }
    let topology = path.child("deprecatedTopology");
    let count = map(endpoint, &["deprecatedTopology"]).map_or(0, serde_json::Map::len);
    if count > MOST_TOPOLOGY_LABELS {
        errors.too_many(topology, count, MOST_TOPOLOGY_LABELS);
    }
    label_selector::validate_labels(endpoint.get("deprecatedTopology"), &topology, errors);
    if let Some(host) = endpoint.get("hostname").and_then(Value::as_str) {
        let path = path.child("hostname");
        report(name::dns1123_label(host), host, &path, errors);
    }
    validate_hints(endpoint, &path.child("hints"), errors);
}

fn validate_address(address: &str, kind: &str, path: &Path<'_>, index: usize, errors: &mut Errors) {
    let own = path.index(index);
    match kind {
        "IPv4" | "IPv6" => {
            if !validate_ip(address, &own, errors) {
                return;
            }
            let is_v4 = name::parse_ip(address).is_some_and(|ip| ip.is_ipv4());
            if is_v4 != (kind == "IPv4") {
                errors.invalid_text(path, address, format!("must be an {kind} address"));
            }
            validate_reachable(address, &own, errors);
        }
        "FQDN" => domain::report(name::fully_qualified_domain_name(address), &own, errors),
        _ => {}
    }
}

fn validate_hints(endpoint: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (key, check) in [
        ("forZones", name::label_value as fn(&str) -> Vec<String>),
        ("forNodes", name::dns1123_subdomain),
    ] {
        let hints = list(endpoint, &["hints", key]);
        let path = path.child(key);
        if hints.len() > MOST_HINTS {
            errors.too_many(path, hints.len(), MOST_HINTS);
            continue;
        }
        let mut seen = BTreeSet::new();
        for (index, hint) in hints.iter().enumerate() {
            let name = text(hint, &["name"]);
            let path = path.index(index);
            let path = path.child("name");
            if key == "forNodes" {
                report(check(name), name, &path, errors);
                if !seen.insert(name) {
                    errors.duplicate(path, &json!(name));
                }
            } else if !seen.insert(name) {
                errors.duplicate(path, &json!(name));
            } else if name.is_empty() {
                errors.required(path, "");
            } else {
                report(check(name), name, &path, errors);
            }
        }
    }
}

fn validate_ports(ports: &[Value], path: &Path<'_>, errors: &mut Errors) {
    if ports.len() > MOST_PORTS {
        errors.too_many(path, ports.len(), MOST_PORTS);
        return;
    }
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = text(port, &["name"]);
        if !name.is_empty() {
            report(name::dns1123_label(name), name, &path.child("name"), errors);
        }
        if !names.insert(name) {
            errors.duplicate(path.child("name"), &json!(name));
        }
        let protocol = text(port, &["protocol"]);
        if !PROTOCOLS.contains(&protocol) {
            errors.not_supported(path.child("protocol"), &json!(protocol), &PROTOCOLS);
        }
        validate_app_protocol(port, &path, errors);
    }
}

fn warn(object: &Value, is_new: bool, warnings: &mut Vec<String>) {
    if text(object, &["addressType"]) == "FQDN" {
        if is_new {
            warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
        }
        return;
    }
    for (i, endpoint) in list(object, &["endpoints"]).iter().enumerate() {
        let addresses = list(endpoint, &["addresses"]).iter();
        for (j, address) in addresses.filter_map(Value::as_str).enumerate() {
            let field = format!("endpoints[{i}].addresses[{j}]");
            warnings.extend(name::ip_warnings(&field, address));
        }
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let ports: Vec<String> = list(object, &["ports"])
        .iter()
        .map(|port| match port.get("port") {
            Some(number) if !number.is_null() => number.to_string(),
            _ => port
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or("*")
                .to_owned(),
        })
        .collect();
    let addresses: Vec<String> = list(object, &["endpoints"])
        .iter()
        .flat_map(|endpoint| list(endpoint, &["addresses"]))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    vec![
        cells::name(object),
        text(object, &["addressType"]).into(),
        some_of(&ports).into(),
        some_of(&addresses).into(),
        cells::age(object, clock),
    ]
}

/// The first few, and how many more there are.
fn some_of(words: &[String]) -> String {
    let shown = words.len().min(SHOWN);
    let first = words[..shown].join(",");
    if words.len() > SHOWN {
        format!("{first} + {} more...", words.len() - SHOWN)
    } else if first.is_empty() {
        cells::UNSET.to_owned()
    } else {
        first
    }
}
