// SPDX-License-Identifier: Apache-2.0
//! Kubeconfig files as a client reads them: which server, which credentials, which namespace.
//!
//! Entry points: [`load`], [`Kubeconfig::access`]. Changing the files is the business of the `config` commands.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k1s_core::object::{is_true, list, text};
use k1s_core::quote::Quoted;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::flag::Parsed;

/// One or several files as one.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    /// Clusters, users, contexts and the current context, in kubeconfig's own form; relative paths are made absolute.
    pub value: Value,
}

/// How to reach a server, and as whom.
#[derive(Clone, Default)]
pub struct Access {
    /// `https://127.0.0.1:6443`, without a slash at its end.
    pub server: String,
    /// PEM of the authorities to trust; empty is those of the machine.
    pub authority: Vec<u8>,
    /// The name to check the certificate for, if it is not the server's.
    pub tls_server_name: String,
    /// Whether the certificate is not checked.
    pub insecure: bool,
    /// PEM of the client's certificate chain.
    pub certificate: Vec<u8>,
    /// PEM of its key.
    pub key: Vec<u8>,
    /// The value of the `Authorization` header.
    pub authorization: Option<String>,
}

/// The files that a flag, `KUBECONFIG` or the default names, and whether they must exist.
#[must_use]
pub fn paths(flag: &str) -> (Vec<PathBuf>, bool) {
    if !flag.is_empty() {
        return (vec![PathBuf::from(flag)], true);
    }
    if let Some(named) = std::env::var_os("KUBECONFIG").filter(|v| !v.is_empty()) {
        let paths = std::env::split_paths(&named)
            .filter(|p| !p.as_os_str().is_empty())
            .collect();
        return (paths, false);
    }
    let home = std::env::var_os("HOME").unwrap_or_default();
    (vec![Path::new(&home).join(".kube/config")], false)
}

/// Reads the files as one: of two entries of one name the first counts.
///
/// # Errors
/// When the file that the flag names is not there, or one cannot be read.
pub fn load(flag: &str) -> Result<Kubeconfig> {
    let (paths, must) = paths(flag);
    let mut merged = json!({"clusters": [], "users": [], "contexts": [], "current-context": ""});
    for path in paths {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must => continue,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::message(format!(
                    "stat {}: no such file or directory",
                    path.display()
                )));
            }
            Err(e) => {
                return Err(Error::message(format!(
                    "error loading config file {}: {e}",
                    Quoted(&path.display().to_string())
                )));
            }
        };
        let mut file = crate::document::yaml(&bytes).map_err(|e| {
            Error::message(format!(
                "error loading config file {}: {e}",
                Quoted(&path.display().to_string())
            ))
        })?;
        absolute(&mut file, path.parent().unwrap_or(Path::new("")));
        merge(&mut merged, &file);
    }
    Ok(Kubeconfig { value: merged })
}

/// Paths in a kubeconfig are relative to it.
fn absolute(file: &mut Value, base: &Path) {
    for (section, inner, keys) in [
        ("clusters", "cluster", &["certificate-authority"][..]),
        (
            "users",
            "user",
            &["client-certificate", "client-key", "tokenFile"][..],
        ),
    ] {
        for entry in file[section].as_array_mut().into_iter().flatten() {
            for key in keys {
                let path = text(entry, &[inner, key]).to_owned();
                if !path.is_empty() {
                    entry[inner][*key] = base.join(path).display().to_string().into();
                }
            }
        }
    }
}

fn merge(into: &mut Value, from: &Value) {
    for section in ["clusters", "users", "contexts"] {
        for entry in list(from, &[section]) {
            let known = named(into, section, text(entry, &["name"])).is_some();
            if let (false, Some(entries)) = (known, into[section].as_array_mut()) {
                entries.push(entry.clone());
            }
        }
    }
    if text(into, &["current-context"]).is_empty() {
        into["current-context"] = text(from, &["current-context"]).into();
    }
}

fn named<'a>(config: &'a Value, section: &str, name: &str) -> Option<&'a Value> {
    list(config, &[section])
        .iter()
        .find(|entry| text(entry, &["name"]) == name)
}

