// SPDX-License-Identifier: Apache-2.0
//! Fields of features that are off by default in Kubernetes 1.35: they are dropped, unless the stored object has them.

use serde_json::Value;

use crate::object::{at_mut, list_mut, remove};

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];
const STATUSES: [&str; 3] = [
    "initContainerStatuses",
    "containerStatuses",
    "ephemeralContainerStatuses",
];

/// Drops them from a pod spec. Nothing stored can have them, as no write can have brought them.
pub(in crate::rules) fn drop_from_spec(spec: &mut Value) {
    remove(spec, &["workloadRef"]);
    for kind in CONTAINERS {
        for container in list_mut(spec, &[kind]) {
            let had = remove(container, &["lifecycle", "stopSignal"]).is_some();
            if had
                && container["lifecycle"]
                    .as_object()
                    .is_some_and(serde_json::Map::is_empty)
            {
                remove(container, &["lifecycle"]);
            }
        }
    }
    for volume in list_mut(spec, &["volumes"]) {
        for source in list_mut(volume, &["projected", "sources"]) {
            remove(source, &["clusterTrustBundle"]);
            remove(source, &["podCertificate"]);
        }
    }
}

/// Drops them from the status of a Pod.
pub(in crate::rules) fn drop_from_status(pod: &mut Value) {
    let Some(status) = at_mut(pod, &["status"]) else {
        return;
    };
    for key in [
        "resources",
        "allocatedResources",
        "extendedResourceClaimStatus",
    ] {
        remove(status, &[key]);
    }
    for kind in STATUSES {
        for container in list_mut(status, &[kind]) {
            remove(container, &["allocatedResourcesStatus"]);
        }
    }
}
