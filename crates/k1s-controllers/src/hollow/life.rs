// SPDX-License-Identifier: Apache-2.0
//! The life of a pod on a hollow node: what comes next, of what is there and the time.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodReadinessGate,
    PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::wishes::Wishes;

/// The first pause before a container that ended is started again; it doubles.
const BACK_OFF: Duration = Duration::from_secs(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// What is to be done about a pod.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing until it changes.
    Nothing,
    /// Look again then.
    Wait(Duration),
    /// It is reported to be so: what the patch of its status says.
    Report(Box<PodStatus>),
    /// It has ended and may go.
    Delete,
}

/// What comes next; `address` gives the pod one of its own.
pub(super) fn next(
    pod: &Pod,
    host: Option<&str>,
    address: impl FnOnce() -> Option<String>,
    now: Timestamp,
) -> Next {
    let wishes = Wishes::of(pod);
    let status = pod.status.clone().unwrap_or_default();
    if let Some(end) = &pod.metadata.deletion_timestamp {
        return ending(pod, &wishes, end.0, now);
    }
    match status.phase.as_deref() {
        Some("Succeeded" | "Failed") => Next::Nothing,
        Some("Running") => match through_gates(pod, &status, now) {
            Some(report) => Next::Report(report),
            None => running(pod, &wishes, &status, now),
        },
        _ => {
            let since = condition_time(&status, "PodScheduled")
                .or(pod.metadata.creation_timestamp.as_ref().map(|t| t.0))
                .unwrap_or(now);
            if let Some(left) = left(since, wishes.start, now) {
                return Next::Wait(left);
            }
            if !wishes.pulls {
                return pulling(pod, &status, host, now);
            }
            let mut report = started(pod, &wishes, now);
            report.host_ip = host.map(str::to_owned);
            report.host_ips = host.map(|ip| vec![HostIP { ip: ip.to_owned() }]);
            report.pod_ip = status.pod_ip.clone().or_else(address);
            report.pod_ips = report.pod_ip.clone().map(|ip| vec![PodIP { ip }]);
            Next::Report(Box::new(report))
        }
    }
}

/// What is left of a time span that began then; none when it is over.
fn left(since: Timestamp, span: Duration, now: Timestamp) -> Option<Duration> {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    let left = span.checked_sub(now.duration_since(since))?;
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}

fn ending(pod: &Pod, wishes: &Wishes, end: Timestamp, now: Timestamp) -> Next {
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
    if grace == 0 {
        // Something else holds it.
        return Next::Nothing;
    }
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    let began = end.checked_sub(grace).unwrap_or(now);
    match left(began, wishes.stop.min(grace), now) {
        Some(left) => Next::Wait(left),
        None => Next::Delete,
    }
}

fn condition_time(status: &PodStatus, type_: &str) -> Option<Timestamp> {
    let conditions = status.conditions.as_ref()?;
    let found = conditions.iter().find(|c| c.type_ == type_)?;
    found.last_transition_time.as_ref().map(|time| time.0)
}

fn condition(
    type_: &str,
    status: bool,
    reason: Option<(&str, String)>,
    now: Timestamp,
) -> PodCondition {
    let (reason, message) = match reason {
        Some((reason, message)) => (Some(reason.to_owned()), Some(message)),
        None => (None, None),
    };
    PodCondition {
        type_: type_.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason,
        message,
        last_transition_time: Some(Time(now)),
        ..PodCondition::default()
    }
}

/// The conditions of a pod whose containers are all ready, or none of them.
fn conditions(pod: &Pod, ready: bool, reason: &str, now: Timestamp) -> Vec<PodCondition> {
    let names: Vec<&str> = containers(pod).map(|c| c.name.as_str()).collect();
    let why = |reason: &'static str| {
        let message = format!("containers with unready status: [{}]", names.join(" "));
        (reason, message)
    };
    let unready = || match reason {
        "PodCompleted" => Some(("PodCompleted", String::new())),
        "PodFailed" => Some(("PodFailed", String::new())),
        _ => Some(why("ContainersNotReady")),
    };
    let completed = (reason == "PodCompleted").then(|| ("PodCompleted", String::new()));
    let ready_condition = if ready {
        gated_ready(pod, now)
    } else {
        condition("Ready", false, unready(), now)
    };
    let scheduled = pod
        .status
        .as_ref()
        .and_then(|status| condition_time(status, "PodScheduled"));
    let mut all = vec![
        condition("PodReadyToStartContainers", reason.is_empty(), None, now),
        condition("Initialized", true, completed, now),
        ready_condition,
        condition(
            "ContainersReady",
            ready,
            (!ready).then(unready).flatten(),
            now,
        ),
    ];
    if scheduled.is_none() {
        // Whoever put it here by hand did not say so.
        all.push(condition("PodScheduled", true, None, now));
    }
    all
}

