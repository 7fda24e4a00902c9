// SPDX-License-Identifier: Apache-2.0
//! What the scheduler writes: bindings, conditions of pods, preemptions, the volumes that it chose, events.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::{
    Binding, Node, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::NAME;
use super::pod::PodInfo;
use super::volumes::Choice;
use crate::error::Refusal as _;
use crate::workload::pod::with_condition;

/// Events that wait to be written; more are dropped.
const WAITING_EVENTS: usize = 10_000;

/// Pods of which it is remembered what was told of them; then all are forgotten.
const REMEMBERED_PODS: usize = 1_000;

/// Writes for the scheduler.
#[derive(Clone)]
pub(super) struct Writer {
    client: Client,
    events: mpsc::Sender<(Event, ObjectReference)>,
}

impl Writer {
    /// A writer, and the future that writes its events.
    pub(super) fn new(client: Client) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (events, mut notes) = mpsc::channel::<(Event, ObjectReference)>(WAITING_EVENTS);
        let reporter = Reporter {
            controller: NAME.to_owned(),
            instance: Some(format!("{NAME}-k1s")),
        };
        let of = client.clone();
        let write = async move {
            // An event repeats one of the same state of the pod alone; what is said of another state is another event.
            let mut recorders: HashMap<String, (Option<String>, Recorder)> = HashMap::new();
            while let Some((event, regarding)) = notes.recv().await {
                if recorders.len() >= REMEMBERED_PODS {
                    recorders.clear();
                }
                let fresh = || Recorder::new(of.clone(), reporter.clone());
                let state = regarding.resource_version.clone();
                let uid = regarding.uid.clone().unwrap_or_default();
                let (known, recorder) = recorders
                    .entry(uid)
                    .or_insert_with(|| (state.clone(), fresh()));
                if *known != state {
                    (*known, *recorder) = (state, fresh());
                }
                // An event is talk: one that cannot be written is lost.
                if let Err(error) = recorder.publish(&event, &regarding).await {
                    tracing::debug!(%error, "event");
                }
            }
        };
        (Self { client, events }, write)
    }

    fn pods(&self, pod: &PodInfo) -> Api<Pod> {
        Api::namespaced(self.client.clone(), pod.namespace())
    }

    fn tell(&self, pod: &PodInfo, type_: EventType, reason: &str, action: &str, note: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: action.to_owned(),
            secondary: None,
        };
        let regarding = ObjectReference {
            resource_version: pod.pod.resource_version(),
            ..pod.pod.object_ref(&())
        };
        // A full channel loses events, as a full broadcaster of Kubernetes does.
        let _ = self.events.try_send((event, regarding));
    }

    /// A node as it is now, if it is there.
    pub(super) async fn node(&self, name: &str) -> kube::Result<Option<Node>> {
        Api::all(self.client.clone()).get_opt(name).await
    }

    /// Binds a pod to a node.
    pub(super) async fn bind(&self, pod: &PodInfo, node: &str) -> kube::Result<()> {
        let binding = Binding {
            metadata: kube::core::ObjectMeta {
                name: Some(pod.name().to_owned()),
                namespace: Some(pod.namespace().to_owned()),
                uid: Some(pod.uid().to_owned()),
                ..Default::default()
            },
            target: ObjectReference {
                kind: Some("Node".into()),
                name: Some(node.to_owned()),
                ..Default::default()
            },
        };
        let _: Value = self
            .pods(pod)
            .create_subresource("binding", pod.name(), &PostParams::default(), &binding)
            .await?;
        let note = format!(
            "Successfully assigned {}/{} to {node}",
            pod.namespace(),
            pod.name()
        );
        self.tell(pod, EventType::Normal, "Scheduled", "Binding", note);
        Ok(())
    }

    /// Says why a pod has no node yet, and for which one it waits, if any; `None` leaves that as it is.
    pub(super) async fn unschedulable(
        &self,
        pod: &PodInfo,
        message: &str,
        nominated: Option<Option<&str>>,
    ) {
        let status = pod.pod.status.as_ref();
        let present = status
            .and_then(|s| s.conditions.as_ref())
            .and_then(|all| all.iter().find(|c| c.type_ == "PodScheduled"));
        let was_false = present.is_some_and(|c| c.status == "False");
        let same = present.is_some_and(|c| {
            was_false
                && c.reason.as_deref() == Some("Unschedulable")
                && c.message.as_deref() == Some(message)
        });
        let note = message.to_owned();
        self.tell(
            pod,
            EventType::Warning,
            "FailedScheduling",
            "Scheduling",
            note,
        );
        let renominated = nominated.is_some_and(|node| node != pod.nominated());
        if same && !renominated {
            return;
        }
        let mut condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
            "observedGeneration": pod.pod.metadata.generation,
        });
        if !was_false {
            condition["lastTransitionTime"] = json!(Time(Timestamp::now()));
        }
        let mut patch = with_condition(&pod.pod, &condition);
        if let Some(node) = nominated {
            patch["status"]["nominatedNodeName"] = json!(node);
        }
        self.patch_status(pod, patch).await;
    }

    /// Says that a pod is not placed any more because it is on its way out.
    pub(super) fn skipped(&self, pod: &PodInfo) {
        let note = format!(
            "skip schedule deleting pod: {}/{}",
            pod.namespace(),
            pod.name()
        );
        self.tell(
            pod,
            EventType::Warning,
            "FailedScheduling",
            "Scheduling",
            note,
        );
    }

    async fn patch_status(&self, pod: &PodInfo, patch: Value) {
        let patch = Patch::Strategic(patch);
        let patched = self
            .pods(pod)
            .patch_status(pod.name(), &PatchParams::default(), &patch)
            .await;
        if let Err(error) = patched
            && !error.is_not_found()
        {
            tracing::debug!(pod = pod.name(), %error, "status");
        }
    }

    /// Deletes a pod so that a more important one gets its room.
    pub(super) async fn preempt(&self, victim: &PodInfo, winner: &PodInfo, node: &str) {
        if !victim.is_deleting() {
            let condition = json!({
                "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
                "message": format!("{NAME}: preempting to accommodate a higher priority pod"),
                "lastTransitionTime": Time(Timestamp::now()), "observedGeneration": victim.pod.metadata.generation,
            });
            self.patch_status(victim, with_condition(&victim.pod, &condition))
                .await;
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: Some(victim.uid().to_owned()),
                    resource_version: None,
                }),
                ..DeleteParams::default()
            };
            if let Err(error) = self.pods(victim).delete(victim.name(), &params).await {
                if !error.is_not_found() {
                    tracing::debug!(pod = victim.name(), %error, "preemption");
                }
                return;
            }
        }
        let note = format!("Preempted by pod {} on node {node}", winner.uid());
        self.tell(victim, EventType::Normal, "Preempted", "Preempting", note);
    }

    /// Says for which node a pod waits: for room there, or for a volume; none if for no node any more.
    pub(super) async fn nominate(&self, pod: &PodInfo, node: Option<&str>) {
        let patch = json!({"metadata": {"uid": pod.uid()}, "status": {"nominatedNodeName": node}});
        self.patch_status(pod, patch).await;
    }

    /// Gives claims that waited for a node their volumes, or has volumes made for that node.
    pub(super) async fn give_volumes(
        &self,
        choices: &[(std::sync::Arc<PersistentVolumeClaim>, Choice)],
        node: &str,
    ) -> kube::Result<()> {
        let params = PatchParams::default();
        for (claim, choice) in choices {
            let namespace = claim.namespace().unwrap_or_default();
            match choice {
                Choice::Volume(volume) => {
                    let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
                    let patch = json!({
                        "metadata": {
                            "resourceVersion": volume.resource_version(),
                            "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"},
                        },
                        "spec": {"claimRef": {
                            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace,
                            "name": claim.name_any(), "uid": claim.uid(), "resourceVersion": claim.resource_version(),
                        }},
                    });
                    volumes
                        .patch(&volume.name_any(), &params, &Patch::Merge(patch))
                        .await?;
                }
                Choice::Provision => {
                    let claims: Api<PersistentVolumeClaim> =
                        Api::namespaced(self.client.clone(), &namespace);
                    let patch = json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": node}}});
                    claims
                        .patch(&claim.name_any(), &params, &Patch::Merge(patch))
                        .await?;
                }
            }
        }
        Ok(())
    }
}
