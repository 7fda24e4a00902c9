// SPDX-License-Identifier: Apache-2.0
//! Persistent volumes, claims, and the classes and nodes of storage.

use serde_json::Value;

use super::field::{Fields, shown};
use super::job::boolean_or_unset;
use super::page::{Page, labels_in_line, put};
use super::time::{full, since};
use super::{Related, event, volume};

/// A PersistentVolume.
pub(crate) fn persistent_volume(page: &mut Page, volume: &Value, related: &Related) {
    let spec = volume.at("spec");
    put!(page, 0, "Name:\t{}", volume.text("metadata.name"));
    page.marks(volume);
    put!(
        page,
        0,
        "Finalizers:\t{}",
        brackets(volume.at("metadata.finalizers"))
    );
    put!(page, 0, "StorageClass:\t{}", class(volume));
    status(page, volume, related);
    let claim = match spec.has("claimRef") {
        true => format!(
            "{}/{}",
            spec.text("claimRef.namespace"),
            spec.text("claimRef.name")
        ),
        false => String::new(),
    };
    put!(page, 0, "Claim:\t{claim}");
    put!(
        page,
        0,
        "Reclaim Policy:\t{}",
        spec.text("persistentVolumeReclaimPolicy")
    );
    put!(
        page,
        0,
        "Access Modes:\t{}",
        access_modes(spec.list("accessModes"))
    );
    if spec.has("volumeMode") {
        put!(page, 0, "VolumeMode:\t{}", spec.text("volumeMode"));
    }
    put!(
        page,
        0,
        "Capacity:\t{}",
        super::page::or(spec.shown("capacity.storage"), "0")
    );
    let terms = spec.at("nodeAffinity.required");
    if terms.is_null() {
        put!(page, 0, "Node Affinity:\t<none>");
    } else {
        put!(page, 0, "Node Affinity:\t");
        let terms = terms.list("nodeSelectorTerms");
        put!(
            page,
            1,
            "Required Terms:\t{}",
            if terms.is_empty() { "<none>" } else { "" }
        );
        for (number, term) in terms.iter().enumerate() {
            let expressions = term.list("matchExpressions").iter();
            let lines = expressions
                .map(|expression| values(expression, &expression.text("operator").to_lowercase()));
            page.nested(2, |page| {
                page.column(&format!("Term {number}"), lines.collect::<Vec<_>>())
            });
        }
    }
    put!(page, 0, "Message:\t{}", volume.text("status.message"));
    put!(page, 0, "Source:");
    volume::persistent(page, spec);
    event::section(page, related);
}

/// A PersistentVolumeClaim.
pub(crate) fn persistent_volume_claim(page: &mut Page, object: &Value, related: &Related) {
    claim(page, object, Some(related));
    let name = object.text("metadata.name");
    let owners: Vec<&str> = object
        .list("metadata.ownerReferences")
        .iter()
        .filter(|owner| owner.text("kind") == "Pod")
        .map(|owner| owner.text("uid"))
        .collect();
    let uses = |pod: &&Value| {
        let mounts = pod
            .list("spec.volumes")
            .iter()
            .any(|volume| volume.text("persistentVolumeClaim.claimName") == name);
        mounts || owners.contains(&pod.text("metadata.uid"))
    };
    let pods = related
        .list("pods")
        .unwrap_or_default()
        .iter()
        .filter(uses)
        .map(|pod| pod.text("metadata.name").to_owned());
    page.column("Used By", pods.collect::<Vec<_>>());
    if !object.list("status.conditions").is_empty() {
        put!(page, 0, "Conditions:");
        put!(
            page,
            1,
            "Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage"
        );
        put!(
            page,
            1,
            "----\t------\t-----------------\t------------------\t------\t-------"
        );
        for condition in object.list("status.conditions") {
            let (probed, changed) = (
                full(condition.text("lastProbeTime")),
                full(condition.text("lastTransitionTime")),
            );
            let (reason, message) = (condition.text("reason"), condition.text("message"));
            put!(
                page,
                1,
                "{} \t{} \t{probed} \t{changed} \t{reason} \t{message}",
                condition.text("type"),
                condition.text("status")
            );
        }
    }
    event::section(page, related);
}

/// A claim, or with nothing related the template of one inside a pod.
pub(crate) fn claim(page: &mut Page, claim: &Value, related: Option<&Related>) {
    let spec = claim.at("spec");
    if related.is_some() {
        put!(page, 0, "Name:\t{}", claim.text("metadata.name"));
        put!(page, 0, "Namespace:\t{}", claim.text("metadata.namespace"));
    }
    put!(page, 0, "StorageClass:\t{}", class(claim));
    if let Some(related) = related {
        status(page, claim, related);
    }
    put!(page, 0, "Volume:\t{}", spec.text("volumeName"));
    page.marks(claim);
    if related.is_some() {
        put!(
            page,
            0,
            "Finalizers:\t{}",
            brackets(claim.at("metadata.finalizers"))
        );
    }
    let bound = !spec.text("volumeName").is_empty();
    let capacity = if bound {
        super::page::or(claim.shown("status.capacity.storage"), "0")
    } else {
        String::new()
    };
    put!(page, 0, "Capacity:\t{capacity}");
    put!(
        page,
        0,
        "Access Modes:\t{}",
        if bound {
            access_modes(claim.list("status.accessModes"))
        } else {
            String::new()
        }
    );
    if spec.has("volumeMode") {
        put!(page, 0, "VolumeMode:\t{}", spec.text("volumeMode"));
    }
    let source = spec.at("dataSource");
    if !source.is_null() {
        put!(page, 0, "DataSource:");
        if source.has("apiGroup") {
            put!(page, 1, "APIGroup:\t{}", source.text("apiGroup"));
        }
        put!(page, 1, "Kind:\t{}", source.text("kind"));
        put!(page, 1, "Name:\t{}", source.text("name"));
    }
}

