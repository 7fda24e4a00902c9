// SPDX-License-Identifier: Apache-2.0
//! Volumes of pods and sources of persistent volumes: a table of what is shown of each type.

use serde_json::{Map, Value};

use super::field::{Fields, shown};
use super::page::{Page, put, sorted};
use super::storage;

/// Longest attribute that is shown whole.
const ATTRIBUTE_BYTES: usize = 140;

/// How the value of a field is shown.
#[derive(Clone, Copy)]
enum Shape {
    /// As it is, nothing where it is not set.
    Plain,
    /// `true` or `false`.
    Flag,
    /// A number, 0 where it is not set.
    Number,
    /// This text where it is not set.
    Or(&'static str),
    /// A list with commas.
    Joined,
    /// A reference to a Secret in the same namespace.
    Local,
    /// A reference to a Secret in any namespace.
    Secret,
}
use Shape::{Flag, Joined, Local, Number, Or, Plain, Secret};

/// A type of volume: its field, what it is, and what is shown of it as (title, field, shape).
type Source = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str, Shape)],
);

/// In the order in which they are looked for.
const POD: &[Source] = &[
    (
        "hostPath",
        "HostPath (bare host directory volume)",
        &[
            ("Path:", "path", Plain),
            ("HostPathType:", "type", Or("<none>")),
        ],
    ),
    (
        "emptyDir",
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        &[
            ("Medium:", "medium", Plain),
            ("SizeLimit:", "sizeLimit", Or("<unset>")),
        ],
    ),
    (
        "gcePersistentDisk",
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        &[
            ("PDName:", "pdName", Plain),
            ("FSType:", "fsType", Plain),
            ("Partition:", "partition", Number),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "awsElasticBlockStore",
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        &[
            ("VolumeID:", "volumeID", Plain),
            ("FSType:", "fsType", Plain),
            ("Partition:", "partition", Number),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "gitRepo",
        "GitRepo (a volume that is pulled from git when the pod is created)",
        &[
            ("Repository:", "repository", Plain),
            ("Revision:", "revision", Plain),
        ],
    ),
    (
        "secret",
        "Secret (a volume populated by a Secret)",
        &[
            ("SecretName:", "secretName", Plain),
            ("Optional:", "optional", Flag),
        ],
    ),
    (
        "configMap",
        "ConfigMap (a volume populated by a ConfigMap)",
        &[("Name:", "name", Plain), ("Optional:", "optional", Flag)],
    ),
    (
        "nfs",
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        &[
            ("Server:", "server", Plain),
            ("Path:", "path", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "iscsi",
        "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)",
        &[
            ("TargetPortal:", "targetPortal", Plain),
            ("IQN:", "iqn", Plain),
            ("Lun:", "lun", Number),
            ("ISCSIInterface", "iscsiInterface", Plain),
            ("FSType:", "fsType", Plain),
            ("ReadOnly:", "readOnly", Flag),
            ("Portals:", "portals", Or("[]")),
            ("DiscoveryCHAPAuth:", "chapAuthDiscovery", Flag),
            ("SessionCHAPAuth:", "chapAuthSession", Flag),
            ("SecretRef:", "secretRef", Local),
            ("InitiatorName:", "initiatorName", Or("<none>")),
        ],
    ),
    (
        "glusterfs",
        "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)",
        &[
            ("EndpointsName:", "endpoints", Plain),
            ("Path:", "path", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "persistentVolumeClaim",
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        &[
            ("ClaimName:", "claimName", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "ephemeral",
        "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
        &[],
    ),
    (
        "rbd",
        "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)",
        &[
            ("CephMonitors:", "monitors", Or("[]")),
            ("RBDImage:", "image", Plain),
            ("FSType:", "fsType", Plain),
            ("RBDPool:", "pool", Plain),
            ("RadosUser:", "user", Plain),
            ("Keyring:", "keyring", Plain),
            ("SecretRef:", "secretRef", Local),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "quobyte",
        "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
        &[
            ("Registry:", "registry", Plain),
            ("Volume:", "volume", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "downwardAPI",
        "DownwardAPI (a volume populated by information about the pod)",
        &[],
    ),
    (
        "azureDisk",
        "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
        &[
            ("DiskName:", "diskName", Plain),
            ("DiskURI:", "diskURI", Plain),
            ("Kind: ", "kind", Plain),
            ("FSType:", "fsType", Plain),
            ("CachingMode:", "cachingMode", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "vsphereVolume",
        "vSphereVolume (a Persistent Disk resource in vSphere)",
        &[
            ("VolumePath:", "volumePath", Plain),
            ("FSType:", "fsType", Plain),
            ("StoragePolicyName:", "storagePolicyName", Plain),
        ],
    ),
    (
        "cinder",
        "Cinder (a Persistent Disk resource in OpenStack)",
        &[
            ("VolumeID:", "volumeID", Plain),
            ("FSType:", "fsType", Plain),
            ("ReadOnly:", "readOnly", Flag),
            ("SecretRef:", "secretRef", Local),
        ],
    ),
    (
        "photonPersistentDisk",
        "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
        &[("PdID:", "pdID", Plain), ("FSType:", "fsType", Plain)],
    ),
    (
        "portworxVolume",
        "PortworxVolume (a Portworx Volume resource)",
        &[("VolumeID:", "volumeID", Plain)],
    ),
    (
        "scaleIO",
        "ScaleIO (a persistent volume backed by a block device in ScaleIO)",
        &[
            ("Gateway:", "gateway", Plain),
            ("System:", "system", Plain),
            ("Protection Domain:", "protectionDomain", Plain),
            ("Storage Pool:", "storagePool", Plain),
            ("Storage Mode:", "storageMode", Plain),
            ("VolumeName:", "volumeName", Plain),
            ("FSType:", "fsType", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "cephfs",
        "CephFS (a CephFS mount on the host that shares a pod's lifetime)",
        &[
            ("Monitors:", "monitors", Or("[]")),
            ("Path:", "path", Plain),
            ("User:", "user", Plain),
            ("SecretFile:", "secretFile", Plain),
            ("SecretRef:", "secretRef", Local),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "storageos",
        "StorageOS (a StorageOS Persistent Disk resource)",
        &[
            ("VolumeName:", "volumeName", Plain),
            ("VolumeNamespace:", "volumeNamespace", Plain),
            ("FSType:", "fsType", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "fc",
        "FC (a Fibre Channel disk)",
        &[
            ("TargetWWNs:", "targetWWNs", Joined),
            ("LUN:", "lun", Or("<none>")),
            ("FSType:", "fsType", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "azureFile",
        "AzureFile (an Azure File Service mount on the host and bind mount to the pod)",
        &[
            ("SecretName:", "secretName", Plain),
            ("ShareName:", "shareName", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "flexVolume",
        "FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)",
        &[
            ("Driver:", "driver", Plain),
            ("FSType:", "fsType", Plain),
            ("SecretRef:", "secretRef", Local),
            ("ReadOnly:", "readOnly", Flag),
            ("Options:", "options", Or("map[]")),
        ],
    ),
    (
        "flocker",
        "Flocker (a Flocker volume mounted by the Flocker agent)",
        &[
            ("DatasetName:", "datasetName", Plain),
            ("DatasetUUID:", "datasetUUID", Plain),
        ],
    ),
    (
        "projected",
        "Projected (a volume that contains injected data from multiple sources)",
        &[],
    ),
    (
        "csi",
        "CSI (a Container Storage Interface (CSI) volume source)",
        &[
            ("Driver:", "driver", Plain),
            ("FSType:", "fsType", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "image",
        "Image (a container image or OCI artifact)",
        &[
            ("Reference:", "reference", Plain),
            ("PullPolicy:", "pullPolicy", Plain),
        ],
    ),
];

/// What persistent volumes have beyond [`POD`], or show in another way.
const PERSISTENT: &[Source] = &[
    (
        "local",
        "LocalVolume (a persistent volume backed by local storage on a node)",
        &[("Path:", "path", Plain)],
    ),
    (
        "iscsi",
        POD[8].1,
        &[
            ("TargetPortal:", "targetPortal", Plain),
            ("IQN:", "iqn", Plain),
            ("Lun:", "lun", Number),
            ("ISCSIInterface", "iscsiInterface", Plain),
            ("FSType:", "fsType", Plain),
            ("ReadOnly:", "readOnly", Flag),
            ("Portals:", "portals", Or("[]")),
            ("DiscoveryCHAPAuth:", "chapAuthDiscovery", Flag),
            ("SessionCHAPAuth:", "chapAuthSession", Flag),
            ("SecretRef:", "secretRef", Secret),
            ("InitiatorName:", "initiatorName", Or("<none>")),
        ],
    ),
    (
        "glusterfs",
        POD[9].1,
        &[
            ("EndpointsName:", "endpoints", Plain),
            ("EndpointsNamespace:", "endpointsNamespace", Or("<unset>")),
            ("Path:", "path", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "scaleIO",
        POD[20].1,
        &[
            ("Gateway:", "gateway", Plain),
            ("System:", "system", Plain),
            ("Protection Domain:", "protectionDomain", Plain),
            ("Storage Pool:", "storagePool", Plain),
            ("Storage Mode:", "storageMode", Plain),
            ("VolumeName:", "volumeName", Plain),
            ("SecretName:", "secretRef.name", Plain),
            ("SecretNamespace:", "secretRef.namespace", Plain),
            ("FSType:", "fsType", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "azureFile",
        POD[24].1,
        &[
            ("SecretName:", "secretName", Plain),
            ("SecretNamespace:", "secretNamespace", Plain),
            ("ShareName:", "shareName", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
    (
        "csi",
        POD[28].1,
        &[
            ("Driver:", "driver", Plain),
            ("FSType:", "fsType", Plain),
            ("VolumeHandle:", "volumeHandle", Plain),
            ("ReadOnly:", "readOnly", Flag),
        ],
    ),
];

/// The volumes of a pod, or of a pod template that is indented by `space`.
pub(crate) fn section(page: &mut Page, volumes: &[Value], space: &str) {
    if volumes.is_empty() {
        put!(page, 0, "{space}Volumes:\t<none>");
        return;
    }
    put!(page, 0, "{space}Volumes:");
    for volume in volumes {
        put!(
            page,
            1,
            "{}{}:",
            if space.is_empty() { "" } else { " " },
            volume.text("name")
        );
        source(page, volume, POD, false);
    }
}

/// The source of a persistent volume.
pub(crate) fn persistent(page: &mut Page, spec: &Value) {
    let special = PERSISTENT.iter().any(|(field, ..)| spec.has(field));
    source(page, spec, if special { PERSISTENT } else { POD }, true);
}

fn source(page: &mut Page, volume: &Value, sources: &[Source], persistent: bool) {
    let Some((field, about, lines)) = sources.iter().find(|(field, ..)| volume.has(field)) else {
        put!(page, 1, "<unknown>");
        return;
    };
    let source = volume.at(field);
    put!(page, 2, "Type:\t{about}");
    for (title, field, shape) in *lines {
        put!(
            page,
            2,
            "{title}\t{}",
            value(source, field, *shape, persistent)
        );
    }
    match *field {
        "csi" => attributes(page, source.map("volumeAttributes")),
        "downwardAPI" => {
            put!(page, 2, "Items:");
            for item in source.list("items") {
                let from = if item.has("fieldRef") {
                    item.text("fieldRef.fieldPath")
                } else {
                    item.text("resourceFieldRef.resource")
                };
                put!(page, 3, "{from} -> {}", item.text("path"));
            }
        }
        "projected" => projected(page, source.list("sources")),
        "ephemeral" => page.nested_object(2, |page| {
            storage::claim(page, source.at("volumeClaimTemplate"), None)
        }),
        _ => {}
    }
}

fn value(source: &Value, field: &str, shape: Shape, persistent: bool) -> String {
    let value = source.at(field);
    match shape {
        Plain => shown(value),
        Flag => source.flag(field).to_string(),
        Number => source.int(field).to_string(),
        Or(instead) if value.is_null() => instead.to_owned(),
        Or(_) => shown(value),
        Joined => source.strings(field).join(", "),
        Local | Secret if value.is_null() => "nil".to_owned(),
        Local if !persistent => format!("&LocalObjectReference{{Name:{},}}", value.text("name")),
        Local | Secret => format!(
            "&SecretReference{{Name:{},Namespace:{},}}",
            value.text("name"),
            value.text("namespace")
        ),
    }
}

/// Attributes stand further in than other values, as kubectl has them.
fn attributes(page: &mut Page, attributes: &Map<String, Value>) {
    let lines = sorted(attributes).map(|(name, value)| {
        let mut line = format!("{name}={}", shown(value));
        if line.len() > ATTRIBUTE_BYTES {
            line.truncate(line.floor_char_boundary(ATTRIBUTE_BYTES));
            line += "...";
        }
        line
    });
    let mut title = "VolumeAttributes:";
    for line in lines {
        put!(page, 2, "{title}\t    {line}");
        title = "    ";
    }
    if attributes.is_empty() {
        put!(page, 2, "{title}\t<none>");
    }
}

fn projected(page: &mut Page, sources: &[Value]) {
    for source in sources {
        for (field, title) in [("secret", "SecretName"), ("configMap", "ConfigMapName")] {
            if source.has(field) {
                put!(page, 2, "{title}:\t{}", source.at(field).text("name"));
                put!(page, 2, "Optional:\t{}", source.at(field).flag("optional"));
            }
        }
        if source.has("downwardAPI") {
            put!(page, 2, "DownwardAPI:\ttrue");
        }
        if source.has("serviceAccountToken") {
            put!(
                page,
                2,
                "TokenExpirationSeconds:\t{}",
                source.int("serviceAccountToken.expirationSeconds")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PERSISTENT, POD};

    #[test]
    fn persistent_sources_share_their_words_with_pods() {
        for (field, about, _) in &PERSISTENT[1..] {
            assert!(
                POD.iter().any(|pod| pod.0 == *field && pod.1 == *about),
                "{field}"
            );
        }
    }
}
