// SPDX-License-Identifier: Apache-2.0
//! What a pod wants of a hollow node, by its annotations.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

/// Prefix of the annotations.
const PREFIX: &str = "hollow.k1s.dev/";
/// How long the pods of a Job run, unless they say otherwise.
const JOB_RUNS: Duration = Duration::from_secs(1);

/// What becomes of a pod. What cannot be read counts as not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    /// `start-seconds`: how long it is Pending on its node. 0 unless said otherwise.
    pub(super) start: Duration,
    /// `run-seconds`: after how long its containers end. Never, but 1 second for pods of a Job.
    pub(super) run: Option<Duration>,
    /// `exit-code`: with which code they end, 0 to 255.
    pub(super) exit_code: u8,
    /// `ready: "false"`: it runs and is never ready.
    pub(super) ready: bool,
    /// `pull: "error"`: its images cannot be had.
    pub(super) pulls: bool,
    /// `stop-seconds`: how long it takes to end when it is deleted, at most its grace period. 0 unless said otherwise.
    pub(super) stop: Duration,
}

impl Wishes {
    pub(super) fn of(pod: &Pod) -> Self {
        let annotations = pod.metadata.annotations.as_ref();
        let word = |name: &str| {
            annotations
                .and_then(|all| all.get(&format!("{PREFIX}{name}")))
                .map(String::as_str)
        };
        let seconds = |name: &str| {
            word(name)
                .and_then(|text| text.parse::<f64>().ok())
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        };
        let of_job = pod
            .metadata
            .owner_references
            .iter()
            .flatten()
            .any(|owner| owner.kind == "Job" && owner.controller == Some(true));
        Self {
            start: seconds("start-seconds").unwrap_or_default(),
            run: seconds("run-seconds").or(of_job.then_some(JOB_RUNS)),
            exit_code: word("exit-code")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            ready: word("ready") != Some("false"),
            pulls: word("pull") != Some("error"),
            stop: seconds("stop-seconds").unwrap_or_default(),
        }
    }
}
