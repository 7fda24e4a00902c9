// SPDX-License-Identifier: Apache-2.0
//! Giving out cluster IPs and node ports.
//!
//! Pure: what is taken is asked of [`Taken`], and `random` says where the search starts. The caller holds whatever makes the
//! answer of [`Taken`] last until the Service is stored.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{allocates_node_ports, change, cluster_ips, families, kind, needs_health_check, ports};
use crate::field::{Errors, Path};
use crate::name::parse_ip;
use crate::object::{self, list};
use crate::rules::number::number;

/// Addresses of Services: the network and the length of its prefix.
pub const CLUSTER_IPS: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 0, 0, 0), 16);
/// Ports of nodes that Services may have, from and to.
pub const NODE_PORTS: (u16, u16) = (30_000, 32_767);

/// What other Services hold.
pub trait Taken {
    /// Whether another Service has this cluster IP.
    fn cluster_ip(&self, ip: &str) -> bool;
    /// Whether another Service has this node port.
    fn node_port(&self, port: u16) -> bool;
}

/// Why nothing could be given out.
#[derive(Debug)]
pub enum Refused {
    /// The object asks for what cannot be: a 422.
    Invalid(Errors),
    /// Nothing is left: a 500 with these words.
    Exhausted(String),
}

/// Gives a new Service its families, cluster IP and node ports.
///
/// # Errors
/// When it asks for what cannot be had, or nothing is left.
pub fn create(service: &mut Value, taken: &dyn Taken, random: u64) -> Result<(), Refused> {
    change::name_cluster_ips(service);
    families::fill_in(service, None).map_err(Refused::Invalid)?;
    give_cluster_ips(service, taken, random)?;
    if matches!(kind(service), "NodePort" | "LoadBalancer") {
        give_node_ports(service, &[], taken, random)?;
    }
    give_health_check_port(service, None, taken, random)
}

/// Gives a changed Service what its new type needs.
///
/// # Errors
/// When it asks for what cannot be had, or nothing is left.
pub fn update(
    service: &mut Value,
    old: &Value,
    taken: &dyn Taken,
    random: u64,
) -> Result<(), Refused> {
    change::keep_allocated(service, old);
    change::align_cluster_ips(service, old);
    change::drop_what_the_type_lacks(service, old);
    families::fill_in(service, Some(old)).map_err(Refused::Invalid)?;
    if kind(old) == "ExternalName" {
        give_cluster_ips(service, taken, random)?;
    }
    if matches!(kind(service), "NodePort" | "LoadBalancer") {
        let held: Vec<i64> = ports(old)
            .iter()
            .map(|port| number(port, "nodePort"))
            .filter(|port| *port != 0)
            .collect();
        give_node_ports(service, &held, taken, random)?;
    }
    give_health_check_port(service, Some(old), taken, random)
}

fn give_cluster_ips(service: &mut Value, taken: &dyn Taken, random: u64) -> Result<(), Refused> {
    if kind(service) == "ExternalName" || cluster_ips(service).first() == Some(&"None") {
        return Ok(());
    }
    if let Some(asked) = cluster_ips(service).first() {
        let problem = if !is_cluster_ip(asked) {
            "the provided network does not match the current range"
        } else if taken.cluster_ip(asked) {
            "provided IP is already allocated"
        } else {
            return Ok(());
        };
        let mut errors = Errors::new();
        errors.invalid(
            Path::new("spec").child("clusterIPs"),
            &json!(cluster_ips(service)),
            format!("failed to allocate IP {asked}: {problem}"),
        );
        return Err(Refused::Invalid(errors));
    }
    if list(service, &["spec", "ipFamilies"]).is_empty() {
        return Ok(());
    }
    let ip = free_ip(taken, random).ok_or_else(|| {
        Refused::Exhausted("failed to allocate a serviceIP: range is full".to_owned())
    })?;
    object::set(service, &["spec", "clusterIP"], ip.as_str());
    object::set(service, &["spec", "clusterIPs"], json!([ip]));
    Ok(())
}

/// The first host and the number of hosts of the range: neither the network's own address nor its last.
fn hosts() -> (u32, u32) {
    let (network, prefix) = CLUSTER_IPS;
    let size = 1u32 << (32 - u32::from(prefix));
    (u32::from(network) + 1, size - 2)
}

/// Whether an address is one that Services may have.
#[must_use]
pub fn is_cluster_ip(ip: &str) -> bool {
    let (first, count) = hosts();
    match parse_ip(ip) {
        Some(std::net::IpAddr::V4(ip)) => (first..first + count).contains(&u32::from(ip)),
        _ => false,
    }
}

/// Addresses for those who ask for one stay free while others are: the lower part of the range comes last.
fn free_ip(taken: &dyn Taken, random: u64) -> Option<String> {
    let (first, count) = hosts();
    let kept = (count / 16).clamp(16, 256);
    let rest = count - kept;
    let start = u32::try_from(random % u64::from(rest)).unwrap_or_default();
    let upper = (0..rest).map(|step| kept + (start + step) % rest);
    upper
        .chain(0..kept)
        .map(|offset| Ipv4Addr::from(first + offset).to_string())
        .find(|ip| !taken.cluster_ip(ip))
}

