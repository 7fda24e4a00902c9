// SPDX-License-Identifier: Apache-2.0
//! The scheduler's loop: it hears of changes, takes the next pod, decides, and has the decision written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use k1s_core::selector::LabelSelector;
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{
    Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController, Service,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt as _;
use tokio::sync::mpsc;

use super::NAME;
use super::filter::{Cycle, Refusal};
use super::node::{NodeInfo, is_alike};
use super::pod::{PodInfo, selector};
use super::preemption::{self, Budget, Candidate};
use super::queue::Queue;
use super::state::State;
use super::volumes::{Choice, Shelf, Volumes};
use super::write::Writer;
use super::{message, score};
use crate::cache::{Cache, Change, Kind};
use crate::setup::Setup;

/// What the loop hears of.
enum Heard {
    Node(Change<Node>),
    Pod(Change<Pod>),
    Namespace(Change<Namespace>),
    /// Something about volumes.
    Volume,
    /// A binding was refused.
    NotBound(Arc<PodInfo>),
    /// The node that was chosen has changed meanwhile, which is known by now.
    Outdated(Arc<PodInfo>),
    /// A pod is to be tried again when something changes.
    Parked(Arc<PodInfo>),
}

/// Looks up what the decisions need beside nodes and pods.
#[derive(Clone)]
struct Lookup {
    nodes: Cache<Node>,
    claims: Cache<PersistentVolumeClaim>,
    volumes: Cache<PersistentVolume>,
    classes: Cache<StorageClass>,
    budgets: Cache<PodDisruptionBudget>,
    services: Cache<Service>,
    replica_sets: Cache<ReplicaSet>,
    stateful_sets: Cache<StatefulSet>,
    replication_controllers: Cache<ReplicationController>,
}

impl Shelf for Lookup {
    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<PersistentVolumeClaim>> {
        self.claims.get(namespace, name)
    }

    fn volume(&self, name: &str) -> Option<Arc<PersistentVolume>> {
        self.volumes.get("", name)
    }

    fn volumes(&self) -> Vec<Arc<PersistentVolume>> {
        self.volumes.store().state()
    }

    fn class(&self, name: &str) -> Option<Arc<StorageClass>> {
        self.classes.get("", name)
    }
}

impl Lookup {
    fn budgets(&self) -> Vec<Budget> {
        let all = self.budgets.store().state();
        all.iter()
            .map(|budget| {
                let status = budget.status.as_ref();
                Budget {
                    namespace: budget.namespace().unwrap_or_default(),
                    selector: selector(budget.spec.as_ref().and_then(|s| s.selector.as_ref())),
                    allowed: status.map_or(0, |s| s.disruptions_allowed.into()),
                    disrupted: status
                        .and_then(|s| s.disrupted_pods.as_ref())
                        .map(|pods| pods.keys().cloned().collect())
                        .unwrap_or_default(),
                }
            })
            .collect()
    }

    /// What selects the pods that belong with this one: its services and what made it.
    fn siblings(&self, pod: &PodInfo) -> Option<LabelSelector> {
        let namespace = pod.namespace();
        let labels = pod.pod.metadata.labels.as_ref();
        let mut requirements = Vec::new();
        let services = self.services.in_namespace(namespace, |_| true);
        for service in services {
            let wanted = service.spec.as_ref().and_then(|s| s.selector.as_ref());
            if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
                let wanted = from_map(wanted);
                if wanted.matches(&labels) {
                    requirements.extend_from_slice(wanted.requirements());
                }
            }
        }
        let owner = pod
            .pod
            .metadata
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.controller == Some(true));
        if let Some(owner) = owner {
            let name = owner.name.as_str();
            let of_owner = match owner.kind.as_str() {
                "ReplicaSet" => self
                    .replica_sets
                    .get(namespace, name)
                    .and_then(|set| Some(selector(Some(&set.spec.as_ref()?.selector)))),
                "StatefulSet" => self
                    .stateful_sets
                    .get(namespace, name)
                    .and_then(|set| Some(selector(Some(&set.spec.as_ref()?.selector)))),
                "ReplicationController" => self
                    .replication_controllers
                    .get(namespace, name)
                    .and_then(|rc| Some(from_map(rc.spec.as_ref()?.selector.as_ref()?))),
                _ => None,
            };
            if let Some(of_owner) = of_owner.filter(|selector| !selector.is_nothing()) {
                requirements.extend_from_slice(of_owner.requirements());
            }
        }
        (!requirements.is_empty()).then(|| LabelSelector::new(requirements))
    }
}

