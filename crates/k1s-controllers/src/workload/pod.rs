// SPDX-License-Identifier: Apache-2.0
//! What the state of a pod means to those who count pods, and which pod goes first when there are too many.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, PodCondition};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

/// Says how much a user would mind losing the pod: those with the lowest number go first.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// `status.phase`; `Pending` before anybody has written it.
pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}

/// The condition of a type.
pub(crate) fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status
        .as_ref()?
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == type_)
}

/// A patch of the status that sets a condition, a new one behind those that are there; it holds for this very pod.
pub(crate) fn with_condition(pod: &Pod, condition: &Value) -> Value {
    let present = pod.status.iter().flat_map(|s| &s.conditions).flatten();
    let mut order: Vec<Value> = present.map(|c| json!({"type": c.type_})).collect();
    let new = json!({"type": condition["type"]});
    if !order.contains(&new) {
        order.push(new);
    }
    json!({
        "metadata": {"uid": pod.uid()},
        "status": {"$setElementOrder/conditions": order, "conditions": [condition]},
    })
}

/// It has ended, for better or worse.
pub(crate) fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// It was deleted and is on its way out.
pub(crate) fn is_going(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// It runs or is going to.
pub(crate) fn is_active(pod: &Pod) -> bool {
    !is_finished(pod) && !is_going(pod)
}

/// Its condition Ready is true.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// How long until it has been ready for `min_ready` seconds: zero if it has, none if it is not ready.
pub(crate) fn available_in(pod: &Pod, min_ready: i32, now: Timestamp) -> Option<Duration> {
    let ready = condition(pod, "Ready").filter(|ready| ready.status == "True")?;
    if min_ready <= 0 {
        return Some(Duration::ZERO);
    }
    let since = ready.last_transition_time.as_ref()?.0;
    let ready_for = u64::try_from(now.duration_since(since).as_millis()).unwrap_or(0);
    let wanted = 1000 * u64::try_from(min_ready).unwrap_or(0);
    Some(Duration::from_millis(wanted.saturating_sub(ready_for)))
}

/// Has been ready for `min_ready` seconds.
pub(crate) fn is_available(pod: &Pod, min_ready: i32, now: Timestamp) -> bool {
    available_in(pod, min_ready, now) == Some(Duration::ZERO)
}

/// When the last of the ready pods becomes available, if there is one that is not yet.
pub(crate) fn next_available<'a>(
    pods: impl IntoIterator<Item = &'a Pod>,
    min_ready: i32,
    now: Timestamp,
) -> Option<Duration> {
    pods.into_iter()
        .filter_map(|pod| available_in(pod, min_ready, now))
        .filter(|left| !left.is_zero())
        .min()
}

/// A pod among those of which some must go.
pub(crate) struct Candidate<'a, P> {
    pub(crate) pod: P,
    /// How many pods of the same owner's owner are on its node.
    pub(crate) neighbours: usize,
    pub(crate) now: &'a Timestamp,
}

/// Sorts so that those that are missed least come first.
pub(crate) fn sort_by_dispensability<P: AsRef<Pod>>(candidates: &mut [Candidate<'_, P>]) {
    candidates.sort_by(dispensability);
}

fn dispensability<P: AsRef<Pod>>(a: &Candidate<'_, P>, b: &Candidate<'_, P>) -> Ordering {
    let (now, x, y) = (*a.now, a.pod.as_ref(), b.pod.as_ref());
    let by_ready_time = || match (ready_since(x), ready_since(y)) {
        _ if !is_ready(x) || !is_ready(y) => Ordering::Equal,
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(since_x), Some(since_y)) if since_x == since_y => Ordering::Equal,
        (Some(since_x), Some(since_y)) => {
            by_magnitude(since_x, since_y, now).then_with(|| x.uid().cmp(&y.uid()))
        }
    };
    let by_creation = || match (created(x), created(y)) {
        (created_x, created_y) if created_x == created_y => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(created_x), Some(created_y)) => {
            by_magnitude(created_x, created_y, now).then_with(|| x.uid().cmp(&y.uid()))
        }
    };
    is_assigned(x)
        .cmp(&is_assigned(y))
        .then_with(|| progress(x).cmp(&progress(y)))
        .then_with(|| is_ready(x).cmp(&is_ready(y)))
        .then_with(|| deletion_cost(x).cmp(&deletion_cost(y)))
        .then_with(|| Reverse(a.neighbours).cmp(&Reverse(b.neighbours)))
        .then_with(by_ready_time)
        .then_with(|| Reverse(restarts(x)).cmp(&Reverse(restarts(y))))
        .then_with(by_creation)
}

