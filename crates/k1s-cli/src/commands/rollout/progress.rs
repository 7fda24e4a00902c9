// SPDX-License-Identifier: Apache-2.0
//! How far a rollout has come, from the object alone.

use k1s_core::object::{int, list, name, text};
use k1s_core::quote::Quoted;
use serde_json::Value;

/// The state of a rollout in words, and whether it is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) text: String,
    pub(super) done: bool,
}

/// The state of the rollout of an object.
///
/// # Errors
/// When it will never be done, or there is nothing to follow.
pub(super) fn progress(kind: &str, object: &Value) -> Result<Progress, String> {
    let spec = |field: &str| int(object, &["spec", field]).unwrap_or_default();
    let status = |field: &str| int(object, &["status", field]).unwrap_or_default();
    let going = |text: String| Ok(Progress { text, done: false });
    let done = |text: String| Ok(Progress { text, done: true });
    let quoted = Quoted(name(object));
    let seen = int(object, &["metadata", "generation"]).unwrap_or_default()
        <= status("observedGeneration");
    match kind {
        "Deployment" => {
            if !seen {
                return going("Waiting for deployment spec update to be observed...".to_owned());
            }
            let conditions = list(object, &["status", "conditions"]);
            let condition = conditions
                .iter()
                .find(|condition| text(condition, &["type"]) == "Progressing");
            if condition
                .is_some_and(|condition| text(condition, &["reason"]) == "ProgressDeadlineExceeded")
            {
                return Err(format!(
                    "deployment {quoted} exceeded its progress deadline"
                ));
            }
            let wait = format!("Waiting for deployment {quoted} rollout to finish:");
            let (wanted, updated) = (spec("replicas"), status("updatedReplicas"));
            let (all, available) = (status("replicas"), status("availableReplicas"));
            if updated < wanted {
                going(format!(
                    "{wait} {updated} out of {wanted} new replicas have been updated..."
                ))
            } else if all > updated {
                going(format!(
                    "{wait} {} old replicas are pending termination...",
                    all - updated
                ))
            } else if available < updated {
                going(format!(
                    "{wait} {available} of {updated} updated replicas are available..."
                ))
            } else {
                done(format!("deployment {quoted} successfully rolled out"))
            }
        }
        "DaemonSet" | "StatefulSet"
            if text(object, &["spec", "updateStrategy", "type"]) != "RollingUpdate" =>
        {
            Err("rollout status is only available for RollingUpdate strategy type".to_owned())
        }
        "DaemonSet" => {
            if !seen {
                return going("Waiting for daemon set spec update to be observed...".to_owned());
            }
            let wait = format!("Waiting for daemon set {quoted} rollout to finish:");
            let (wanted, updated, available) = (
                status("desiredNumberScheduled"),
                status("updatedNumberScheduled"),
                status("numberAvailable"),
            );
            if updated < wanted {
                going(format!(
                    "{wait} {updated} out of {wanted} new pods have been updated..."
                ))
            } else if available < wanted {
                going(format!(
                    "{wait} {available} of {wanted} updated pods are available..."
                ))
            } else {
                done(format!("daemon set {quoted} successfully rolled out"))
            }
        }
        "StatefulSet" => {
            if !seen || status("observedGeneration") == 0 {
                return going("Waiting for statefulset spec update to be observed...".to_owned());
            }
            let (wanted, ready, updated) = (
                spec("replicas"),
                status("readyReplicas"),
                status("updatedReplicas"),
            );
            if ready < wanted {
                return going(format!(
                    "Waiting for {} pods to be ready...",
                    wanted - ready
                ));
            }
            let partition = int(
                object,
                &["spec", "updateStrategy", "rollingUpdate", "partition"],
            )
            .unwrap_or_default();
            if partition > 0 {
                if updated < wanted - partition {
                    let wanted = wanted - partition;
                    return going(format!(
                        "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated..."
                    ));
                }
                return done(format!(
                    "partitioned roll out complete: {updated} new pods have been updated..."
                ));
            }
            let [current, update] =
                ["currentRevision", "updateRevision"].map(|field| text(object, &["status", field]));
            if current != update {
                return going(format!(
                    "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
                ));
            }
            done(format!(
                "statefulset rolling update complete {} pods at revision {current}...",
                status("currentReplicas")
            ))
        }
        other => {
            let (group, _) = k1s_core::kinds::split_api_version(text(object, &["apiVersion"]));
            let dot = if group.is_empty() { "" } else { "." };
            Err(format!(
                "no status viewer has been implemented for {other}{dot}{group}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, progress};
    use serde_json::{Value, json};

    #[test]
    fn rollouts_of_deployments() {
        let check = |status: Value, expected: Result<(&str, bool), &str>| {
            let object = json!({"metadata": {"name": "web", "generation": 2}, "spec": {"replicas": 3}, "status": status});
            let expected = expected
                .map(|(text, done)| Progress {
                    text: text.to_owned(),
                    done,
                })
                .map_err(str::to_owned);
            assert_eq!(progress("Deployment", &object), expected);
        };
        check(
            json!({}),
            Ok((
                "Waiting for deployment spec update to be observed...",
                false,
            )),
        );
        check(
            json!({"observedGeneration": 2}),
            Ok((
                "Waiting for deployment \"web\" rollout to finish: 0 out of 3 new replicas have been updated...",
                false,
            )),
        );
        check(
            json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3}),
            Ok((
                "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending termination...",
                false,
            )),
        );
        check(
            json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
            Ok(("deployment \"web\" successfully rolled out", true)),
        );
        check(
            json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}),
            Err("deployment \"web\" exceeded its progress deadline"),
        );
    }
}