/// The condition Ready of a pod whose containers are: what it names as its readiness gates has to be true as well.
fn gated_ready(pod: &Pod, now: Timestamp) -> PodCondition {
    let status = pod.status.as_ref();
    let closed = |gate: &PodReadinessGate| {
        let gate = &gate.condition_type;
        let present = status
            .and_then(|s| s.conditions.as_ref())
            .and_then(|all| all.iter().find(|c| c.type_ == *gate));
        match present {
            None => Some(format!(
                "corresponding condition of pod readiness gate {gate:?} does not exist."
            )),
            Some(c) if c.status == "True" => None,
            Some(c) => Some(format!(
                "the status of pod readiness gate {gate:?} is not \"True\", but {}",
                c.status
            )),
        }
    };
    let gates = pod.spec.iter().flat_map(|s| &s.readiness_gates).flatten();
    let closed: Vec<String> = gates.filter_map(closed).collect();
    let why = (!closed.is_empty()).then(|| ("ReadinessGatesNotReady", closed.join(", ")));
    condition("Ready", closed.is_empty(), why, now)
}

/// What a pod with readiness gates says of itself when one of them has opened or closed.
fn through_gates(pod: &Pod, status: &PodStatus, now: Timestamp) -> Option<Box<PodStatus>> {
    pod.spec.as_ref()?.readiness_gates.as_ref()?.first()?;
    let all = status.conditions.as_ref()?;
    let find = |type_: &str| all.iter().find(|c| c.type_ == type_);
    find("ContainersReady").filter(|c| c.status == "True")?;
    let mut ready = gated_ready(pod, now);
    if let Some(present) = find("Ready") {
        if (&present.status, &present.message) == (&ready.status, &ready.message) {
            return None;
        }
        if present.status == ready.status {
            ready.last_transition_time = present.last_transition_time.clone();
        }
    }
    Some(Box::new(PodStatus {
        conditions: Some(vec![ready]),
        ..PodStatus::default()
    }))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.iter().flat_map(|spec| &spec.containers)
}

fn init_containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec
        .iter()
        .flat_map(|spec| spec.init_containers.iter().flatten())
}

/// The name under which a runtime would know the container.
fn container_id(pod: &Pod, name: &str, restarts: i32) -> String {
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    format!("hollow://{}/{name}/{restarts}", uid)
}

fn running_state(at: Timestamp) -> ContainerState {
    ContainerState {
        running: Some(ContainerStateRunning {
            started_at: Some(Time(at)),
        }),
        ..ContainerState::default()
    }
}

fn terminated_state(
    code: u8,
    id: String,
    began: Option<Timestamp>,
    at: Timestamp,
) -> ContainerState {
    let reason = if code == 0 { "Completed" } else { "Error" };
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code: code.into(),
            reason: Some(reason.to_owned()),
            started_at: began.map(Time),
            finished_at: Some(Time(at)),
            container_id: Some(id),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    }
}

fn waiting_state(reason: &str, message: String) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message: Some(message),
        }),
        ..ContainerState::default()
    }
}

fn container_status(
    pod: &Pod,
    container: &Container,
    state: ContainerState,
    ready: bool,
) -> ContainerStatus {
    let image = container.image.clone().unwrap_or_default();
    ContainerStatus {
        name: container.name.clone(),
        image_id: format!("hollow://{image}"),
        image,
        container_id: Some(container_id(pod, &container.name, 0)),
        ready,
        started: Some(state.running.is_some()),
        restart_count: 0,
        state: Some(state),
        ..ContainerStatus::default()
    }
}

