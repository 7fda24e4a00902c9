// SPDX-License-Identifier: Apache-2.0
//! What concerns the cluster as a whole: nodes, services, budgets, quotas, volumes.

pub(crate) mod nodes;
pub(crate) mod volume_fit;
