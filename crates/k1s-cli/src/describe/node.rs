// SPDX-License-Identifier: Apache-2.0
//! Nodes, with what their pods ask of them.

use std::collections::{BTreeMap, BTreeSet};

use k1s_core::quantity::Quantity;
use serde_json::{Map, Value};

use super::field::{Fields, shown};
use super::page::{Page, or, or_none, put, sorted};
use super::quantity::{parse, percent};
use super::time::{full, since};
use super::{Related, event};

/// A Node.
pub(crate) fn node(page: &mut Page, node: &Value, related: &Related) {
    let (spec, status) = (node.at("spec"), node.at("status"));
    put!(page, 0, "Name:\t{}", node.text("metadata.name"));
    put!(
        page,
        0,
        "Roles:\t{}",
        or_none(roles(node.map("metadata.labels")))
    );
    page.marks(node);
    put!(
        page,
        0,
        "CreationTimestamp:\t{}",
        full(node.text("metadata.creationTimestamp"))
    );
    taints(page, spec.list("taints"));
    put!(page, 0, "Unschedulable:\t{}", spec.flag("unschedulable"));
    lease(page, related);
    if !status.list("conditions").is_empty() {
        put!(
            page,
            0,
            "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage"
        );
        put!(
            page,
            1,
            "----\t------\t-----------------\t------------------\t------\t-------"
        );
        for condition in status.list("conditions") {
            let (beat, changed) = (
                full(condition.text("lastHeartbeatTime")),
                full(condition.text("lastTransitionTime")),
            );
            let (reason, message) = (condition.text("reason"), condition.text("message"));
            put!(
                page,
                1,
                "{} \t{} \t{beat} \t{changed} \t{reason} \t{message}",
                condition.text("type"),
                condition.text("status")
            );
        }
    }
    put!(page, 0, "Addresses:");
    for address in status.list("addresses") {
        put!(
            page,
            1,
            "{}:\t{}",
            address.text("type"),
            address.text("address")
        );
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        if !status.map(field).is_empty() {
            put!(page, 0, "{title}:");
        }
        for (name, quantity) in sorted(status.map(field)) {
            put!(page, 1, "{name}:\t{}", shown(quantity));
        }
    }
    put!(page, 0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
        ("Kube-Proxy Version", "kubeProxyVersion"),
    ] {
        put!(page, 1, "{title}:\t{}", status.at("nodeInfo").text(field));
    }
    for (title, text) in [
        ("PodCIDR", spec.text("podCIDR")),
        ("PodCIDRs", &spec.strings("podCIDRs").join(",")),
        ("ProviderID", spec.text("providerID")),
    ] {
        if !text.is_empty() {
            put!(page, 0, "{title}:\t{text}");
        }
    }
    match related.list("pods") {
        Ok(pods) => resources(page, status, pods, related),
        Err(_) => put!(page, 0, "Pods:\tnot authorized"),
    }
    event::section(page, related);
}

fn roles(labels: &Map<String, Value>) -> String {
    let roles = labels.iter().filter_map(|(name, value)| {
        match name.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role.to_owned()).filter(|role| !role.is_empty()),
            None => (name == "kubernetes.io/role")
                .then(|| shown(value))
                .filter(|role| !role.is_empty()),
        }
    });
    roles
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(",")
}

fn taints(page: &mut Page, taints: &[Value]) {
    let mut taints: Vec<&Value> = taints.iter().collect();
    taints.sort_by_key(|taint| format!("{},{}", taint.text("effect"), taint.text("key")));
    let lines = taints.into_iter().map(|taint| {
        let value = if taint.text("value").is_empty() {
            String::new()
        } else {
            format!("={}", taint.text("value"))
        };
        let effect = if taint.text("effect").is_empty() {
            String::new()
        } else {
            format!(":{}", taint.text("effect"))
        };
        format!("{}{value}{effect}", taint.text("key"))
    });
    page.column("Taints", lines.collect::<Vec<_>>());
}

fn lease(page: &mut Page, related: &Related) {
    match related.object("lease") {
        Err(error) => put!(page, 0, "Lease:\tFailed to get lease: {error}"),
        Ok(lease) => {
            let spec = lease.at("spec");
            let time = |field| {
                if spec.text(field).is_empty() {
                    "<unset>".to_owned()
                } else {
                    full(spec.text(field))
                }
            };
            put!(page, 0, "Lease:");
            put!(
                page,
                1,
                "HolderIdentity:\t{}",
                or(spec.text("holderIdentity"), "<unset>")
            );
            put!(page, 1, "AcquireTime:\t{}", time("acquireTime"));
            put!(page, 1, "RenewTime:\t{}", time("renewTime"));
        }
    }
}

