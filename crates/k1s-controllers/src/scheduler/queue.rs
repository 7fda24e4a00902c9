// SPDX-License-Identifier: Apache-2.0
//! The pods that wait for a node: whose turn it is, who has to pause after a failure, and who waits for the cluster to change.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pod::PodInfo;

/// The pause after the first failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A pod that nothing has moved for so long is tried again all the same.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Waiting {
    pod: Arc<PodInfo>,
    attempts: u32,
    /// When it was tried last; none before the first time.
    tried: Option<Instant>,
    number: u64,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is its turn as soon as those before it are done.
    Active,
    /// It pauses until then.
    Pausing(Instant),
    /// It waits for a change.
    Parked(Instant),
    /// It is being tried.
    Out,
}

/// The waiting pods, by uid.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pods: HashMap<String, Waiting>,
    /// The most important first, then the first that came.
    active: BTreeSet<(std::cmp::Reverse<i32>, u64, String)>,
    next_number: u64,
}

impl Queue {
    /// A pod is new, or has changed; a change of one that waits gives it another try.
    pub(super) fn put(&mut self, pod: Arc<PodInfo>, changed: bool, now: Instant) {
        let uid = pod.uid().to_owned();
        if let Some(present) = self.pods.get_mut(&uid) {
            present.pod = pod;
            if changed && matches!(present.place, Place::Parked(_)) {
                self.wake(&uid, now);
            }
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        let waiting = Waiting {
            pod,
            attempts: 0,
            tried: None,
            number,
            place: Place::Out,
        };
        self.pods.insert(uid.clone(), waiting);
        self.activate(&uid);
    }

    fn activate(&mut self, uid: &str) {
        if let Some(waiting) = self.pods.get_mut(uid) {
            waiting.place = Place::Active;
            let key = (
                std::cmp::Reverse(waiting.pod.priority()),
                waiting.number,
                uid.to_owned(),
            );
            self.active.insert(key);
        }
    }

    /// The pod needs no node any more.
    pub(super) fn remove(&mut self, uid: &str) {
        if let Some(waiting) = self.pods.remove(uid) {
            let key = (
                std::cmp::Reverse(waiting.pod.priority()),
                waiting.number,
                uid.to_owned(),
            );
            self.active.remove(&key);
        }
    }

    pub(super) fn contains(&self, uid: &str) -> bool {
        self.pods.contains_key(uid)
    }

    /// The next pod to be tried.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Arc<PodInfo>> {
        self.end_pauses(now);
        let (.., uid) = self.active.pop_first()?;
        let waiting = self.pods.get_mut(&uid)?;
        waiting.place = Place::Out;
        waiting.attempts = waiting.attempts.saturating_add(1);
        waiting.tried = Some(now);
        Some(waiting.pod.clone())
    }

    /// The pod found no node; `again` when something has changed meanwhile.
    pub(super) fn park(&mut self, uid: &str, again: bool, now: Instant) {
        if let Some(waiting) = self.pods.get_mut(uid) {
            waiting.place = Place::Parked(now);
            if again {
                self.wake(uid, now);
            }
        }
    }

    /// The pod's last try was for nothing, and not its fault: it has another at once.
    pub(super) fn again(&mut self, uid: &str) {
        if let Some(waiting) = self.pods.get_mut(uid)
            && waiting.place == Place::Out
        {
            waiting.attempts = waiting.attempts.saturating_sub(1);
            self.activate(uid);
        }
    }

    /// Pods that `concerns` have another try.
    pub(super) fn wake_all(&mut self, concerns: impl Fn(&PodInfo) -> bool, now: Instant) {
        let parked: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, w)| matches!(w.place, Place::Parked(_)) && concerns(&w.pod))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in parked {
            self.wake(&uid, now);
        }
    }

    /// Ends the wait of a pod; what is left of its pause stays.
    fn wake(&mut self, uid: &str, now: Instant) {
        let Some(waiting) = self.pods.get_mut(uid) else {
            return;
        };
        let pause = pause(waiting.attempts);
        match waiting.tried.map(|tried| tried + pause) {
            Some(end) if end > now => waiting.place = Place::Pausing(end),
            _ => self.activate(uid),
        }
    }

    fn end_pauses(&mut self, now: Instant) {
        let over = |place: Place| match place {
            Place::Pausing(end) => end <= now,
            Place::Parked(since) => since + PATIENCE <= now,
            Place::Active | Place::Out => false,
        };
        let ready: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, waiting)| over(waiting.place))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in ready {
            self.activate(&uid);
        }
    }

    /// When the next pause ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.pods
            .values()
            .filter_map(|waiting| match waiting.place {
                Place::Pausing(end) => Some(end),
                Place::Parked(since) => Some(since + PATIENCE),
                Place::Active | Place::Out => None,
            })
            .min()
    }
}

fn pause(attempts: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(10));
    doubled.min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;

    fn pod(uid: &str, priority: i32) -> Arc<PodInfo> {
        let mut pod = Pod::default();
        pod.metadata.uid = Some(uid.to_owned());
        pod.spec.get_or_insert_default().priority = Some(priority);
        Arc::new(PodInfo::new(Arc::new(pod)))
    }

    #[test]
    fn turns() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut queue = Queue::default();
        let pop = |queue: &mut Queue, now| queue.pop(now).map(|p| p.uid().to_owned());
        for (uid, priority) in [("a", 0), ("b", 5), ("c", 0)] {
            queue.put(pod(uid, priority), true, start);
        }
        for uid in ["b", "a", "c"] {
            assert_eq!(pop(&mut queue, at(0.0)).as_deref(), Some(uid));
        }
        queue.park("a", false, at(0.0));
        queue.park("b", false, at(0.0));
        assert_eq!(pop(&mut queue, at(5.0)), None, "nothing has changed");
        queue.wake_all(|pod| pod.uid() == "a", at(0.5));
        assert_eq!(pop(&mut queue, at(0.5)), None, "it pauses");
        assert_eq!(queue.next_end(), Some(at(1.0)));
        assert_eq!(pop(&mut queue, at(1.0)).as_deref(), Some("a"));
        queue.again("a");
        assert_eq!(pop(&mut queue, at(1.0)).as_deref(), Some("a"), "at once");
        queue.park("a", true, at(1.0));
        assert_eq!(queue.next_end(), Some(at(3.0)), "the pause doubles");
        queue.remove("a");
        assert_eq!(
            pop(&mut queue, at(300.0)).as_deref(),
            Some("b"),
            "patience ends"
        );
    }
}
