// SPDX-License-Identifier: Apache-2.0
//! Pods and pod templates.

use serde_json::Value;

use super::container::{self, Place};
use super::field::Fields;
use super::page::{Page, put, selector};
use super::time::{full, since};
use super::{Related, event, volume};

/// A pod.
pub(crate) fn pod(page: &mut Page, pod: &Value, related: &Related) {
    let (spec, status) = (pod.at("spec"), pod.at("status"));
    put!(page, 0, "Name:\t{}", pod.text("metadata.name"));
    put!(page, 0, "Namespace:\t{}", pod.text("metadata.namespace"));
    if spec.has("priority") {
        put!(page, 0, "Priority:\t{}", spec.int("priority"));
    }
    for (title, field) in [
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ] {
        present(page, title, spec.text(field));
    }
    match spec.text("nodeName") {
        "" => put!(page, 0, "Node:\t<none>"),
        node => put!(page, 0, "Node:\t{node}/{}", status.text("hostIP")),
    }
    if status.has("startTime") {
        put!(page, 0, "Start Time:\t{}", full(status.text("startTime")));
    }
    page.marks(pod);
    let phase = status.text("phase");
    if pod.has("metadata.deletionTimestamp") && !matches!(phase, "Failed" | "Succeeded") {
        put!(
            page,
            0,
            "Status:\tTerminating (lasts {})",
            since(pod.text("metadata.deletionTimestamp"), related.now)
        );
        put!(
            page,
            0,
            "Termination Grace Period:\t{}s",
            pod.int("metadata.deletionGracePeriodSeconds")
        );
    } else {
        put!(page, 0, "Status:\t{phase}");
    }
    present(page, "Reason", status.text("reason"));
    present(page, "Message", status.text("message"));
    container::seccomp(page, 0, spec);
    put!(page, 0, "IP:\t{}", status.text("podIP"));
    match status.list("podIPs") {
        [] => put!(page, 0, "IPs:\t<none>"),
        addresses => {
            put!(page, 0, "IPs:");
            for address in addresses {
                put!(page, 1, "IP:\t{}", address.text("ip"));
            }
        }
    }
    controller(page, pod);
    present(page, "NominatedNodeName", status.text("nominatedNodeName"));
    if spec.has("resources") {
        put!(page, 0, "Resources:");
        container::resources(page, 1, spec.at("resources"));
    }
    containers(page, spec, |list| Place::Pod(pod, status.list(list)));
    if !spec.list("readinessGates").is_empty() {
        put!(page, 0, "Readiness Gates:\n  Type\tStatus");
        for gate in spec.list("readinessGates") {
            let gate = gate.text("conditionType");
            let condition = status
                .list("conditions")
                .iter()
                .find(|condition| condition.text("type") == gate);
            put!(
                page,
                1,
                "{gate} \t{} ",
                condition.map_or("<none>", |condition| condition.text("status"))
            );
        }
    }
    if !status.list("conditions").is_empty() {
        put!(page, 0, "Conditions:\n  Type\tStatus");
        for condition in status.list("conditions") {
            put!(
                page,
                1,
                "{} \t{} ",
                condition.text("type"),
                condition.text("status")
            );
        }
    }
    volume::section(page, spec.list("volumes"), "");
    put!(page, 0, "QoS Class:\t{}", quality_of_service(pod));
    page.labels("Node-Selectors", spec.map("nodeSelector"));
    tolerations(page, "Tolerations", spec.list("tolerations"));
    spread(page, spec.list("topologySpreadConstraints"), "");
    workload(page, spec, "");
    event::section(page, related);
}

/// The template of a controller's pods.
pub(crate) fn template(page: &mut Page, template: &Value) {
    put!(page, 0, "Pod Template:");
    let spec = template.at("spec");
    page.labels("  Labels", template.map("metadata.labels"));
    if !template.map("metadata.annotations").is_empty() {
        page.annotations("  Annotations", template.map("metadata.annotations"));
    }
    present(page, "  Service Account", spec.text("serviceAccountName"));
    containers(page, spec, |_| Place::Template);
    volume::section(page, spec.list("volumes"), "  ");
    spread(page, spec.list("topologySpreadConstraints"), "  ");
    present(
        page,
        "  Priority Class Name",
        spec.text("priorityClassName"),
    );
    page.labels("  Node-Selectors", spec.map("nodeSelector"));
    tolerations(page, "  Tolerations", spec.list("tolerations"));
    workload(page, spec, "  ");
}

