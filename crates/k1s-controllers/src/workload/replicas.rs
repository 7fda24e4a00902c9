// SPDX-License-Identifier: Apache-2.0
//! replicaset-controller and replicationcontroller-controller: as many pods as the object says, and its status.
//!
//! Both kinds follow one rule; [`Replicated`] is what differs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::future::join_all;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{
    Pod, PodTemplateSpec, ReplicationController, ReplicationControllerCondition,
    ReplicationControllerStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;

use super::{batch, owner, pod, template};
use crate::cache::{Cache, Namespaced, Queue};
use crate::error::{Refusal as _, Result, message};
use crate::recorder::Recorder;
use crate::setup::Setup;

/// Starts replicaset-controller.
pub(crate) fn start_replica_sets(setup: &mut Setup) {
    start::<ReplicaSet>(setup);
}

/// Starts replicationcontroller-controller.
pub(crate) fn start_replication_controllers(setup: &mut Setup) {
    start::<ReplicationController>(setup);
}

fn start<O: Replicated>(setup: &mut Setup) {
    let (owners, pods) = (setup.cache::<O>(), setup.cache::<Pod>());
    let queue = Queue::new();
    owners.feed_own(&queue.0);
    owner::feed_children(&pods, &owners, &queue.0, O::selects);
    let context = Context {
        client: setup.client(),
        owners: owners.clone(),
        pods,
        recorder: setup.recorder(O::COMPONENT),
    };
    setup.controller(O::COMPONENT, queue, &owners, context, reconcile);
}

struct Context<O: Replicated> {
    client: Client,
    owners: Cache<O>,
    pods: Cache<Pod>,
    recorder: Recorder,
}

/// What a kind that keeps a number of equal pods says of them.
trait Replicated: Namespaced + Serialize {
    /// The source of its events.
    const COMPONENT: &'static str;

    /// Whether its status has a number for pods on their way out.
    const COUNTS_TERMINATING: bool;

    fn replicas(&self) -> i32;
    fn selects(&self, labels: &BTreeMap<String, String>) -> bool;
    fn template(&self) -> Option<&PodTemplateSpec>;
    fn min_ready(&self) -> i32;
    fn counts(&self) -> Counts;
    fn with_counts(&self, counts: Counts) -> Self;
}

/// The status of either kind.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counts {
    replicas: i32,
    fully_labeled: i32,
    ready: i32,
    available: i32,
    terminating: Option<i32>,
    observed_generation: i64,
    conditions: Vec<ReplicaSetCondition>,
}

const REPLICA_FAILURE: &str = "ReplicaFailure";

async fn reconcile<O: Replicated>(owner: Arc<O>, cx: Arc<Context<O>>) -> Result<Action> {
    let namespace = owner.namespace().unwrap_or_default();
    let claim = || {
        owner::claim(&cx.client, &cx.pods, owner.as_ref(), |pod: &Pod| {
            owner.selects(pod.labels())
        })
    };
    let mut pods = claim().await?;
    let mut failed = None;
    if owner.meta().deletion_timestamp.is_none() {
        let active: Vec<_> = pods.iter().filter(|p| pod::is_active(p)).cloned().collect();
        let surplus = i64::try_from(active.len()).unwrap_or(i64::MAX) - i64::from(owner.replicas());
        let api = Api::namespaced(cx.client.clone(), &namespace);
        if surplus < 0 {
            failed = create(owner.as_ref(), &cx, &api, surplus.unsigned_abs())
                .await
                .map(|error| ("FailedCreate", error));
        } else if surplus > 0 {
            failed = delete(owner.as_ref(), &cx, &api, active, surplus.unsigned_abs())
                .await
                .map(|error| ("FailedDelete", error));
        }
        if surplus != 0 {
            pods = claim().await?;
        }
    }
    let now = Timestamp::now();
    let failure = failed
        .as_ref()
        .map(|(reason, error)| (*reason, message(error)));
    let mut counts = count(owner.as_ref(), &pods, failure, now);
    if !O::COUNTS_TERMINATING {
        counts.terminating = None;
    }
    if counts != owner.counts() {
        let api: Api<O> = Api::namespaced(cx.client.clone(), &namespace);
        let updated = owner.with_counts(counts.clone());
        let name = owner.name_any();
        let written = api
            .replace_status(&name, &PostParams::default(), &updated)
            .await?;
        cx.owners.caught_up(&written).await;
    }
    if let Some((_, error)) = failed {
        return Err(error.into());
    }
    let waits = counts.ready == owner.replicas() && counts.available != counts.ready;
    let next = pod::next_available(pods.iter().map(AsRef::as_ref), owner.min_ready(), now);
    Ok(match next.filter(|_| waits) {
        Some(left) => Action::requeue(left),
        None => Action::await_change(),
    })
}

