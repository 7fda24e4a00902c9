// SPDX-License-Identifier: Apache-2.0
//! A probe of one container: when it is due, and what its results add up to.

use super::spec::{Action, ProbeSpec};
use crate::time::Ms;

/// What the results so far say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No threshold was reached.
    Unknown,
    Healthy,
    Failing,
}

/// What a probe wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing before this time.
    Wait(Ms),
    /// Ask the container.
    Ask,
    /// An answer is being waited for until this time.
    Await(Ms),
}

#[derive(Debug)]
pub(crate) struct Probe {
    due: Ms,
    asked_at: Option<Ms>,
    successes: u32,
    failures: u32,
    pub(crate) verdict: Verdict,
}

impl Probe {
    /// A probe of a container that started now.
    pub(crate) fn new(spec: &ProbeSpec, now: Ms) -> Self {
        Self {
            due: now + Ms::from(spec.initial_delay) * 1000,
            asked_at: None,
            successes: 0,
            failures: 0,
            verdict: Verdict::Unknown,
        }
    }

    pub(crate) fn step(&mut self, spec: &ProbeSpec, now: Ms) -> Step {
        match self.asked_at {
            Some(at) if now >= at + Ms::from(spec.timeout) * 1000 => {
                self.result(spec, now, false);
                Step::Wait(self.due)
            }
            Some(at) => Step::Await(at + Ms::from(spec.timeout) * 1000),
            None if now < self.due => Step::Wait(self.due),
            None => Step::Ask,
        }
    }

    /// The container was asked, or, for TCP, it is known to run.
    pub(crate) fn asked(&mut self, spec: &ProbeSpec, now: Ms) {
        match spec.action {
            Action::Tcp => self.result(spec, now, true),
            Action::Http(_) => self.asked_at = Some(now),
        }
    }

    /// Whether this probe waits for an answer.
    pub(crate) fn is_waiting(&self) -> bool {
        self.asked_at.is_some()
    }

    pub(crate) fn result(&mut self, spec: &ProbeSpec, now: Ms, success: bool) {
        self.asked_at = None;
        self.due = now + Ms::from(spec.period) * 1000;
        if success {
            (self.successes, self.failures) = (self.successes.saturating_add(1), 0);
            if self.successes >= spec.success {
                self.verdict = Verdict::Healthy;
            }
        } else {
            (self.successes, self.failures) = (0, self.failures.saturating_add(1));
            if self.failures >= spec.failure {
                self.verdict = Verdict::Failing;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_and_timeouts() {
        let spec = ProbeSpec {
            action: Action::Http("/".into()),
            initial_delay: 5,
            period: 10,
            timeout: 1,
            success: 1,
            failure: 2,
        };
        let mut probe = Probe::new(&spec, 0);
        assert_eq!(probe.step(&spec, 0), Step::Wait(5000));
        assert_eq!(probe.step(&spec, 5000), Step::Ask);
        probe.asked(&spec, 5000);
        assert_eq!(probe.step(&spec, 5500), Step::Await(6000));
        assert_eq!(probe.step(&spec, 6000), Step::Wait(16_000));
        assert_eq!(probe.verdict, Verdict::Unknown);
        probe.asked(&spec, 16_000);
        probe.result(&spec, 16_100, false);
        assert_eq!(probe.verdict, Verdict::Failing);
        probe.result(&spec, 26_100, true);
        assert_eq!(probe.verdict, Verdict::Healthy);
    }
}
