// SPDX-License-Identifier: Apache-2.0
//! Events as kube-controller-manager writes them: core/v1, named after the object and the time, counted when they repeat.
//!
//! Entry point: [`Recorder::normal`] and [`Recorder::warning`], which only put the event into a channel; a task writes
//! them one after the other. kube-rs' own recorder writes events.k8s.io/v1, which has no source component: clients show
//! that.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc;

use crate::cache::Kind;

/// Events that wait to be written; more are dropped, as Kubernetes drops them.
const WAITING: usize = 1000;
/// Different events whose repetitions are counted, for each source.
const REMEMBERED: usize = 4096;

/// Records events of one component. Clones share the channel.
#[derive(Clone)]
pub(crate) struct Recorder {
    sender: mpsc::Sender<Note>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Note {
    regarding: Regarding,
    type_: &'static str,
    reason: &'static str,
    message: String,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Regarding {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    uid: Option<String>,
    resource_version: Option<String>,
}

/// An event that was written.
struct Written {
    name: String,
    count: i32,
}

impl Recorder {
    /// A recorder and the future that writes what it records.
    pub(crate) fn new(
        client: Client,
        component: &'static str,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { sender }, write(client, component, receiver))
    }

    /// Records that something happened as it should.
    pub(crate) fn normal<K: Kind>(&self, object: &K, reason: &'static str, message: String) {
        self.record(object, "Normal", reason, message);
    }

    /// Records that something did not.
    pub(crate) fn warning<K: Kind>(&self, object: &K, reason: &'static str, message: String) {
        self.record(object, "Warning", reason, message);
    }

    fn record<K: Kind>(
        &self,
        object: &K,
        type_: &'static str,
        reason: &'static str,
        message: String,
    ) {
        let meta = object.meta();
        let regarding = Regarding {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
        };
        // An event is talk: when there is too much of it, some is lost.
        let _ = self.sender.try_send(Note {
            regarding,
            type_,
            reason,
            message,
        });
    }
}

async fn write(client: Client, component: &'static str, mut notes: mpsc::Receiver<Note>) {
    let mut known: HashMap<Note, Written> = HashMap::new();
    while let Some(note) = notes.recv().await {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let namespace = note.regarding.namespace.as_deref().unwrap_or("default");
        let events: Api<Event> = Api::namespaced(client.clone(), namespace);
        let now = Timestamp::now();
        // The same event of a newer version of the object is the same event.
        let key = Note {
            regarding: Regarding {
                resource_version: None,
                ..note.regarding.clone()
            },
            ..note.clone()
        };
        if let Some(written) = known.get_mut(&key) {
            let count = written.count + 1;
            let repeated = Patch::Merge(json!({"count": count, "lastTimestamp": Time(now)}));
            let params = PatchParams::default();
            let patched = events.patch(&written.name, &params, &repeated).await;
            if patched.is_ok() {
                written.count = count;
                continue;
            }
            known.remove(&key);
        }
        let event = event(&note, component, now);
        let name = event.metadata.name.clone().unwrap_or_default();
        match events.create(&PostParams::default(), &event).await {
            Ok(_) => {
                known.insert(key, Written { name, count: 1 });
            }
            // The namespace is on its way out, or the API is: the event is lost.
            Err(error) => tracing::debug!(%error, "event"),
        }
    }
}

fn event(note: &Note, component: &'static str, now: Timestamp) -> Event {
    let nanoseconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    let regarding = &note.regarding;
    let time = Some(Time(now));
    Event {
        metadata: kube::core::ObjectMeta {
            name: Some(format!("{}.{nanoseconds:x}", regarding.name)),
            namespace: Some(
                regarding
                    .namespace
                    .clone()
                    .unwrap_or_else(|| "default".into()),
            ),
            ..Default::default()
        },
        involved_object: ObjectReference {
            api_version: Some(regarding.api_version.clone()),
            kind: Some(regarding.kind.clone()),
            namespace: regarding.namespace.clone(),
            name: Some(regarding.name.clone()),
            uid: regarding.uid.clone(),
            resource_version: regarding.resource_version.clone(),
            field_path: None,
        },
        reason: Some(note.reason.to_owned()),
        message: Some(note.message.clone()),
        type_: Some(note.type_.to_owned()),
        source: Some(EventSource {
            component: Some(component.to_owned()),
            host: None,
        }),
        first_timestamp: time.clone(),
        last_timestamp: time,
        count: Some(1),
        reporting_component: Some(component.to_owned()),
        reporting_instance: Some(String::new()),
        ..Default::default()
    }
}