/// Makes missing pods; the first failure.
async fn create<O: Replicated>(
    owner: &O,
    cx: &Context<O>,
    api: &Api<Pod>,
    missing: u64,
) -> Option<kube::Error> {
    let template = owner.template()?;
    let pod = template::pod(template, owner::controller_ref(owner), &owner.name_any());
    let missing = batch::BURST.min(usize::try_from(missing).unwrap_or(usize::MAX));
    let (made, failed) = batch::slow_start(missing, |_| async {
        match template::create(api, &pod, owner, &cx.recorder).await {
            Ok(pod) => Ok(Some(pod)),
            Err(error) if error.is_namespace_terminating() => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await;
    for pod in made.iter().flatten() {
        cx.pods.caught_up(pod).await;
    }
    failed
}

/// Deletes the pods that are missed least; the first failure.
async fn delete<O: Replicated>(
    owner: &O,
    cx: &Context<O>,
    api: &Api<Pod>,
    active: Vec<Arc<Pod>>,
    surplus: u64,
) -> Option<kube::Error> {
    let surplus = batch::BURST.min(usize::try_from(surplus).unwrap_or(usize::MAX));
    let neighbours = if surplus < active.len() {
        crowds(owner, cx)
    } else {
        HashMap::new()
    };
    let now = Timestamp::now();
    let mut candidates: Vec<_> = active
        .into_iter()
        .map(|pod| pod::Candidate {
            neighbours: neighbours.get(&node(&pod)).copied().unwrap_or(0),
            pod,
            now: &now,
        })
        .collect();
    pod::sort_by_dispensability(&mut candidates);
    let deleted = candidates.iter().take(surplus).map(|candidate| async {
        let name = candidate.pod.name_any();
        match api.delete(&name, &DeleteParams::default()).await {
            Ok(_) => {
                let text = format!("Deleted pod: {name}");
                cx.recorder.normal(owner, "SuccessfulDelete", text);
                cx.pods.gone(candidate.pod.as_ref()).await;
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                let text = format!("Error deleting: {}", message(&error));
                cx.recorder.warning(owner, "FailedDelete", text);
                Err(error)
            }
        }
    });
    join_all(deleted).await.into_iter().find_map(Result::err)
}

fn node(pod: &Pod) -> String {
    let spec = pod.spec.as_ref();
    spec.and_then(|spec| spec.node_name.clone())
        .unwrap_or_default()
}

/// How many active pods of the same Deployment there are on each node.
fn crowds<O: Replicated>(owner: &O, cx: &Context<O>) -> HashMap<String, usize> {
    let namespace = owner.namespace().unwrap_or_default();
    let siblings = match owner::controller_of(owner.meta()) {
        Some(parent) => cx.owners.in_namespace(&namespace, |other| {
            owner::is_controlled_by(other.meta(), &parent.uid)
        }),
        None => Vec::new(),
    };
    let mut uids: Vec<_> = siblings
        .iter()
        .filter_map(|sibling| sibling.uid())
        .collect();
    uids.extend(owner.uid());
    let mut crowds = HashMap::new();
    let related = cx.pods.in_namespace(&namespace, |p| {
        pod::is_active(p)
            && owner::controller_of(&p.metadata).is_some_and(|c| uids.contains(&c.uid))
    });
    for pod in related {
        *crowds.entry(node(&pod)).or_default() += 1;
    }
    crowds
}

/// What the pods amount to.
fn count<O: Replicated>(
    owner: &O,
    pods: &[Arc<Pod>],
    failure: Option<(&str, String)>,
    now: Timestamp,
) -> Counts {
    let labels = owner
        .template()
        .and_then(|template| template.metadata.as_ref());
    let labels = labels
        .and_then(|meta| meta.labels.clone())
        .unwrap_or_default();
    let number = |wanted: &dyn Fn(&Pod) -> bool| {
        let active = pods.iter().filter(|p| pod::is_active(p) && wanted(p));
        i32::try_from(active.count()).unwrap_or(i32::MAX)
    };
    let before = owner.counts();
    let going = pods
        .iter()
        .filter(|p| pod::is_going(p) && !pod::is_finished(p));
    let mut conditions = before.conditions;
    match failure {
        Some((reason, message)) => {
            if !conditions.iter().any(|c| c.type_ == REPLICA_FAILURE) {
                conditions.push(ReplicaSetCondition {
                    type_: REPLICA_FAILURE.into(),
                    status: "True".into(),
                    reason: Some(reason.to_owned()),
                    message: Some(message),
                    last_transition_time: Some(Time(now)),
                });
            }
        }
        None => conditions.retain(|c| c.type_ != REPLICA_FAILURE),
    }
    Counts {
        replicas: number(&|_| true),
        fully_labeled: number(&|pod| {
            labels
                .iter()
                .all(|(key, value)| pod.labels().get(key) == Some(value))
        }),
        ready: number(&pod::is_ready),
        available: number(&|pod| pod::is_available(pod, owner.min_ready(), now)),
        terminating: Some(i32::try_from(going.count()).unwrap_or(i32::MAX)),
        observed_generation: owner.meta().generation.unwrap_or(0),
        conditions,
    }
}

/// Numbers that are zero are left out, as Kubernetes leaves them out.
pub(crate) fn nonzero<N: Default + PartialEq>(number: N) -> Option<N> {
    (number != N::default()).then_some(number)
}

impl Replicated for ReplicaSet {
    const COMPONENT: &'static str = "replicaset-controller";
    const COUNTS_TERMINATING: bool = true;

    fn replicas(&self) -> i32 {
        self.spec
            .as_ref()
            .and_then(|spec| spec.replicas)
            .unwrap_or(1)
    }

    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.spec
            .as_ref()
            .is_some_and(|spec| owner::selects(&spec.selector, labels))
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref()?.template.as_ref()
    }

    fn min_ready(&self) -> i32 {
        self.spec
            .as_ref()
            .and_then(|spec| spec.min_ready_seconds)
            .unwrap_or(0)
    }

    fn counts(&self) -> Counts {
        let status = self.status.clone().unwrap_or_default();
        Counts {
            replicas: status.replicas,
            fully_labeled: status.fully_labeled_replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            terminating: status.terminating_replicas,
            observed_generation: status.observed_generation.unwrap_or(0),
            conditions: status.conditions.unwrap_or_default(),
        }
    }

    fn with_counts(&self, counts: Counts) -> Self {
        let mut updated = self.clone();
        updated.status = Some(ReplicaSetStatus {
            replicas: counts.replicas,
            fully_labeled_replicas: nonzero(counts.fully_labeled),
            ready_replicas: nonzero(counts.ready),
            available_replicas: nonzero(counts.available),
            terminating_replicas: counts.terminating,
            observed_generation: nonzero(counts.observed_generation),
            conditions: (!counts.conditions.is_empty()).then_some(counts.conditions),
        });
        updated
    }
}

impl Replicated for ReplicationController {
    const COMPONENT: &'static str = "replication-controller";
    const COUNTS_TERMINATING: bool = false;

    fn replicas(&self) -> i32 {
        self.spec
            .as_ref()
            .and_then(|spec| spec.replicas)
            .unwrap_or(1)
    }

    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let selector = self.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        selector.is_some_and(|selector| {
            !selector.is_empty()
                && selector
                    .iter()
                    .all(|(key, value)| labels.get(key) == Some(value))
        })
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref()?.template.as_ref()
    }

    fn min_ready(&self) -> i32 {
        self.spec
            .as_ref()
            .and_then(|spec| spec.min_ready_seconds)
            .unwrap_or(0)
    }

    fn counts(&self) -> Counts {
        let status = self.status.clone().unwrap_or_default();
        let conditions = status.conditions.into_iter().flatten();
        Counts {
            replicas: status.replicas,
            fully_labeled: status.fully_labeled_replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            terminating: None,
            observed_generation: status.observed_generation.unwrap_or(0),
            conditions: conditions
                .map(|c| ReplicaSetCondition {
                    last_transition_time: c.last_transition_time,
                    message: c.message,
                    reason: c.reason,
                    status: c.status,
                    type_: c.type_,
                })
                .collect(),
        }
    }

    fn with_counts(&self, counts: Counts) -> Self {
        let conditions: Vec<_> = counts
            .conditions
            .into_iter()
            .map(|c| ReplicationControllerCondition {
                last_transition_time: c.last_transition_time,
                message: c.message,
                reason: c.reason,
                status: c.status,
                type_: c.type_,
            })
            .collect();
        let mut updated = self.clone();
        updated.status = Some(ReplicationControllerStatus {
            replicas: counts.replicas,
            fully_labeled_replicas: nonzero(counts.fully_labeled),
            ready_replicas: nonzero(counts.ready),
            available_replicas: nonzero(counts.available),
            observed_generation: nonzero(counts.observed_generation),
            conditions: (!conditions.is_empty()).then_some(conditions),
        });
        updated
    }
}