/// Everything has started: init containers have ended, containers run.
fn started(pod: &Pod, wishes: &Wishes, now: Timestamp) -> PodStatus {
    let init: Vec<ContainerStatus> = init_containers(pod)
        .map(|container| {
            if container.restart_policy.as_deref() == Some("Always") {
                container_status(pod, container, running_state(now), true)
            } else {
                let id = container_id(pod, &container.name, 0);
                let ended = terminated_state(0, id, Some(now), now);
                container_status(pod, container, ended, true)
            }
        })
        .collect();
    PodStatus {
        phase: Some("Running".to_owned()),
        start_time: Some(Time(now)),
        conditions: Some(conditions(pod, wishes.ready, "", now)),
        init_container_statuses: (!init.is_empty()).then_some(init),
        container_statuses: Some(
            containers(pod)
                .map(|c| container_status(pod, c, running_state(now), wishes.ready))
                .collect(),
        ),
        ..PodStatus::default()
    }
}

/// The images cannot be had, for ever.
fn pulling(pod: &Pod, status: &PodStatus, host: Option<&str>, now: Timestamp) -> Next {
    let reported = status.container_statuses.iter().flatten().next().is_some();
    if reported {
        return Next::Nothing;
    }
    let all = containers(pod)
        .map(|container| {
            let image = container.image.clone().unwrap_or_default();
            let message =
                format!("Back-off pulling image {image:?}: ErrImagePull: {image}: not found");
            ContainerStatus {
                container_id: None,
                image_id: String::new(),
                ..container_status(
                    pod,
                    container,
                    waiting_state("ImagePullBackOff", message),
                    false,
                )
            }
        })
        .collect();
    Next::Report(Box::new(PodStatus {
        phase: Some("Pending".to_owned()),
        start_time: Some(Time(now)),
        host_ip: host.map(str::to_owned),
        conditions: Some(conditions(pod, false, "", now)),
        container_statuses: Some(all),
        ..PodStatus::default()
    }))
}

/// A running pod ends when its time is over, or its containers are started again.
fn running(pod: &Pod, wishes: &Wishes, status: &PodStatus, now: Timestamp) -> Next {
    let deadline = pod.spec.as_ref().and_then(|s| s.active_deadline_seconds);
    let statuses = status.container_statuses.clone().unwrap_or_default();
    let Some(first) = statuses.first() else {
        return Next::Nothing;
    };
    let state = first.state.clone().unwrap_or_default();
    let since_start = status.start_time.as_ref().map_or(now, |time| time.0);
    let over = deadline.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    if let Some(deadline) = over
        && left(since_start, deadline, now).is_none()
    {
        let mut report = ended(pod, &statuses, wishes, "Failed", now);
        report.reason = Some("DeadlineExceeded".to_owned());
        report.message =
            Some("Pod was active on the node longer than the specified deadline".to_owned());
        return Next::Report(Box::new(report));
    }
    let sooner = |pause: Option<Duration>| {
        let of_deadline = over.and_then(|deadline| left(since_start, deadline, now));
        match pause.into_iter().chain(of_deadline).min() {
            Some(pause) => Next::Wait(pause),
            None => Next::Nothing,
        }
    };
    if let Some(began) = state.running.as_ref().and_then(|r| r.started_at.as_ref()) {
        let Some(run) = wishes.run else {
            return sooner(None);
        };
        if let Some(left) = left(began.0, run, now) {
            return sooner(Some(left));
        }
        let policy = pod.spec.as_ref().and_then(|s| s.restart_policy.as_deref());
        return Next::Report(Box::new(match (policy, wishes.exit_code) {
            (Some("Never"), 0) | (Some("OnFailure"), 0) => {
                ended(pod, &statuses, wishes, "Succeeded", now)
            }
            (Some("Never"), _) => ended(pod, &statuses, wishes, "Failed", now),
            _ => crashed(pod, &statuses, wishes, now),
        }));
    }
    if state.waiting.is_some() {
        let ended = first
            .last_state
            .as_ref()
            .and_then(|s| s.terminated.as_ref())
            .and_then(|t| t.finished_at.as_ref())
            .map_or(now, |time| time.0);
        let pause = BACK_OFF
            .saturating_mul(1 << first.restart_count.clamp(0, 10))
            .min(LONGEST_BACK_OFF);
        if let Some(left) = left(ended, pause, now) {
            return sooner(Some(left));
        }
        return Next::Report(Box::new(restarted(pod, &statuses, wishes, now)));
    }
    sooner(None)
}

