// SPDX-License-Identifier: Apache-2.0
//! Services whose pods run here: their node ports are served by this board, as kube-proxy does it on other nodes.
//!
//! Only pods of this node are behind them, whatever `externalTrafficPolicy` says: a board does not forward. Only those
//! Services are kept that a pod of this node belongs to, and no more than a few ports.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::json::{Shape, Value};
use crate::kinds::{IDENTITY, Resource};
use crate::pod::{ContainerSpec, Pod, Work};

/// How many node ports are served at most.
const LIMIT: usize = 8;

/// What is kept of a Service.
pub(crate) const SERVICE: Shape = Shape::Keys(&[
    ("metadata", IDENTITY),
    (
        "spec",
        Shape::Keys(&[
            ("type", Shape::All),
            ("selector", Shape::All),
            ("ports", PORTS),
        ]),
    ),
]);

/// What is kept of the ports of a Service.
const PORTS: Shape = Shape::Keys(&[
    ("name", Shape::All),
    ("port", Shape::All),
    ("protocol", Shape::All),
    ("nodePort", Shape::All),
    ("targetPort", Shape::All),
]);

/// A line of a watch of Services.
pub(crate) const SERVICE_EVENT: Shape = Shape::Keys(&[("type", Shape::All), ("object", SERVICE)]);

/// A port by its number or its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Port {
    Number(u16),
    Name(String),
}

impl Port {
    /// Of a number, or of a text that is one; `None` of nothing.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(0) => None,
            Ok(number) => Some(Self::Number(number)),
            Err(_) if text.is_empty() => None,
            Err(_) => Some(Self::Name(text.to_owned())),
        }
    }
}

impl core::fmt::Display for Port {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Which containers of this node a Service leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) namespace: String,
    selector: Vec<(String, String)>,
    pub(crate) target: Port,
}

impl Backend {
    /// Of one port of a Service. One without a selector leads to no pod.
    pub(crate) fn read(service: &Value, port: &Value) -> Self {
        let target = Port::read(port.scalar(&["targetPort"]));
        let own = || Port::read(port.scalar(&["port"]));
        Self {
            namespace: service.text(&["metadata", "namespace"]).to_owned(),
            selector: pairs(service.entries(&["spec", "selector"])),
            target: target.or_else(own).unwrap_or(Port::Number(0)),
        }
    }

    fn selects(&self, pod: &Pod) -> bool {
        !self.selector.is_empty()
            && self.namespace == pod.namespace
            && self.selector.iter().all(|label| pod.labels.contains(label))
    }

    fn is_port_of(&self, spec: &ContainerSpec) -> bool {
        match &self.target {
            Port::Number(number) => spec.port == Some(*number),
            Port::Name(name) => spec.port.is_some() && spec.port_name == *name,
        }
    }

    /// Whether it leads to this container now: its pod is ready and is not being ended.
    pub(crate) fn leads_to(&self, work: &Work, spec: &ContainerSpec) -> bool {
        work.is_ready() && self.is_port_of(spec) && self.selects(&work.pod)
    }

    /// Whether it leads to any container of this pod.
    pub(crate) fn leads_into(&self, work: &Work) -> bool {
        work.pod
            .containers
            .iter()
            .any(|spec| self.leads_to(work, spec))
    }
}

fn pairs(entries: &[(alloc::boxed::Box<str>, Value)]) -> Vec<(String, String)> {
    let pair = |(key, value): &(alloc::boxed::Box<str>, Value)| {
        (
            String::from(&**key),
            value.as_text().unwrap_or_default().to_owned(),
        )
    };
    entries.iter().map(pair).collect()
}

#[derive(Debug)]
struct NodePort {
    uid: String,
    service: String,
    port: u16,
    backend: Backend,
}

/// The node ports of this board.
#[derive(Debug, Default)]
pub(crate) struct Services {
    ports: Vec<NodePort>,
    /// Namespace and labels of the pods that have a port: what a Service could choose.
    tenants: Vec<(String, Vec<(String, String)>)>,
    /// The first port for which there was no room.
    refused: Option<String>,
}

