// SPDX-License-Identifier: Apache-2.0
//! Controllers of workloads: what makes pods, and what takes them away when they are done.
//!
//! What they share: [`owner`] (controller references, adoption), [`pod`] (what a pod's state means), [`template`] (pods
//! from templates, hashes), [`batch`] (many requests at a time), [`revision`] (ControllerRevisions).

pub(crate) mod batch;
pub(crate) mod cronjob;
pub(crate) mod daemonset;
pub(crate) mod deployment;
pub(crate) mod job;
pub(crate) mod node_ttl;
pub(crate) mod owner;
pub(crate) mod pod;
pub(crate) mod pod_gc;
pub(crate) mod replicas;
pub(crate) mod revision;
pub(crate) mod statefulset;
pub(crate) mod template;
pub(crate) mod ttl_after_finished;
