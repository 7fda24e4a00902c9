// SPDX-License-Identifier: Apache-2.0
//! Kinds that are two views of one stored object: events of the core group and of `events.k8s.io`, autoscalers of two versions.
//!
//! Core events and `autoscaling/v2` are what is stored.

pub(crate) mod autoscaler;

use serde_json::{Map, Value};

use crate::kinds::Kind;

/// Fields of `events.k8s.io/v1` Event and what they are called in a core event.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("deprecatedCount", "count"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedSource", "source"),
    ("note", "message"),
    ("regarding", "involvedObject"),
    ("reportingController", "reportingComponent"),
];

/// Turns an object of a kind into the one that is stored; its names stay as they are.
pub fn to_storage(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.version, object) {
        ("events.k8s.io", _, Value::Object(map)) => rename(map, EVENT_FIELDS),
        ("autoscaling", "v1", object) => autoscaler::to_v2(object),
        _ => {}
    }
}

/// Turns a stored object into one of a kind; its names stay as they are.
pub fn from_storage(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.version, object) {
        ("events.k8s.io", _, Value::Object(map)) => {
            rename(map, EVENT_FIELDS.map(|(view, stored)| (stored, view)));
        }
        ("autoscaling", "v1", object) => autoscaler::to_v1(object),
        _ => {}
    }
}

fn rename(map: &mut Map<String, Value>, fields: [(&str, &str); 7]) {
    for (from, to) in fields {
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use serde_json::json;

    #[test]
    fn an_event_in_two_groups() {
        let kind = kinds::of_kind("events.k8s.io", "v1", "Event").unwrap();
        let view = json!({"note": "it runs", "regarding": {"name": "p"}, "reason": "Started"});
        let mut object = view.clone();
        to_storage(kind, &mut object);
        assert_eq!(
            object,
            json!({"message": "it runs", "involvedObject": {"name": "p"}, "reason": "Started"})
        );
        from_storage(kind, &mut object);
        assert_eq!(object, view);
    }
}
