// SPDX-License-Identifier: Apache-2.0
//! The Kubernetes API as one tower service over an embedded store.

pub mod discovery;
