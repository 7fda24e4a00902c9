// SPDX-License-Identifier: Apache-2.0
//! `k3s` and its `kubectl`, as far as provisioning waits for nodes with it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Call;
use crate::cluster::{Node, Role};
use crate::files::Content;
use crate::k3s::{READY, version_of};
use crate::layout::KERNEL;
use crate::machine::Machine;

pub(super) fn k3s(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.name != "k3s" {
        let words = call.words;
        return match call.name {
            "kubectl" => kubectl(machine, call, words),
            _ => call.fail("no container runtime runs in a simulated module", 1),
        };
    }
    let words = call.words;
    match words.first().map(String::as_str) {
        Some("--version" | "-v") => {
            let path = machine
                .find_program(call.variable("PATH").unwrap_or_default(), "k3s")
                .unwrap_or_else(|| "/usr/local/bin/k3s".into());
            let Some(Content::File(bytes)) = machine.entry(&path).map(|e| e.content.clone()) else {
                return call.fail("not installed", 1);
            };
            let text = String::from_utf8_lossy(&bytes.0).into_owned();
            match text.lines().find(|l| l.starts_with("k3s version ")) {
                Some(line) => call.say(line),
                None => call.say(&format!(
                    "k3s version {}",
                    version_of(&bytes.0).unwrap_or_else(|| "unknown".into())
                )),
            }
            call.say("go version go1.22.9");
            0
        }
        Some("kubectl") => kubectl(machine, call, &words[1..]),
        Some("server" | "agent") => call.fail(
            "in a simulated module its service runs it: systemctl start k3s",
            1,
        ),
        Some(other) => call.fail(
            format!("No help topic for '{other}': a simulated module has --version and kubectl"),
            3,
        ),
        None => call.fail("a command is needed: --version, kubectl", 1),
    }
}

impl Node {
    fn ready(&self, runs: bool, now: Duration) -> bool {
        runs && now >= self.since + READY
    }
}

fn kubectl(machine: &mut Machine, call: &mut Call<'_>, words: &[String]) -> i32 {
    let mut verbs = Vec::new();
    let (mut output, mut headers, mut condition) = (String::new(), true, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "--output" => output = words.next().cloned().unwrap_or_default(),
            "--no-headers" => headers = false,
            "--kubeconfig" | "-n" | "--namespace" | "--timeout" => drop(words.next()),
            "-A" | "--all-namespaces" | "--all" | "--client" => {}
            _ => {
                if let Some(format) = word
                    .strip_prefix("-o=")
                    .or_else(|| word.strip_prefix("--output="))
                    .or_else(|| word.strip_prefix("-o"))
                {
                    format.clone_into(&mut output);
                } else if let Some(wanted) = word.strip_prefix("--for=condition=") {
                    condition = Some(wanted.to_ascii_lowercase());
                } else if !word.starts_with("--") {
                    verbs.push(word.as_str());
                } else if word == "--raw" {
                    verbs.push("--raw");
                }
            }
        }
    }
    let kubeconfig = "/etc/rancher/k3s/k3s.yaml";
    match machine.stat(&call.user.name, "/", kubeconfig, true) {
        Ok((_, entry)) if !machine.may(&call.user.name, entry, crate::paths::Access::Read) => {
            call.complain(&format!(
                "error: error loading config file \"{kubeconfig}\": open {kubeconfig}: permission denied"
            ));
            return 1;
        }
        Ok(_) if machine.is_active("k3s") => {}
        _ => {
            call.complain("The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?");
            return 1;
        }
    }
    let now = machine.now;
    let mut nodes = machine.cluster.nodes();
    match verbs[..] {
        ["--raw", "/readyz" | "/healthz" | "/livez"]
        | ["get", "--raw", "/readyz" | "/healthz" | "/livez"] => {
            call.stdout.extend_from_slice(b"ok");
            0
        }
        ["version", ..] => {
            let version = nodes
                .first()
                .map(|(n, _)| n.version.clone())
                .unwrap_or_default();
            call.say(&format!(
                "Client Version: {version}\nServer Version: {version}"
            ));
            0
        }
        ["wait", ..] if condition.as_deref() == Some("ready") => {
            // it waits for the last one, and nothing else happens meanwhile
            let longest = nodes
                .iter()
                .map(|(n, _)| (n.since + READY).saturating_sub(now))
                .max()
                .unwrap_or_default();
            if nodes.iter().any(|(_, runs)| !runs) {
                call.complain("error: timed out waiting for the condition on nodes");
                return 1;
            }
            call.wait += longest;
            nodes
                .iter()
                .for_each(|(n, _)| call.say(&format!("node/{} condition met", n.name)));
            0
        }
        ["get", "node" | "nodes" | "no", ref names @ ..] => {
            if let Some(missing) = names
                .iter()
                .find(|name| !nodes.iter().any(|(n, _)| n.name == **name))
            {
                call.complain(&format!(
                    "Error from server (NotFound): nodes \"{missing}\" not found"
                ));
                return 1;
            }
            nodes.retain(|(n, _)| names.is_empty() || names.contains(&n.name.as_str()));
            print(call, &nodes, now, &output, headers, names.len() == 1)
        }
        _ => {
            call.complain(
                "error: the K3s of a simulated module knows its nodes alone: kubectl get nodes",
            );
            1
        }
    }
}