/// A StorageClass.
pub(crate) fn storage_class(page: &mut Page, class: &Value, related: &Related) {
    let annotations = class.map("metadata.annotations");
    let default = [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ];
    let default = default
        .iter()
        .any(|name| annotations.get(*name).and_then(Value::as_str) == Some("true"));
    put!(page, 0, "Name:\t{}", class.text("metadata.name"));
    put!(
        page,
        0,
        "IsDefaultClass:\t{}",
        if default { "Yes" } else { "No" }
    );
    put!(page, 0, "Annotations:\t{}", labels_in_line(annotations));
    put!(page, 0, "Provisioner:\t{}", class.text("provisioner"));
    put!(
        page,
        0,
        "Parameters:\t{}",
        labels_in_line(class.map("parameters"))
    );
    put!(
        page,
        0,
        "AllowVolumeExpansion:\t{}",
        boolean_or_unset(class.at("allowVolumeExpansion"))
    );
    match class.strings("mountOptions").as_slice() {
        [] => put!(page, 0, "MountOptions:\t<none>"),
        options => {
            put!(page, 0, "MountOptions:");
            for option in options {
                put!(page, 1, "{option}");
            }
        }
    }
    for (title, field) in [
        ("ReclaimPolicy", "reclaimPolicy"),
        ("VolumeBindingMode", "volumeBindingMode"),
    ] {
        if class.has(field) {
            put!(page, 0, "{title}:\t{}", class.text(field));
        }
    }
    if class.has("allowedTopologies") {
        let terms = class.list("allowedTopologies");
        put!(
            page,
            0,
            "AllowedTopologies:\t{}",
            if terms.is_empty() { "<none>" } else { "" }
        );
        for (number, term) in terms.iter().enumerate() {
            let lines = term
                .list("matchLabelExpressions")
                .iter()
                .map(|expression| values(expression, "in"));
            page.nested(1, |page| {
                page.column(&format!("Term {number}"), lines.collect::<Vec<_>>())
            });
        }
    }
    event::section(page, related);
}

/// A VolumeAttributesClass.
pub(crate) fn volume_attributes_class(page: &mut Page, class: &Value, related: &Related) {
    put!(page, 0, "Name:\t{}", class.text("metadata.name"));
    put!(
        page,
        0,
        "Annotations:\t{}",
        labels_in_line(class.map("metadata.annotations"))
    );
    put!(page, 0, "DriverName:\t{}", class.text("driverName"));
    put!(
        page,
        0,
        "Parameters:\t{}",
        labels_in_line(class.map("parameters"))
    );
    event::section(page, related);
}

/// A CSINode.
pub(crate) fn csi_node(page: &mut Page, node: &Value, related: &Related) {
    put!(page, 0, "Name:\t{}", node.text("metadata.name"));
    page.marks(node);
    put!(
        page,
        0,
        "CreationTimestamp:\t{}",
        full(node.text("metadata.creationTimestamp"))
    );
    put!(page, 0, "Spec:");
    if node.has("spec.drivers") {
        put!(page, 1, "Drivers:");
    }
    for driver in node.list("spec.drivers") {
        put!(page, 2, "{}:", driver.text("name"));
        put!(page, 3, "Node ID:\t{}", driver.text("nodeID"));
        if driver.has("allocatable.count") {
            put!(page, 3, "Allocatables:");
            put!(page, 4, "Count:\t{}", driver.int("allocatable.count"));
        }
        if driver.has("topologyKeys") {
            put!(page, 3, "Topology Keys:\t{}", driver.shown("topologyKeys"));
        }
    }
    event::section(page, related);
}

fn status(page: &mut Page, object: &Value, related: &Related) {
    match object.text("metadata.deletionTimestamp") {
        "" => put!(page, 0, "Status:\t{}", object.text("status.phase")),
        time => put!(
            page,
            0,
            "Status:\tTerminating (lasts {})",
            since(time, related.now)
        ),
    }
}

/// The storage class of a volume or claim; an annotation of old goes before the field.
fn class(object: &Value) -> &str {
    let annotation = object
        .map("metadata.annotations")
        .get("volume.beta.kubernetes.io/storage-class")
        .and_then(Value::as_str);
    annotation.unwrap_or_else(|| object.text("spec.storageClassName"))
}

fn access_modes(modes: &[Value]) -> String {
    let has = |mode: &str| modes.iter().any(|value| value.as_str() == Some(mode));
    let names = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    names
        .iter()
        .filter(|(mode, _)| has(mode))
        .map(|(_, short)| *short)
        .collect::<Vec<_>>()
        .join(",")
}

fn brackets(list: &Value) -> String {
    super::page::or(shown(list), "[]")
}

fn values(expression: &Value, operator: &str) -> String {
    let values = expression.strings("values");
    let values = if values.is_empty() {
        String::new()
    } else {
        format!(" [{}]", values.join(", "))
    };
    format!("{} {operator}{values}", expression.text("key"))
}
