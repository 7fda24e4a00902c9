// SPDX-License-Identifier: Apache-2.0
//! Ingresses, IngressClasses and NetworkPolicies.

use serde_json::Value;

use super::field::Fields;
use super::page::{Page, or, or_none, put, selector};
use super::service::ready_endpoints;
use super::time::plain;
use super::{Related, event};

/// An Ingress.
pub(crate) fn ingress(page: &mut Page, ingress: &Value, related: &Related) {
    let spec = ingress.at("spec");
    put!(page, 0, "Name:\t{}", ingress.text("metadata.name"));
    page.labels("Labels", ingress.map("metadata.labels"));
    put!(
        page,
        0,
        "Namespace:\t{}",
        ingress.text("metadata.namespace")
    );
    put!(
        page,
        0,
        "Address:\t{}",
        addresses(ingress.list("status.loadBalancer.ingress"))
    );
    put!(
        page,
        0,
        "Ingress Class:\t{}",
        or_none(spec.text("ingressClassName"))
    );
    let default = if spec.has("defaultBackend") {
        backend(spec.at("defaultBackend"), related)
    } else {
        "<default>".to_owned()
    };
    put!(page, 0, "Default backend:\t{default}");
    if !spec.list("tls").is_empty() {
        put!(page, 0, "TLS:");
    }
    for tls in spec.list("tls") {
        let hosts = tls.strings("hosts").join(",");
        match tls.text("secretName") {
            "" => put!(page, 1, "SNI routes {hosts}"),
            secret => put!(page, 1, "{secret} terminates {hosts}"),
        }
    }
    put!(page, 0, "Rules:\n  Host\tPath\tBackends");
    put!(page, 1, "----\t----\t--------");
    let rules: Vec<&Value> = spec
        .list("rules")
        .iter()
        .filter(|rule| rule.has("http"))
        .collect();
    for rule in &rules {
        put!(page, 1, "{}\t", or(rule.text("host"), "*"));
        for path in rule.list("http.paths") {
            put!(
                page,
                2,
                "\t{} \t{}",
                path.text("path"),
                backend(path.at("backend"), related)
            );
        }
    }
    if rules.is_empty() {
        put!(page, 1, "*\t*\t{default}");
    }
    page.annotations("Annotations", ingress.map("metadata.annotations"));
    event::section(page, related);
}

/// An IngressClass.
pub(crate) fn ingress_class(page: &mut Page, class: &Value, related: &Related) {
    put!(page, 0, "Name:\t{}", class.text("metadata.name"));
    page.marks(class);
    put!(page, 0, "Controller:\t{}", class.text("spec.controller"));
    let parameters = class.at("spec.parameters");
    if !parameters.is_null() {
        put!(page, 0, "Parameters:");
        if parameters.has("apiGroup") {
            put!(page, 1, "APIGroup:\t{}", parameters.text("apiGroup"));
        }
        put!(page, 1, "Kind:\t{}", parameters.text("kind"));
        put!(page, 1, "Name:\t{}", parameters.text("name"));
    }
    event::section(page, related);
}

/// A NetworkPolicy.
pub(crate) fn network_policy(page: &mut Page, policy: &Value, _related: &Related) {
    let spec = policy.at("spec");
    put!(page, 0, "Name:\t{}", policy.text("metadata.name"));
    put!(page, 0, "Namespace:\t{}", policy.text("metadata.namespace"));
    put!(
        page,
        0,
        "Created on:\t{}",
        plain(policy.text("metadata.creationTimestamp"))
    );
    page.marks(policy);
    put!(page, 0, "Spec:");
    let pods = match selector(spec.at("podSelector")) {
        none if none == "<none>" => {
            "<none> (Allowing the specific traffic to all pods in this namespace)".to_owned()
        }
        pods => pods,
    };
    put!(page, 1, "PodSelector:     {pods}");
    let types = spec.strings("policyTypes");
    for (kind, way, rules, peers, ends) in [
        ("Ingress", "ingress", "ingress", "from", "source"),
        ("Egress", "egress", "egress", "to", "destination"),
    ] {
        if types.contains(&kind) {
            put!(page, 1, "Allowing {way} traffic:");
            traffic(page, spec.list(rules), way, peers, ends);
        } else {
            put!(page, 1, "Not affecting {way} traffic");
        }
    }
    put!(page, 1, "Policy Types: {}", types.join(", "));
}