fn free_port(taken: &dyn Taken, held: &[i64], random: u64) -> Option<i64> {
    const KEPT: u64 = 86;
    let (first, last) = (u64::from(NODE_PORTS.0), u64::from(NODE_PORTS.1));
    let rest = last - first + 1 - KEPT;
    let upper = (0..rest).map(|step| KEPT + (random % rest + step) % rest);
    upper
        .chain(0..KEPT)
        .filter_map(|offset| u16::try_from(first + offset).ok())
        .find(|port| !taken.node_port(*port) && !held.contains(&i64::from(*port)))
        .map(i64::from)
}

/// Why a node port cannot be had.
fn port_problem(port: i64, held: &[i64], taken: &dyn Taken) -> Option<String> {
    let (first, last) = NODE_PORTS;
    let Some(port) = u16::try_from(port)
        .ok()
        .filter(|port| (first..=last).contains(port))
    else {
        return Some(format!(
            "provided port is not in the valid range. The range of valid ports is {first}-{last}"
        ));
    };
    (taken.node_port(port) || held.contains(&i64::from(port)))
        .then(|| "provided port is already allocated".to_owned())
}

/// Ports of one number share a node port; `before` are those that the Service has already.
fn give_node_ports(
    service: &mut Value,
    before: &[i64],
    taken: &dyn Taken,
    random: u64,
) -> Result<(), Refused> {
    let gives = allocates_node_ports(service);
    let mut all = ports(service).to_vec();
    let mut given: Vec<(i64, i64)> = Vec::new();
    for index in 0..all.len() {
        let port = number(&all[index], "port");
        let asked = number(&all[index], "nodePort");
        if asked == 0 && !gives {
            continue;
        }
        let held: Vec<i64> = given.iter().map(|(_, node)| *node).collect();
        let shared = given.iter().find(|(p, _)| *p == port).map(|(_, n)| *n);
        let later = all[index..]
            .iter()
            .filter(|other| number(other, "port") == port)
            .map(|other| number(other, "nodePort"))
            .find(|node| *node != 0);
        let wanted = match (shared, asked) {
            (Some(shared), 0) => Some(shared),
            (_, 0) if before.is_empty() => later,
            (_, 0) => None,
            (_, asked) => Some(asked),
        };
        let node = match wanted {
            Some(node) if shared == Some(node) || before.contains(&node) => node,
            Some(node) => {
                if let Some(problem) = port_problem(node, &held, taken) {
                    return Err(refuse_port(index, node, &problem));
                }
                node
            }
            None => free_port(
                taken,
                &[&held[..], before].concat(),
                random.wrapping_add(index as u64),
            )
            .ok_or_else(|| {
                Refused::Exhausted("failed to allocate a nodePort: range is full".to_owned())
            })?,
        };
        object::set(&mut all[index], &["nodePort"], node);
        given.push((port, node));
    }
    if !all.is_empty() {
        object::set(service, &["spec", "ports"], all);
    }
    Ok(())
}

fn refuse_port(index: usize, port: i64, problem: &str) -> Refused {
    let mut errors = Errors::new();
    errors.invalid(
        Path::new("spec")
            .child("ports")
            .index(index)
            .child("nodePort"),
        &json!(port),
        problem,
    );
    Refused::Invalid(errors)
}

fn give_health_check_port(
    service: &mut Value,
    old: Option<&Value>,
    taken: &dyn Taken,
    random: u64,
) -> Result<(), Refused> {
    const PORT: &str = "healthCheckNodePort";
    if !needs_health_check(service) || old.is_some_and(needs_health_check) {
        return Ok(());
    }
    let held: Vec<i64> = ports(service)
        .iter()
        .map(|port| number(port, "nodePort"))
        .collect();
    let asked = number(&service["spec"], PORT);
    if asked != 0 {
        return match port_problem(asked, &held, taken) {
            None => Ok(()),
            Some(problem) => Err(Refused::Exhausted(format!(
                "failed to allocate requested HealthCheck NodePort {asked}: {problem}"
            ))),
        };
    }
    let port = free_port(taken, &held, random.rotate_left(17)).ok_or_else(|| {
        Refused::Exhausted("failed to allocate a HealthCheck NodePort: range is full".to_owned())
    })?;
    object::set(service, &["spec", PORT], port);
    Ok(())
}

/// What a stored Service holds: its cluster IPs and its ports on nodes.
pub fn holds(service: &Value) -> (impl Iterator<Item = &str>, impl Iterator<Item = u16>) {
    let ips = list(service, &["spec", "clusterIPs"])
        .iter()
        .filter_map(Value::as_str)
        .filter(|ip| *ip != "None");
    let own = number(&service["spec"], "healthCheckNodePort");
    let node_ports = ports(service)
        .iter()
        .map(|port| number(port, "nodePort"))
        .chain([own])
        .filter(|port| *port != 0)
        .filter_map(|port| u16::try_from(port).ok());
    (ips, node_ports)
}
