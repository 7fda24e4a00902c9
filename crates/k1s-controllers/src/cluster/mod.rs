// SPDX-License-Identifier: Apache-2.0
//! What concerns the cluster as a whole: nodes, services, budgets, quotas, volumes.

pub(crate) mod budgets;

pub(crate) mod nodes;
pub(crate) mod quota;
pub(crate) mod services;
pub(crate) mod volume_fit;
pub(crate) mod volumes;
