// SPDX-License-Identifier: Apache-2.0
//! Services and what stands behind them: Endpoints, EndpointSlices.

use serde_json::Value;

use super::field::Fields;
use super::page::{Page, labels_in_line, or, or_none, put};
use super::time::full;
use super::{Related, event};

/// How many endpoints are shown before they are only counted.
const SHOWN_ENDPOINTS: usize = 3;

/// A Service.
pub(crate) fn service(page: &mut Page, service: &Value, related: &Related) {
    let spec = service.at("spec");
    page.metadata(service);
    put!(
        page,
        0,
        "Selector:\t{}",
        labels_in_line(spec.map("selector"))
    );
    put!(page, 0, "Type:\t{}", spec.text("type"));
    present(page, "IP Family Policy", spec.text("ipFamilyPolicy"));
    put!(
        page,
        0,
        "IP Families:\t{}",
        or_none(spec.strings("ipFamilies").join(","))
    );
    put!(page, 0, "IP:\t{}", spec.text("clusterIP"));
    put!(
        page,
        0,
        "IPs:\t{}",
        or_none(spec.strings("clusterIPs").join(","))
    );
    present(page, "External IPs", &spec.strings("externalIPs").join(","));
    present(page, "Desired LoadBalancer IP", spec.text("loadBalancerIP"));
    present(page, "External Name", spec.text("externalName"));
    present(
        page,
        "LoadBalancer Ingress",
        &load_balancer(service.list("status.loadBalancer.ingress")),
    );
    for port in spec.list("ports") {
        let (name, protocol) = (or(port.text("name"), "<unset>"), port.text("protocol"));
        put!(page, 0, "Port:\t{name}\t{}/{protocol}", port.int("port"));
        put!(
            page,
            0,
            "TargetPort:\t{}/{protocol}",
            port.shown("targetPort")
        );
        if port.int("nodePort") != 0 {
            put!(
                page,
                0,
                "NodePort:\t{name}\t{}/{protocol}",
                port.int("nodePort")
            );
        }
        let slices = related.list("endpointslices").unwrap_or_default();
        put!(
            page,
            0,
            "Endpoints:\t{}",
            ready_endpoints(slices, port.text("name"))
        );
    }
    put!(
        page,
        0,
        "Session Affinity:\t{}",
        spec.text("sessionAffinity")
    );
    present(
        page,
        "External Traffic Policy",
        spec.text("externalTrafficPolicy"),
    );
    present(
        page,
        "Internal Traffic Policy",
        spec.text("internalTrafficPolicy"),
    );
    if spec.int("healthCheckNodePort") != 0 {
        put!(
            page,
            0,
            "HealthCheck NodePort:\t{}",
            spec.int("healthCheckNodePort")
        );
    }
    present(
        page,
        "LoadBalancer Source Ranges",
        &spec.strings("loadBalancerSourceRanges").join(","),
    );
    present(
        page,
        "Traffic Distribution",
        spec.text("trafficDistribution"),
    );
    event::section(page, related);
}

/// Endpoints.
pub(crate) fn endpoints(page: &mut Page, endpoints: &Value, related: &Related) {
    page.metadata(endpoints);
    put!(page, 0, "Subsets:");
    for subset in endpoints.list("subsets") {
        for (title, field) in [
            ("Addresses", "addresses"),
            ("NotReadyAddresses", "notReadyAddresses"),
        ] {
            let addresses: Vec<_> = subset
                .list(field)
                .iter()
                .map(|address| address.text("ip"))
                .collect();
            put!(page, 1, "{title}:\t{}", or_none(addresses.join(",")));
        }
        if !subset.list("ports").is_empty() {
            put!(page, 1, "Ports:");
            ports(page, 2, subset.list("ports"));
        }
        put!(page, 0, "");
    }
    event::section(page, related);
}

