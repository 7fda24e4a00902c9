// SPDX-License-Identifier: Apache-2.0
//! Kubeconfigs: what the current context names, in parts, and the same for a client elsewhere. An error never quotes the text, for it
//! holds keys.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tfplugin::Value;

/// What a kubeconfig's current context names.
pub(crate) struct Kubeconfig {
    context: String,
    cluster: Json,
    user: Json,
}

impl Kubeconfig {
    /// Reads a kubeconfig; what is wrong with it is told in words for after a colon.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let config = k1s_core::yaml::read(text.as_bytes())
            .map_err(|e| format!("not a kubeconfig: line {}", e.line()))?;
        let named = |list: &str, name: &str, inner: &str| {
            config
                .get(list)?
                .as_array()?
                .iter()
                .find(|entry| entry.get("name").and_then(Json::as_str) == Some(name))?
                .get(inner)
                .cloned()
        };
        let wrong = |what: &str| format!("the kubeconfig has no {what}");
        let current = config
            .get("current-context")
            .and_then(Json::as_str)
            .filter(|c| !c.is_empty())
            .ok_or_else(|| wrong("current-context"))?;
        let context = named("contexts", current, "context")
            .ok_or_else(|| wrong("such context as its current-context"))?;
        let part = |name: &str| context.get(name).and_then(Json::as_str).unwrap_or_default();
        Ok(Self {
            context: current.to_owned(),
            cluster: named("clusters", part("cluster"), "cluster")
                .ok_or_else(|| wrong("such cluster as its context names"))?,
            user: named("users", part("user"), "user").unwrap_or_default(),
        })
    }

    /// Address of the API server.
    pub(crate) fn server(&self) -> Option<&str> {
        self.cluster.get("server").and_then(Json::as_str)
    }

    /// The name of its context.
    pub(crate) fn context(&self) -> &str {
        &self.context
    }

    /// The token of its user.
    pub(crate) fn token(&self) -> Value {
        Value::from(self.user.get("token").and_then(Json::as_str))
    }

    /// Certificates and key, PEM, by the names that configurations of other providers have for them.
    pub(crate) fn pems(&self) -> Result<[(&'static str, Value); 3], String> {
        let pem = |of: &Json, name: &str| match of.get(name).and_then(Json::as_str) {
            None => Ok(Value::Null),
            Some(encoded) => STANDARD
                .decode(encoded.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .map(Value::from)
                .ok_or_else(|| format!("{name} of the kubeconfig is not base64 of text")),
        };
        Ok([
            (
                "cluster_ca_certificate",
                pem(&self.cluster, "certificate-authority-data")?,
            ),
            (
                "client_certificate",
                pem(&self.user, "client-certificate-data")?,
            ),
            ("client_key", pem(&self.user, "client-key-data")?),
        ])
    }

    /// The same with another server and another name of context, cluster and user.
    pub(crate) fn moved(mut self, server: &str, context: &str) -> Self {
        if let Some(cluster) = self.cluster.as_object_mut() {
            cluster.insert("server".into(), server.into());
        }
        context.clone_into(&mut self.context);
        self
    }

    /// Its text: one cluster, one user, one context.
    pub(crate) fn text(&self) -> String {
        let name = &self.context;
        k1s_core::yaml::print(&json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": self.cluster}],
            "users": [{"name": name, "user": self.user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }))
    }
}

/// The address of a server for a client elsewhere: `host` instead of an address that every machine has for itself.
pub(crate) fn from_elsewhere(server: &str, host: &str) -> String {
    let Ok(uri) = server.parse::<http::Uri>() else {
        return server.to_owned();
    };
    let own = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = own == "localhost"
        || own
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
    if !is_local {
        return server.to_owned();
    }
    let scheme = uri.scheme_str().unwrap_or("https");
    let port = uri
        .port_u16()
        .map_or_else(String::new, |port| format!(":{port}"));
    if host.contains(':') {
        // the zone of a link-local address
        format!("{scheme}://[{}]{port}", host.replace('%', "%25"))
    } else {
        format!("{scheme}://{host}{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K3S: &str = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: Q0E=\n    server: https://127.0.0.1:6443\n  \
        name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: default\ncurrent-context: default\n\
        kind: Config\npreferences: {}\nusers:\n- name: default\n  user:\n    client-certificate-data: Q1JU\n    client-key-data: S0VZ\n";

    #[test]
    fn of_another_host() {
        let moved = Kubeconfig::read(K3S)
            .unwrap()
            .moved("https://cp1:6443", "home");
        let again = Kubeconfig::read(&moved.text()).unwrap();
        assert_eq!(
            (again.server(), again.context()),
            (Some("https://cp1:6443"), "home")
        );
        let pems = again
            .pems()
            .unwrap()
            .map(|(_, pem)| pem.as_str().unwrap_or_default().to_owned());
        assert_eq!(pems, ["CA", "CRT", "KEY"]);
        assert!(again.token().is_null());
        assert!(!moved.text().contains("default"), "{}", moved.text());
    }

    #[test]
    fn servers() {
        let check =
            |server: &str, host: &str, moved: &str| assert_eq!(from_elsewhere(server, host), moved);
        check(
            "https://127.0.0.1:6443",
            "10.0.0.5",
            "https://10.0.0.5:6443",
        );
        check(
            "https://127.0.0.1:6443",
            "fd00::5",
            "https://[fd00::5]:6443",
        );
        check("https://[::1]:6443", "cp1", "https://cp1:6443");
        check(
            "https://localhost:7443",
            "fe80::1%eth0",
            "https://[fe80::1%25eth0]:7443",
        );
        check("https://0.0.0.0:6443", "cp1", "https://cp1:6443");
        check("https://10.0.0.9:6443", "cp1", "https://10.0.0.9:6443");
    }
}
