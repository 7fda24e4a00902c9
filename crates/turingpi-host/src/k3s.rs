// SPDX-License-Identifier: Apache-2.0
//! K3s in a module: what its service reads and writes when it starts, and what the network offers of it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::cluster::{Credentials, Node, Role};
use crate::layout::PROGRAM;
use crate::machine::{Machine, hex};
use crate::units::Unit;

/// What the channel `stable` leads to.
pub(crate) const STABLE: &str = "v1.31.3+k3s1";
/// From the start of the service until it says that it is up.
const START: Duration = Duration::from_secs(8);
/// From then until the node is ready.
pub(crate) const READY: Duration = Duration::from_secs(15);
const DATA: &str = "/var/lib/rancher/k3s";

/// Whether it may be a version: `v1.31.3+k3s1`.
pub(crate) fn is_version(text: &str) -> bool {
    let Some((version, build)) = text.strip_prefix('v').and_then(|t| t.split_once('+')) else {
        return false;
    };
    let (numbers, candidate) = version.split_once('-').unwrap_or((version, "rc1"));
    let number = |n: &str| !n.is_empty() && n.len() < 5 && n.bytes().all(|b| b.is_ascii_digit());
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && candidate.strip_prefix("rc").is_some_and(number)
        && build.strip_prefix("k3s").is_some_and(number)
}

/// The program of a version.
pub(crate) fn binary(version: &str) -> Vec<u8> {
    let mut bytes = PROGRAM.to_vec();
    let commit = &hex(&Sha256::digest(version))[..8];
    bytes.extend_from_slice(format!("\nk3s version {version} ({commit})\n").as_bytes());
    bytes
}

/// The version of a program, found in its bytes.
pub(crate) fn version_of(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut from = 0;
    while let Some(at) = text[from..].find("+k3s") {
        let at = from + at;
        let begin = text[..at].rfind('v').unwrap_or(at);
        let end = text[at + 4..]
            .find(|c: char| !c.is_ascii_digit())
            .map_or(text.len(), |n| at + 4 + n);
        if is_version(&text[begin..end]) {
            return Some(text[begin..end].to_owned());
        }
        from = at + 4;
    }
    None
}

/// What a channel leads to.
pub(crate) fn channel(name: &str) -> Option<String> {
    match name {
        "stable" | "latest" => Some(STABLE.into()),
        _ => {
            let version = format!("{name}.0+k3s1");
            is_version(&version).then_some(version)
        }
    }
}

/// What K3s' addresses serve; a redirect is followed.
pub(crate) fn download(url: &str) -> Option<Vec<u8>> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    if rest.trim_end_matches('/') == "get.k3s.io" {
        return Some(crate::installer::SCRIPT.into());
    }
    if let Some(name) = rest.strip_prefix("update.k3s.io/v1-release/channels/") {
        return Some(format!("{}\n", channel(name)?).into_bytes());
    }
    let path = rest.strip_prefix("github.com/k3s-io/k3s/releases/download/")?;
    let (version, file) = path.split_once('/')?;
    let version = version.replace("%2B", "+").replace("%2b", "+");
    if !is_version(&version) {
        return None;
    }
    match file {
        "k3s-arm64" => Some(binary(&version)),
        "sha256sum-arm64.txt" => {
            Some(format!("{}  k3s-arm64\n", hex(&Sha256::digest(binary(&version)))).into_bytes())
        }
        _ => None,
    }
}

/// Settings: flags, environment and files of one node.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings(Vec<(String, String)>);

impl Settings {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Reads a flat YAML file: scalars, and lists of scalars in either style.
    ///
    /// # Errors
    /// When a line is none of these, in the words of the YAML library that K3s uses.
    pub(crate) fn read(&mut self, text: &str) -> Result<(), String> {
        let mut key = String::new();
        for (i, line) in text.lines().enumerate() {
            let body = line.split(" #").next().unwrap_or(line).trim_end();
            if body.trim().is_empty() || body.starts_with('#') || body == "---" {
                continue;
            }
            if let Some(item) = body.trim_start().strip_prefix("- ") {
                if key.is_empty() {
                    return Err(format!("yaml: line {}: did not find expected key", i + 1));
                }
                self.0.push((key.clone(), unquoted(item)));
                continue;
            }
            match body.split_once(':') {
                Some((k, v))
                    if !body.starts_with([' ', '\t']) && (v.is_empty() || v.starts_with(' ')) =>
                {
                    key = unquoted(k);
                    let v = v.trim();
                    match v.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
                        Some(list) => self
                            .0
                            .extend(list.split(',').map(|one| (key.clone(), unquoted(one)))),
                        None => self.0.push((key.clone(), unquoted(v))),
                    }
                }
                _ => return Err(format!("yaml: line {}: could not find expected ':'", i + 1)),
            }
        }
        Ok(())
    }
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}

