// SPDX-License-Identifier: Apache-2.0
//! The node's conditions: each knows since when it is what it is.

use crate::facts::Usage;
use crate::json::{Array, Value};
use crate::time::Wall;

/// Above this share of a resource there is pressure, in percent.
const PRESSURE: u64 = 85;
/// Below this share it is over: between the two nothing changes.
const RELIEF: u64 = 80;

/// What never changes of a condition.
struct Kind {
    name: &'static str,
    /// The status of a node that begins to run.
    status: bool,
    /// Reason and message when true, and when false.
    words: [(&'static str, &'static str); 2],
}

const fn kind(
    name: &'static str,
    status: bool,
    yes: (&'static str, &'static str),
    no: (&'static str, &'static str),
) -> Kind {
    Kind {
        name,
        status,
        words: [yes, no],
    }
}

static KINDS: [Kind; 7] = [
    kind(
        "Ready",
        true,
        ("KubeletReady", "pico-node is ready"),
        (
            "SafeMode",
            "the board has crashed again and again: it starts no containers for ten minutes",
        ),
    ),
    kind(
        "MemoryPressure",
        false,
        (
            "KubeletHasInsufficientMemory",
            "more than 85 % of the SRAM is in use",
        ),
        ("KubeletHasSufficientMemory", "SRAM is available"),
    ),
    kind(
        "DiskPressure",
        false,
        (
            "KubeletHasDiskPressure",
            "more than 85 % of the flash is in use",
        ),
        ("KubeletHasNoDiskPressure", "flash is available"),
    ),
    kind(
        "PIDPressure",
        false,
        ("KubeletHasInsufficientPID", ""),
        (
            "KubeletHasSufficientPID",
            "containers are no processes here",
        ),
    ),
    kind(
        "NetworkUnavailable",
        false,
        ("LinkDown", ""),
        ("LinkUp", "the node reaches the API"),
    ),
    kind(
        "EmbeddedWorkload",
        true,
        ("FlashOnlyRegistry", "images are those in the node's flash"),
        ("", ""),
    ),
    kind(
        "OCICompatible",
        false,
        ("", ""),
        (
            "NoContainerRuntime",
            "only embedded container images run here",
        ),
    ),
];

const READY: usize = 0;
const MEMORY: usize = 1;
const DISK: usize = 2;

#[derive(Debug, Clone, Copy)]
struct Condition {
    status: bool,
    since: Option<Wall>,
}

/// All conditions of a node, in the order of their kinds.
#[derive(Debug, Clone)]
pub(crate) struct Conditions([Condition; KINDS.len()]);

impl Conditions {
    /// Those of a node that begins to run, in safe mode or as usual: it is only in safe mode that it is not ready.
    pub(crate) fn new(is_safe_mode: bool) -> Self {
        let mut new = Self(KINDS.each_ref().map(|kind| Condition {
            status: kind.status,
            since: None,
        }));
        new.0[READY].status = !is_safe_mode;
        new
    }

    /// Safe mode is over.
    pub(crate) fn leave_safe_mode(&mut self, now: Option<Wall>) {
        (self.0[READY].status, self.0[READY].since) = (true, now);
    }

    /// Takes notice of what is in use. Says whether a condition changed.
    pub(crate) fn observe(&mut self, usage: Usage, now: Option<Wall>) -> bool {
        let memory = self.pressure(MEMORY, usage.memory, usage.memory_total, now);
        self.pressure(DISK, usage.storage, usage.storage_total, now) || memory
    }

    fn pressure(&mut self, which: usize, used: u64, total: u64, now: Option<Wall>) -> bool {
        let condition = &mut self.0[which];
        let limit = if condition.status { RELIEF } else { PRESSURE };
        let status = total > 0 && used.saturating_mul(100) > total.saturating_mul(limit);
        let changed = status != condition.status;
        if changed {
            (condition.status, condition.since) = (status, now);
        }
        changed
    }

    /// Takes the transition times of what the API already holds, where the status is the same.
    pub(crate) fn adopt(&mut self, node: &Value) {
        for known in node.list(&["status", "conditions"]) {
            let status = known.text(&["status"]) == "True";
            for (kind, ours) in KINDS.iter().zip(&mut self.0) {
                if kind.name == known.text(&["type"])
                    && ours.status == status
                    && known.text(&["status"]) != "Unknown"
                {
                    ours.since = Wall::from_rfc3339(known.text(&["lastTransitionTime"]));
                }
            }
        }
    }

    /// Gives every condition whose time was not known the present one.
    pub(crate) fn settle(&mut self, now: Wall) {
        for condition in &mut self.0 {
            condition.since.get_or_insert(now);
        }
    }

    /// Another life of the node begins: its conditions are new.
    pub(crate) fn forget_times(&mut self) {
        for condition in &mut self.0 {
            condition.since = None;
        }
    }

    pub(crate) fn write(&self, now: Wall, out: &mut Array<'_>) {
        for (kind, condition) in KINDS.iter().zip(&self.0) {
            let (reason, message) = kind.words[usize::from(!condition.status)];
            out.object(|o| {
                o.text("type", kind.name);
                o.text("status", if condition.status { "True" } else { "False" });
                o.display("lastHeartbeatTime", now);
                o.display("lastTransitionTime", condition.since.unwrap_or(now));
                o.text("reason", reason);
                o.text("message", message);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_has_hysteresis_and_transition_times_follow_the_status() {
        let mut conditions = Conditions::new(false);
        let at = |s: u64| Wall::from_unix_ms(s * 1000);
        conditions.settle(at(0));
        let usage = |percent| Usage {
            memory: percent,
            memory_total: 100,
            storage: 0,
            storage_total: 0,
        };
        let mut seen = alloc::vec::Vec::new();
        for (second, percent) in [10, 85, 86, 84, 81, 80, 79, 85, 99].into_iter().enumerate() {
            conditions.observe(usage(percent), Some(at(second as u64)));
            let memory = conditions.0[MEMORY];
            seen.push((memory.status, memory.since.unwrap().unix_ms() / 1000));
        }
        let (no, yes, relieved) = ((false, 0), (true, 2), (false, 5));
        assert_eq!(
            seen,
            [
                no,
                no,
                yes,
                yes,
                yes,
                relieved,
                relieved,
                relieved,
                (true, 8)
            ]
        );
        assert_eq!(conditions.0[DISK].since, Some(at(0)));
    }
}
