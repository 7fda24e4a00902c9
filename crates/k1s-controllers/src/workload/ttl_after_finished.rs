// SPDX-License-Identifier: Apache-2.0
//! ttl-after-finished-controller: finished Jobs with a time to live go when it is over.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};

use super::job::true_condition;
use crate::cache::Queue;
use crate::error::{Refusal as _, Result};
use crate::setup::Setup;

/// Starts ttl-after-finished-controller.
pub(crate) fn start(setup: &mut Setup) {
    let jobs = setup.cache::<Job>();
    let queue = Queue::new();
    jobs.feed_own(&queue.0);
    let client = setup.client();
    setup.controller(
        "ttl-after-finished-controller",
        queue,
        &jobs,
        client,
        reconcile,
    );
}

/// How long a Job has left; none if it is not finished or may stay for ever.
fn left(job: &Job, now: Timestamp) -> Option<Duration> {
    let ttl = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let end = true_condition(job, "Complete").or_else(|| true_condition(job, "Failed"))?;
    let ended = end.last_transition_time.as_ref()?.0;
    let expires = ended
        .checked_add(SignedDuration::from_secs(i64::from(ttl)))
        .ok()?;
    Some(Duration::try_from(expires.duration_since(now)).unwrap_or_default())
}

async fn reconcile(job: Arc<Job>, client: Arc<Client>) -> Result<Action> {
    let now = Timestamp::now();
    if job.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    match left(&job, now) {
        None => return Ok(Action::await_change()),
        Some(left) if !left.is_zero() => return Ok(Action::requeue(left)),
        Some(_) => {}
    }
    let api: Api<Job> = Api::namespaced(
        client.as_ref().clone(),
        &job.namespace().unwrap_or_default(),
    );
    // What is deleted is not taken from a cache: the time to live may have been changed.
    let fresh = match api.get(&job.name_any()).await {
        Ok(fresh) => fresh,
        Err(error) if error.is_not_found() => return Ok(Action::await_change()),
        Err(error) => return Err(error.into()),
    };
    if left(&fresh, now).is_none_or(|left| !left.is_zero()) {
        return Ok(Action::await_change());
    }
    let params = DeleteParams::foreground().preconditions(Preconditions {
        uid: fresh.uid(),
        resource_version: fresh.resource_version(),
    });
    match api.delete(&fresh.name_any(), &params).await {
        Ok(_) => Ok(Action::await_change()),
        Err(error) if error.is_not_found() => Ok(Action::await_change()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn time_left() {
        for (ttl, condition, now, expected) in [
            (json!(10), "Complete", "2026-01-01T00:00:04Z", Some(6)),
            (json!(10), "Failed", "2026-01-01T00:00:10Z", Some(0)),
            (json!(0), "Failed", "2026-01-01T00:00:00Z", Some(0)),
            (json!(null), "Failed", "2026-01-01T00:00:00Z", None),
            (json!(10), "Suspended", "2026-01-01T00:00:04Z", None),
        ] {
            let job: Job = serde_json::from_value(json!({
                "spec": {"template": {}, "ttlSecondsAfterFinished": ttl},
                "status": {"conditions": [{"type": condition, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
            }))
            .expect("a Job");
            let found = left(&job, now.parse().expect("a time"));
            assert_eq!(
                found.map(|left| left.as_secs()),
                expected,
                "{condition} {now}"
            );
        }
    }
}