fn from_map(map: &std::collections::BTreeMap<String, String>) -> LabelSelector {
    let map = map
        .iter()
        .map(|(key, value)| (key.clone(), serde_json::Value::from(value.as_str())))
        .collect();
    LabelSelector::from_map(&map)
}

/// Registers the scheduler.
pub(crate) fn start(setup: &mut Setup) {
    let (heard, ears) = mpsc::unbounded_channel();
    // Nobody hears any more when the loop has ended.
    fn pass<K: Kind>(
        cache: &Cache<K>,
        heard: &mpsc::UnboundedSender<Heard>,
        wrap: impl Fn(&Change<K>) -> Heard + Send + Sync + 'static,
    ) {
        let heard = heard.clone();
        cache.on_change(move |change| {
            let _ = heard.send(wrap(change));
        });
    }
    let lookup = Lookup {
        nodes: setup.cache(),
        claims: setup.cache(),
        volumes: setup.cache(),
        classes: setup.cache(),
        budgets: setup.cache(),
        services: setup.cache(),
        replica_sets: setup.cache(),
        stateful_sets: setup.cache(),
        replication_controllers: setup.cache(),
    };
    pass(&lookup.nodes, &heard, |change| Heard::Node(change.clone()));
    pass(&setup.cache(), &heard, |change| {
        Heard::Namespace(change.clone())
    });
    pass(&setup.cache(), &heard, |change| Heard::Pod(change.clone()));
    pass(&lookup.claims, &heard, |_| Heard::Volume);
    pass(&lookup.volumes, &heard, |_| Heard::Volume);
    pass(&lookup.classes, &heard, |_| Heard::Volume);
    let (writer, write_events) = Writer::new(setup.client_of("kube-scheduler"));
    setup.task(write_events);
    let scheduler = Scheduler {
        state: State::default(),
        queue: Queue::default(),
        lookup,
        writer,
        heard,
        turn: 0,
        binding: HashSet::new(),
    };
    setup.task(scheduler.run(ears));
}

struct Scheduler {
    state: State,
    queue: Queue,
    lookup: Lookup,
    writer: Writer,
    heard: mpsc::UnboundedSender<Heard>,
    /// Who of nodes that are equally good gets the pod, in turn.
    turn: usize,
    /// Pods whose binding is being written, by uid.
    binding: HashSet<String>,
}

/// What a try came to.
enum Outcome {
    Node(String),
    /// For each node the reasons.
    Nowhere(Vec<(String, Refusal)>),
}