fn print(
    call: &mut Call<'_>,
    nodes: &[(Node, bool)],
    now: Duration,
    output: &str,
    headers: bool,
    one: bool,
) -> i32 {
    let roles = |n: &Node| {
        if n.role == Role::Server {
            "control-plane,master"
        } else {
            "<none>"
        }
    };
    match output {
        "" | "wide" => {
            let wide = output == "wide";
            if headers {
                let more = if wide {
                    "   INTERNAL-IP   EXTERNAL-IP   OS-IMAGE               KERNEL-VERSION         CONTAINER-RUNTIME"
                } else {
                    ""
                };
                call.say(&format!(
                    "NAME    STATUS     ROLES                  AGE   VERSION{more}"
                ));
            }
            for (node, runs) in nodes {
                let status = if node.ready(*runs, now) {
                    "Ready"
                } else {
                    "NotReady"
                };
                let age = now.saturating_sub(node.since).as_secs();
                let age = if age < 120 {
                    format!("{age}s")
                } else {
                    format!("{}m", age / 60)
                };
                let more = if wide {
                    format!(
                        "   {}   <none>        {}   {KERNEL}   containerd://1.7.23-k3s2",
                        node.address, node.os
                    )
                } else {
                    String::new()
                };
                call.say(&format!(
                    "{:<7} {status:<10} {:<22} {age:<5} {}{more}",
                    node.name,
                    roles(node),
                    node.version
                ));
            }
            0
        }
        "name" => {
            nodes
                .iter()
                .for_each(|(n, _)| call.say(&format!("node/{}", n.name)));
            0
        }
        "json" => {
            let items: Vec<Value> = nodes
                .iter()
                .map(|(n, runs)| json(n, n.ready(*runs, now)))
                .collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items});
            let shown = if one { &list["items"][0] } else { &list };
            call.say(&format!("{shown:#}"));
            0
        }
        other => {
            call.complain(&format!(
                "error: the K3s of a simulated module prints json, wide and name, not {other:?}"
            ));
            1
        }
    }
}

fn json(node: &Node, ready: bool) -> Value {
    let (status, reason) = if ready {
        ("True", "KubeletReady")
    } else {
        ("False", "KubeletNotReady")
    };
    let mut labels = json!({"kubernetes.io/hostname": node.name});
    if node.role == Role::Server {
        labels["node-role.kubernetes.io/control-plane"] = json!("true");
    }
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "status": {
            "addresses": [{"type": "InternalIP", "address": node.address}, {"type": "Hostname", "address": node.name}],
            "conditions": [{"type": "Ready", "status": status, "reason": reason}],
            "nodeInfo": {"architecture": "arm64", "kubeletVersion": node.version, "osImage": node.os, "kernelVersion": KERNEL},
        },
    })
}