type Amounts = BTreeMap<String, Quantity>;

fn resources(page: &mut Page, status: &Value, pods: &[Value], related: &Related) {
    put!(page, 0, "Non-terminated Pods:\t({} in total)", pods.len());
    put!(
        page,
        1,
        "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge"
    );
    put!(
        page,
        1,
        "---------\t----\t\t------------\t----------\t---------------\t-------------\t---"
    );
    let field = if status.map("allocatable").is_empty() {
        "capacity"
    } else {
        "allocatable"
    };
    let room: Amounts = amounts(status.map(field));
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for pod in pods {
        let (asked, most) = (of_pod(pod, "requests"), of_pod(pod, "limits"));
        let cells = [
            ("cpu", &asked),
            ("cpu", &most),
            ("memory", &asked),
            ("memory", &most),
        ]
        .map(
            |(name, of)| match room.get(name).is_none_or(Quantity::is_zero) {
                // A part of nothing is what Go makes of it.
                true => format!("{} ({}%)", amount(of, name), i64::MIN),
                false => share(of, &room, name),
            },
        );
        let (namespace, name) = (pod.text("metadata.namespace"), pod.text("metadata.name"));
        put!(
            page,
            1,
            "{namespace}\t{name}\t\t{}\t{}",
            cells.join("\t"),
            since(pod.text("metadata.creationTimestamp"), related.now)
        );
        add(&mut requests, &asked);
        add(&mut limits, &most);
    }
    put!(
        page,
        0,
        "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)"
    );
    put!(page, 1, "Resource\tRequests\tLimits");
    put!(page, 1, "--------\t--------\t------");
    let huge = room
        .keys()
        .filter(|name| name.starts_with("hugepages-"))
        .map(String::as_str);
    for name in ["cpu", "memory", "ephemeral-storage"]
        .into_iter()
        .chain(huge)
    {
        put!(
            page,
            1,
            "{name}\t{}\t{}",
            share(&requests, &room, name),
            share(&limits, &room, name)
        );
    }
    let standard = |name: &str| {
        matches!(name, "cpu" | "memory" | "ephemeral-storage" | "pods")
            || name.starts_with("hugepages-")
    };
    for name in room.keys().filter(|name| !standard(name)) {
        let of = |amounts: &Amounts| amounts.get(name).cloned().unwrap_or_else(Quantity::zero);
        put!(page, 1, "{name}\t{}\t{}", of(&requests), of(&limits));
    }
}

/// An amount with its part of what there is: `500m (13%)`.
fn share(amounts: &Amounts, room: &Amounts, name: &str) -> String {
    let amount = amount(amounts, name);
    let percent = room
        .get(name)
        .map(|room| percent(&amount, room, name == "cpu"))
        .unwrap_or_default();
    format!("{amount} ({percent}%)")
}

fn amount(amounts: &Amounts, name: &str) -> Quantity {
    amounts.get(name).cloned().unwrap_or_else(Quantity::zero)
}

fn amounts(quantities: &Map<String, Value>) -> Amounts {
    quantities
        .iter()
        .map(|(name, quantity)| (name.clone(), parse(&shown(quantity))))
        .collect()
}

fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let sum = total.get(name).and_then(|total| total.add(amount).ok());
        total.insert(name.clone(), sum.unwrap_or_else(|| amount.clone()));
    }
}

/// What a pod asks for, or may use: its containers together, or its largest init container where that is more; containers
/// that keep running beside count with both. Overhead comes on top.
fn of_pod(pod: &Value, kind: &str) -> Amounts {
    let spec = pod.at("spec");
    let of = |container: &Value| amounts(container.at("resources").map(kind));
    let mut total = Amounts::new();
    for container in spec.list("containers") {
        add(&mut total, &of(container));
    }
    let (mut beside, mut start) = (Amounts::new(), Amounts::new());
    for container in spec.list("initContainers") {
        let mut now = of(container);
        if container.text("restartPolicy") == "Always" {
            add(&mut total, &now);
            add(&mut beside, &now);
            now = beside.clone();
        } else {
            add(&mut now, &beside);
        }
        larger(&mut start, &now);
    }
    larger(&mut total, &start);
    for (name, amount) in amounts(spec.at("resources").map(kind)) {
        total.insert(name, amount);
    }
    let mut overhead = amounts(spec.map("overhead"));
    overhead.retain(|name, _| kind == "requests" || total.contains_key(name));
    add(&mut total, &overhead);
    total
}

fn larger(amounts: &mut Amounts, others: &Amounts) {
    for (name, other) in others {
        match amounts.get(name) {
            Some(amount) if amount >= other => {}
            _ => _ = amounts.insert(name.clone(), other.clone()),
        }
    }
}