/// The secret part of a token.
fn secret(token: &str) -> &str {
    token.trim().rsplit(':').next().unwrap_or_default()
}

/// Starts the service: reads its settings, writes what it writes, and says how long that takes.
pub(crate) fn start(
    machine: &mut Machine,
    name: &str,
    unit: &Unit,
    program: &str,
) -> Result<Duration, String> {
    match begin(machine, unit, program) {
        Ok(()) => Ok(START),
        Err(text) => {
            machine.log(name, &format!("level=fatal msg=\"{text}\""));
            Err("exit-code".into())
        }
    }
}

fn settings(machine: &Machine, unit: &Unit, words: &[String]) -> Result<Settings, String> {
    let mut settings = Settings::default();
    let mut files = vec!["/etc/rancher/k3s/config.yaml".to_owned()];
    let drop_ins = machine.names("/etc/rancher/k3s/config.yaml.d");
    files.extend(
        drop_ins
            .iter()
            .filter(|n| n.ends_with(".yaml"))
            .map(|n| format!("/etc/rancher/k3s/config.yaml.d/{n}")),
    );
    for file in files {
        settings
            .read(&machine.text(&file))
            .map_err(|e| format!("failed to parse {file}: {e}"))?;
    }
    let mut environment = unit.environment.clone();
    for file in &unit.environment_files {
        for line in machine.text(file).lines() {
            if let Some((k, v)) = line.split_once('=') {
                environment.push((k.trim().to_owned(), unquoted(v)));
            }
        }
    }
    for (variable, key) in [
        ("K3S_TOKEN", "token"),
        ("K3S_TOKEN_FILE", "token-file"),
        ("K3S_AGENT_TOKEN", "agent-token"),
        ("K3S_URL", "server"),
        ("K3S_NODE_NAME", "node-name"),
        ("K3S_KUBECONFIG_MODE", "write-kubeconfig-mode"),
        ("K3S_KUBECONFIG_OUTPUT", "write-kubeconfig"),
    ] {
        let found = environment.iter().rev().find(|(k, _)| k == variable);
        settings
            .0
            .extend(found.map(|(_, v)| (key.to_owned(), v.clone())));
    }
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else {
            continue;
        };
        let (key, value) = match flag.split_once('=') {
            Some((k, v)) => (k.to_owned(), v.to_owned()),
            None => {
                let value = words.next_if(|w| !w.starts_with('-')).cloned();
                (flag.to_owned(), value.unwrap_or_else(|| "true".into()))
            }
        };
        settings.0.push((key, value));
    }
    Ok(settings)
}

