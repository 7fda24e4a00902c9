// SPDX-License-Identifier: Apache-2.0
//! Addresses, blocks and ports in specs.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{list, text};

/// Protocols that a port may have.
pub(in crate::rules) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// An address in a field that has always taken sloppy ones.
pub(in crate::rules) fn validate_ip(ip: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    let complaints = name::ip_legacy(ip, false);
    let good = complaints.is_empty();
    for complaint in complaints {
        errors.invalid_text(path, ip, complaint);
    }
    good
}

/// A block in a field that has always taken sloppy ones.
pub(in crate::rules) fn validate_cidr(cidr: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    let complaints = name::cidr_legacy(cidr, false);
    let good = complaints.is_empty();
    for complaint in complaints {
        errors.invalid_text(path, cidr, complaint);
    }
    good
}

/// An address that can be reached from elsewhere: no loopback, no link-local one.
pub(in crate::rules) fn validate_reachable(ip: &str, path: &Path<'_>, errors: &mut Errors) {
    let Some(address) = name::parse_ip(ip) else {
        errors.invalid_text(path, ip, "must be a valid IP address");
        return;
    };
    if address.is_unspecified() {
        errors.invalid_text(path, ip, format!("may not be unspecified ({ip})"));
    }
    if address.is_loopback() {
        errors.invalid_text(
            path,
            ip,
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        );
    }
    if is_link_local(address) {
        errors.invalid_text(
            path,
            ip,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        );
    }
    if is_link_local_multicast(address) {
        errors.invalid_text(
            path,
            ip,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        );
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn is_link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    }
}

/// A port number.
pub(in crate::rules) fn validate_port_number(port: i64, path: &Path<'_>, errors: &mut Errors) {
    for complaint in name::port_number(port) {
        errors.invalid(path, &json!(port), complaint);
    }
}

/// A port number, or the name of a port.
pub(in crate::rules) fn validate_port(port: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    match port {
        Some(Value::String(port)) => {
            for complaint in name::port_name(port) {
                errors.invalid_text(path, port, complaint);
            }
        }
        port => validate_port_number(port.and_then(Value::as_i64).unwrap_or(0), path, errors),
    }
}

/// The protocol of a port, which must be there.
pub(in crate::rules) fn validate_protocol(port: &Value, path: &Path<'_>, errors: &mut Errors) {
    let protocol = text(port, &["protocol"]);
    let path = path.child("protocol");
    if protocol.is_empty() {
        errors.required(path, "");
    } else if !PROTOCOLS.contains(&protocol) {
        errors.not_supported(path, &json!(protocol), &PROTOCOLS);
    }
}

/// `appProtocol` of a port, where it is given.
pub(in crate::rules) fn validate_app_protocol(port: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(protocol) = port.get("appProtocol").and_then(Value::as_str) {
        for complaint in name::label_key(protocol) {
            errors.invalid_text(path.child("appProtocol"), protocol, complaint);
        }
    }
}

/// The complaints of a check about a text, each an `Invalid value`.
pub(in crate::rules) fn report(
    complaints: Vec<String>,
    value: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for complaint in complaints {
        errors.invalid_text(path, value, complaint);
    }
}

/// `loadBalancer.ingress` of a status: addresses and host names.
pub(in crate::rules) fn validate_balancer_ingress(
    ingress: &Value,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let ip = text(ingress, &["ip"]);
    if !ip.is_empty() {
        validate_ip(ip, &path.child("ip"), errors);
    }
    let host = text(ingress, &["hostname"]);
    if !host.is_empty() {
        let path = path.child("hostname");
        report(name::dns1123_subdomain(host), host, &path, errors);
        if name::parse_ip(host).is_some() {
            errors.invalid_text(path, host, "must be a DNS name, not an IP address");
        }
    }
}

/// Addresses and host names of a load balancer's status, for a table.
pub(in crate::rules) fn balancer_words(object: &Value) -> String {
    let mut all: Vec<&str> = list(object, &["status", "loadBalancer", "ingress"])
        .iter()
        .map(|ingress| match text(ingress, &["ip"]) {
            "" => text(ingress, &["hostname"]),
            ip => ip,
        })
        .filter(|word| !word.is_empty())
        .collect();
    all.sort_unstable();
    all.dedup();
    all.join(",")
}