/// An EndpointSlice.
pub(crate) fn endpoint_slice(page: &mut Page, slice: &Value, related: &Related) {
    page.metadata(slice);
    put!(page, 0, "AddressType:\t{}", slice.text("addressType"));
    if slice.list("ports").is_empty() {
        put!(page, 0, "Ports: <unset>");
    } else {
        put!(page, 0, "Ports:");
        ports(page, 1, slice.list("ports"));
    }
    if slice.list("endpoints").is_empty() {
        put!(page, 0, "Endpoints: <none>");
    } else {
        put!(page, 0, "Endpoints:");
    }
    for endpoint in slice.list("endpoints") {
        put!(
            page,
            1,
            "- Addresses:\t{}",
            or_none(endpoint.strings("addresses").join(", "))
        );
        put!(page, 2, "Conditions:");
        put!(
            page,
            3,
            "Ready:\t{}",
            or(endpoint.shown("conditions.ready"), "<unset>")
        );
        put!(
            page,
            2,
            "Hostname:\t{}",
            or(endpoint.text("hostname"), "<unset>")
        );
        if endpoint.has("targetRef") {
            put!(
                page,
                2,
                "TargetRef:\t{}/{}",
                endpoint.text("targetRef.kind"),
                endpoint.text("targetRef.name")
            );
        }
        put!(
            page,
            2,
            "NodeName:\t{}",
            or(endpoint.text("nodeName"), "<unset>")
        );
        put!(page, 2, "Zone:\t{}", or(endpoint.text("zone"), "<unset>"));
    }
    event::section(page, related);
}

/// The ready endpoints of a port, some of them by address and the rest by number.
pub(crate) fn ready_endpoints(slices: &[Value], port_name: &str) -> String {
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let ready = |slice: &Value| -> Vec<String> {
        let ready = slice
            .list("endpoints")
            .iter()
            .filter(|endpoint| endpoint.at("conditions.ready").as_bool() != Some(false));
        ready
            .filter_map(|endpoint| {
                endpoint
                    .strings("addresses")
                    .first()
                    .map(|&address| address.to_owned())
            })
            .collect()
    };
    let mut found = Vec::new();
    for slice in slices {
        if slice.list("ports").is_empty() {
            found.extend(ready(slice));
        }
        for port in slice
            .list("ports")
            .iter()
            .filter(|port| port.text("name") == port_name)
        {
            let with_port = |address: String| match address.contains(':') {
                true => format!("[{address}]:{}", port.int("port")),
                false => format!("{address}:{}", port.int("port")),
            };
            found.extend(ready(slice).into_iter().map(with_port));
        }
    }
    let more = found.len().saturating_sub(SHOWN_ENDPOINTS);
    found.truncate(SHOWN_ENDPOINTS);
    if more > 0 {
        format!("{} + {more} more...", found.join(","))
    } else {
        found.join(",")
    }
}

fn present(page: &mut Page, title: &str, text: &str) {
    if !text.is_empty() {
        put!(page, 0, "{title}:\t{text}");
    }
}

fn ports(page: &mut Page, level: usize, ports: &[Value]) {
    put!(page, level, "Name\tPort\tProtocol");
    put!(page, level, "----\t----\t--------");
    for port in ports {
        let (name, number) = (
            or(port.text("name"), "<unset>"),
            or(port.shown("port"), "<unset>"),
        );
        put!(page, level, "{name}\t{number}\t{}", port.text("protocol"));
    }
}

fn load_balancer(ingress: &[Value]) -> String {
    let points = ingress
        .iter()
        .map(|point| match (point.text("ip"), point.text("ipMode")) {
            ("", _) => point.text("hostname").to_owned(),
            (ip, "") => ip.to_owned(),
            (ip, mode) => format!("{ip} ({mode})"),
        });
    points.collect::<Vec<_>>().join(", ")
}

/// An IPAddress.
pub(crate) fn ip_address(page: &mut Page, address: &Value, related: &Related) {
    put!(page, 0, "Name:\t{}", address.text("metadata.name"));
    page.marks(address);
    if address.has("spec.parentRef") {
        put!(page, 0, "Parent Reference:");
        for (title, field) in [
            ("Group", "group"),
            ("Resource", "resource"),
            ("Namespace", "namespace"),
            ("Name", "name"),
        ] {
            let value = address.at("spec.parentRef").text(field);
            put!(page, 1, "{title}:\t{value}");
        }
    }
    event::section(page, related);
}

/// A ServiceCIDR.
pub(crate) fn service_cidr(page: &mut Page, range: &Value, related: &Related) {
    put!(page, 0, "Name:\t{}", range.text("metadata.name"));
    page.marks(range);
    put!(
        page,
        0,
        "CIDRs:\t{}",
        range.strings("spec.cidrs").join(", ")
    );
    let conditions = range.list("status.conditions");
    if !conditions.is_empty() {
        put!(page, 0, "Status:");
        put!(page, 0, "Conditions:");
        put!(page, 1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
        put!(page, 1, "----\t------\t------------------\t------\t-------");
        for condition in conditions {
            put!(
                page,
                1,
                "{} \t{} \t{} \t{} \t{}",
                condition.text("type"),
                condition.text("status"),
                full(condition.text("lastTransitionTime")),
                condition.text("reason"),
                condition.text("message")
            );
        }
    }
    event::section(page, related);
}
