// SPDX-License-Identifier: Apache-2.0
//! Validation of how a pod resolves names, and of the names and ports that it has itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{complain, dns_label, dns_subdomain, given, required_one_of};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{is_true, list, text};
use crate::rules::number::number;

const DNS_POLICIES: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const NAME_SERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCHES_MAX_BYTES: usize = 2048;
const HOSTNAME_MAX_BYTES: usize = 64;
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// `dnsPolicy` of the spec is one of four.
pub(super) fn validate_dns_policy(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_one_of(spec, "dnsPolicy", &DNS_POLICIES, path, errors);
}

/// Checks `dnsConfig`. `path` is that of the spec.
pub(super) fn validate_dns(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let at = path.child("dnsConfig");
    let config = spec.get("dnsConfig").filter(|v| !v.is_null());
    let servers = config.map_or(&[][..], |c| list(c, &["nameservers"]));
    if text(spec, &["dnsPolicy"]) == "None" {
        if config.is_none() {
            errors.required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        }
        if servers.is_empty() {
            errors.required(
                at.child("nameservers"),
                "must provide at least one DNS nameserver when `dnsPolicy` is None",
            );
            return;
        }
    }
    let Some(config) = config else {
        return;
    };
    let (at_servers, at_searches, at_options) = (
        at.child("nameservers"),
        at.child("searches"),
        at.child("options"),
    );
    if servers.len() > NAME_SERVERS_MAX {
        errors.invalid(
            at_servers,
            &json!(servers),
            "must not have more than 3 nameservers",
        );
    }
    for (index, server) in servers.iter().filter_map(Value::as_str).enumerate() {
        complain(
            name::ip_legacy(server, true),
            server,
            &at_servers.index(index),
            errors,
        );
    }
    let searches = list(config, &["searches"]);
    if searches.len() > SEARCHES_MAX {
        errors.invalid(
            at_searches,
            &json!(searches),
            "must not have more than 32 search paths",
        );
    }
    let words: Vec<&str> = searches.iter().filter_map(Value::as_str).collect();
    if words.join(" ").len() > SEARCHES_MAX_BYTES {
        errors.invalid(
            at_searches,
            &json!(searches),
            "must not have more than 2048 characters (including spaces) in the search list",
        );
    }
    for (index, search) in words.into_iter().enumerate().filter(|(_, s)| *s != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        let complaints = name::dns1123_subdomain_with_underscore(search);
        complain(complaints, search, &at_searches.index(index), errors);
    }
    for (index, option) in list(config, &["options"]).iter().enumerate() {
        if text(option, &["name"]).is_empty() {
            errors.required(at_options.index(index), "must not be empty");
        }
    }
}

/// Checks `hostAliases`.
pub(super) fn validate_aliases(aliases: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, alias) in aliases.iter().enumerate() {
        let at = path.index(index);
        let ip = text(alias, &["ip"]);
        complain(name::ip_legacy(ip, true), ip, &at.child("ip"), errors);
        let names = at.child("hostnames");
        for (index, host) in list(alias, &["hostnames"])
            .iter()
            .filter_map(Value::as_str)
            .enumerate()
        {
            dns_subdomain(host, &names.index(index), errors);
        }
    }
}

/// Checks `hostnameOverride`. `path` is that of the spec.
pub(super) fn validate_hostname_override(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(host) = spec.get("hostnameOverride").and_then(Value::as_str) else {
        return;
    };
    let at = path.child("hostnameOverride");
    if is_true(spec, &["setHostnameAsFQDN"]) {
        errors.forbidden(at, "may not be specified when setHostnameAsFQDN is true");
    }
    if is_true(spec, &["hostNetwork"]) {
        errors.forbidden(at, "may not be specified when hostNetwork is true");
    }
    if host.len() > HOSTNAME_MAX_BYTES {
        errors.too_long(at, HOSTNAME_MAX_BYTES);
    }
    dns_subdomain(host, &at, errors);
}

/// Checks `hostname` and `subdomain`. `path` is that of the spec.
pub(super) fn validate_hostname(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    for key in ["hostname", "subdomain"] {
        let value = text(spec, &[key]);
        if !value.is_empty() {
            dns_label(value, &path.child(key), errors);
        }
    }
}

/// Checks `ports` of a container.
pub(super) fn validate_ports(ports: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = path.index(index);
        let name = text(port, &["name"]);
        if !name.is_empty() {
            let complaints = name::port_name(name);
            if !complaints.is_empty() {
                complain(complaints, name, &at.child("name"), errors);
            } else if !names.insert(name) {
                errors.duplicate(at.child("name"), &json!(name));
            }
        }
        if number(port, "containerPort") == 0 {
            errors.required(at.child("containerPort"), "");
        }
        for key in ["containerPort", "hostPort"] {
            let number = number(port, key);
            for complaint in name::port_number(number)
                .into_iter()
                .filter(|_| number != 0)
            {
                errors.invalid(at.child(key), &json!(number), complaint);
            }
        }
        required_one_of(port, "protocol", &PROTOCOLS, &at, errors);
    }
}

/// No two ports of these containers are the same port of the host. `path` is that of the list.
pub(super) fn validate_host_ports(containers: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = path.index(index);
        let at = at.child("ports");
        for (index, port) in list(container, &["ports"]).iter().enumerate() {
            let host_port = number(port, "hostPort");
            let key = format!(
                "{}/{}/{host_port}",
                text(port, &["protocol"]),
                text(port, &["hostIP"])
            );
            if host_port != 0 && !seen.insert(key.clone()) {
                errors.duplicate(at.index(index).child("hostPort"), &json!(key));
            }
        }
    }
}

/// On the host's network a port is the host's port. Templates may leave it out. `path` is that of the spec.
pub(super) fn validate_host_network(
    spec: &Value,
    is_pod: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if !is_true(spec, &["hostNetwork"]) {
        return;
    }
    let containers = path.child("containers");
    for (index, container) in list(spec, &["containers"]).iter().enumerate() {
        let at = containers.index(index);
        let at = at.child("ports");
        for (index, port) in list(container, &["ports"]).iter().enumerate() {
            let host_port = number(port, "hostPort");
            if (is_pod || host_port != 0) && host_port != number(port, "containerPort") {
                errors.invalid(
                    at.index(index).child("hostPort"),
                    &json!(host_port),
                    "must match `containerPort` when `hostNetwork` is true",
                );
            }
        }
    }
}

/// Whether the pod's users are the host's.
pub(super) fn has_host_users(spec: &Value) -> bool {
    !given(spec, "hostUsers") || is_true(spec, &["hostUsers"])
}
