// SPDX-License-Identifier: Apache-2.0
//! daemonset-controller: a pod on every node that is to have one.
//!
//! [`placement`] says which nodes these are, [`plan`] what is made and deleted.

mod placement;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, DaemonSetSpec, DaemonSetStatus};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};

use super::deployment::scaled;
use super::replicas::nonzero;
use super::revision::History;
use super::{batch, owner, pod, template};
use crate::cache::{Cache, Queue};
use crate::error::{Error, Refusal as _, Result, message};
use crate::recorder::Recorder;
use crate::setup::Setup;
use plan::{Place, Plan, State, Why};

/// The label with the hash of the template, on pods and revisions.
const HASH: &str = "controller-revision-hash";
/// The older label that counts templates.
const GENERATION: &str = "pod-template-generation";
/// Where the API keeps that count.
const GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";

/// Starts daemonset-controller.
pub(crate) fn start(setup: &mut Setup) {
    let (sets, pods) = (setup.cache::<DaemonSet>(), setup.cache::<Pod>());
    let nodes = setup.cache::<Node>();
    let queue = Queue::new();
    // A status that was written is no reason to look again: it says what was just seen.
    sets.feed(&queue.0, |change| {
        let new = change.new.as_ref()?;
        let is_new = change.old.as_ref().is_none_or(|old| {
            let (old, new) = (&old.metadata, &new.metadata);
            (
                &old.uid,
                old.generation,
                &old.annotations,
                &old.deletion_timestamp,
            ) != (
                &new.uid,
                new.generation,
                &new.annotations,
                &new.deletion_timestamp,
            )
        });
        is_new.then(|| ObjectRef::from_obj(new.as_ref()))
    });
    owner::feed_children(&pods, &sets, &queue.0, |set, labels| {
        set.spec
            .as_ref()
            .is_some_and(|spec| owner::selects(&spec.selector, labels))
    });
    let (known, running) = (sets.clone(), pods.clone());
    nodes.feed(&queue.0, move |change| {
        let looks_same = match (&change.old, &change.new) {
            (Some(old), Some(new)) => {
                let taints = |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone());
                old.labels() == new.labels() && taints(old) == taints(new)
            }
            _ => false,
        };
        if looks_same {
            return Vec::new();
        }
        let Some(node) = change.latest() else {
            return Vec::new();
        };
        let affected = known.store().state_filter(|set| match &change.new {
            None => true,
            Some(_) => {
                let placement = placement::placement(set, node);
                let has = has_pod(&running, set, &node.name_any());
                placement.should_run && !has || !placement.may_stay && has
            }
        });
        affected
            .iter()
            .map(|set| ObjectRef::from_obj(set.as_ref()))
            .collect()
    });
    let context = Context {
        client: setup.client(),
        revisions: setup.cache::<ControllerRevision>(),
        sets: sets.clone(),
        pods,
        nodes,
        recorder: setup.recorder("daemonset-controller"),
    };
    setup.controller("daemonset-controller", queue, &sets, context, reconcile);
}

struct Context {
    client: Client,
    sets: Cache<DaemonSet>,
    pods: Cache<Pod>,
    nodes: Cache<Node>,
    revisions: Cache<ControllerRevision>,
    recorder: Recorder,
}

fn has_pod(pods: &Cache<Pod>, set: &DaemonSet, node: &str) -> bool {
    let uid = set.metadata.uid.as_deref().unwrap_or("");
    let is_there = |pod: &Pod| {
        owner::is_controlled_by(&pod.metadata, uid) && placement::node_of(pod) == Some(node)
    };
    pods.store().find(is_there).is_some()
}

