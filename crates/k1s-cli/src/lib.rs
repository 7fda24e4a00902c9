// SPDX-License-Identifier: Apache-2.0
//! kubectl-compatible command line over any Kubernetes API.

pub mod config_file;
pub mod describe;
pub mod explain;
pub mod generate;
pub mod go_order;
pub mod tabwriter;
