// SPDX-License-Identifier: Apache-2.0
//! The pause before a failed pod is replaced: 10 s, doubled with each failure since the last success, at most 10 minutes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);

/// Failures of a Job's pods since the last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    failures: u32,
    last: Option<Timestamp>,
}

impl Record {
    /// The record after these pods have ended too, each with whether it succeeded.
    pub(super) fn after(mut self, ended: &[(&Pod, bool)], now: Timestamp) -> Self {
        let mut ended: Vec<_> = ended
            .iter()
            .map(|(pod, good)| (finish_time(pod, now), *good))
            .collect();
        // a success at the same time counts last
        ended.sort_by_key(|end| *end);
        for (at, good) in ended {
            self.failures = if good { 0 } else { self.failures + 1 };
            self.last = if good { None } else { Some(at) };
        }
        self
    }

    /// How long a new pod has to wait.
    pub(super) fn remaining(self, now: Timestamp) -> Duration {
        self.last
            .map_or(Duration::ZERO, |last| remaining(self.failures, last, now))
    }
}

/// How long to wait after that many failures, of which the last was at `last`.
pub(super) fn remaining(failures: u32, last: Timestamp, now: Timestamp) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let pause = FIRST
        .saturating_mul(1 << (failures - 1).min(10))
        .min(LONGEST);
    let passed = Duration::try_from(now.duration_since(last)).unwrap_or_default();
    pause.saturating_sub(passed)
}

/// When a pod ended: with the last of its containers, if all have; when it became unready; when it was deleted; at the
/// latest when it was made, which is long ago.
pub(super) fn finish_time(pod: &Pod, now: Timestamp) -> Timestamp {
    let unready = || {
        let ready =
            crate::workload::pod::condition(pod, "Ready").filter(|c| c.status == "False")?;
        ready.last_transition_time.as_ref().map(|at| at.0)
    };
    let deleted = || {
        let end = pod.metadata.deletion_timestamp.as_ref()?.0;
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
        end.checked_sub(SignedDuration::from_secs(grace)).ok()
    };
    let made = || pod.metadata.creation_timestamp.as_ref().map(|at| at.0);
    last_end(pod)
        .or_else(unready)
        .or_else(deleted)
        .or_else(made)
        .unwrap_or(now)
}

/// When the last container ended, sidecars included; none when one of them has not.
fn last_end(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let init = pod
        .spec
        .iter()
        .flat_map(|s| s.init_containers.iter().flatten());
    let sidecars: Vec<&str> = init
        .filter(|c| c.restart_policy.as_deref() == Some("Always"))
        .map(|c| c.name.as_str())
        .collect();
    let of_sidecars = status.init_container_statuses.iter().flatten();
    let of_sidecars = of_sidecars.filter(|c| sidecars.contains(&c.name.as_str()));
    let mut last = None;
    for container in status
        .container_statuses
        .iter()
        .flatten()
        .chain(of_sidecars)
    {
        let ended = container.state.as_ref()?.terminated.as_ref()?;
        last = last.max(Some(ended.finished_at.as_ref()?.0));
    }
    last
}

/// The records of all Jobs, by uid. They live as long as the process, as those of Kubernetes do.
#[derive(Default)]
pub(super) struct Records(Mutex<HashMap<String, Record>>);

impl Records {
    pub(super) fn of(&self, uid: &str) -> Record {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.get(uid).copied().unwrap_or_default()
    }

    pub(super) fn put(&self, uid: &str, record: Record) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if record == Record::default() {
            records.remove(uid);
        } else {
            records.insert(uid.to_owned(), record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let last = Timestamp::UNIX_EPOCH;
        for (failures, passed, expected) in [
            (0, 0, 0),
            (1, 0, 10),
            (1, 4, 6),
            (1, 11, 0),
            (2, 0, 20),
            (6, 0, 320),
            (7, 0, 600),
            (4_000_000, 0, 600),
        ] {
            let now = Timestamp::from_second(passed).expect("a time");
            assert_eq!(
                remaining(failures, last, now).as_secs(),
                expected,
                "{failures} {passed}"
            );
        }
    }

    #[test]
    fn a_success_forgets_failures() {
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let pod = Pod::default();
        let twice = Record::default().after(&[(&pod, false), (&pod, false)], at(100));
        assert_eq!(twice.remaining(at(105)), Duration::from_secs(15));
        assert_eq!(
            twice.after(&[(&pod, true)], at(101)).remaining(at(101)),
            Duration::ZERO
        );
    }
}
