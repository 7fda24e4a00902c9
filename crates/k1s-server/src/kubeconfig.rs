// SPDX-License-Identifier: Apache-2.0
//! Kubeconfig files: the one that k1s writes for itself, and the entries it adds to one that is there already.
//!
//! Entry points: [`Kubeconfig::write`] and [`Kubeconfig::merge_into`]. Cluster, user and context are all named `k1s`,
//! and certificates are embedded, so that the file works from anywhere.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k1s_core::yaml;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::pki::KeyedCertificate;

/// The name of the cluster, the user and the context.
pub const CONTEXT: &str = "k1s";

/// A kubeconfig that could not be written or merged.
#[derive(Debug, Error)]
pub enum Error {
    /// The file could not be written.
    #[error("the kubeconfig was not written")]
    Write(#[from] private_file::Error),
    /// The file that is there could not be read.
    #[error("cannot read the kubeconfig {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file that is there is not YAML.
    #[error("{path} is not a kubeconfig, and is left as it is")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file that is there is YAML of another shape.
    #[error("{path} is not a kubeconfig ({found}), and is left as it is")]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: &'static str,
    },
}

/// How to reach a server as a certain user.
#[derive(Debug, Clone)]
pub struct Kubeconfig {
    cluster: Value,
    user: Value,
}

impl Kubeconfig {
    /// The server at `url`, trusted by the authority `ca_pem`, reached with the certificate `client`.
    pub fn new(url: &str, ca_pem: &str, client: &KeyedCertificate) -> Self {
        Self {
            cluster: json!({"certificate-authority-data": BASE64.encode(ca_pem), "server": url}),
            user: json!({
                "client-certificate-data": BASE64.encode(&client.certificate_pem),
                "client-key-data": BASE64.encode(&client.key_pem),
            }),
        }
    }

    /// Writes the file, with mode 0600, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut config = Map::new();
        self.add_to(&mut config, path)?;
        store(path, config)
    }

    /// Adds cluster, user and context to the file at `path`, or replaces them; all else in it stays, its current
    /// context too. A file that is not there is made.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Syntax`] or [`Error::Shape`] if what is there is no kubeconfig; it is then left as it
    /// is. [`Error::Write`].
    pub fn merge_into(&self, path: &Path) -> Result<(), Error> {
        let text = match std::fs::read_to_string(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?,
        };
        let parsed = if text.trim().is_empty() {
            Value::Null
        } else {
            yaml::read(text.as_bytes()).map_err(|e| Error::Syntax {
                path: path.to_owned(),
                source: Box::new(e),
            })?
        };
        let mut config = match parsed {
            Value::Null => Map::new(),
            Value::Object(config) => config,
            _ => {
                return Err(Error::Shape {
                    path: path.to_owned(),
                    found: "it is not a map",
                });
            }
        };
        if config.get("kind").is_some_and(|kind| kind != "Config") {
            return Err(Error::Shape {
                path: path.to_owned(),
                found: "its kind is not Config",
            });
        }
        self.add_to(&mut config, path)?;
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            private_file::directory(parent)?;
        }
        store(path, config)
    }

    fn add_to(&self, config: &mut Map<String, Value>, path: &Path) -> Result<(), Error> {
        config.entry("apiVersion").or_insert_with(|| json!("v1"));
        config.entry("kind").or_insert_with(|| json!("Config"));
        let current = config.entry("current-context").or_insert(Value::Null);
        if current.as_str().is_none_or(str::is_empty) {
            *current = json!(CONTEXT);
        }
        let context = json!({"cluster": CONTEXT, "user": CONTEXT});
        for (list, key, value) in [
            ("clusters", "cluster", &self.cluster),
            ("contexts", "context", &context),
            ("users", "user", &self.user),
        ] {
            let entries = config.entry(list).or_insert(Value::Null);
            if entries.is_null() {
                *entries = json!([]);
            }
            let found = "clusters, contexts or users is not a list";
            let entries = entries.as_array_mut().ok_or_else(|| Error::Shape {
                path: path.to_owned(),
                found,
            })?;
            match entries.iter_mut().find(|e| e["name"] == CONTEXT) {
                // A context's namespace is the user's choice.
                Some(entry) if list == "contexts" && entry[key].is_object() => {
                    entry[key]["cluster"] = json!(CONTEXT);
                    entry[key]["user"] = json!(CONTEXT);
                }
                Some(entry) => *entry = json!({"name": CONTEXT, key: value}),
                None => entries.push(json!({"name": CONTEXT, key: value})),
            }
        }
        Ok(())
    }
}

