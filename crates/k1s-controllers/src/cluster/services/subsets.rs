// SPDX-License-Identifier: Apache-2.0
//! Subsets of Endpoints as Kubernetes repacks them: the ports that the same addresses have stand together.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset};

use super::digest;

/// What tells addresses apart: the IP and the uid of what is behind it.
type Key = (String, String);

/// A port, or none for addresses without ports.
type Port = Option<(String, i32, String, Option<String>)>;

/// Repacks subsets: each port with all its addresses, ports with the same addresses together. An address that is not ready
/// for a port in one of them is not ready for it.
pub(super) fn repacked<'a>(
    subsets: impl Iterator<Item = &'a EndpointSubset>,
) -> Vec<EndpointSubset> {
    let mut known: BTreeMap<Key, &EndpointAddress> = BTreeMap::new();
    let mut by_port: BTreeMap<Port, BTreeMap<Key, bool>> = BTreeMap::new();
    for subset in subsets {
        let ready = subset.addresses.iter().flatten().map(|a| (a, true));
        let unready = subset.not_ready_addresses.iter().flatten();
        for (address, ready) in ready.chain(unready.map(|a| (a, false))) {
            let uid = address.target_ref.as_ref().and_then(|r| r.uid.clone());
            let key = (address.ip.clone(), uid.unwrap_or_default());
            known.entry(key.clone()).or_insert(address);
            for port in keys(subset.ports.as_deref().unwrap_or_default()) {
                let state = by_port.entry(port).or_default().entry(key.clone());
                *state.or_insert(true) &= ready;
            }
        }
    }
    let mut by_addresses: BTreeMap<BTreeMap<Key, bool>, Vec<EndpointPort>> = BTreeMap::new();
    for (port, addresses) in by_port {
        let ports = by_addresses.entry(addresses).or_default();
        ports.extend(
            port.map(|(name, port, protocol, app_protocol)| EndpointPort {
                name: (!name.is_empty()).then_some(name),
                port,
                protocol: (!protocol.is_empty()).then_some(protocol),
                app_protocol,
            }),
        );
    }
    let repacked = by_addresses.into_iter().map(|(addresses, mut ports)| {
        ports.sort_by_cached_key(digest::of_port);
        let pick = |wanted: bool| {
            let those = addresses.iter().filter(|(_, ready)| **ready == wanted);
            let those: Vec<EndpointAddress> = those
                .filter_map(|(key, _)| known.get(key).map(|address| (*address).clone()))
                .collect();
            (!those.is_empty()).then_some(those)
        };
        EndpointSubset {
            addresses: pick(true),
            not_ready_addresses: pick(false),
            ports: (!ports.is_empty()).then_some(ports),
        }
    });
    repacked.collect()
}

fn keys(ports: &[EndpointPort]) -> Vec<Port> {
    if ports.is_empty() {
        return vec![None];
    }
    let key = |port: &EndpointPort| {
        Some((
            port.name.clone().unwrap_or_default(),
            port.port,
            port.protocol.clone().unwrap_or_default(),
            port.app_protocol.clone(),
        ))
    };
    ports.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn ports_with_the_same_addresses_stand_together() {
        let check = |subsets: Value, expected: Value| {
            let read: Vec<EndpointSubset> = serde_json::from_value(subsets).unwrap();
            assert_eq!(json!(repacked(read.iter())), expected);
        };
        let a = json!({"ip": "10.0.0.1"});
        let b = json!({"ip": "10.0.0.2"});
        let web = json!({"name": "web", "port": 80});
        let dns = json!({"name": "dns", "port": 53});
        check(json!([]), json!([]));
        check(json!([{"addresses": [a]}]), json!([{"addresses": [a]}]));
        check(
            json!([{"addresses": [a], "ports": [web, dns]}, {"notReadyAddresses": [b], "ports": [web]}]),
            json!([
                {"addresses": [a], "ports": [dns]},
                {"addresses": [a], "notReadyAddresses": [b], "ports": [web]},
            ]),
        );
        // not ready in one of them is not ready
        check(
            json!([{"addresses": [a], "ports": [web]}, {"notReadyAddresses": [a], "ports": [web]}]),
            json!([{"notReadyAddresses": [a], "ports": [web]}]),
        );
    }
}
