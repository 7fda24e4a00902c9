// SPDX-License-Identifier: Apache-2.0
//! Controllers of pods: Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet.

use serde_json::Value;

use super::field::Fields;
use super::page::{Page, labels_in_line, put, selector, sorted};
use super::time::full;
use super::{Related, event, pod};

/// A Deployment.
pub(crate) fn deployment(page: &mut Page, object: &Value, related: &Related) {
    let (spec, status) = (object.at("spec"), object.at("status"));
    created(page, object);
    page.marks(object);
    put!(page, 0, "Selector:\t{}", selector_text(spec.at("selector")));
    put!(
        page,
        0,
        "Replicas:\t{} desired | {} updated | {} total | {} available | {} unavailable",
        spec.int("replicas"),
        status.int("updatedReplicas"),
        status.int("replicas"),
        status.int("availableReplicas"),
        status.int("unavailableReplicas")
    );
    put!(page, 0, "StrategyType:\t{}", spec.text("strategy.type"));
    put!(page, 0, "MinReadySeconds:\t{}", spec.int("minReadySeconds"));
    if spec.has("strategy.rollingUpdate") {
        let rolling = spec.at("strategy.rollingUpdate");
        put!(
            page,
            0,
            "RollingUpdateStrategy:\t{} max unavailable, {} max surge",
            rolling.shown("maxUnavailable"),
            rolling.shown("maxSurge")
        );
    }
    pod::template(page, spec.at("template"));
    conditions(page, status);
    let (old, new) = replica_sets(object, related);
    if !old.is_empty() || new.is_some() {
        put!(page, 0, "OldReplicaSets:\t{}", replica_sets_in_line(&old));
        put!(
            page,
            0,
            "NewReplicaSet:\t{}",
            replica_sets_in_line(new.as_slice())
        );
    }
    event::section(page, related);
}

/// A ReplicaSet.
pub(crate) fn replica_set(page: &mut Page, object: &Value, related: &Related) {
    named(page, object);
    put!(
        page,
        0,
        "Selector:\t{}",
        selector(object.at("spec.selector"))
    );
    replicas(page, object, related);
}

/// A ReplicationController.
pub(crate) fn replication_controller(page: &mut Page, object: &Value, related: &Related) {
    named(page, object);
    put!(
        page,
        0,
        "Selector:\t{}",
        labels_in_line(object.map("spec.selector"))
    );
    replicas(page, object, related);
}

/// A StatefulSet.
pub(crate) fn stateful_set(page: &mut Page, object: &Value, related: &Related) {
    let spec = object.at("spec");
    created(page, object);
    put!(page, 0, "Selector:\t{}", selector_text(spec.at("selector")));
    page.marks(object);
    put!(
        page,
        0,
        "Replicas:\t{} desired | {} total",
        spec.int("replicas"),
        object.int("status.replicas")
    );
    put!(
        page,
        0,
        "Update Strategy:\t{}",
        spec.text("updateStrategy.type")
    );
    let rolling = spec.at("updateStrategy.rollingUpdate");
    if rolling.has("partition") {
        put!(page, 1, "Partition:\t{}", rolling.int("partition"));
        if rolling.has("maxUnavailable") {
            put!(
                page,
                1,
                "MaxUnavailable:\t{}",
                rolling.shown("maxUnavailable")
            );
        }
    }
    put!(page, 0, "Pods Status:\t{}", phases(object, related));
    pod::template(page, spec.at("template"));
    claims(page, spec.list("volumeClaimTemplates"));
    event::section(page, related);
}

/// A DaemonSet.
pub(crate) fn daemon_set(page: &mut Page, object: &Value, related: &Related) {
    let (spec, status) = (object.at("spec"), object.at("status"));
    named(page, object);
    put!(page, 0, "Selector:\t{}", selector_text(spec.at("selector")));
    put!(
        page,
        0,
        "Node-Selector:\t{}",
        labels_in_line(spec.map("template.spec.nodeSelector"))
    );
    page.marks(object);
    for (title, field) in [
        (
            "Desired Number of Nodes Scheduled",
            "desiredNumberScheduled",
        ),
        (
            "Current Number of Nodes Scheduled",
            "currentNumberScheduled",
        ),
        (
            "Number of Nodes Scheduled with Up-to-date Pods",
            "updatedNumberScheduled",
        ),
        (
            "Number of Nodes Scheduled with Available Pods",
            "numberAvailable",
        ),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        put!(page, 0, "{title}: {}", status.int(field));
    }
    put!(page, 0, "Pods Status:\t{}", phases(object, related));
    pod::template(page, spec.at("template"));
    event::section(page, related);
}

fn named(page: &mut Page, object: &Value) {
    put!(page, 0, "Name:\t{}", object.text("metadata.name"));
    put!(page, 0, "Namespace:\t{}", object.text("metadata.namespace"));
}

fn created(page: &mut Page, object: &Value) {
    named(page, object);
    put!(
        page,
        0,
        "CreationTimestamp:\t{}",
        full(object.text("metadata.creationTimestamp"))
    );
}