fn store(path: &Path, config: Map<String, Value>) -> Result<(), Error> {
    let text = yaml::print(&Value::Object(config));
    Ok(private_file::write(path, text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::pki::Pki;

    fn sample() -> Kubeconfig {
        let now = SystemTime::now();
        let pki = Pki::in_memory(now).unwrap();
        Kubeconfig::new(
            "https://127.0.0.1:6443",
            pki.ca_pem(),
            &pki.admin(now).unwrap(),
        )
    }

    fn read(path: &Path) -> Value {
        yaml::read(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_written_file_names_all_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kc.yaml");
        sample().write(&path).unwrap();
        let config = read(&path);
        assert_eq!(
            config["clusters"][0]["cluster"]["server"],
            "https://127.0.0.1:6443"
        );
        assert_eq!(
            config["contexts"][0]["context"],
            json!({"cluster": "k1s", "user": "k1s"})
        );
        assert_eq!(
            (&config["current-context"], &config["kind"]),
            (&json!("k1s"), &json!("Config"))
        );
        let key = BASE64
            .decode(
                config["users"][0]["user"]["client-key-data"]
                    .as_str()
                    .unwrap(),
            )
            .unwrap();
        assert!(key.starts_with(b"-----BEGIN PRIVATE KEY-----"));
    }

    #[test]
    fn merging_keeps_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        std::fs::write(
            &path,
            "apiVersion: v1\nkind: Config\ncurrent-context: work\npreferences: {colors: true}\nclusters:\n\
             - {name: work, cluster: {server: 'https://w:6443', tls-server-name: 'yes'}}\n\
             - {name: k1s, cluster: {server: 'https://old:1'}}\n\
             contexts:\n- {name: k1s, context: {cluster: x, user: y, namespace: mine}}\n\
             users:\n- name: work\n  user: {token: '1234567890', exec: {command: c, args: ['1e5', 'null', '~', 'a: b', '']}}\n",
        )
        .unwrap();
        sample().merge_into(&path).unwrap();
        sample().merge_into(&path).unwrap();
        let config = read(&path);
        assert_eq!(config["current-context"], "work");
        assert_eq!(config["preferences"], json!({"colors": true}));
        assert_eq!(
            config["clusters"][0]["cluster"],
            json!({"server": "https://w:6443", "tls-server-name": "yes"})
        );
        assert_eq!(
            config["clusters"][1]["cluster"]["server"],
            "https://127.0.0.1:6443"
        );
        assert_eq!(config["clusters"].as_array().unwrap().len(), 2);
        assert_eq!(
            config["contexts"][0]["context"],
            json!({"cluster": "k1s", "user": "k1s", "namespace": "mine"})
        );
        let exec = json!({"command": "c", "args": ["1e5", "null", "~", "a: b", ""]});
        assert_eq!(
            config["users"][0]["user"],
            json!({"token": "1234567890", "exec": exec})
        );
        assert_eq!(config["users"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_a_kubeconfig_is_left_alone() {
        let check = |content: &str, expected: &str| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("config");
            std::fs::write(&path, content).unwrap();
            let text = sample().merge_into(&path).unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        };
        check("a: [", "is not a kubeconfig, and is left as it is");
        check("- a", "it is not a map");
        check("kind: Pod", "its kind is not Config");
        check("clusters: 7", "is not a list");
    }

    #[test]
    fn merging_makes_a_missing_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".kube/config");
        sample().merge_into(&path).unwrap();
        assert_eq!(read(&path)["current-context"], "k1s");
    }
}
