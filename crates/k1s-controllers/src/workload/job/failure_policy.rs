// SPDX-License-Identifier: Apache-2.0
//! `podFailurePolicy`: what the failure of a pod means for its Job.

use k8s_openapi::api::batch::v1::{
    Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use crate::workload::pod;

/// What follows from the failure of a pod.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It counts towards the limits.
    Counts,
    /// It does not.
    Ignored,
    /// Its index has failed for good.
    FailsIndex,
    /// The Job has, and why.
    FailsJob(String),
}

/// The first rule that fits decides; a failure that no rule fits counts.
pub(super) fn outcome(job: &Job, failed: &Pod) -> Outcome {
    let policy = job
        .spec
        .as_ref()
        .and_then(|spec| spec.pod_failure_policy.as_ref());
    let rules = policy
        .map(|policy| policy.rules.as_slice())
        .unwrap_or_default();
    for (n, rule) in rules.iter().enumerate() {
        let Some(what) = fits(rule, failed) else {
            continue;
        };
        return match rule.action.as_str() {
            "FailJob" => {
                let (name, namespace) = (failed.name_any(), failed.namespace().unwrap_or_default());
                let what = match what {
                    Fit::ExitCode(container, code) => {
                        format!(
                            "Container {container} for pod {namespace}/{name} failed with exit code {code}"
                        )
                    }
                    Fit::Condition(type_) => {
                        format!("Pod {namespace}/{name} has condition {type_}")
                    }
                };
                Outcome::FailsJob(format!("{what} matching FailJob rule at index {n}"))
            }
            "FailIndex" => Outcome::FailsIndex,
            "Ignore" => Outcome::Ignored,
            _ => Outcome::Counts,
        };
    }
    Outcome::Counts
}

enum Fit {
    ExitCode(String, i32),
    Condition(String),
}

fn fits(rule: &PodFailurePolicyRule, failed: &Pod) -> Option<Fit> {
    if let Some(codes) = &rule.on_exit_codes {
        let status = failed.status.as_ref()?;
        let containers = status.container_statuses.iter().flatten();
        let all = containers.chain(status.init_container_statuses.iter().flatten());
        return all
            .filter(|c| {
                codes
                    .container_name
                    .as_ref()
                    .is_none_or(|name| *name == c.name)
            })
            .find_map(|c| {
                let terminated = c.state.as_ref()?.terminated.as_ref()?;
                is_meant(codes, terminated.exit_code)
                    .then(|| Fit::ExitCode(c.name.clone(), terminated.exit_code))
            });
    }
    let patterns = rule.on_pod_conditions.iter().flatten();
    patterns.into_iter().find_map(|pattern| {
        let condition = pod::condition(failed, &pattern.type_)?;
        let wanted = pattern.status.as_deref().unwrap_or("True");
        (condition.status == wanted).then(|| Fit::Condition(condition.type_.clone()))
    })
}

fn is_meant(codes: &PodFailurePolicyOnExitCodesRequirement, code: i32) -> bool {
    let listed = codes.values.contains(&code);
    code != 0
        && if codes.operator == "NotIn" {
            !listed
        } else {
            listed
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let job: Job = serde_json::from_value(json!({"spec": {"template": {}, "podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "FailJob", "onExitCodes": {"containerName": "main", "operator": "In", "values": [42]}},
            {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [7]}},
            {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [1]}},
            {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [1]}},
        ]}}}))
        .expect("a Job");
        let fails_job =
            "Container main for pod ns/p failed with exit code 42 matching FailJob rule at index 1";
        for (container, code, disrupted, expected) in [
            ("main", 42, "True", Outcome::Ignored),
            ("main", 42, "False", Outcome::FailsJob(fails_job.into())),
            ("side", 42, "False", Outcome::Counts),
            ("main", 7, "False", Outcome::FailsIndex),
            ("main", 1, "False", Outcome::Ignored),
            ("main", 0, "False", Outcome::Counts),
        ] {
            let pod: Pod = serde_json::from_value(json!({
                "metadata": {"name": "p", "namespace": "ns"},
                "status": {"phase": "Failed",
                    "conditions": [{"type": "DisruptionTarget", "status": disrupted}],
                    "containerStatuses": [{"name": container, "image": "", "imageID": "", "ready": false, "restartCount": 0,
                        "state": {"terminated": {"exitCode": code}}}]},
            }))
            .expect("a pod");
            assert_eq!(
                outcome(&job, &pod),
                expected,
                "{container} {code} {disrupted}"
            );
        }
    }
}