async fn reconcile(set: Arc<DaemonSet>, cx: Arc<Context>) -> Result<Action> {
    let Some(spec) = &set.spec else {
        return Ok(Action::await_change());
    };
    if spec.selector == Default::default() {
        let text = "This daemon set is selecting all pods. A non-empty selector is required.";
        cx.recorder
            .warning(set.as_ref(), "SelectingAll", text.into());
        return Ok(Action::await_change());
    }
    if set.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let mut collisions = set
        .status
        .as_ref()
        .and_then(|s| s.collision_count)
        .unwrap_or(0);
    let mut history = History::of(
        &cx.client,
        &cx.revisions,
        set.as_ref(),
        &spec.selector,
        HASH,
    )
    .await?;
    let current = history.current(&spec.template, &mut collisions).await?;
    let hash = current.labels().get(HASH).cloned().unwrap_or_default();

    let act = Act {
        cx: &cx,
        set: &set,
        spec,
        hash: &hash,
    };
    let (surge, unavailable) = {
        let places = act.places().await?;
        let desired = plan::numbers(&places).desired;
        limits(spec, desired)
    };
    let mut result = act
        .carry_out(&plan::manage(&act.places().await?, surge > 0))
        .await;
    let rolls = spec
        .update_strategy
        .as_ref()
        .and_then(|s| s.type_.as_deref())
        != Some("OnDelete");
    if result.is_ok() && rolls {
        result = act
            .carry_out(&plan::roll(&act.places().await?, surge, unavailable))
            .await;
    }
    let places = act.places().await?;
    let numbers = plan::numbers(&places);
    act.write(numbers, collisions).await?;
    result?;
    let pods = act.pods().await?;
    let used = |revision: &ControllerRevision| {
        let hash = revision.labels().get(HASH);
        revision.name_any() == current.name_any()
            || pods
                .iter()
                .any(|pod| hash.is_some() && pod.labels().get(HASH) == hash)
    };
    history
        .truncate(spec.revision_history_limit.unwrap_or(10), used)
        .await?;
    let min_ready = spec.min_ready_seconds.unwrap_or(0);
    let left = pod::next_available(pods.iter().map(AsRef::as_ref), min_ready, Timestamp::now());
    Ok(left.map_or_else(Action::await_change, Action::requeue))
}

/// Most pods of a rollout above and below one a node; never both zero.
fn limits(spec: &DaemonSetSpec, desired: i32) -> (i32, i32) {
    let rolling = spec
        .update_strategy
        .as_ref()
        .and_then(|s| s.rolling_update.as_ref());
    let surge = scaled(rolling.and_then(|r| r.max_surge.as_ref()), desired, true);
    let unavailable = scaled(
        rolling.and_then(|r| r.max_unavailable.as_ref()),
        desired,
        true,
    );
    (
        surge,
        if surge == 0 && unavailable == 0 {
            1
        } else {
            unavailable
        },
    )
}

/// One reconciliation.
struct Act<'a> {
    cx: &'a Context,
    set: &'a DaemonSet,
    spec: &'a DaemonSetSpec,
    hash: &'a str,
}