impl Services {
    /// Takes notice of the pods of this node. Says whether Services must be listed anew: those that concern none of
    /// the pods so far were not kept.
    pub(crate) fn look_at(&mut self, pods: &[Work]) -> bool {
        let has_port = |work: &&Work| {
            !work.is_over() && work.pod.containers.iter().any(|spec| spec.port.is_some())
        };
        let tenants = || pods.iter().filter(has_port);
        let is_known = tenants().count() == self.tenants.len()
            && tenants()
                .zip(&self.tenants)
                .all(|(work, known)| work.pod.namespace == known.0 && work.pod.labels == known.1);
        if is_known {
            return false;
        }
        self.tenants = tenants()
            .map(|work| (work.pod.namespace.clone(), work.pod.labels.clone()))
            .collect();
        if self.tenants.is_empty() {
            self.ports = Vec::new();
        }
        true
    }

    /// Whether Services are of interest.
    pub(crate) fn is_needed(&self) -> bool {
        !self.tenants.is_empty()
    }

    /// The node ports that are served: a ready pod of the Service runs here.
    pub(crate) fn ports<'a>(&'a self, pods: &'a [Work]) -> impl Iterator<Item = u16> + 'a {
        let has_pod = |port: &&NodePort| pods.iter().any(|work| port.backend.leads_into(work));
        self.ports.iter().filter(has_pod).map(|port| port.port)
    }

    /// Whether a request to a node port goes to this container.
    pub(crate) fn leads_to(&self, port: u16, work: &Work, spec: &ContainerSpec) -> bool {
        let mut all = self.ports.iter();
        all.any(|known| known.port == port && known.backend.leads_to(work, spec))
    }

    /// What a port is, in words.
    pub(crate) fn describe(&self, port: u16) -> String {
        match self.ports.iter().find(|known| known.port == port) {
            Some(known) => format!("node port {port} of service {}", known.service),
            None => format!("port {port} of a container"),
        }
    }

    /// A node port that is one too many, in words, once.
    pub(crate) fn take_refused(&mut self) -> Option<String> {
        self.refused.take()
    }
}

impl Resource for Services {
    fn path(&self) -> String {
        "/api/v1/services".to_owned()
    }

    fn put(&mut self, object: &Value, is_partial: bool) {
        let uid = object.text(&["metadata", "uid"]);
        self.gone(uid);
        let has_node_ports = matches!(object.text(&["spec", "type"]), "NodePort" | "LoadBalancer");
        if is_partial || !has_node_ports {
            return;
        }
        for port in object.list(&["spec", "ports"]) {
            let is_tcp = matches!(port.text(&["protocol"]), "" | "TCP");
            let number = port
                .integer(&["nodePort"])
                .and_then(|n| u16::try_from(n).ok());
            let Some(number) = number.filter(|n| *n > 0 && is_tcp) else {
                continue;
            };
            let backend = Backend::read(object, port);
            let is_ours = !backend.selector.is_empty()
                && self.tenants.iter().any(|(namespace, labels)| {
                    *namespace == backend.namespace
                        && backend.selector.iter().all(|label| labels.contains(label))
                });
            if !is_ours {
                continue;
            }
            let name = object.text(&["metadata", "name"]);
            let service = format!("{}/{name}", backend.namespace);
            if self.ports.len() >= LIMIT {
                self.refused = Some(format!(
                    "node port {number} of service {service} is not served: this node serves {LIMIT}"
                ));
                return;
            }
            self.ports.push(NodePort {
                uid: uid.to_owned(),
                service,
                port: number,
                backend,
            });
        }
    }

    fn gone(&mut self, uid: &str) {
        self.ports.retain(|port| port.uid != uid);
    }

    fn has(&self, uid: &str) -> bool {
        self.ports.iter().any(|port| port.uid == uid)
    }

    fn keep(&mut self, uids: &[String]) {
        self.ports.retain(|port| uids.contains(&port.uid));
    }
}