fn ended(
    pod: &Pod,
    statuses: &[ContainerStatus],
    wishes: &Wishes,
    phase: &str,
    now: Timestamp,
) -> PodStatus {
    let succeeded = phase == "Succeeded";
    let reason = if succeeded {
        "PodCompleted"
    } else {
        "PodFailed"
    };
    let statuses = statuses.iter().map(|status| {
        let id = container_id(pod, &status.name, status.restart_count);
        ContainerStatus {
            state: Some(terminated_state(wishes.exit_code, id, began(status), now)),
            ready: false,
            started: Some(false),
            ..status.clone()
        }
    });
    PodStatus {
        phase: Some(phase.to_owned()),
        container_statuses: Some(statuses.collect()),
        conditions: Some(conditions(pod, false, reason, now)),
        ..PodStatus::default()
    }
}

fn began(status: &ContainerStatus) -> Option<Timestamp> {
    let running = status.state.as_ref()?.running.as_ref()?;
    running.started_at.as_ref().map(|time| time.0)
}

fn crashed(pod: &Pod, statuses: &[ContainerStatus], wishes: &Wishes, now: Timestamp) -> PodStatus {
    let statuses = statuses.iter().map(|status| {
        let pause = BACK_OFF
            .saturating_mul(1 << status.restart_count.clamp(0, 10))
            .min(LONGEST_BACK_OFF);
        let message = format!(
            "back-off {}s restarting failed container={} pod={}_{}({})",
            pause.as_secs(),
            status.name,
            pod.metadata.name.as_deref().unwrap_or_default(),
            pod.metadata.namespace.as_deref().unwrap_or_default(),
            pod.metadata.uid.as_deref().unwrap_or_default(),
        );
        let id = container_id(pod, &status.name, status.restart_count);
        ContainerStatus {
            last_state: Some(terminated_state(wishes.exit_code, id, began(status), now)),
            state: Some(waiting_state("CrashLoopBackOff", message)),
            ready: false,
            started: Some(false),
            ..status.clone()
        }
    });
    PodStatus {
        phase: Some("Running".to_owned()),
        container_statuses: Some(statuses.collect()),
        conditions: Some(conditions(pod, false, "", now)),
        ..PodStatus::default()
    }
}