impl Kubeconfig {
    /// The context that counts: the flag's or the current one; null if there is none.
    fn context(&self, flags: &Parsed) -> Result<Value> {
        let asked = flags.text("context");
        let name = if asked.is_empty() {
            text(&self.value, &["current-context"])
        } else {
            asked
        };
        if name.is_empty() {
            return Ok(Value::Null);
        }
        match named(&self.value, "contexts", name) {
            Some(entry) => Ok(entry["context"].clone()),
            None if asked.is_empty() && !flags.text("server").is_empty() => Ok(Value::Null),
            None => Err(Error::Configuration(format!(
                "context was not found for specified context: {name}"
            ))),
        }
    }

    /// The namespace of the context, or `default`.
    ///
    /// # Errors
    /// When the context is not there.
    pub fn namespace(&self, flags: &Parsed) -> Result<String> {
        let context = self.context(flags)?;
        let namespace = text(&context, &["namespace"]);
        Ok(if namespace.is_empty() {
            "default"
        } else {
            namespace
        }
        .to_owned())
    }

    /// The server and the credentials that the flags and the files say.
    ///
    /// # Errors
    /// When a name in them is not there, or a file that they name cannot be read.
    pub fn access(&self, flags: &Parsed) -> Result<Access> {
        let context = self.context(flags)?;
        let pick = |flag: &str, key: &str| {
            let given = flags.text(flag);
            if given.is_empty() {
                text(&context, &[key]).to_owned()
            } else {
                given.to_owned()
            }
        };
        let (cluster, user) = (pick("cluster", "cluster"), pick("user", "user"));
        let cluster_entry = named(&self.value, "clusters", &cluster);
        if cluster_entry.is_none() && !flags.text("cluster").is_empty() {
            return Err(Error::message(format!(
                "no server found for cluster {}",
                Quoted(&cluster)
            )));
        }
        let user_entry = named(&self.value, "users", &user);
        if user_entry.is_none() && !flags.text("user").is_empty() {
            return Err(Error::message(format!(
                "auth info {} does not exist",
                Quoted(&user)
            )));
        }
        let cluster = cluster_entry.map_or(Value::Null, |e| e["cluster"].clone());
        let user = user_entry.map_or(Value::Null, |e| e["user"].clone());
        let over = |flag: &str, value: &Value, key: &str| {
            let given = flags.text(flag);
            if given.is_empty() {
                text(value, &[key]).to_owned()
            } else {
                given.to_owned()
            }
        };

        let mut server = over("server", &cluster, "server");
        if server.is_empty() {
            server = "http://localhost:8080".to_owned();
        }
        if !server.contains("://") {
            server = format!("http://{server}");
        }
        let mut access = Access {
            server: server.trim_end_matches('/').to_owned(),
            authority: material(&cluster, "certificate-authority", flags)?,
            tls_server_name: over("tls-server-name", &cluster, "tls-server-name"),
            insecure: flags.on("insecure-skip-tls-verify")
                || is_true(&cluster, &["insecure-skip-tls-verify"]),
            certificate: material(&user, "client-certificate", flags)?,
            key: material(&user, "client-key", flags)?,
            authorization: None,
        };
        let token_file = text(&user, &["tokenFile"]);
        let token = if !flags.text("token").is_empty() {
            flags.text("token").to_owned()
        } else if !token_file.is_empty() {
            String::from_utf8_lossy(&read(token_file)?)
                .trim()
                .to_owned()
        } else {
            text(&user, &["token"]).to_owned()
        };
        let name = over("username", &user, "username");
        if !token.is_empty() {
            access.authorization = Some(format!("Bearer {token}"));
        } else if !name.is_empty() {
            let password = over("password", &user, "password");
            access.authorization = Some(format!(
                "Basic {}",
                BASE64.encode(format!("{name}:{password}"))
            ));
        } else if user["exec"].is_object() && access.certificate.is_empty() {
            run_plugin(&user["exec"], &mut access)?;
        }
        Ok(access)
    }
}

fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::message(format!("open {path}: no such file or directory"))
        }
        _ => Error::message(format!("open {path}: {e}")),
    })
}

