// SPDX-License-Identifier: Apache-2.0
//! A press on its way to the backend of its rule: which Service, which of its endpoints, and what that said.
//!
//! One press is under way at a time. The Service is asked for when a press needs it and remembered for a while; what
//! was remembered also serves when the API cannot be reached.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};

use super::Rule;
use crate::json::{Shape, Value};
use crate::services::{Backend, Port};
use crate::time::Ms;

/// How long a route is good without asking again, in milliseconds.
pub(crate) const FRESH_MS: Ms = 30_000;
/// How many routes are remembered, and how many endpoints of each.
const ROUTES: usize = 8;
const ENDPOINTS: usize = 4;

/// What is kept of an EndpointSlice.
pub(crate) const SLICE: Shape = Shape::Keys(&[
    (
        "endpoints",
        Shape::Keys(&[("addresses", Shape::All), ("conditions", Shape::All)]),
    ),
    (
        "ports",
        Shape::Keys(&[("name", Shape::All), ("port", Shape::All)]),
    ),
]);

/// Where a backend is.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    namespace: String,
    service: String,
    port: Port,
    /// Which pods of this node are behind it.
    pub(crate) backend: Backend,
    /// The name of the Service's port, by which endpoints know it.
    port_name: String,
    pub(crate) endpoints: Vec<SocketAddrV4>,
    learned: Ms,
}

impl Route {
    fn is_for(&self, rule: &Rule) -> bool {
        self.namespace == rule.about.namespace
            && self.service == rule.service
            && self.port == rule.port
    }

    /// Of a rule whose Service is this; in words if it has no such port.
    pub(crate) fn read(rule: &Rule, service: &Value, now: Ms) -> Result<Self, &'static str> {
        if service.text(&["spec", "type"]) == "ExternalName" {
            return Err("a service of type ExternalName leads out of the cluster");
        }
        let mut ports = service.list(&["spec", "ports"]).iter();
        let port = ports.find(|port| match &rule.port {
            Port::Number(number) => port.integer(&["port"]) == Some(i64::from(*number)),
            Port::Name(name) => port.text(&["name"]) == name,
        });
        let port = port.ok_or("the service has no such port")?;
        Ok(Self {
            namespace: rule.about.namespace.clone(),
            service: rule.service.clone(),
            port: rule.port.clone(),
            backend: Backend::read(service, port),
            port_name: port.text(&["name"]).into(),
            endpoints: Vec::new(),
            learned: now,
        })
    }

    /// Takes the endpoints of an EndpointSlice that can be asked.
    pub(crate) fn add(&mut self, slice: &Value) {
        let mut ports = slice.list(&["ports"]).iter();
        let port = ports
            .find(|port| port.text(&["name"]) == self.port_name)
            .and_then(|port| port.integer(&["port"]))
            .and_then(|port| u16::try_from(port).ok());
        let Some(port) = port else {
            return;
        };
        for endpoint in slice.list(&["endpoints"]) {
            // Without a word about it an endpoint is ready.
            let is_ready = endpoint.at(&["conditions", "ready"]) != Some(&Value::Bool(false));
            let address = endpoint.list(&["addresses"]).first();
            let address = address.and_then(|a| a.as_text()?.parse::<Ipv4Addr>().ok());
            if let Some(address) = address.filter(|_| is_ready)
                && self.endpoints.len() < ENDPOINTS
            {
                self.endpoints.push(SocketAddrV4::new(address, port));
            }
        }
    }
}

/// How far a press has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The Service is to be asked for, or an answer is awaited.
    Service { is_asked: bool },
    /// Its endpoints are to be asked for, or an answer is awaited.
    Endpoints { is_asked: bool },
    /// It waits for a container of this node.
    Here { is_handed: bool },
    /// It goes to an endpoint elsewhere.
    There { to: SocketAddrV4, is_dialled: bool },
}

/// A press under way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) rule: Rule,
    pub(crate) stage: Stage,
    pub(crate) until: Ms,
    /// The route, as far as it is known.
    pub(crate) route: Option<Route>,
}

/// Carries one press after another.
#[derive(Debug, Default)]
pub(crate) struct Courier {
    /// Boxed, because most nodes carry none.
    pub(crate) current: Option<Box<Delivery>>,
    routes: Vec<Route>,
    /// Which endpoint is asked next.
    turn: usize,
}

impl Courier {
    /// The route of a rule, if it was learned lately.
    pub(crate) fn fresh(&self, rule: &Rule, now: Ms) -> Option<Route> {
        let known = self.known(rule)?;
        (now.saturating_sub(known.learned) < FRESH_MS).then_some(known)
    }

    /// The route of a rule, however old.
    pub(crate) fn known(&self, rule: &Rule) -> Option<Route> {
        self.routes.iter().find(|known| known.is_for(rule)).cloned()
    }

    /// Remembers a route.
    pub(crate) fn remember(&mut self, route: Route) {
        let is_same = |known: &Route| {
            known.namespace == route.namespace
                && known.service == route.service
                && known.port == route.port
        };
        self.routes.retain(|known| !is_same(known));
        if self.routes.len() >= ROUTES {
            self.routes.remove(0);
        }
        self.routes.push(route);
    }

    /// A route did not lead anywhere: it is asked for again the next time.
    pub(crate) fn forget(&mut self, rule: &Rule) {
        self.routes.retain(|known| !known.is_for(rule));
    }

    /// Of several endpoints another one each time.
    pub(crate) fn choose(&mut self, route: &Route) -> Option<SocketAddrV4> {
        self.turn = self.turn.wrapping_add(1);
        let n = self.turn.checked_rem(route.endpoints.len())?;
        route.endpoints.get(n).copied()
    }

    /// Whether something is to be asked of the API.
    pub(crate) fn asks(&self) -> bool {
        matches!(
            self.current.as_ref().map(|current| current.stage),
            Some(Stage::Service { is_asked: false } | Stage::Endpoints { is_asked: false })
        )
    }
}