impl Scheduler {
    async fn run(mut self, mut ears: mpsc::UnboundedReceiver<Heard>) {
        loop {
            while let Ok(heard) = ears.try_recv() {
                self.hear(heard);
            }
            if let Some(pod) = self.queue.pop(Instant::now()) {
                self.schedule(&pod);
                // Others on this thread have their turn as well.
                tokio::task::yield_now().await;
                continue;
            }
            let pause = self.queue.next_end();
            let wait = async {
                match pause {
                    Some(end) => tokio::time::sleep_until(end.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = ears.recv() => match heard {
                    Some(heard) => self.hear(heard),
                    None => return,
                },
                () = wait => {}
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        let now = Instant::now();
        match heard {
            Heard::Node(change) => match (change.new, change.old) {
                (Some(node), _) => {
                    if self.state.put_node(node) {
                        self.changed(|_| true, now);
                    }
                }
                (None, Some(node)) => {
                    self.state.remove_node(&node.name_any());
                    self.changed(|_| true, now);
                }
                (None, None) => {}
            },
            Heard::Pod(change) => self.hear_of_pod(&change, now),
            Heard::Namespace(change) => {
                if let Some(namespace) = &change.new {
                    self.state.put_namespace(namespace);
                } else if let Some(namespace) = &change.old {
                    self.state.namespaces.remove(&namespace.name_any());
                }
            }
            Heard::Volume => {
                let with_claims =
                    |pod: &PodInfo| super::volumes::claim_names(&pod.pod).next().is_some();
                self.changed(with_claims, now);
            }
            Heard::NotBound(pod) => {
                if self.take_back(&pod) {
                    self.queue.park(pod.uid(), true, now);
                    self.changed(|_| true, now);
                }
            }
            Heard::Outdated(pod) => {
                if self.take_back(&pod) {
                    self.queue.again(pod.uid());
                    self.changed(|_| true, now);
                }
            }
            Heard::Parked(pod) => self.queue.park(pod.uid(), false, now),
        }
    }

    /// Takes back that a pod has a node, unless it has one after all, by another's hand.
    fn take_back(&mut self, pod: &PodInfo) -> bool {
        self.binding.remove(pod.uid());
        let ours = self
            .state
            .place_of(pod.uid())
            .is_some_and(|(_, placed)| placed.node_name().is_none());
        if ours {
            self.state.remove_pod(pod.uid());
        }
        ours
    }

    /// Something has changed that may help the pods it concerns.
    fn changed(&mut self, concerns: impl Fn(&PodInfo) -> bool, now: Instant) {
        self.queue.wake_all(concerns, now);
    }

    fn hear_of_pod(&mut self, change: &Change<Pod>, now: Instant) {
        let Some(latest) = change.latest() else {
            return;
        };
        let uid = latest.uid().unwrap_or_default();
        let before = change.old.as_ref().and_then(|old| old.uid());
        if let Some(before) = before.filter(|before| *before != uid) {
            // Another of this name was there.
            self.gone(&before, now);
        }
        let phase = latest.status.as_ref().and_then(|s| s.phase.as_deref());
        if change.new.is_none() || matches!(phase, Some("Succeeded" | "Failed")) {
            self.gone(&uid, now);
            return;
        }
        let info = Arc::new(PodInfo::new(latest.clone()));
        if let Some(node) = info.node_name() {
            let node = node.to_owned();
            self.queue.remove(&uid);
            self.binding.remove(&uid);
            let known = self.state.place_of(&uid);
            let same = known.is_some_and(|(place, pod)| {
                *place == node
                    && pod.pod.metadata.labels == info.pod.metadata.labels
                    && pod.is_deleting() == info.is_deleting()
            });
            self.state.place(&node, info);
            if !same {
                self.changed(minds_neighbours, now);
            }
            return;
        }
        let spec = latest.spec.as_ref();
        let ours = spec.and_then(|s| s.scheduler_name.as_deref()) == Some(NAME);
        let gated = spec.is_some_and(|s| s.scheduling_gates.iter().flatten().next().is_some());
        if ours && !gated && info.is_deleting() && self.queue.contains(&uid) {
            // Its turn comes, and is passed over.
            self.state.nominate(info.clone(), None);
            self.queue.put(info, false, now);
            return;
        }
        if !ours || gated || info.is_deleting() {
            self.gone(&uid, now);
            return;
        }
        if self.binding.contains(&uid) {
            return;
        }
        self.state.nominate(info.clone(), info.nominated());
        let differs = change.old.as_deref().is_none_or(|old| {
            old.spec != latest.spec || old.metadata.labels != latest.metadata.labels
        });
        self.queue.put(info, differs, now);
    }

    fn gone(&mut self, uid: &str, now: Instant) {
        self.queue.remove(uid);
        self.binding.remove(uid);
        let had_room = self.state.place_of(uid).is_some();
        self.state.remove_pod(uid);
        if had_room {
            self.changed(|_| true, now);
        }
    }

    /// Tries to place a pod.
    fn schedule(&mut self, pod: &Arc<PodInfo>) {
        if pod.is_deleting() {
            self.writer.skipped(pod);
            self.queue.remove(pod.uid());
            return;
        }
        if self.state.nodes().next().is_none() {
            self.fail(pod, message::NO_NODES.to_owned(), None, None);
            return;
        }
        let volumes = match Volumes::of(&pod.pod, &self.lookup) {
            Ok(volumes) => volumes,
            Err(why) => {
                let message = message::hopeless(self.state.nodes().count(), &why);
                self.fail(pod, message, None, None);
                return;
            }
        };
        match self.decide(pod, &volumes) {
            Outcome::Node(node) if volumes.waits() => self.give_volumes(pod, &volumes, node),
            Outcome::Node(node) => self.bind(pod, node),
            Outcome::Nowhere(refusals) => self.nowhere(pod, refusals, &volumes),
        }
    }

    fn decide(&mut self, pod: &Arc<PodInfo>, volumes: &Volumes) -> Outcome {
        let namespaces = &self.state.namespaces;
        let cycle = Cycle::new(pod, self.state.nodes(), namespaces, volumes);
        let (mut fitting, mut refusals) = (Vec::new(), Vec::new());
        for node in self.state.nodes() {
            match self.fits(&cycle, node) {
                Ok(()) => fitting.push(node),
                Err(refusal) => refusals.push((node.name().to_owned(), refusal)),
            }
        }
        if fitting.is_empty() {
            return Outcome::Nowhere(refusals);
        }
        let best: Vec<&NodeInfo> = if let [only] = fitting.as_slice() {
            vec![*only]
        } else {
            let all: Vec<&NodeInfo> = self.state.nodes().collect();
            let siblings = self.lookup.siblings(pod);
            let scores = score::scores(pod, &fitting, &all, namespaces, siblings.as_ref());
            let most = scores.iter().max().copied().unwrap_or(0);
            let scored = fitting.iter().zip(&scores);
            scored
                .filter(|(_, score)| **score == most)
                .map(|(node, _)| *node)
                .collect()
        };
        let node = best[self.turn % best.len()].name().to_owned();
        self.turn = self.turn.wrapping_add(1);
        Outcome::Node(node)
    }

    /// Whether a pod fits on a node, also when those that wait for room there get it.
    fn fits(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> Result<(), Refusal> {
        let rivals = self.state.rivals(node.name(), cycle.pod);
        if !rivals.is_empty() {
            let (mut cycle, mut with) = (cycle.clone(), node.clone());
            for rival in rivals {
                cycle.add(&rival, node);
                with.add(rival);
            }
            cycle.check(&with)?;
        }
        cycle.check(node)
    }

    fn bind(&mut self, pod: &Arc<PodInfo>, node: String) {
        let Some(known) = self.state.node(&node).map(|info| info.node.clone()) else {
            return;
        };
        self.state.place(&node, pod.clone());
        self.binding.insert(pod.uid().to_owned());
        self.changed(minds_neighbours, Instant::now());
        let (writer, heard, pod) = (self.writer.clone(), self.heard.clone(), pod.clone());
        let nodes = self.lookup.nodes.clone();
        tokio::spawn(async move {
            // Nodes and pods are watched apart: the node may have changed before the pod was made, and not be heard of yet.
            let outcome = match writer.node(&node).await {
                Ok(Some(now)) if is_alike(&known, &now) => writer.bind(&pod, &node).await,
                Ok(changed) => {
                    match changed {
                        Some(now) => nodes.caught_up(&now).await,
                        None => nodes.gone(&known).await,
                    }
                    // Nobody hears any more when the loop has ended.
                    let _ = heard.send(Heard::Outdated(pod));
                    return;
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                tracing::debug!(pod = pod.name(), node, %error, "binding");
                let _ = heard.send(Heard::NotBound(pod));
            }
        });
    }

    /// The pod is bound once its claims are: they are given their volumes first.
    fn give_volumes(&mut self, pod: &Arc<PodInfo>, volumes: &Volumes, node: String) {
        let choices = self
            .state
            .node(&node)
            .and_then(|node| volumes.choices(node))
            .unwrap_or_default();
        let (writer, heard, pod) = (self.writer.clone(), self.heard.clone(), pod.clone());
        tokio::spawn(async move {
            let made = choices
                .iter()
                .any(|(_, choice)| matches!(choice, Choice::Provision));
            if made && pod.nominated() != Some(node.as_str()) {
                writer.nominate(&pod, Some(&node)).await;
            }
            if let Err(error) = writer.give_volumes(&choices, &node).await {
                tracing::debug!(pod = pod.name(), node, %error, "volumes");
            }
            let _ = heard.send(Heard::Parked(pod));
        });
    }

    /// No node does: others may have to go.
    fn nowhere(&mut self, pod: &Arc<PodInfo>, refusals: Vec<(String, Refusal)>, volumes: &Volumes) {
        let count = self.state.nodes().count();
        let all = refusals.iter().map(|(_, refusal)| refusal);
        let say = |preemption: Option<&str>| message::unschedulable(count, all.clone(), preemption);
        if let Some(why) = self.may_not_preempt(pod, &refusals) {
            let message = say(Some(why));
            self.fail(pod, message, None, None);
            return;
        }
        let found = {
            let by_name: HashMap<&str, &Refusal> = refusals
                .iter()
                .map(|(name, refusal)| (name.as_str(), refusal))
                .collect();
            let cycle = Cycle::new(pod, self.state.nodes(), &self.state.namespaces, volumes);
            let nodes = self
                .state
                .nodes()
                .map(|node| (node, by_name.get(node.name()).copied()));
            preemption::find(&cycle, nodes, &self.lookup.budgets())
        };
        match found {
            Ok(candidate) => {
                let message = say(None);
                self.fail(
                    pod,
                    message,
                    Some(Some(candidate.node.clone())),
                    Some(candidate),
                );
            }
            Err(reasons) => {
                let why = message::no_preemption(count, reasons.into_iter());
                let message = say(Some(&why));
                self.fail(pod, message, Some(None), None);
            }
        }
    }

    /// Why a pod may not have others go for it.
    fn may_not_preempt(
        &self,
        pod: &PodInfo,
        refusals: &[(String, Refusal)],
    ) -> Option<&'static str> {
        let spec = pod.pod.spec.as_ref();
        if spec.and_then(|s| s.preemption_policy.as_deref()) == Some("Never") {
            return Some("not eligible due to preemptionPolicy=Never.");
        }
        let node = pod.nominated()?;
        let hopeless = refusals
            .iter()
            .any(|(name, refusal)| name == node && !refusal.resolvable);
        let going = self.state.node(node).is_some_and(|node| {
            node.pods
                .values()
                .any(|other| other.priority() < pod.priority() && goes_for_another(other))
        });
        (!hopeless && going)
            .then_some("not eligible due to a terminating pod on the nominated node.")
    }

    fn fail(
        &mut self,
        pod: &Arc<PodInfo>,
        message: String,
        nominated: Option<Option<String>>,
        candidate: Option<Candidate>,
    ) {
        self.queue.park(pod.uid(), false, Instant::now());
        let mut given_up = Vec::new();
        if let Some(candidate) = &candidate {
            // Less important pods that wait for the same room wait in vain.
            given_up = self
                .state
                .waiting_for(&candidate.node)
                .filter(|other| other.priority() < pod.priority())
                .cloned()
                .collect();
            for other in &given_up {
                self.state.nominate(other.clone(), None);
            }
        }
        if let Some(node) = &nominated {
            self.state.nominate(pod.clone(), node.as_deref());
        }
        let (writer, pod) = (self.writer.clone(), pod.clone());
        tokio::spawn(async move {
            let nominated = nominated.as_ref().map(Option::as_deref);
            writer.unschedulable(&pod, &message, nominated).await;
            for other in given_up {
                writer.nominate(&other, None).await;
            }
            if let Some(candidate) = candidate {
                for victim in &candidate.victims {
                    writer.preempt(victim, &pod, &candidate.node).await;
                }
            }
        });
    }
}

/// Whether it can matter to a pod which others are where.
fn minds_neighbours(pod: &PodInfo) -> bool {
    !pod.affinity.is_empty() || !pod.anti_affinity.is_empty() || !pod.spread.is_empty()
}

/// Whether a pod is on its way out to make room for another.
fn goes_for_another(pod: &PodInfo) -> bool {
    let conditions = pod.pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    pod.is_deleting()
        && conditions.is_some_and(|all| {
            all.iter().any(|c| {
                c.type_ == "DisruptionTarget"
                    && c.status == "True"
                    && c.reason.as_deref() == Some("PreemptionByScheduler")
            })
        })
}
