// SPDX-License-Identifier: Apache-2.0
//! Events as kube-controller-manager writes them: core/v1, named after the object and the time, counted when they repeat,
//! and combined into one when many tell nearly the same.
//!
//! Entry point: [`Recorder::normal`] and [`Recorder::warning`], which only put the event into a channel; a task writes
//! them one after the other. kube-rs' own recorder writes events.k8s.io/v1, which has no source component: clients show
//! that.

use std::collections::{BTreeSet, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc;

use crate::cache::Kind;

/// Events that wait to be written; more are dropped, as Kubernetes drops them.
const WAITING: usize = 1000;
/// Different events whose repetitions are counted, for each source.
const REMEMBERED: usize = 4096;
/// From this many on, events of an object that differ only in their message are one.
const SIMILAR: usize = 10;
/// For this long without such an event, seconds, they are remembered.
const SIMILAR_FOR: SignedDuration = SignedDuration::from_secs(600);

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

/// Which events of an object differ only in their message.
#[derive(Default)]
struct Similar(HashMap<Note, (BTreeSet<String>, Timestamp)>);

impl Similar {
    /// The key under which an event is counted. One of many that are similar becomes the one that stands for them.
    fn combine(&mut self, note: &mut Note, now: Timestamp) -> Note {
        // The same event of a newer version of the object is the same event.
        let mut key = note.clone();
        key.regarding.resource_version = None;
        let message = std::mem::take(&mut key.message);
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let (messages, last) = self
            .0
            .entry(key.clone())
            .or_insert_with(|| (BTreeSet::new(), now));
        if now.duration_since(*last) > SIMILAR_FOR {
            messages.clear();
        }
        *last = now;
        messages.insert(message.clone());
        if messages.len() < SIMILAR {
            key.message = message;
        } else {
            messages.pop_first();
            note.message = format!("(combined from similar events): {message}");
        }
        key
    }
}

async fn write(client: Client, component: &'static str, mut notes: mpsc::Receiver<Note>) {
    let mut known: HashMap<Note, Written> = HashMap::new();
    let mut similar = Similar::default();
    while let Some(mut note) = notes.recv().await {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let now = Timestamp::now();
        let key = similar.combine(&mut note, now);
        let namespace = note.regarding.namespace.as_deref().unwrap_or("default");
        let events: Api<Event> = Api::namespaced(client.clone(), namespace);
        if let Some(written) = known.get_mut(&key) {
            let count = written.count + 1;
            let repeated = Patch::Merge(
                json!({"count": count, "lastTimestamp": Time(now), "message": note.message}),
            );
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

#[cfg(test)]
mod tests {
    use super::*;

    fn note(message: &str) -> Note {
        Note {
            regarding: Regarding {
                api_version: "v1".into(),
                kind: "Pod".into(),
                namespace: Some("n".into()),
                name: "p".into(),
                uid: None,
                resource_version: Some("1".into()),
            },
            type_: "Normal",
            reason: "Told",
            message: message.into(),
        }
    }

    #[test]
    fn similar_events_become_one() {
        let start = Timestamp::UNIX_EPOCH;
        let mut similar = Similar::default();
        let mut told = |message: &str, at: Timestamp| {
            let mut note = note(message);
            let key = similar.combine(&mut note, at);
            (note.message, key.message)
        };
        for number in 0..9 {
            let message = number.to_string();
            assert_eq!(told(&message, start), (message.clone(), message));
        }
        // one that was told before is counted as it is
        assert_eq!(told("8", start), ("8".to_owned(), "8".to_owned()));
        let combined = |message: &str| {
            (
                format!("(combined from similar events): {message}"),
                String::new(),
            )
        };
        assert_eq!(told("9", start), combined("9"));
        assert_eq!(told("10", start), combined("10"));
        let later = start + SIMILAR_FOR + SignedDuration::from_secs(1);
        assert_eq!(told("11", later), ("11".to_owned(), "11".to_owned()));
    }
}
