// SPDX-License-Identifier: Apache-2.0
//! Cluster IPs and node ports of Services: given out here, claimed in the transaction that writes the Service.

use k1s_core::field::{Errors, quote};
use k1s_core::kinds::Kind;
use k1s_core::object;
use k1s_core::rules::service_allocation::{self, Refused, Taken};
use k1s_core::status::Status;
use serde_json::Value;

use crate::api::{Api, Exchange};
use crate::random;
use crate::storage::{Claim, Claims};

/// The sort of claim that a cluster IP is.
const CLUSTER_IPS: &str = "clusterips";
/// The sort of claim that a port of all nodes is.
const NODE_PORTS: &str = "nodeports";

struct Claimed<'a> {
    api: &'a Api,
    /// Nothing is stored, so an address may be another's by now.
    dry_run: bool,
}

impl<'a> Claimed<'a> {
    fn of(api: &'a Api, exchange: &Exchange) -> Self {
        let dry_run = exchange.query.text("dryRun") == "All";
        Self { api, dry_run }
    }

    fn holds(&self, space: &'static str, name: String) -> bool {
        let holder = self.api.storage().holder(&Claim { space, name });
        !matches!(holder, Ok(None))
    }
}

impl Taken for Claimed<'_> {
    fn cluster_ip(&self, ip: &str) -> bool {
        !self.dry_run && self.holds(CLUSTER_IPS, ip.to_owned())
    }

    fn node_port(&self, port: u16) -> bool {
        self.holds(NODE_PORTS, port.to_string())
    }
}

/// Gives a new Service what it needs.
pub(super) fn create(
    api: &Api,
    kind: &'static Kind,
    service: &mut Value,
    exchange: &Exchange,
) -> Result<Claims, Status> {
    let random = u64::from(random::below(u32::MAX));
    service_allocation::create(service, &Claimed::of(api, exchange), random)
        .map_err(|refused| status(refused, kind, service))?;
    refuse_nameless(kind, service)?;
    Ok(Claims {
        take: claims_of(service),
        release: Vec::new(),
        ..Claims::default()
    })
}

/// An address is kept for a Service by its name, so that one without a name gets none.
fn refuse_nameless(kind: &Kind, service: &Value) -> Result<(), Status> {
    let (mut ips, _) = service_allocation::holds(service);
    let Some(ip) = ips.next().filter(|_| object::name(service).is_empty()) else {
        return Ok(());
    };
    let mut errors = Errors::new();
    errors.invalid(
        "spec.clusterIPs",
        &serde_json::json!([""]),
        format!(
            "failed to allocate IP: IPAddress.networking.k8s.io {} is invalid: spec.parentRef.name: Required value",
            quote(ip)
        ),
    );
    Err(Status::invalid(kind.group, kind.kind, "", errors))
}

/// Gives a changed Service what it needs now, and gives back what it needs no more.
pub(super) fn update(
    api: &Api,
    kind: &'static Kind,
    service: &mut Value,
    old: &Value,
    exchange: &Exchange,
) -> Result<Claims, Status> {
    let random = u64::from(random::below(u32::MAX));
    service_allocation::update(service, old, &Claimed::of(api, exchange), random)
        .map_err(|refused| status(refused, kind, service))?;
    let (after, before) = (claims_of(service), claims_of(old));
    let without = |these: &[Claim], those: &[Claim]| -> Vec<Claim> {
        let own = these.iter().filter(|claim| !those.contains(claim));
        own.cloned().collect()
    };
    Ok(Claims {
        take: without(&after, &before),
        release: without(&before, &after),
        ..Claims::default()
    })
}

/// What a Service holds.
pub(super) fn claims_of(service: &Value) -> Vec<Claim> {
    let (ips, ports) = service_allocation::holds(service);
    let claim = |space: &'static str, name: String| Claim { space, name };
    let mut all: Vec<Claim> = ips
        .map(|ip| claim(CLUSTER_IPS, ip.to_owned()))
        .chain(ports.map(|port| claim(NODE_PORTS, port.to_string())))
        .collect();
    all.sort_by(|a, b| (a.space, &a.name).cmp(&(b.space, &b.name)));
    all.dedup();
    all
}

fn status(refused: Refused, kind: &Kind, service: &Value) -> Status {
    match refused {
        Refused::Invalid(errors) => {
            Status::invalid(kind.group, kind.kind, object::name(service), errors)
        }
        Refused::Exhausted(words) => Status::internal(words),
    }
}
