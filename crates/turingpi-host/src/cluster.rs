// SPDX-License-Identifier: Apache-2.0
//! What the K3s in a module is a part of. A module knows its own files and services; who else is in the cluster, and who signs its
//! certificates, comes from here.

use std::time::Duration;

/// What a node is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Control plane.
    Server,
    /// Worker.
    Agent,
}

/// A node of a cluster, as its module starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// `v1.31.3+k3s1`.
    pub version: String,
    /// Its address.
    pub address: String,
    /// Its operating system, as the image calls itself.
    pub os: String,
    /// The server that it joins; empty for the first one.
    pub server: String,
    /// The secret part of the token.
    pub token: String,
    /// When its service was up, since 1970.
    pub since: Duration,
}

/// Certificates of a cluster, PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Of the authority.
    pub ca_certificate: String,
    /// Its key.
    pub ca_key: String,
    /// Of the administrator.
    pub client_certificate: String,
    /// Its key.
    pub client_key: String,
}

/// The cluster behind a module.
pub trait Cluster: Send {
    /// The administrator's certificate from an authority that is there already, or from a new one.
    ///
    /// # Errors
    /// When none can be made.
    fn credentials(&mut self, authority: Option<(&str, &str)>) -> Result<Credentials, String>;

    /// A node's service starts.
    ///
    /// # Errors
    /// When it may not join: the words are for its journal.
    fn started(&mut self, node: Node) -> Result<(), String>;

    /// A service of the module stops; its node is not ready from then on.
    fn stopped(&mut self, unit: &str);

    /// The nodes of the cluster that this module is in, and whether each one's service runs.
    fn nodes(&self) -> Vec<(Node, bool)>;
}

/// A module that nobody else joins.
#[derive(Debug, Default)]
pub struct Alone(Vec<(Node, bool)>);

impl Cluster for Alone {
    fn credentials(&mut self, _authority: Option<(&str, &str)>) -> Result<Credentials, String> {
        Err("nobody signs certificates here".into())
    }

    fn started(&mut self, node: Node) -> Result<(), String> {
        if node.role == Role::Agent || !node.server.is_empty() {
            return Err(format!(
                "failed to get CA certs: Get \"{}/cacerts\": connection refused",
                node.server
            ));
        }
        self.0 = vec![(node, true)];
        Ok(())
    }

    fn stopped(&mut self, unit: &str) {
        if unit == "k3s" {
            self.0.iter_mut().for_each(|(_, runs)| *runs = false);
        }
    }

    fn nodes(&self) -> Vec<(Node, bool)> {
        self.0.clone()
    }
}
