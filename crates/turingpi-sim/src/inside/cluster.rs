// SPDX-License-Identifier: Apache-2.0
//! The K3s clusters of a board: who signs their certificates, and which modules found each other by a token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use turingpi_host::{Cluster, Credentials, Node, Role};

/// A node of each slot, and whether its service runs.
type Nodes = [Option<(Node, bool)>; 4];

/// The nodes of all modules of a board, by slot.
#[derive(Clone, Default)]
pub(crate) struct Clusters(Arc<Mutex<Nodes>>);

impl Clusters {
    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the module of a slot sees of them.
    pub(super) fn of(&self, slot: usize) -> Box<dyn Cluster> {
        Box::new(Seen {
            clusters: self.clone(),
            slot,
        })
    }

    /// A module is down: its node is there, and not ready.
    pub(super) fn gone(&self, slot: usize) {
        if let Some((_, runs)) = &mut self.nodes()[slot] {
            *runs = false;
        }
    }

    /// A module's eMMC is written anew: it is nobody's node any more.
    pub(crate) fn forget(&self, slot: usize) {
        self.nodes()[slot] = None;
    }
}

struct Seen {
    clusters: Clusters,
    slot: usize,
}

fn signed(authority: Option<(&str, &str)>) -> Result<Credentials, rcgen::Error> {
    let (ca_certificate, ca_key) = match authority {
        Some((certificate, key)) => (certificate.to_owned(), key.to_owned()),
        None => {
            let key = KeyPair::generate()?;
            let mut parameters = CertificateParams::new(Vec::new())?;
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            parameters
                .distinguished_name
                .push(DnType::CommonName, "k3s-server-ca");
            (parameters.self_signed(&key)?.pem(), key.serialize_pem())
        }
    };
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(DnType::CommonName, "k3s-server-ca");
    let issuer = Issuer::new(parameters, KeyPair::from_pem(&ca_key)?);
    let key = KeyPair::generate()?;
    let mut client = CertificateParams::new(Vec::new())?;
    client
        .distinguished_name
        .push(DnType::OrganizationName, "system:masters");
    client
        .distinguished_name
        .push(DnType::CommonName, "system:admin");
    Ok(Credentials {
        client_certificate: client.signed_by(&key, &issuer)?.pem(),
        client_key: key.serialize_pem(),
        ca_certificate,
        ca_key,
    })
}

impl Cluster for Seen {
    fn credentials(&mut self, authority: Option<(&str, &str)>) -> Result<Credentials, String> {
        signed(authority).map_err(|e| format!("cannot sign certificates: {e}"))
    }

    fn started(&mut self, node: Node) -> Result<(), String> {
        let mut nodes = self.clusters.nodes();
        if !node.server.is_empty() {
            let host = node
                .server
                .split_once("://")
                .map_or(node.server.as_str(), |(_, rest)| rest);
            let host = host.split([':', '/']).next().unwrap_or(host);
            let server = nodes.iter().flatten().find(|(n, runs)| {
                *runs && n.role == Role::Server && (n.address == host || n.name == host)
            });
            match server {
                None => {
                    return Err(format!(
                        "failed to get CA certs: Get {}/cacerts: connection refused",
                        node.server
                    ));
                }
                Some((server, _)) if server.token != node.token => {
                    return Err(
                        "failed to validate token: token CA hash or password does not match".into(),
                    );
                }
                Some(_) => {}
            }
        }
        nodes[self.slot] = Some((node, true));
        Ok(())
    }

    fn stopped(&mut self, unit: &str) {
        if unit.starts_with("k3s") {
            self.clusters.gone(self.slot);
        }
    }

    fn nodes(&self) -> Vec<(Node, bool)> {
        let nodes = self.clusters.nodes();
        let Some((own, _)) = &nodes[self.slot] else {
            return Vec::new();
        };
        nodes
            .iter()
            .flatten()
            .filter(|(n, _)| n.token == own.token)
            .cloned()
            .collect()
    }
}
