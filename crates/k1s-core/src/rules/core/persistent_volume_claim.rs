// SPDX-License-Identifier: Apache-2.0
//! PersistentVolumeClaim.

use serde_json::Value;

use crate::object::{self, map_mut};

/// Fills in the defaults of a claim.
pub(in crate::rules) fn default(object: &mut Value) {
    object::default(map_mut(object, &["status"]), "phase", "Pending");
    object::default_absent(map_mut(object, &["spec"]), "volumeMode", "Filesystem");
}