/// The younger first; ages of the same order of magnitude are the same age, so that not always the youngest goes.
fn by_magnitude(a: Timestamp, b: Timestamp, now: Timestamp) -> Ordering {
    let magnitude = |since: Timestamp| {
        let age = u64::try_from(now.duration_since(since).as_nanos()).unwrap_or(0);
        age.checked_ilog2().map_or(-1, i64::from)
    };
    magnitude(a).cmp(&magnitude(b))
}

fn is_assigned(pod: &Pod) -> bool {
    pod.spec
        .as_ref()
        .and_then(|spec| spec.node_name.as_deref())
        .is_some_and(|node| !node.is_empty())
}

fn progress(pod: &Pod) -> u8 {
    match phase(pod) {
        "Pending" => 0,
        "Unknown" => 1,
        "Running" => 2,
        _ => 0,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    pod.annotations()
        .get(DELETION_COST)
        .and_then(|cost| cost.parse().ok())
        .unwrap_or(0)
}

/// The most restarts of a container.
pub(crate) fn restarts(pod: &Pod) -> i32 {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    containers
        .into_iter()
        .flatten()
        .map(|c| c.restart_count)
        .max()
        .unwrap_or(0)
}

fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|ready| ready.status == "True")?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}

fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn pod(
        name: &str,
        node: &str,
        phase: &str,
        ready: Option<&str>,
        cost: &str,
        restarts: i32,
        created: &str,
    ) -> Arc<Pod> {
        let conditions = ready
            .map(|since| json!([{"type": "Ready", "status": "True", "lastTransitionTime": since}]));
        let value = json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": created, "annotations": {DELETION_COST: cost}},
            "spec": {"nodeName": node, "containers": []},
            "status": {"phase": phase, "conditions": conditions.unwrap_or(json!([])),
                "containerStatuses": [{"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": restarts}]},
        });
        Arc::new(serde_json::from_value(value).expect("a pod"))
    }

    #[test]
    fn the_pod_that_is_missed_least_goes_first() {
        const T: &str = "2026-01-01T00:00:00Z";
        const LATE: &str = "2026-01-01T23:59:00Z";
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
        let check = |what: &str, first: (Arc<Pod>, usize), second: (Arc<Pod>, usize)| {
            let mut both: Vec<_> = [second, first]
                .into_iter()
                .map(|(pod, neighbours)| Candidate {
                    pod,
                    neighbours,
                    now: &now,
                })
                .collect();
            sort_by_dispensability(&mut both);
            assert_eq!(both[0].pod.name_any(), "first", "{what}");
        };
        let running = |name| pod(name, "n", "Running", Some(T), "0", 0, T);
        check(
            "unassigned",
            (pod("first", "", "Pending", None, "9", 0, T), 0),
            (pod("b", "n", "Pending", None, "0", 9, LATE), 9),
        );
        check(
            "pending",
            (pod("first", "n", "Pending", None, "9", 0, T), 0),
            (running("b"), 9),
        );
        check(
            "not ready",
            (pod("first", "n", "Running", None, "9", 0, T), 0),
            (running("b"), 9),
        );
        check(
            "cheap",
            (pod("first", "n", "Running", Some(T), "-1", 0, T), 0),
            (running("b"), 9),
        );
        check(
            "crowded",
            (running("first"), 2),
            (pod("b", "n", "Running", Some(LATE), "0", 9, LATE), 1),
        );
        check(
            "ready for a shorter time",
            (pod("first", "n", "Running", Some(LATE), "0", 0, T), 1),
            (pod("b", "n", "Running", Some(T), "0", 9, LATE), 1),
        );
        check(
            "restarted more often",
            (pod("first", "n", "Running", Some(T), "0", 2, T), 1),
            (running("b"), 1),
        );
        check(
            "younger",
            (pod("first", "n", "Running", Some(T), "0", 0, LATE), 1),
            (running("b"), 1),
        );
    }

    #[test]
    fn availability_counts_from_the_change_to_ready() {
        let since = "2026-01-01T00:00:00Z";
        let pod = pod("p", "n", "Running", Some(since), "0", 0, since);
        for (now, min_ready, expected) in [
            ("2026-01-01T00:00:00Z", 0, Some(0)),
            ("2026-01-01T00:00:00Z", 10, Some(10_000)),
            ("2026-01-01T00:00:09.5Z", 10, Some(500)),
            ("2026-01-01T00:00:10Z", 10, Some(0)),
            ("2025-12-31T00:00:10Z", 10, Some(10_000)),
        ] {
            let now = now.parse().expect("a time");
            let left = available_in(&pod, min_ready, now).map(|left| left.as_millis());
            assert_eq!(left, expected, "{now} {min_ready}");
        }
    }
}
