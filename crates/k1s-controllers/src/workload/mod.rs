// SPDX-License-Identifier: Apache-2.0
//! Controllers of workloads: what makes pods, and what takes them away when they are done.
