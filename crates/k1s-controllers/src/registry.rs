// SPDX-License-Identifier: Apache-2.0
//! The table of controllers: kube-controller-manager's names for them, and how each is started.

use crate::setup::Setup;
use crate::workload::{
    cronjob, daemonset, deployment, job, node_ttl, pod_gc, replicas, statefulset,
    ttl_after_finished,
};

/// A controller that can be selected.
pub(crate) struct Entry {
    /// The name that kube-controller-manager gives it.
    pub(crate) name: &'static str,
    /// The older, shorter name that kube-controller-manager still takes; empty if there is none.
    pub(crate) alias: &'static str,
    /// Registers its caches and its tasks.
    pub(crate) start: fn(&mut Setup),
}

const fn entry(name: &'static str, alias: &'static str, start: fn(&mut Setup)) -> Entry {
    Entry { name, alias, start }
}

/// All controllers, in the order of the help.
pub(crate) const ENTRIES: &[Entry] = &[
    entry("kube-scheduler", "scheduler", crate::scheduler::start),
    entry(
        "node-lifecycle-controller",
        "nodelifecycle",
        crate::cluster::nodes::start,
    ),
    entry(
        "taint-eviction-controller",
        "",
        crate::cluster::nodes::start_eviction,
    ),
    entry("deployment-controller", "deployment", deployment::start),
    entry(
        "replicaset-controller",
        "replicaset",
        replicas::start_replica_sets,
    ),
    entry(
        "replicationcontroller-controller",
        "replicationcontroller",
        replicas::start_replication_controllers,
    ),
    entry("job-controller", "job", job::start),
    entry("statefulset-controller", "statefulset", statefulset::start),
    entry("daemonset-controller", "daemonset", daemonset::start),
    entry("cronjob-controller", "cronjob", cronjob::start),
    entry(
        "ttl-after-finished-controller",
        "ttl-after-finished",
        ttl_after_finished::start,
    ),
    entry("pod-garbage-collector-controller", "podgc", pod_gc::start),
    entry("ttl-controller", "ttl", node_ttl::start),
    entry(
        "endpoints-controller",
        "endpoint",
        crate::cluster::services::start_endpoints,
    ),
    entry(
        "endpointslice-controller",
        "endpointslice",
        crate::cluster::services::start_slices,
    ),
    entry(
        "endpointslice-mirroring-controller",
        "endpointslicemirroring",
        crate::cluster::services::start_mirroring,
    ),
    entry(
        "disruption-controller",
        "disruption",
        crate::cluster::budgets::start,
    ),
    entry(
        "resourcequota-controller",
        "resourcequota",
        crate::cluster::quota::start,
    ),
    entry(
        "persistentvolume-binder-controller",
        "persistentvolume-binder",
        crate::cluster::volumes::start_binder,
    ),
    entry(
        "persistentvolumeclaim-protection-controller",
        "pvc-protection",
        crate::cluster::volumes::start_claim_protection,
    ),
    entry(
        "persistentvolume-protection-controller",
        "pv-protection",
        crate::cluster::volumes::start_volume_protection,
    ),
    entry(
        "ephemeral-volume-controller",
        "ephemeral-volume",
        crate::cluster::volumes::start_ephemeral,
    ),
];
