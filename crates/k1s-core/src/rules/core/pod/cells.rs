// SPDX-License-Identifier: Apache-2.0
//! The table row of a Pod: what state it is in, from the states of its containers.

use serde_json::{Value, json};

use crate::object::{self, at, int, is_true, list, text};
use crate::rules::{Clock, cells};

const WAITS_FOR_INIT: &str = "PodInitializing";

/// Name, Ready, Status, Restarts, Age, IP, Node, Nominated Node, Readiness Gates.
pub(super) fn cells(pod: &Value, clock: &Clock) -> Vec<Value> {
    let state = State::of(pod);
    let ip = list(pod, &["status", "podIPs"])
        .first()
        .map_or("", |ip| text(ip, &["ip"]));
    vec![
        cells::name(pod),
        format!("{}/{}", state.ready, state.containers).into(),
        status(pod, &state).into(),
        state.restarts_words(clock).into(),
        cells::age(pod, clock),
        cells::or_none(ip),
        cells::or_none(text(pod, &["spec", "nodeName"])),
        cells::or_none(text(pod, &["status", "nominatedNodeName"])),
        readiness_gates(pod),
    ]
}

/// Says of a pod that has ended how it did.
pub(super) fn conditions(pod: &Value) -> Vec<Value> {
    let phase = text(pod, &["status", "phase"]);
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return Vec::new(),
    };
    vec![json!({"type": "Completed", "status": "True", "reason": phase, "message": message})]
}

/// What the containers say together.
struct State {
    ready: usize,
    containers: usize,
    reason: String,
    restarts: i64,
    last_restart: Option<i64>,
}

impl State {
    fn of(pod: &Value) -> Self {
        let restartable = |name: &str| {
            list(pod, &["spec", "initContainers"])
                .iter()
                .any(|c| text(c, &["name"]) == name && text(c, &["restartPolicy"]) == "Always")
        };
        let side_containers = list(pod, &["spec", "initContainers"])
            .iter()
            .filter(|c| text(c, &["restartPolicy"]) == "Always")
            .count();
        let mut state = Self {
            ready: 0,
            containers: list(pod, &["spec", "containers"]).len() + side_containers,
            reason: first_reason(pod),
            restarts: 0,
            last_restart: None,
        };
        let mut of_side = (0, None);
        let mut initializing = false;
        for (index, status) in list(pod, &["status", "initContainerStatuses"])
            .iter()
            .enumerate()
        {
            let is_side = restartable(text(status, &["name"]));
            state.count_restarts(status);
            if is_side {
                of_side.0 += int(status, &["restartCount"]).unwrap_or_default();
                of_side.1 = of_side.1.max(ended_last(status));
            }
            let ended = at(status, &["state", "terminated"]).filter(|v| v.is_object());
            if ended.is_some_and(|e| int(e, &["exitCode"]).unwrap_or_default() == 0) {
                continue;
            }
            if is_side && is_true(status, &["started"]) {
                state.ready += usize::from(is_true(status, &["ready"]));
                continue;
            }
            state.reason = format!("Init:{}", init_reason(pod, status, ended, index));
            initializing = true;
            break;
        }
        if !initializing || has_condition(pod, "Initialized") {
            (state.restarts, state.last_restart) = of_side;
            state.add_containers(pod);
        }
        state
    }

    fn count_restarts(&mut self, status: &Value) {
        self.restarts += int(status, &["restartCount"]).unwrap_or_default();
        self.last_restart = self.last_restart.max(ended_last(status));
    }

    fn add_containers(&mut self, pod: &Value) {
        let mut any_runs = false;
        let mut failure = None;
        for status in list(pod, &["status", "containerStatuses"]).iter().rev() {
            self.count_restarts(status);
            let waits = text(status, &["state", "waiting", "reason"]);
            let ended = at(status, &["state", "terminated"]).filter(|v| v.is_object());
            let runs = at(status, &["state", "running"]).is_some_and(Value::is_object);
            if !waits.is_empty() {
                self.reason = waits.to_owned();
            } else if let Some(ended) = ended {
                self.reason = end_reason(ended);
                if int(ended, &["exitCode"]).unwrap_or_default() != 0 {
                    failure = Some(self.reason.clone());
                }
            } else if runs && is_true(status, &["ready"]) {
                any_runs = true;
                self.ready += 1;
            }
        }
        if self.reason != "Completed" {
            return;
        }
        if any_runs && has_condition(pod, "Ready") {
            self.reason = "Running".to_owned();
        } else if let Some(failure) = failure {
            self.reason = failure;
        } else if any_runs {
            self.reason = "NotReady".to_owned();
        }
    }

    fn restarts_words(&self, clock: &Clock) -> String {
        match self.last_restart {
            Some(last) if self.restarts != 0 => format!(
                "{} ({} ago)",
                self.restarts,
                cells::duration(clock.now_seconds - last)
            ),
            _ => self.restarts.to_string(),
        }
    }
}

