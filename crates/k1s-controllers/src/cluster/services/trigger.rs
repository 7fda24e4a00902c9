// SPDX-License-Identifier: Apache-2.0
//! When what led to a change of endpoints happened: an annotation by which others measure how long it takes to reach them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::reflector::ObjectRef;

use super::Map;
use crate::cache::Cache;
use crate::workload::pod::condition;

const LAST_CHANGE: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// What was last seen of the pods of a service: by name, since when they are ready, or not.
type Seen = BTreeMap<String, Timestamp>;

/// The times that are known already, by service.
#[derive(Clone, Default)]
pub(super) struct Triggers(Arc<Mutex<HashMap<ObjectRef<Service>, Seen>>>);

impl Triggers {
    /// Remembers times as long as their service is there.
    pub(super) fn new(services: &Cache<Service>) -> Self {
        let triggers = Self::default();
        let seen = triggers.clone();
        services.on_change(move |change| {
            if let (None, Some(gone)) = (&change.new, &change.old) {
                let mut seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
                seen.remove(&ObjectRef::from_obj(gone.as_ref()));
            }
        });
        triggers
    }

    /// The earliest of the times that have changed since this was last asked: of a service that is new its own.
    pub(super) fn of<'a>(
        &self,
        service: &Service,
        pods: impl Iterator<Item = &'a Pod>,
    ) -> Option<Timestamp> {
        let now: Seen = pods
            .filter_map(|pod| {
                let ready = condition(pod, "Ready")?;
                Some((pod.name_any(), ready.last_transition_time.as_ref()?.0))
            })
            .collect();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.insert(ObjectRef::from_obj(service), now.clone());
        let Some(before) = before else {
            let created = service.metadata.creation_timestamp.as_ref();
            return created.map(|time| time.0);
        };
        now.into_iter()
            .filter(|(pod, time)| before.get(pod).is_none_or(|before| before < time))
            .map(|(_, time)| time)
            .min()
    }
}

/// Sets the annotation, or takes it off.
pub(super) fn note(annotations: &mut Option<Map>, time: Option<Timestamp>) {
    let all = annotations.get_or_insert_default();
    match time {
        Some(time) => all.insert(LAST_CHANGE.to_owned(), time.to_string()),
        None => all.remove(LAST_CHANGE),
    };
    if all.is_empty() {
        *annotations = None;
    }
}

/// Whether annotations are the same but for this one.
pub(super) fn same_otherwise(one: Option<&Map>, other: Option<&Map>) -> bool {
    let others = |all: Option<&'_ Map>| {
        let all = all.into_iter().flatten();
        all.filter(|(key, _)| *key != LAST_CHANGE)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Map>()
    };
    others(one) == others(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_earliest_change_counts() {
        let second = |n: i64| format!("2026-01-01T00:00:{n:02}Z");
        let service: Service = serde_json::from_value(
            json!({"metadata": {"name": "s", "namespace": "n", "creationTimestamp": second(1)}}),
        )
        .unwrap();
        let pods = |ready: &[(&str, i64)]| -> Vec<Pod> {
            let pod = |(name, at): &(&str, i64)| {
                serde_json::from_value(json!({
                    "metadata": {"name": name},
                    "status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": second(*at)}]},
                }))
                .unwrap()
            };
            ready.iter().map(pod).collect()
        };
        let triggers = Triggers::default();
        for (ready, expected) in [
            (&[("a", 3)][..], Some(1)),
            (&[("a", 3)], None),
            (&[("a", 7), ("b", 5)], Some(5)),
            (&[("a", 7)], None),
            (&[("a", 9), ("b", 5)], Some(5)),
        ] {
            let found = triggers.of(&service, pods(ready).iter());
            assert_eq!(
                found.map(|time| time.to_string()),
                expected.map(second),
                "{ready:?}"
            );
        }
        let mut annotations = None;
        note(&mut annotations, Some(Timestamp::UNIX_EPOCH));
        assert!(same_otherwise(annotations.as_ref(), None));
        note(&mut annotations, None);
        assert_eq!(annotations, None);
    }
}
