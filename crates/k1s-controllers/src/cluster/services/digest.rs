// SPDX-License-Identifier: Apache-2.0
//! The order of ports: Kubernetes sorts them by a digest, FNV-1a of 128 bits, of how its language prints them.

use k8s_openapi::api::core::v1::EndpointPort as Port;
use k8s_openapi::api::discovery::v1::EndpointPort as SlicePort;

const NONE: &str = "<nil>";

/// By what the ports of Endpoints are ordered.
pub(super) fn of_port(port: &Port) -> u128 {
    fnv_1a(&format!(
        "(v1.EndpointPort){{Name:(string){} Port:(int32){} Protocol:(v1.Protocol){} AppProtocol:(*string){}}}",
        port.name.as_deref().unwrap_or_default(),
        port.port,
        port.protocol.as_deref().unwrap_or_default(),
        port.app_protocol.as_deref().unwrap_or(NONE),
    ))
}

/// By what the ports of an EndpointSlice are ordered.
pub(super) fn of_slice_port(port: &SlicePort) -> u128 {
    let number = port.port.map(|number| number.to_string());
    fnv_1a(&format!(
        "(v1.EndpointPort){{Name:(*string){} Protocol:(*v1.Protocol){} Port:(*int32){} AppProtocol:(*string){}}}",
        port.name.as_deref().unwrap_or(NONE),
        port.protocol.as_deref().unwrap_or(NONE),
        number.as_deref().unwrap_or(NONE),
        port.app_protocol.as_deref().unwrap_or(NONE),
    ))
}

fn fnv_1a(text: &str) -> u128 {
    text.bytes()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// As kube-controller-manager 1.35 orders them.
    #[test]
    fn orders() {
        let ports = json!([
            {"name": "a", "port": 80, "protocol": "TCP"},
            {"name": "b", "port": 80, "protocol": "TCP"},
            {"name": "c", "port": 82, "protocol": "TCP", "appProtocol": "h2c"},
        ]);
        let read = |ports: &Value| -> Vec<Port> { serde_json::from_value(ports.clone()).unwrap() };
        let mut of_endpoints = read(&ports);
        of_endpoints.sort_by_cached_key(of_port);
        assert_eq!(of_endpoints, read(&ports));
        let mut of_slice: Vec<SlicePort> = serde_json::from_value(ports).unwrap();
        of_slice.sort_by_cached_key(of_slice_port);
        let names: Vec<_> = of_slice.iter().filter_map(|p| p.name.as_deref()).collect();
        assert_eq!(names, ["c", "b", "a"]);
        assert_eq!(fnv_1a(""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
    }
}