/// When the container ended before it was started again.
fn ended_last(status: &Value) -> Option<i64> {
    cells::seconds(text(status, &["lastState", "terminated", "finishedAt"]))
}

/// The phase, unless the pod says why it is so, or is held back.
fn first_reason(pod: &Value) -> String {
    let gated = list(pod, &["status", "conditions"])
        .iter()
        .any(|c| text(c, &["type"]) == "PodScheduled" && text(c, &["reason"]) == "SchedulingGated");
    if gated {
        return "SchedulingGated".to_owned();
    }
    let reason = text(pod, &["status", "reason"]);
    let phase = text(pod, &["status", "phase"]);
    if reason.is_empty() { phase } else { reason }.to_owned()
}

fn init_reason(pod: &Value, status: &Value, ended: Option<&Value>, index: usize) -> String {
    let waits = text(status, &["state", "waiting", "reason"]);
    match ended {
        Some(ended) => end_reason(ended),
        None if !waits.is_empty() && waits != WAITS_FOR_INIT => waits.to_owned(),
        None => format!("{index}/{}", list(pod, &["spec", "initContainers"]).len()),
    }
}

fn end_reason(ended: &Value) -> String {
    let signal = int(ended, &["signal"]).unwrap_or_default();
    match text(ended, &["reason"]) {
        "" if signal != 0 => format!("Signal:{signal}"),
        "" => format!("ExitCode:{}", int(ended, &["exitCode"]).unwrap_or_default()),
        reason => reason.to_owned(),
    }
}

fn has_condition(pod: &Value, kind: &str) -> bool {
    list(pod, &["status", "conditions"])
        .iter()
        .any(|c| text(c, &["type"]) == kind && text(c, &["status"]) == "True")
}

fn status(pod: &Value, state: &State) -> String {
    let phase = text(pod, &["status", "phase"]);
    if !object::is_deleting(pod) {
        state.reason.clone()
    } else if text(pod, &["status", "reason"]) == "NodeLost" {
        "Unknown".to_owned()
    } else if !matches!(phase, "Succeeded" | "Failed") {
        "Terminating".to_owned()
    } else {
        state.reason.clone()
    }
}

fn readiness_gates(pod: &Value) -> Value {
    let gates = list(pod, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return cells::NONE.into();
    }
    let conditions = list(pod, &["status", "conditions"]);
    let open = gates.iter().filter(|gate| {
        conditions
            .iter()
            .find(|c| text(c, &["type"]) == text(gate, &["conditionType"]))
            .is_some_and(|c| text(c, &["status"]) == "True")
    });
    format!("{}/{}", open.count(), gates.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Value, status: Value, expected: [&str; 3]) {
        let pod = json!({"metadata": {"name": "p", "creationTimestamp": "2020-01-01T00:00:00Z"}, "spec": spec, "status": status});
        let found = cells(
            &pod,
            &Clock {
                now_seconds: 1_577_836_900,
            },
        );
        assert_eq!(found[1..4], expected.map(Value::from), "{pod}");
    }

    #[test]
    fn states() {
        let spec = json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]});
        check(
            spec.clone(),
            json!({"phase": "Pending"}),
            ["0/1", "Pending", "0"],
        );
        let one = |state: Value| json!({"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 2, "state": state}]});
        check(
            spec.clone(),
            one(json!({"running": {}})),
            ["1/1", "Running", "2"],
        );
        check(
            spec.clone(),
            one(json!({"waiting": {"reason": "CrashLoopBackOff"}})),
            ["0/1", "CrashLoopBackOff", "2"],
        );
        check(
            spec.clone(),
            one(json!({"terminated": {"exitCode": 3}})),
            ["0/1", "ExitCode:3", "2"],
        );
        check(
            spec.clone(),
            one(json!({"terminated": {"exitCode": 1, "signal": 9}})),
            ["0/1", "Signal:9", "2"],
        );
        let init = |state: Value| json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "restartCount": 1, "state": state, "lastState": {"terminated": {"finishedAt": "2020-01-01T00:01:00Z"}}}]});
        check(
            spec.clone(),
            init(json!({"running": {}})),
            ["0/1", "Init:0/1", "1 (40s ago)"],
        );
        check(
            spec.clone(),
            init(json!({"terminated": {"exitCode": 1, "reason": "Error"}})),
            ["0/1", "Init:Error", "1 (40s ago)"],
        );
        check(
            spec.clone(),
            init(json!({"waiting": {"reason": "PodInitializing"}})),
            ["0/1", "Init:0/1", "1 (40s ago)"],
        );
        let side = json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i", "restartPolicy": "Always"}]});
        check(
            side,
            json!({"phase": "Running", "initContainerStatuses": [{"name": "i", "started": true, "ready": true, "restartCount": 3}], "containerStatuses": []}),
            ["1/2", "Running", "3"],
        );
        check(
            spec,
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}),
            ["0/1", "SchedulingGated", "0"],
        );
    }
}