/// `Controlled By:` with kind and name of the owner that is the controller.
pub(crate) fn controller(page: &mut Page, object: &Value) {
    if let Some(owner) = object
        .list("metadata.ownerReferences")
        .iter()
        .find(|owner| owner.flag("controller"))
    {
        put!(
            page,
            0,
            "Controlled By:\t{}/{}",
            owner.text("kind"),
            owner.text("name")
        );
    }
}

fn present(page: &mut Page, title: &str, text: &str) {
    if !text.is_empty() {
        put!(page, 0, "{title}:\t{text}");
    }
}

fn containers<'a>(page: &mut Page, spec: &Value, place: impl Fn(&str) -> Place<'a>) {
    if !spec.list("initContainers").is_empty() {
        container::section(
            page,
            "Init Containers",
            spec.list("initContainers"),
            place("initContainerStatuses"),
        );
    }
    container::section(
        page,
        "Containers",
        spec.list("containers"),
        place("containerStatuses"),
    );
    let place = place("ephemeralContainerStatuses");
    if !spec.list("ephemeralContainers").is_empty() && matches!(place, Place::Pod(..)) {
        container::section(
            page,
            "Ephemeral Containers",
            spec.list("ephemeralContainers"),
            place,
        );
    }
}

/// The class that the status names, else the one that follows from requests and limits.
fn quality_of_service(pod: &Value) -> &str {
    if !pod.text("status.qosClass").is_empty() {
        return pod.text("status.qosClass");
    }
    let containers = || {
        pod.list("spec.containers")
            .iter()
            .chain(pod.list("spec.initContainers"))
    };
    let counted =
        |map: &str, name: &str| containers().all(|container| container.map(map).contains_key(name));
    let any = containers().any(|container| {
        !container.map("resources.requests").is_empty()
            || !container.map("resources.limits").is_empty()
    });
    let same = containers().all(|container| {
        container
            .map("resources.requests")
            .iter()
            .all(|(name, quantity)| container.map("resources.limits").get(name) == Some(quantity))
    });
    match any {
        false => "BestEffort",
        true if same
            && counted("resources.limits", "cpu")
            && counted("resources.limits", "memory") =>
        {
            "Guaranteed"
        }
        true => "Burstable",
    }
}

fn tolerations(page: &mut Page, title: &str, tolerations: &[Value]) {
    let lines = tolerations.iter().map(|toleration| {
        let mut line = toleration.text("key").to_owned();
        for (sign, field) in [("=", "value"), (":", "effect")] {
            if !toleration.text(field).is_empty() {
                line += sign;
                line += toleration.text(field);
            }
        }
        if toleration.text("operator") == "Exists" && toleration.text("value").is_empty() {
            line += if line.is_empty() {
                "op=Exists"
            } else {
                " op=Exists"
            };
        }
        if toleration.has("tolerationSeconds") {
            line += &format!(" for {}s", toleration.int("tolerationSeconds"));
        }
        line
    });
    page.column(title, lines.collect::<Vec<_>>());
}

fn spread(page: &mut Page, constraints: &[Value], space: &str) {
    if constraints.is_empty() {
        return;
    }
    let mut constraints: Vec<&Value> = constraints.iter().collect();
    constraints.sort_by_key(|constraint| constraint.text("topologyKey"));
    let lines = constraints.into_iter().map(|constraint| {
        let of = match constraint.has("labelSelector") {
            true => format!(" for selector {}", selector(constraint.at("labelSelector"))),
            false => String::new(),
        };
        let (key, otherwise) = (
            constraint.text("topologyKey"),
            constraint.text("whenUnsatisfiable"),
        );
        format!(
            "{key}:{otherwise} when max skew {} is exceeded{of}",
            constraint.int("maxSkew")
        )
    });
    page.column(
        &format!("{space}Topology Spread Constraints"),
        lines.collect::<Vec<_>>(),
    );
}

fn workload(page: &mut Page, spec: &Value, space: &str) {
    let workload = spec.at("workloadRef");
    if workload.is_null() {
        return;
    }
    put!(page, 0, "{space}WorkloadRef:");
    put!(page, 1, "Name:\t{}", workload.text("name"));
    put!(page, 1, "PodGroup:\t{}", workload.text("podGroup"));
    if !workload.text("podGroupReplicaKey").is_empty() {
        put!(
            page,
            1,
            "PodGroupReplicaKey:\t{}",
            workload.text("podGroupReplicaKey")
        );
    }
}
