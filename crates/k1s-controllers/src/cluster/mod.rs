// SPDX-License-Identifier: Apache-2.0
//! Controllers of what a cluster consists of: nodes, endpoints, budgets, quotas, volumes.