fn restarted(
    pod: &Pod,
    statuses: &[ContainerStatus],
    wishes: &Wishes,
    now: Timestamp,
) -> PodStatus {
    let statuses = statuses.iter().map(|status| {
        let restarts = status.restart_count + 1;
        ContainerStatus {
            state: Some(running_state(now)),
            container_id: Some(container_id(pod, &status.name, restarts)),
            ready: wishes.ready,
            started: Some(true),
            restart_count: restarts,
            ..status.clone()
        }
    });
    PodStatus {
        phase: Some("Running".to_owned()),
        container_statuses: Some(statuses.collect()),
        conditions: Some(conditions(pod, wishes.ready, "", now)),
        ..PodStatus::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(annotations: Value, spec: Value, status: Value) -> Pod {
        let mut pod = json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "annotations": annotations, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Always"},
            "status": status,
        });
        for (key, value) in spec.as_object().unwrap() {
            pod["spec"][key] = value.clone();
        }
        serde_json::from_value(pod).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
    }

    fn outcome(pod: &Pod, seconds: i64) -> String {
        match next(
            pod,
            Some("10.0.0.1"),
            || Some("10.1.0.1".into()),
            at(seconds),
        ) {
            Next::Nothing => "nothing".into(),
            Next::Wait(pause) => format!("wait {}", pause.as_secs()),
            Next::Delete => "delete".into(),
            Next::Report(status) => {
                let first = &status.container_statuses.unwrap()[0];
                let state = first.state.as_ref().unwrap();
                let what = match (&state.running, &state.waiting, &state.terminated) {
                    (Some(_), ..) => "running".to_owned(),
                    (_, Some(waiting), _) => waiting.reason.clone().unwrap(),
                    (.., Some(ended)) => format!("exit {}", ended.exit_code),
                    _ => String::new(),
                };
                format!("{} {what} {}", status.phase.unwrap(), first.ready)
            }
        }
    }

    #[test]
    fn lives() {
        let runs = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]});
        let waits = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:00:00Z"}}}]});
        let check =
            |annotations: Value, spec: Value, status: &Value, seconds: i64, expected: &str| {
                let pod = pod(annotations, spec, status.clone());
                assert_eq!(outcome(&pod, seconds), expected, "{pod:?}");
            };
        let new = json!({"phase": "Pending"});
        let none = || json!({});
        let one = |key: &str, value: &str| json!({format!("hollow.k1s.dev/{key}"): value});
        check(none(), none(), &new, 0, "Running running true");
        check(one("start-seconds", "5"), none(), &new, 2, "wait 3");
        check(
            one("ready", "false"),
            none(),
            &new,
            0,
            "Running running false",
        );
        check(
            one("pull", "error"),
            none(),
            &new,
            0,
            "Pending ImagePullBackOff false",
        );
        check(none(), none(), &runs, 100, "nothing");
        check(one("run-seconds", "5"), none(), &runs, 1, "wait 4");
        check(
            one("run-seconds", "5"),
            none(),
            &runs,
            5,
            "Running CrashLoopBackOff false",
        );
        check(
            one("run-seconds", "5"),
            json!({"restartPolicy": "Never"}),
            &runs,
            5,
            "Succeeded exit 0 false",
        );
        check(
            json!({"hollow.k1s.dev/run-seconds": "5", "hollow.k1s.dev/exit-code": "3"}),
            json!({"restartPolicy": "Never"}),
            &runs,
            5,
            "Failed exit 3 false",
        );
        check(none(), none(), &waits, 5, "wait 15");
        check(none(), none(), &waits, 20, "Running running true");
        check(
            none(),
            json!({"activeDeadlineSeconds": 9}),
            &runs,
            9,
            "Failed exit 0 false",
        );
        check(
            none(),
            json!({"activeDeadlineSeconds": 9}),
            &runs,
            4,
            "wait 5",
        );
        check(none(), none(), &json!({"phase": "Succeeded"}), 5, "nothing");
    }

    #[test]
    fn readiness_gates() {
        let check = |gate: Option<&str>, said: (&str, Option<&str>), expected: Option<&str>| {
            let mut conditions = json!([
                {"type": "ContainersReady", "status": "True"},
                {"type": "Ready", "status": said.0, "message": said.1},
            ]);
            if let (Some(status), Some(all)) = (gate, conditions.as_array_mut()) {
                all.push(json!({"type": "x/open", "status": status}));
            }
            let pod = pod(
                json!({}),
                json!({"readinessGates": [{"conditionType": "x/open"}]}),
                json!({"phase": "Running", "conditions": conditions}),
            );
            let found = match next(&pod, None, || None, at(0)) {
                Next::Report(status) => status.conditions.map(|all| {
                    let ready = &all[0];
                    format!(
                        "{} {} {}",
                        ready.type_,
                        ready.status,
                        ready.message.as_deref().unwrap_or_default()
                    )
                }),
                _ => None,
            };
            assert_eq!(found.as_deref(), expected, "{gate:?} {said:?}");
        };
        let absent = "corresponding condition of pod readiness gate \"x/open\" does not exist.";
        let closed = "the status of pod readiness gate \"x/open\" is not \"True\", but False";
        check(None, ("False", Some(absent)), None);
        check(Some("True"), ("False", Some(absent)), Some("Ready True "));
        check(Some("True"), ("True", None), None);
        check(
            Some("False"),
            ("True", None),
            Some(&format!("Ready False {closed}")),
        );
        check(Some("False"), ("False", Some(closed)), None);
    }

    #[test]
    fn ends() {
        let check = |grace: i64, stop: &str, seconds: i64, expected: &str| {
            let mut pod = pod(
                json!({"hollow.k1s.dev/stop-seconds": stop}),
                json!({}),
                json!({"phase": "Running"}),
            );
            pod.metadata.deletion_timestamp = Some(Time(at(grace)));
            pod.metadata.deletion_grace_period_seconds = Some(grace);
            assert_eq!(outcome(&pod, seconds), expected);
        };
        check(30, "", 0, "delete");
        check(30, "10", 4, "wait 6");
        check(30, "100", 4, "wait 26");
        check(30, "10", 10, "delete");
        check(0, "", 0, "nothing");
    }
}