/// What ReplicaSets and ReplicationControllers have in common.
fn replicas(page: &mut Page, object: &Value, related: &Related) {
    page.marks(object);
    if object.text("kind") == "ReplicaSet" {
        pod::controller(page, object);
    }
    put!(
        page,
        0,
        "Replicas:\t{} current / {} desired",
        object.int("status.replicas"),
        object.int("spec.replicas")
    );
    put!(page, 0, "Pods Status:\t{}", phases(object, related));
    pod::template(page, object.at("spec.template"));
    conditions(page, object.at("status"));
    event::section(page, related);
}

/// A selector that prints as nothing where it selects everything.
pub(crate) fn selector_text(value: &Value) -> String {
    Some(selector(value))
        .filter(|text| text != "<none>")
        .unwrap_or_default()
}

/// How many of the pods that an object controls are in which phase.
fn phases(object: &Value, related: &Related) -> String {
    let pods = match related.list("pods") {
        Ok(pods) => pods,
        Err(error) => return format!("error in fetching pods: {error}"),
    };
    let uid = object.text("metadata.uid");
    let owned = |pod: &&Value| {
        pod.list("metadata.ownerReferences")
            .iter()
            .any(|owner| owner.flag("controller") && owner.text("uid") == uid)
    };
    let count = |phase| {
        pods.iter()
            .filter(owned)
            .filter(|pod| pod.text("status.phase") == phase)
            .count()
    };
    format!(
        "{} Running / {} Waiting / {} Succeeded / {} Failed",
        count("Running"),
        count("Pending"),
        count("Succeeded"),
        count("Failed")
    )
}

fn conditions(page: &mut Page, status: &Value) {
    if status.list("conditions").is_empty() {
        return;
    }
    put!(page, 0, "Conditions:\n  Type\tStatus\tReason");
    put!(page, 1, "----\t------\t------");
    for condition in status.list("conditions") {
        put!(
            page,
            1,
            "{} \t{}\t{}",
            condition.text("type"),
            condition.text("status"),
            condition.text("reason")
        );
    }
}

/// The old ReplicaSets of a Deployment and the one of its present template.
fn replica_sets<'a>(
    deployment: &Value,
    related: &'a Related,
) -> (Vec<&'a Value>, Option<&'a Value>) {
    let uid = deployment.text("metadata.uid");
    let owned = |set: &&Value| {
        set.list("metadata.ownerReferences")
            .iter()
            .any(|owner| owner.flag("controller") && owner.text("uid") == uid)
    };
    let mut sets: Vec<&Value> = related
        .list("replicasets")
        .unwrap_or_default()
        .iter()
        .filter(owned)
        .collect();
    sets.sort_by_key(|set| {
        (
            set.text("metadata.creationTimestamp"),
            set.text("metadata.name"),
        )
    });
    let new = sets
        .iter()
        .copied()
        .find(|set| same_template(set.at("spec.template"), deployment.at("spec.template")));
    let old = sets
        .into_iter()
        .filter(|set| new.is_none_or(|new| !std::ptr::eq(*set, new)));
    (old.collect(), new)
}

/// Whether two templates are the same but for the hash that the controller adds.
fn same_template(a: &Value, b: &Value) -> bool {
    let without_hash = |template: &Value| {
        let mut template = template.clone();
        if let Some(labels) = template
            .pointer_mut("/metadata/labels")
            .and_then(Value::as_object_mut)
        {
            labels.remove("pod-template-hash");
        }
        if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|_, value| !value.is_null());
        }
        template
    };
    without_hash(a) == without_hash(b)
}

fn replica_sets_in_line(sets: &[&Value]) -> String {
    let sets = sets.iter().map(|set| {
        format!(
            "{} ({}/{} replicas created)",
            set.text("metadata.name"),
            set.int("status.replicas"),
            set.int("spec.replicas")
        )
    });
    super::page::or_none(sets.collect::<Vec<_>>().join(", "))
}

fn claims(page: &mut Page, templates: &[Value]) {
    if templates.is_empty() {
        put!(page, 0, "Volume Claims:\t<none>");
        return;
    }
    put!(page, 0, "Volume Claims:");
    for claim in templates {
        put!(page, 1, "Name:\t{}", claim.text("metadata.name"));
        put!(
            page,
            1,
            "StorageClass:\t{}",
            claim.text("spec.storageClassName")
        );
        page.labels("  Labels", claim.map("metadata.labels"));
        let annotations = sorted(claim.map("metadata.annotations"))
            .map(|(name, value)| format!("{name}={}", super::field::shown(value)));
        page.column("  Annotations", annotations.collect::<Vec<_>>());
        let storage = super::field::shown(claim.at("spec.resources.requests.storage"));
        put!(
            page,
            1,
            "Capacity:\t{}",
            super::page::or(storage, "<default>")
        );
        put!(
            page,
            1,
            "Access Modes:\t{}",
            claim.shown("spec.accessModes")
        );
    }
}
