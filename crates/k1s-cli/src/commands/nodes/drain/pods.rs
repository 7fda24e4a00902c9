// SPDX-License-Identifier: Apache-2.0
//! Which pods of a node may be sent away, and how far that has come with each.

use jiff::Timestamp;
use k1s_core::object::{list, text};
use serde_json::Value;
use tokio::time::Instant;

/// What the command line allows.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Pods that nobody makes again may go.
    pub(super) force: bool,
    /// Pods of daemon sets stay, and that is no reason to give up.
    pub(super) ignore_daemon_sets: bool,
    /// Data in an emptyDir may be lost.
    pub(super) lose_data: bool,
    /// Pods that have been deleted for more seconds than this are not waited for; 0 waits for all.
    pub(super) skip_deleted_for: i64,
}

/// A daemon set that cannot be had.
#[derive(Debug)]
pub(super) struct Lost {
    /// Whether the API says that there is none.
    pub(super) is_gone: bool,
    /// What the API says.
    pub(super) why: String,
}

/// What becomes of a pod.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays.
    Stays,
    /// It stays, with a warning.
    StaysWith(String),
    /// It goes.
    Goes,
    /// It goes, with a warning.
    GoesWith(String),
    /// It must not go, so nothing does.
    Refused(String),
}

impl Rules {
    /// What becomes of a pod, by the rules in their order.
    pub(super) fn judge(&self, pod: &Value, daemon_set: Option<&Lost>, now: Timestamp) -> Fate {
        let deleted = text(pod, &["metadata", "deletionTimestamp"]);
        if self.skip_deleted_for > 0
            && let Ok(deleted) = k1s_core::time::parse_time(deleted)
            && now.as_second() - deleted.as_second() > self.skip_deleted_for
        {
            return Fate::Stays;
        }
        let finished = ["Failed", "Succeeded"].contains(&text(pod, &["status", "phase"]));
        if daemon_set_of(pod).is_some() && !finished {
            match daemon_set {
                Some(lost) if lost.is_gone && self.force => {}
                Some(lost) => return Fate::Refused(lost.why.clone()),
                None if self.ignore_daemon_sets => {
                    return Fate::StaysWith("ignoring DaemonSet-managed Pods".to_owned());
                }
                None => {
                    return Fate::Refused(
                        "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)".to_owned(),
                    );
                }
            }
        }
        if pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string() {
            return Fate::Stays;
        }
        let volumes = list(pod, &["spec", "volumes"]);
        let has_data = volumes.iter().any(|volume| volume["emptyDir"].is_object());
        if has_data && !finished && !self.lose_data {
            return Fate::Refused(
                "Pods with local storage (use --delete-emptydir-data to override)".to_owned(),
            );
        }
        match controller(pod) {
            None if !finished && self.force => {
                Fate::GoesWith("deleting Pods that declare no controller".to_owned())
            }
            None if !finished => Fate::Refused(
                "cannot delete Pods that declare no controller (use --force to override)"
                    .to_owned(),
            ),
            _ => Fate::Goes,
        }
    }
}

fn controller(pod: &Value) -> Option<&Value> {
    list(pod, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| owner["controller"] == true)
}

/// The name of the daemon set that a pod is of.
pub(super) fn daemon_set_of(pod: &Value) -> Option<&str> {
    controller(pod)
        .filter(|owner| {
            text(owner, &["kind"]) == "DaemonSet" && text(owner, &["apiVersion"]) == "apps/v1"
        })
        .map(|owner| text(owner, &["name"]))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be asked at this time or later.
    Due(Option<Instant>),
    /// Asked; it is not gone yet.
    Waiting,
    Finished,
}

/// A pod on its way.
#[derive(Debug)]
pub(super) struct Away {
    pod: Value,
    state: State,
}

impl Away {
    pub(super) fn new(pod: Value) -> Self {
        Self {
            pod,
            state: State::Due(None),
        }
    }

    pub(super) fn name(&self) -> &str {
        text(&self.pod, &["metadata", "name"])
    }

    pub(super) fn namespace(&self) -> &str {
        text(&self.pod, &["metadata", "namespace"])
    }

    pub(super) fn uid(&self) -> &str {
        text(&self.pod, &["metadata", "uid"])
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Due(at) if at.is_none_or(|at| at <= now))
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.state == State::Waiting
    }

    pub(super) fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    pub(super) fn retry(&mut self, at: Instant) {
        self.state = State::Due(Some(at));
    }

    pub(super) fn wait(&mut self) {
        self.state = State::Waiting;
    }

    pub(super) fn finish(&mut self) {
        self.state = State::Finished;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fates_of_pods() {
        let owned = |kind: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "o", "controller": true}]);
        let plain = json!({"metadata": {}});
        let of_set = json!({"metadata": {"ownerReferences": owned("ReplicaSet")}});
        let of_daemon = json!({"metadata": {"ownerReferences": owned("DaemonSet")}});
        let mut with_data = of_set.clone();
        with_data["spec"] = json!({"volumes": [{"emptyDir": {}}]});
        let mut done = plain.clone();
        done["status"] = json!({"phase": "Succeeded"});
        let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}});
        let check = |pod: &Value, rules: Rules, wanted: &str| {
            let fate = rules.judge(pod, None, Timestamp::UNIX_EPOCH);
            assert!(format!("{fate:?}").starts_with(wanted), "{pod}: {fate:?}");
        };
        let force = || Rules {
            force: true,
            ..Rules::default()
        };
        check(&of_set, Rules::default(), "Goes");
        check(
            &plain,
            Rules::default(),
            "Refused(\"cannot delete Pods that declare no",
        );
        check(&plain, force(), "GoesWith(\"deleting Pods that declare no");
        check(&done, Rules::default(), "Goes");
        check(&mirror, Rules::default(), "Stays");
        check(&of_daemon, force(), "Refused(\"DaemonSet-managed");
        check(
            &of_daemon,
            Rules {
                ignore_daemon_sets: true,
                ..Rules::default()
            },
            "StaysWith(\"ignoring",
        );
        check(
            &with_data,
            Rules::default(),
            "Refused(\"Pods with local storage",
        );
        check(
            &with_data,
            Rules {
                lose_data: true,
                ..Rules::default()
            },
            "Goes",
        );
    }
}
