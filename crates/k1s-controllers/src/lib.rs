// SPDX-License-Identifier: Apache-2.0
//! The controllers that make a small cluster whole: what kube-controller-manager, kube-scheduler and, with hollow nodes,
//! the kubelets do.
//!
//! Entry point: [`run`]. Everything here is an ordinary program of kube-rs: it sees the API through a `kube::Client` alone,
//! so it works on the service in this process and on any other cluster. A kind is watched once, however many controllers
//! look at it (`cache`). What is decided is a pure function of the objects and the time, apart from the code that reads
//! and writes.
//!
//! What it is not: garbage collection of dependents, the end of namespaces and default service accounts belong to the API
//! service itself and are always on.

mod cache;
mod cluster;
mod error;
mod hollow;
mod recorder;
mod registry;
mod scheduler;
mod selection;
mod setup;
mod workload;

use kube::Client;

pub use selection::{Selection, UnknownController};

/// What [`run`] is told besides the controllers to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How many hollow nodes there are: nodes without a kubelet that report every pod as running. 0 for none.
    pub hollow_nodes: u32,
}

/// Runs the selected controllers until `stop` is done. Whatever is under way then is dropped, as a killed process would.
///
/// A failure to reach the API ends nothing: watches and reconciliations are tried again with a growing pause.
pub async fn run(
    client: Client,
    selection: &Selection,
    options: Options,
    stop: impl Future<Output = ()>,
) {
    let mut setup = setup::Setup::new(client, options);
    for entry in registry::ENTRIES {
        if selection.contains(entry.name) {
            (entry.start)(&mut setup);
        }
    }
    hollow::start(&mut setup);
    // Dropping the set aborts what runs in it.
    let tasks = setup.spawn();
    stop.await;
    drop(tasks);
}
