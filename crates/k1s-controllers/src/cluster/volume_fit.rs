// SPDX-License-Identifier: Apache-2.0
//! Whether a volume is what a claim asks for.

use k1s_core::quantity::Quantity;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};

use crate::scheduler::pod::selector;
use crate::scheduler::volumes::capacity;

/// Whether size, access modes, mode and labels fit, and the volume is not on its way out. Class and claimant are not asked.
pub(crate) fn fits(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let (Some(asked), Some(offered)) = (&claim.spec, &volume.spec) else {
        return false;
    };
    let modes = offered.access_modes.as_deref().unwrap_or_default();
    let mode = |mode: &Option<String>| mode.clone().unwrap_or_else(|| "Filesystem".into());
    volume.metadata.deletion_timestamp.is_none()
        && mode(&asked.volume_mode) == mode(&offered.volume_mode)
        && asked
            .access_modes
            .iter()
            .flatten()
            .all(|m| modes.contains(m))
        && capacity(volume) >= requested(claim)
        && asked
            .selector
            .as_ref()
            .is_none_or(|wanted| selector(Some(wanted)).matches(&volume.metadata.labels.as_ref()))
}

/// How much a claim asks for, bytes.
pub(crate) fn requested(claim: &PersistentVolumeClaim) -> i64 {
    claim
        .spec
        .as_ref()
        .and_then(|s| s.resources.as_ref()?.requests.as_ref()?.get("storage"))
        .and_then(|quantity| Quantity::parse(&quantity.0).ok())
        .map_or(0, |quantity| quantity.value())
}
