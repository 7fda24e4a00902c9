// SPDX-License-Identifier: Apache-2.0
//! Services, made of ports or of the objects whose pods they expose.

use k1s_core::name::{dns1123_subdomain, port_name, port_number};
use k1s_core::quote::Quoted;
use serde_json::{Map, Value, json};

use super::{Identity, Mistake, number_or_text, object};

/// What a Service is made of.
#[derive(Debug, Default)]
pub struct Service<'a> {
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    pub kind: &'a str,
    /// Ports as `port[:targetPort]`.
    pub tcp: &'a [String],
    /// Address of its own, `None` for a headless Service, empty for the server's choice.
    pub cluster_ip: &'a str,
    /// Port on every node, 0 for the server's choice.
    pub node_port: i64,
    /// Name that an ExternalName stands for.
    pub external_name: &'a str,
}

/// A Service for pods with the label `app` of its name.
pub fn service(identity: Identity<'_>, options: &Service<'_>) -> Result<Value, Mistake> {
    if options.cluster_ip == "None" && options.kind != "ClusterIP" {
        return Err(Mistake::new(
            "ClusterIP=None can only be used with ClusterIP service type",
        ));
    }
    if options.cluster_ip != "None" && options.tcp.is_empty() && options.kind != "ExternalName" {
        return Err(Mistake::new(
            "at least one tcp port specifier must be provided",
        ));
    }
    if options.kind == "ExternalName" && !dns1123_subdomain(options.external_name).is_empty() {
        return Err(Mistake(format!(
            "invalid service external name {}",
            options.external_name
        )));
    }
    let app = json!({ "app": identity.name });
    let mut service = object("v1", "Service", identity.labelled(app.clone()));
    let mut spec = json!({ "selector": app, "type": options.kind });
    let ports = options
        .tcp
        .iter()
        .map(|tcp| port(tcp, options.node_port))
        .collect::<Result<Vec<_>, _>>()?;
    if !ports.is_empty() {
        spec["ports"] = ports.into();
    }
    for (field, value) in [
        ("clusterIP", options.cluster_ip),
        ("externalName", options.external_name),
    ] {
        if !value.is_empty() {
            spec[field] = value.into();
        }
    }
    service["spec"] = spec;
    service["status"] = json!({ "loadBalancer": {} });
    Ok(service)
}

fn port(text: &str, node_port: i64) -> Result<Value, Mistake> {
    let mut parts = text.split(':');
    let number = unsigned(parts.next().unwrap_or_default())?;
    let target = match parts.next() {
        None => number.into(),
        Some(target) => {
            let target_number = target.parse::<i64>();
            let complaints = target_number
                .as_ref()
                .map_or_else(|_| port_name(target), |number| port_number(*number));
            if !complaints.is_empty() {
                return Err(Mistake(complaints.join(",")));
            }
            target_number.map_or_else(|_| target.into(), Value::from)
        }
    };
    let mut port = json!({ "name": text.replace(':', "-"), "port": number, "protocol": "TCP", "targetPort": target });
    if node_port != 0 {
        port["nodePort"] = node_port.into();
    }
    Ok(port)
}

/// A port number, with Go's words for what is none.
fn unsigned(text: &str) -> Result<u16, Mistake> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().map_err(|_| {
        let why = if digits {
            "value out of range"
        } else {
            "invalid syntax"
        };
        Mistake(format!(
            "strconv.ParseUint: parsing {}: {why}",
            Quoted(text)
        ))
    })
}

/// How an object is exposed.
#[derive(Debug, Default)]
pub struct Expose<'a> {
    /// Ports as `80,443`; empty takes those of the object.
    pub port: &'a str,
    /// Target port for all ports, empty for the same as the port.
    pub target_port: &'a str,
    /// Protocol of all ports, empty for that of the object or TCP.
    pub protocol: &'a str,
    /// Type of the Service, empty for the server's choice.
    pub kind: &'a str,
    /// Selector as `a=b,c=d`, empty for that of the object.
    pub selector: &'a str,
    /// Labels as `a=b,c=d`, empty for those of the object.
    pub labels: &'a str,
    /// `ClientIP` or `None`, empty for the server's choice.
    pub session_affinity: &'a str,
    /// Address of its own, `None` for a headless Service.
    pub cluster_ip: &'a str,
    /// External address of the nodes.
    pub external_ip: &'a str,
    /// Address of the load balancer.
    pub load_balancer_ip: &'a str,
}