impl Act<'_> {
    fn namespace(&self) -> String {
        self.set.namespace().unwrap_or_default()
    }

    async fn pods(&self) -> Result<Vec<Arc<Pod>>> {
        owner::claim(&self.cx.client, &self.cx.pods, self.set, |pod: &Pod| {
            owner::selects(&self.spec.selector, pod.labels())
        })
        .await
    }

    /// All nodes, and what else has pods, with the pods of each, the oldest first.
    async fn places(&self) -> Result<Vec<Place>> {
        let now = Timestamp::now();
        let mut pods = self.pods().await?;
        let is_unbound = |pod: &Pod| {
            let spec = pod.spec.as_ref();
            spec.and_then(|spec| spec.node_name.as_deref())
                .is_none_or(str::is_empty)
        };
        pods.sort_by_key(|pod| {
            let created = pod.metadata.creation_timestamp.as_ref().map(|at| at.0);
            (is_unbound(pod), created, pod.name_any())
        });
        let nodes = self.cx.nodes.store().state();
        let place = |node: &Arc<Node>| {
            let placement = Some(placement::placement(self.set, node));
            (
                node.name_any(),
                Place {
                    node: node.name_any(),
                    placement,
                    pods: Vec::new(),
                },
            )
        };
        let mut places: BTreeMap<String, Place> = nodes.iter().map(place).collect();
        for pod in &pods {
            let node = placement::node_of(pod).unwrap_or("").to_owned();
            // A pod that waits for a node that is gone waits for ever.
            let gone = Place {
                node: node.clone(),
                placement: None,
                pods: Vec::new(),
            };
            let place = places.entry(node).or_insert(gone);
            if place.placement.is_none() && is_unbound(pod) {
                place.placement = Some(placement::Placement {
                    should_run: false,
                    may_stay: false,
                });
            }
            place.pods.push(self.state(pod, now));
        }
        Ok(places.into_values().collect())
    }

    fn state(&self, pod: &Pod, now: Timestamp) -> State {
        let labels = pod.labels();
        State {
            name: pod.name_any(),
            updated: labels.get(HASH).is_some_and(|hash| hash == self.hash),
            going: pod::is_going(pod),
            failed: pod::phase(pod) == "Failed",
            succeeded: pod::phase(pod) == "Succeeded",
            ready: pod::is_ready(pod),
            available: pod::is_available(pod, self.spec.min_ready_seconds.unwrap_or(0), now),
        }
    }

    async fn carry_out(&self, plan: &Plan) -> Result {
        let api: Api<Pod> = Api::namespaced(self.cx.client.clone(), &self.namespace());
        let create = plan
            .create
            .get(..plan.create.len().min(batch::BURST))
            .unwrap_or_default();
        let delete = plan
            .delete
            .get(..plan.delete.len().min(batch::BURST))
            .unwrap_or_default();
        let (made, failed) = batch::slow_start(create.len(), |n| {
            let pod = self.new_pod(create.get(n).map_or("", String::as_str));
            let api = &api;
            async move { template::create(api, &pod, self.set, &self.cx.recorder).await }
        })
        .await;
        for pod in &made {
            self.cx.pods.caught_up(pod).await;
        }
        let deleted = delete
            .iter()
            .map(|(name, why)| self.delete(&api, name, *why));
        let undeleted = join_all(deleted).await.into_iter().find_map(Result::err);
        match failed.or(undeleted) {
            Some(error) => Err(Error::from(error)),
            None => Ok(()),
        }
    }

    fn new_pod(&self, node: &str) -> Pod {
        let owner = owner::controller_ref(self.set);
        let mut pod = template::pod(&self.spec.template, owner, &self.set.name_any());
        pod.labels_mut().insert(HASH.into(), self.hash.to_owned());
        if let Some(generation) = self.set.annotations().get(GENERATION_ANNOTATION) {
            pod.labels_mut()
                .insert(GENERATION.into(), generation.clone());
        }
        if let Some(spec) = &mut pod.spec {
            placement::tolerate(spec);
            placement::bind(spec, node);
        }
        pod
    }

    async fn delete(&self, api: &Api<Pod>, name: &str, why: Why) -> Result<(), kube::Error> {
        let namespace = self.namespace();
        let Some(pod) = self.cx.pods.get(&namespace, name) else {
            return Ok(());
        };
        let node = placement::node_of(&pod).unwrap_or("").to_owned();
        match why {
            Why::Surplus => {}
            Why::Failed => {
                let text = format!(
                    "Found failed daemon pod {namespace}/{name} on node {node}, will try to kill it"
                );
                self.cx.recorder.warning(self.set, "FailedDaemonPod", text);
            }
            Why::Succeeded => {
                let text = format!(
                    "Found succeeded daemon pod {namespace}/{name} on node {node}, will try to delete it"
                );
                self.cx
                    .recorder
                    .normal(self.set, "SucceededDaemonPod", text);
            }
        }
        match api.delete(name, &DeleteParams::default()).await {
            Ok(_) => {
                self.cx.pods.gone(pod.as_ref()).await;
                let text = format!("Deleted pod: {name}");
                self.cx.recorder.normal(self.set, "SuccessfulDelete", text);
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                let text = format!("Error deleting: {}", message(&error));
                self.cx.recorder.warning(self.set, "FailedDelete", text);
                Err(error)
            }
        }
    }

    async fn write(&self, numbers: plan::Numbers, collisions: i32) -> Result {
        let before = self.set.status.clone().unwrap_or_default();
        let status = DaemonSetStatus {
            desired_number_scheduled: numbers.desired,
            current_number_scheduled: numbers.current,
            number_misscheduled: numbers.misscheduled,
            number_ready: numbers.ready,
            number_available: nonzero(numbers.available),
            number_unavailable: nonzero(numbers.desired - numbers.available),
            updated_number_scheduled: nonzero(numbers.updated),
            observed_generation: nonzero(self.set.metadata.generation.unwrap_or(0)),
            collision_count: before
                .collision_count
                .or(nonzero(collisions))
                .map(|n| n.max(collisions)),
            conditions: before.conditions.clone(),
        };
        if self.set.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let mut changed = self.set.clone();
        changed.status = Some(status);
        let api: Api<DaemonSet> = Api::namespaced(self.cx.client.clone(), &self.namespace());
        let name = self.set.name_any();
        let written = api
            .replace_status(&name, &PostParams::default(), &changed)
            .await?;
        self.cx.sets.caught_up(&written).await;
        Ok(())
    }
}
