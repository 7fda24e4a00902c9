// SPDX-License-Identifier: Apache-2.0
use serde_json::{Value, json};

use super::*;

fn job(spec: Value) -> Job {
    let mut whole = json!({"template": {}});
    if let (Value::Object(whole), Value::Object(spec)) = (&mut whole, spec) {
        whole.extend(spec);
    }
    serde_json::from_value(json!({"metadata": {"name": "j"}, "spec": whole})).expect("a Job")
}

fn pod(name: &str, phase: &str, index: &str, failures: &str, going: bool) -> Arc<Pod> {
    let deleted = going.then_some("2026-01-01T00:00:00Z");
    let value = json!({
        "metadata": {"name": name, "uid": name, "finalizers": [FINALIZER], "deletionTimestamp": deleted,
            "annotations": {INDEX: index, INDEX_FAILURES: failures}},
        "status": {"phase": phase},
    });
    Arc::new(serde_json::from_value(value).expect("a pod"))
}

fn view<'a>(job: &'a Job, pods: &'a [Arc<Pod>]) -> View<'a> {
    View {
        job,
        spec: job.spec.as_ref().expect("a spec"),
        pods,
        now: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn how_many_pods_are_to_run() {
    for (completions, parallelism, succeeded, active, expected) in [
        (Some(4), 2, 0, 0, 2),
        (Some(4), 2, 3, 1, 1),
        (Some(4), 2, 4, 0, 0),
        (Some(4), 2, 5, 1, 0),
        (Some(1), 9, 0, 0, 1),
        (Some(4), 0, 0, 2, 0),
        (None, 3, 0, 1, 3),
        (None, 3, 1, 2, 2),
    ] {
        let job = job(json!({"completions": completions, "parallelism": parallelism}));
        let wanted = view(&job, &[]).wanted_active(succeeded, active);
        assert_eq!(
            wanted, expected,
            "{completions:?} {parallelism} {succeeded} {active}"
        );
    }
}

#[test]
fn a_deleted_pod_has_failed_unless_only_ended_ones_are_replaced() {
    for (policy, phase, going, expected) in [
        ("TerminatingOrFailed", "Running", false, false),
        ("TerminatingOrFailed", "Running", true, true),
        ("TerminatingOrFailed", "Failed", false, true),
        ("TerminatingOrFailed", "Succeeded", true, false),
        ("Failed", "Running", true, false),
        ("Failed", "Failed", true, true),
    ] {
        let job = job(json!({"podReplacementPolicy": policy}));
        let pods = [pod("p", phase, "", "", going)];
        assert_eq!(
            view(&job, &pods).has_failed(&pods[0]),
            expected,
            "{policy} {phase} {going}"
        );
    }
}

#[test]
fn second_pods_of_an_index_go_first() {
    let job = job(json!({"completionMode": "Indexed", "completions": 3}));
    let pods = [
        pod("a", "Running", "0", "0", false),
        pod("b", "Pending", "0", "0", false),
        pod("c", "Running", "1", "0", false),
        pod("d", "Running", "7", "0", false),
    ];
    let names = |at_least| -> Vec<String> {
        let mut names: Vec<_> = view(&job, &pods)
            .surplus(&pods, at_least)
            .iter()
            .map(|p| p.name_any())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(0), ["b", "d"]);
    assert_eq!(names(1), ["b", "d"]);
    assert_eq!(names(4), ["a", "b", "c", "d"]);
}

#[test]
fn indexes_that_failed_too_often_have_failed_for_good() {
    let job =
        job(json!({"completionMode": "Indexed", "completions": 4, "backoffLimitPerIndex": 1}));
    let pods = [
        pod("a", "Failed", "0", "0", false),
        pod("b", "Failed", "1", "1", false),
        pod("c", "Succeeded", "2", "0", false),
        pod("d", "Failed", "3", "0", false),
        pod("e", "Pending", "3", "1", false),
    ];
    let view = view(&job, &pods);
    let (done, failed) = (view.succeeded_indexes().1, view.failed_indexes());
    assert_eq!(
        (indexes::spell(&done), indexes::spell(&failed)),
        ("2".into(), "1".into())
    );
    let retries: Vec<_> = view.to_retry(&done, &failed).into_keys().collect();
    assert_eq!(retries, [0]);
    assert_eq!(view.index_failures(Some(&pods[0])), (1, 0));
    assert_eq!(view.pending_indexes(&done, &failed, 9), [0]);
}