fn addresses(points: &[Value]) -> String {
    let points = points.iter().map(|point| {
        if point.text("ip").is_empty() {
            point.text("hostname")
        } else {
            point.text("ip")
        }
    });
    points
        .filter(|point| !point.is_empty())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(",")
}

/// A backend with its endpoints, or with what is wrong with its Service.
fn backend(backend: &Value, related: &Related) -> String {
    if backend.has("service") {
        let (name, port) = (backend.text("service.name"), backend.at("service.port"));
        let number = port.int("number");
        let shown = if number != 0 {
            format!("{name}:{number}")
        } else {
            format!("{name}:{}", port.text("name"))
        };
        let slices = match related.list(&format!("endpointslices/{name}")) {
            Ok(slices) => slices,
            Err(error) => return format!("{shown} (<error: {error}>)"),
        };
        let service = match related.object(&format!("services/{name}")) {
            Ok(service) => service,
            Err(error) => return format!("{shown} (<error: {error}>)"),
        };
        let named = |candidate: &&Value| match number {
            0 => candidate.text("name") == port.text("name"),
            number => candidate.int("port") == number,
        };
        let port_name = service
            .list("spec.ports")
            .iter()
            .find(named)
            .map(|port| port.text("name"))
            .unwrap_or_default();
        return format!("{shown} ({})", ready_endpoints(slices, port_name));
    }
    if backend.has("resource") {
        let resource = backend.at("resource");
        return format!(
            "APIGroup: {}, Kind: {}, Name: {}",
            or_none(resource.text("apiGroup")),
            resource.text("kind"),
            resource.text("name")
        );
    }
    String::new()
}

fn traffic(page: &mut Page, rules: &[Value], way: &str, peers: &str, ends: &str) {
    if rules.is_empty() {
        put!(
            page,
            2,
            "<none> (Selected pods are isolated for {way} connectivity)"
        );
    }
    let title = if peers == "from" { "From" } else { "To" };
    for (number, rule) in rules.iter().enumerate() {
        if rule.list("ports").is_empty() {
            put!(page, 2, "To Port: <any> (traffic allowed to all ports)");
        }
        for port in rule.list("ports") {
            let protocol = or(port.text("protocol"), "TCP");
            match port.has("endPort") {
                true => put!(
                    page,
                    2,
                    "To Port Range: {}-{}/{protocol}",
                    port.shown("port"),
                    port.int("endPort")
                ),
                false => put!(
                    page,
                    2,
                    "To Port: {}/{protocol}",
                    or(port.shown("port"), "<nil>")
                ),
            }
        }
        if rule.list(peers).is_empty() {
            put!(page, 2, "{title}: <any> (traffic not restricted by {ends})");
        }
        for peer in rule.list(peers) {
            put!(page, 2, "{title}:");
            for (title, field) in [
                ("NamespaceSelector", "namespaceSelector"),
                ("PodSelector", "podSelector"),
            ] {
                if peer.has(field) {
                    put!(page, 3, "{title}: {}", selector(peer.at(field)));
                }
            }
            if peer.has("ipBlock") && !peer.has("podSelector") && !peer.has("namespaceSelector") {
                put!(page, 3, "IPBlock:");
                put!(page, 4, "CIDR: {}", peer.text("ipBlock.cidr"));
                put!(
                    page,
                    4,
                    "Except: {}",
                    peer.strings("ipBlock.except").join(", ")
                );
            }
        }
        if number + 1 < rules.len() {
            put!(page, 2, "----------");
        }
    }
}
