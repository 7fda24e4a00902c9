// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of storage.k8s.io.

mod csi_driver;
mod csi_node;
mod csi_storage_capacity;
mod storage_class;
mod volume_attachment;
mod volume_attributes_class;

use super::Rules;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "CSIDriver" => Some(&csi_driver::RULES),
        "CSINode" => Some(&csi_node::RULES),
        "CSIStorageCapacity" => Some(&csi_storage_capacity::RULES),
        "StorageClass" => Some(&storage_class::RULES),
        "VolumeAttachment" => Some(&volume_attachment::RULES),
        "VolumeAttributesClass" => Some(&volume_attributes_class::RULES),
        _ => None,
    }
}