fn begin(machine: &mut Machine, unit: &Unit, program: &str) -> Result<(), String> {
    let words = crate::shell::split(&unit.exec).map_err(|e| format!("ExecStart: {e}"))?;
    let role = match words.get(1).map(String::as_str) {
        Some("server") => Role::Server,
        Some("agent") => Role::Agent,
        other => return Err(format!("No help topic for '{}'", other.unwrap_or_default())),
    };
    if !machine.memory_cgroup() {
        return Err("failed to find memory cgroup (v2)".into());
    }
    let version = machine
        .file(program)
        .and_then(version_of)
        .ok_or("this program has no version")?;
    let settings = settings(machine, unit, &words)?;
    let server = settings.get("server").unwrap_or_default().to_owned();
    let mut token = settings.get("token").map(str::to_owned);
    if let (None, Some(file)) = (&token, settings.get("token-file")) {
        let bytes = machine
            .file(file)
            .ok_or_else(|| format!("open {file}: no such file or directory"))?;
        token = Some(String::from_utf8_lossy(bytes).trim().to_owned());
    }
    let kept = format!("{DATA}/server/token");
    let before = Some(machine.text(&kept)).filter(|t| !t.is_empty());
    if role == Role::Agent && server.is_empty() {
        return Err("--server is required".into());
    }
    if token.is_none() && (role == Role::Agent || !server.is_empty()) {
        return Err("--token is required".into());
    }
    if let (Some(token), Some(before)) = (&token, &before)
        && secret(token) != secret(before)
    {
        return Err("bootstrap data already found and encrypted with different token".into());
    }
    let token = token
        .or(before)
        .map_or_else(|| hex(&machine.random()[..16]), |t| secret(&t).to_owned());
    let node_name = settings
        .get("node-name")
        .unwrap_or(machine.hostname())
        .to_owned();
    let node = Node {
        name: node_name,
        role,
        version,
        address: machine.address(),
        os: machine.image.os.clone(),
        server,
        token: token.clone(),
        since: machine.now + START,
    };
    let no_room = |e: crate::files::Errno| format!("cannot write to {DATA}: {e}");
    if role == Role::Agent {
        machine.cluster.started(node)?;
        return machine
            .install_directory(&format!("{DATA}/agent"), "root", 0o755)
            .map_err(no_room);
    }
    let tls = format!("{DATA}/server/tls");
    let authority = (
        machine.text(&format!("{tls}/server-ca.crt")),
        machine.text(&format!("{tls}/server-ca.key")),
    );
    let kept_authority =
        (!authority.0.is_empty()).then_some((authority.0.as_str(), authority.1.as_str()));
    let credentials = machine.cluster.credentials(kept_authority)?;
    machine.cluster.started(node)?;
    let full = format!(
        "K10{}::server:{token}\n",
        hex(&Sha256::digest(&credentials.ca_certificate))
    );
    let mode = settings
        .get("write-kubeconfig-mode")
        .and_then(|m| u16::from_str_radix(m, 8).ok())
        .unwrap_or(0o600);
    let output = settings
        .get("write-kubeconfig")
        .unwrap_or("/etc/rancher/k3s/k3s.yaml");
    let files = [
        (kept.as_str(), full.clone(), 0o600),
        (&format!("{DATA}/server/node-token"), full.clone(), 0o600),
        (&format!("{DATA}/server/agent-token"), full, 0o600),
        (
            &format!("{tls}/server-ca.crt"),
            credentials.ca_certificate.clone(),
            0o644,
        ),
        (
            &format!("{tls}/server-ca.key"),
            credentials.ca_key.clone(),
            0o600,
        ),
        (output, kubeconfig(&credentials), mode),
    ];
    for (path, text, mode) in files {
        machine.install(path, text, mode, "root").map_err(no_room)?;
    }
    for directory in ["server/manifests", "server/db", "agent/images"] {
        machine
            .install_directory(&format!("{DATA}/{directory}"), "root", 0o755)
            .map_err(no_room)?;
    }
    Ok(())
}

fn kubeconfig(credentials: &Credentials) -> String {
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {}\n    server: https://127.0.0.1:6443\n  name: default\n\
         contexts:\n- context:\n    cluster: default\n    user: default\n  name: default\ncurrent-context: default\nkind: Config\n\
         preferences: {{}}\nusers:\n- name: default\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
        STANDARD.encode(&credentials.ca_certificate),
        STANDARD.encode(&credentials.client_certificate),
        STANDARD.encode(&credentials.client_key),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_programs() {
        let check =
            |bytes: &[u8], version: Option<&str>| assert_eq!(version_of(bytes).as_deref(), version);
        check(&binary("v1.31.3+k3s1"), Some("v1.31.3+k3s1"));
        check(b"x+k3s1 v1.30.0-rc2+k3s12\0", Some("v1.30.0-rc2+k3s12"));
        check(b"v1.31+k3s1", None);
        check(b"+k3s", None);
        check(b"\xff\xfe", None);
        assert!(
            download("https://github.com/k3s-io/k3s/releases/download/v1.31.3%2Bk3s1/k3s-arm64")
                .is_some()
        );
        assert!(
            download("https://github.com/k3s-io/k3s/releases/download/v1.31.3/k3s-arm64").is_none()
        );
        assert_eq!(channel("v1.30").as_deref(), Some("v1.30.0+k3s1"));
        assert_eq!(channel("edge"), None);
    }

    #[test]
    fn settings_are_flat() {
        let check = |text: &str, wanted: Result<&[(&str, &str)], &str>| {
            let mut settings = Settings::default();
            let got = settings.read(text).map(|()| settings.0);
            let wanted = wanted
                .map(|w| {
                    w.iter()
                        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                        .collect()
                })
                .map_err(str::to_owned);
            assert_eq!(got, wanted, "{text}");
        };
        check(
            "token: \"s\"  # secret\ntls-san: [a, 'b']\n",
            Ok(&[("token", "s"), ("tls-san", "a"), ("tls-san", "b")]),
        );
        check(
            "---\n# x\ndisable:\n  - traefik\n  - servicelb\n",
            Ok(&[
                ("disable", ""),
                ("disable", "traefik"),
                ("disable", "servicelb"),
            ]),
        );
        check(
            "token secret",
            Err("yaml: line 1: could not find expected ':'"),
        );
        check(
            "a: b\n  c: d",
            Err("yaml: line 2: could not find expected ':'"),
        );
        check("- a", Err("yaml: line 1: did not find expected key"));
    }
}
