// SPDX-License-Identifier: Apache-2.0
//! Endpoints.

use serde_json::Value;

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, list, text};
use crate::rules::address::{
    report, validate_app_protocol, validate_ip, validate_port_number, validate_protocol,
    validate_reachable,
};
use crate::rules::number::number;
use crate::rules::{Clock, Rules, cells};

pub(in crate::rules) static RULES: Rules = Rules {
    default,
    validate: |object, errors| validate(object, errors),
    validate_update: |new, _, errors| validate(new, errors),
    warnings: |new, _, warnings| warn(new, warnings),
    create_on_update: true,
    cells: Some(row),
    ..Rules::NONE
};

/// So many endpoints are shown in a table.
const SHOWN: usize = 3;

fn default(object: &mut Value) {
    let subsets = object.get_mut("subsets").and_then(Value::as_array_mut);
    for subset in subsets.into_iter().flatten() {
        let ports = subset.get_mut("ports").and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten() {
            object::default(object::make_map(port), "protocol", "TCP");
        }
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("subsets");
    for (index, subset) in list(object, &["subsets"]).iter().enumerate() {
        validate_subset(subset, &path.index(index), errors);
    }
}

fn validate_subset(subset: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut count = 0;
    for key in ["addresses", "notReadyAddresses"] {
        count += list(subset, &[key]).len();
    }
    if count == 0 {
        errors.required(path, "must specify `addresses` or `notReadyAddresses`");
    }
    for key in ["addresses", "notReadyAddresses"] {
        let path = path.child(key);
        for (index, address) in list(subset, &[key]).iter().enumerate() {
            validate_address(address, &path.index(index), errors);
        }
    }
    let ports = list(subset, &["ports"]);
    let path = path.child("ports");
    for (index, port) in ports.iter().enumerate() {
        validate_port(port, ports.len() > 1, &path.index(index), errors);
    }
}

fn validate_address(address: &Value, path: &Path<'_>, errors: &mut Errors) {
    let ip = text(address, &["ip"]);
    validate_ip(ip, &path.child("ip"), errors);
    let host = text(address, &["hostname"]);
    if !host.is_empty() {
        report(
            name::dns1123_label(host),
            host,
            &path.child("hostname"),
            errors,
        );
    }
    if let Some(node) = address.get("nodeName").and_then(Value::as_str) {
        report(
            name::dns1123_subdomain(node),
            node,
            &path.child("nodeName"),
            errors,
        );
    }
    validate_reachable(ip, &path.child("ip"), errors);
}

fn validate_port(port: &Value, is_named: bool, path: &Path<'_>, errors: &mut Errors) {
    let name = text(port, &["name"]);
    let name_path = path.child("name");
    if name.is_empty() {
        if is_named {
            errors.required(name_path, "");
        }
    } else {
        report(name::dns1123_label(name), name, &name_path, errors);
    }
    validate_port_number(number(port, "port"), &path.child("port"), errors);
    validate_protocol(port, path, errors);
    validate_app_protocol(port, path, errors);
}

fn warn(object: &Value, warnings: &mut Vec<String>) {
    for (i, subset) in list(object, &["subsets"]).iter().enumerate() {
        for key in ["addresses", "notReadyAddresses"] {
            for (j, address) in list(subset, &[key]).iter().enumerate() {
                let field = format!("subsets[{i}].{key}[{j}].ip");
                warnings.extend(name::ip_warnings(&field, text(address, &["ip"])));
            }
        }
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        cells::name(object),
        cells::or_none(endpoints(object)),
        cells::age(object, clock),
    ]
}

fn endpoints(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in list(object, &["subsets"]) {
        let addresses = list(subset, &["addresses"]).iter();
        let ips = addresses.map(|address| text(address, &["ip"]));
        let ports = list(subset, &["ports"]);
        if ports.is_empty() {
            all.extend(ips.map(str::to_owned));
            continue;
        }
        for port in ports {
            let number = number(port, "port");
            all.extend(ips.clone().map(|ip| {
                if ip.contains(':') {
                    format!("[{ip}]:{number}")
                } else {
                    format!("{ip}:{number}")
                }
            }));
        }
    }
    let shown = all.len().min(SHOWN);
    let words = all[..shown].join(",");
    if all.len() > SHOWN {
        format!("{words} + {} more...", all.len() - SHOWN)
    } else {
        words
    }
}
