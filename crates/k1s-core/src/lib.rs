// SPDX-License-Identifier: Apache-2.0
//! Kubernetes objects, kinds, schemas, selectors and patches, without I/O.

pub mod name;
