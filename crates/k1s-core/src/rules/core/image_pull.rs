// SPDX-License-Identifier: Apache-2.0
//! How images are pulled.

use serde_json::Value;

use super::pod_template::check;
use crate::field::{Errors, Path};

const POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];

/// `parent[key]` is a pull policy.
pub(in crate::rules) fn validate_policy(
    parent: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    check::required_one_of(parent, key, &POLICIES, path, errors);
}
