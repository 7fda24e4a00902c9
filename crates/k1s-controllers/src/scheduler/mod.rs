// SPDX-License-Identifier: Apache-2.0
//! The scheduler: which node a pod goes to, as kube-scheduler decides it with its default plugins.
//!
//! One pod is placed after another, on a picture of the cluster in which a pod that was placed a moment ago has its room
//! already; the API is told meanwhile. So no node is given more than it has.
//! What decides is apart from what reads and writes: `filter`, `score` and `preemption` know objects only.

mod affinity;
mod amounts;
mod filter;
pub(crate) mod matching;
mod message;
mod node;
pub(crate) mod pod;
mod preemption;
mod queue;
mod run;
mod score;
mod spread;
mod state;
#[cfg(test)]
mod tests;
pub(crate) mod volumes;
mod write;

pub(crate) use run::start;

/// The name of the scheduler in pods that want it, and in what it writes.
pub(crate) const NAME: &str = "default-scheduler";