/// A certificate or key: from the flag's file, from `…-data`, or from the file that the entry names.
fn material(entry: &Value, key: &str, flags: &Parsed) -> Result<Vec<u8>> {
    if !flags.text(key).is_empty() {
        return read(flags.text(key));
    }
    let data = text(entry, &[&format!("{key}-data")]);
    if !data.is_empty() {
        return BASE64.decode(data).map_err(|e| {
            Error::message(format!("{key}-data of the kubeconfig is not base64: {e}"))
        });
    }
    match text(entry, &[key]) {
        "" => Ok(Vec::new()),
        path => read(path),
    }
}

/// Asks a credential plugin (`client.authentication.k8s.io`).
fn run_plugin(exec: &Value, access: &mut Access) -> Result {
    let program = text(exec, &["command"]);
    let mut command = std::process::Command::new(program);
    command.args(list(exec, &["args"]).iter().filter_map(Value::as_str));
    for variable in list(exec, &["env"]) {
        command.env(text(variable, &["name"]), text(variable, &["value"]));
    }
    let info = json!({
        "apiVersion": exec["apiVersion"],
        "kind": "ExecCredential",
        "spec": {"interactive": false},
    });
    let output = command
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|e| {
            Error::message(format!(
                "getting credentials: exec: executable {program} failed: {e}"
            ))
        })?;
    if !output.status.success() {
        return Err(Error::message(format!(
            "getting credentials: exec: executable {program} failed with {}",
            output.status
        )));
    }
    let answer: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| Error::message(format!("getting credentials: decoding stdout: {e}")))?;
    let token = text(&answer, &["status", "token"]);
    if !token.is_empty() {
        access.authorization = Some(format!("Bearer {token}"));
    }
    access.certificate = text(&answer, &["status", "clientCertificateData"]).into();
    access.key = text(&answer, &["status", "clientKeyData"]).into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::FLAGS;

    fn config() -> Kubeconfig {
        Kubeconfig {
            value: json!({
                "clusters": [{"name": "one", "cluster": {"server": "https://one:6443/", "tls-server-name": "uno"}}],
                "users": [{"name": "joe", "user": {"token": "abc"}}],
                "contexts": [{"name": "home", "context": {"cluster": "one", "user": "joe", "namespace": "kitchen"}}],
                "current-context": "home",
            }),
        }
    }

    fn flags(line: &str) -> Parsed {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Parsed::parse(vec![FLAGS], &words).unwrap()
    }

    #[test]
    fn context_cluster_and_user() {
        let access = config().access(&flags("")).unwrap();
        assert_eq!(
            (access.server.as_str(), access.tls_server_name.as_str()),
            ("https://one:6443", "uno")
        );
        assert_eq!(access.authorization.as_deref(), Some("Bearer abc"));
        assert_eq!(config().namespace(&flags("")).unwrap(), "kitchen");
        let access = config()
            .access(&flags("--server http://127.0.0.1:1 --token t"))
            .unwrap();
        assert_eq!(
            (access.server.as_str(), access.authorization.as_deref()),
            ("http://127.0.0.1:1", Some("Bearer t"))
        );
    }

    #[test]
    fn names_that_are_not_there() {
        let check = |line: &str, words: &str| {
            assert_eq!(config().access(&flags(line)).err().unwrap().render(), words);
        };
        check(
            "--context nowhere",
            "Error in configuration: context was not found for specified context: nowhere\n",
        );
        check(
            "--cluster nowhere",
            "error: no server found for cluster \"nowhere\"\n",
        );
        check(
            "--user nobody",
            "error: auth info \"nobody\" does not exist\n",
        );
    }

    #[test]
    fn of_two_files_the_first_counts() {
        let mut merged = config().value;
        merge(
            &mut merged,
            &json!({"current-context": "x", "users": [{"name": "joe", "user": {}}, {"name": "jane", "user": {}}]}),
        );
        assert_eq!(merged["current-context"], "home");
        assert_eq!(merged["users"].as_array().unwrap().len(), 2);
        assert_eq!(merged["users"][0]["user"]["token"], "abc");
    }
}