/// A Service for the pods of an object.
pub fn expose(
    identity: Identity<'_>,
    source: &Value,
    options: &Expose<'_>,
) -> Result<Value, Mistake> {
    let kind = k1s_core::object::text(source, &["kind"]);
    if ![
        "Deployment",
        "Pod",
        "ReplicaSet",
        "ReplicationController",
        "Service",
    ]
    .contains(&kind)
    {
        let api_version = k1s_core::object::text(source, &["apiVersion"]);
        let group = k1s_core::kinds::split_api_version(api_version).0;
        let dot = if group.is_empty() { "" } else { "." };
        return Err(Mistake(format!("cannot expose a {kind}{dot}{group}")));
    }
    let selector = match options.selector {
        "" => selector_of(source, kind)?,
        text => pairs(text)?.into(),
    };
    let labels = match options.labels {
        "" => source
            .pointer("/metadata/labels")
            .cloned()
            .unwrap_or(Value::Null),
        text => pairs(text)?.into(),
    };
    let own = ports_of(source, kind);
    let ports = match options.port {
        "" if own.is_empty() && options.cluster_ip == "None" => Vec::new(),
        "" if own.is_empty() => {
            return Err(Mistake::new(
                "couldn't find port via --port flag or introspection",
            ));
        }
        "" => own.iter().map(|(port, _)| port.to_string()).collect(),
        text => text.split(',').map(str::to_owned).collect::<Vec<_>>(),
    };
    let many = ports.len() > 1;
    let mut list = Vec::new();
    for (number, text) in ports.iter().enumerate() {
        let port: i32 = text.parse().map_err(|_| {
            Mistake(format!(
                "strconv.Atoi: parsing {}: invalid syntax",
                Quoted(text)
            ))
        })?;
        let own = own
            .iter()
            .find(|(own, _)| *own == i64::from(port))
            .map(|(_, protocol)| protocol.as_str());
        let protocol = if options.protocol.is_empty() {
            own.unwrap_or("TCP")
        } else {
            options.protocol
        };
        let target = if options.target_port.is_empty() {
            port.into()
        } else {
            number_or_text(options.target_port)
        };
        let mut entry = json!({ "port": port, "protocol": protocol, "targetPort": target });
        if many {
            entry["name"] = format!("port-{}", number + 1).into();
        }
        list.push(entry);
    }
    let mut service = object("v1", "Service", identity.metadata());
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        service["metadata"]["labels"] = labels;
    }
    let mut spec = json!({ "selector": selector });
    if !list.is_empty() {
        spec["ports"] = list.into();
    }
    for (field, value) in [
        ("type", options.kind),
        ("sessionAffinity", options.session_affinity),
        ("clusterIP", options.cluster_ip),
        (
            "loadBalancerIP",
            if options.kind == "LoadBalancer" {
                options.load_balancer_ip
            } else {
                ""
            },
        ),
    ] {
        if !value.is_empty() {
            spec[field] = value.into();
        }
    }
    if !options.external_ip.is_empty() {
        spec["externalIPs"] = json!([options.external_ip]);
    }
    service["spec"] = spec;
    service["status"] = json!({ "loadBalancer": {} });
    Ok(service)
}

fn selector_of(source: &Value, kind: &str) -> Result<Value, Mistake> {
    let missing = |what: &str| {
        Mistake(format!(
            "couldn't retrieve selectors via --selector flag or introspection: {what}"
        ))
    };
    match kind {
        "ReplicationController" | "Service" => match source.pointer("/spec/selector") {
            Some(Value::Object(selector)) if !selector.is_empty() => Ok(selector.clone().into()),
            _ => Err(missing("the service has no pod selector set")),
        },
        "Pod" => match source.pointer("/metadata/labels") {
            Some(Value::Object(labels)) if !labels.is_empty() => Ok(labels.clone().into()),
            _ => Err(missing("the pod has no labels and cannot be exposed")),
        },
        "Deployment" | "ReplicaSet" => {
            if source
                .pointer("/spec/selector/matchExpressions")
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty())
            {
                return Err(missing(
                    "couldn't convert expressions - \"matchExpressions\" to map-based selector format",
                ));
            }
            match source.pointer("/spec/selector/matchLabels") {
                Some(Value::Object(labels)) if !labels.is_empty() => Ok(labels.clone().into()),
                _ => Err(missing(
                    "invalid deployment: no selectors, therefore cannot be exposed",
                )),
            }
        }
        _ => Err(missing("no selector is known for it")),
    }
}

/// Numbers and protocols of the ports of an object.
fn ports_of(source: &Value, kind: &str) -> Vec<(i64, String)> {
    let protocol = |port: &Value| {
        port.get("protocol")
            .and_then(Value::as_str)
            .unwrap_or("TCP")
            .to_owned()
    };
    let list = |list: Option<&Value>, field: &str| -> Vec<(i64, String)> {
        let ports = list.and_then(Value::as_array).into_iter().flatten();
        ports
            .filter_map(|port| Some((port.get(field)?.as_i64()?, protocol(port))))
            .collect()
    };
    if kind == "Service" {
        return list(source.pointer("/spec/ports"), "port");
    }
    let containers = if kind == "Pod" {
        "/spec/containers"
    } else {
        "/spec/template/spec/containers"
    };
    let containers = source
        .pointer(containers)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    containers
        .flat_map(|container| list(container.get("ports"), "containerPort"))
        .collect()
}

/// Labels of the form `a=b,c=d`.
pub(super) fn pairs(text: &str) -> Result<Map<String, Value>, Mistake> {
    let mut labels = Map::new();
    for pair in text.split(',') {
        let parts: Vec<&str> = pair.split('=').collect();
        let [key, value] = parts[..] else {
            return Err(Mistake(format!("unexpected label spec: {pair}")));
        };
        if key.is_empty() {
            return Err(Mistake::new("unexpected empty label key"));
        }
        labels.insert(key.to_owned(), value.into());
    }
    Ok(labels)
}
