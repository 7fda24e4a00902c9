// SPDX-License-Identifier: Apache-2.0
//! Defaults of a volume.

use serde_json::{Value, json};

use super::container_default::{default_field_ref, pull_policy, with_map};
use crate::object::{self, at_mut, default, default_absent, list_mut, text};
use crate::rules::core::resource_name;

const FILE_MODE: i64 = 0o644;
const TOKEN_SECONDS: i64 = 3600;

/// Fills in the defaults of a volume; one of no type is an `emptyDir`.
pub(super) fn default_volume(volume: &mut Value) {
    let map = object::make_map(volume);
    if map
        .iter()
        .all(|(key, value)| key == "name" || value.is_null())
    {
        map.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        with_map(volume, &[source], |map| {
            default_absent(map, "defaultMode", FILE_MODE);
        });
    }
    default_downward_api(volume);
    for source in list_mut(volume, &["projected", "sources"]) {
        default_downward_api(source);
        with_map(source, &["serviceAccountToken"], |token| {
            default_absent(token, "expirationSeconds", TOKEN_SECONDS);
        });
    }
    if let Some(policy) = volume
        .get("image")
        .map(|i| pull_policy(text(i, &["reference"])))
    {
        with_map(volume, &["image"], |image| {
            default(image, "pullPolicy", policy);
        });
    }
    default_claim(volume);
    default_source(volume);
}

/// Fills in the defaults of what a volume of a pod and a persistent volume have in common.
pub(in crate::rules) fn default_source(volume: &mut Value) {
    with_map(volume, &["hostPath"], |map| default_absent(map, "type", ""));
    default_foreign(volume);
}

fn default_downward_api(parent: &mut Value) {
    for item in list_mut(parent, &["downwardAPI", "items"]) {
        default_field_ref(item, &["fieldRef"]);
    }
}

fn default_claim(volume: &mut Value) {
    let spec = ["ephemeral", "volumeClaimTemplate", "spec"];
    with_map(volume, &spec, |map| {
        default_absent(map, "volumeMode", "Filesystem");
    });
    for key in ["limits", "requests"] {
        if let Some(list) = at_mut(volume, &spec).and_then(|s| at_mut(s, &["resources", key])) {
            resource_name::round_up(list);
        }
    }
}

/// Storage of other systems.
fn default_foreign(volume: &mut Value) {
    with_map(volume, &["iscsi"], |map| {
        default(map, "iscsiInterface", "default");
    });
    with_map(volume, &["rbd"], |map| {
        default(map, "pool", "rbd");
        default(map, "user", "admin");
        default(map, "keyring", "/etc/ceph/keyring");
    });
    with_map(volume, &["azureDisk"], |map| {
        default_absent(map, "cachingMode", "ReadWrite");
        default_absent(map, "fsType", "ext4");
        default_absent(map, "readOnly", false);
        default_absent(map, "kind", "Shared");
    });
    with_map(volume, &["scaleIO"], |map| {
        default(map, "storageMode", "ThinProvisioned");
        default(map, "fsType", "xfs");
    });
}
