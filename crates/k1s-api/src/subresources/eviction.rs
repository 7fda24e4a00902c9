// SPDX-License-Identifier: Apache-2.0
//! `pods/eviction`: a delete that asks the pod's disruption budget first, and is counted by it.

use k1s_core::kinds::{self, Kind};
use k1s_core::object::{self, at, int, list, map, set, text};
use k1s_core::selector::LabelSelector;
use k1s_core::status::{Cause, Details, Status};
use serde_json::{Value, json};

use super::pods::{read, success};
use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::clock;
use crate::negotiate::Forms;
use crate::options::DeleteOptions;
use crate::route::Target;
use crate::verbs::delete::{check_preconditions, delete_object};
use crate::verbs::update::{Part, Terms, change};

/// Most pods that a budget may wait for to go.
const MOST_DISRUPTED: usize = 2000;
const VIOLATED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
const OWN: Terms = Terms {
    part: Part::Own,
    dry_run: false,
    checks_version: false,
    uid_is_precondition: false,
};

/// Deletes a pod if its disruption budget allows it.
pub(super) async fn create(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::NoTable)?;
    let (eviction, options) = read(
        api,
        target,
        exchange,
        "policy",
        "Eviction",
        "io.k8s.api.policy.v1.Eviction",
    )?;
    let own = object::name(&eviction);
    if own != target.name {
        return Err(Status::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let Some((pod, _)) = api.load(target.kind, &target.namespace, &target.name)? else {
        return Err(Status::not_found(target.kind, &target.name));
    };
    check_dry_run(exchange, &eviction)?;
    let mut delete = DeleteOptions::parse(&exchange.query, at(&eviction, &["deleteOptions"]))?;
    delete.dry_run |= options.dry_run;
    let unasked = delete.resource_version.is_none();
    let consent = if disturbs_nobody(&pod) {
        Consent::AsItIs
    } else {
        ask(api, target, &pod, delete.dry_run, exchange).await?
    };
    if !matches!(consent, Consent::Counted) && unasked {
        // the consent is for the pod as it was seen
        delete.resource_version = Some(object::resource_version(&pod).to_owned());
    }
    match evict(api, target, &delete, exchange).await {
        Ok(()) => {}
        Err(status) if status.code == 409 && unasked => {
            return match consent {
                Consent::Unhealthy(budget) => Err(still_processed(&budget)),
                // what was pending may run by now: the budget is asked
                Consent::AsItIs => {
                    delete.resource_version = None;
                    let pod = api.load(target.kind, &target.namespace, &target.name)?;
                    let Some((pod, _)) = pod else {
                        return Err(Status::not_found(target.kind, &target.name));
                    };
                    if !disturbs_nobody(&pod) {
                        ask(api, target, &pod, delete.dry_run, exchange).await?;
                    }
                    evict(api, target, &delete, exchange).await?;
                    Ok(done(output))
                }
                Consent::Counted => Err(status),
            };
        }
        Err(status) => return Err(status),
    }
    Ok(done(output))
}

/// Query and content agree about a dry run, where both say something.
fn check_dry_run(exchange: &Exchange, eviction: &Value) -> Result<(), Status> {
    let asked: Vec<&str> = exchange.query.all("dryRun").collect();
    let content: Vec<&str> = list(eviction, &["deleteOptions", "dryRun"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if asked.is_empty() || content.is_empty() || asked == content {
        return Ok(());
    }
    let message = format!(
        "Non-matching dry-run options in request and content: [{}] and [{}]",
        asked.join(" "),
        content.join(" ")
    );
    Err(Status::new(500, "", message))
}

fn done(output: crate::negotiate::Output) -> Answer {
    Answer::Value {
        code: 201,
        value: success(),
        output,
    }
}

/// Why a pod may go.
enum Consent {
    /// It has not started, has ended or is going already.
    AsItIs,
    /// It is not healthy, and this budget lets such pods go.
    Unhealthy(String),
    /// Its budget has counted it, or it has none.
    Counted,
}

/// Pods that have not started or have ended disturb nobody, nor do those that go already.
fn disturbs_nobody(pod: &Value) -> bool {
    object::is_deleting(pod)
        || matches!(
            text(pod, &["status", "phase"]),
            "Pending" | "Succeeded" | "Failed"
        )
}

pub(super) fn is_ready(pod: &Value) -> bool {
    list(pod, &["status", "conditions"])
        .iter()
        .any(|c| text(c, &["type"]) == "Ready" && text(c, &["status"]) == "True")
}

/// Asks the budget of a pod, and has it count the pod.
async fn ask(
    api: &Api,
    target: &Target,
    pod: &Value,
    dry_run: bool,
    exchange: &mut Exchange,
) -> Result<Consent, Status> {
    let kind = kinds::of_kind("policy", "v1", "PodDisruptionBudget")
        .ok_or_else(|| Status::internal("there is no kind PodDisruptionBudget"))?;
    let budgets = budgets_of(api, kind, &target.namespace, pod)?;
    let budget = match budgets.as_slice() {
        [] => return Ok(Consent::Counted),
        [budget] => budget,
        _ => {
            return Err(Status::new(
                500,
                "",
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
    };
    let name = object::name(budget).to_owned();
    let count = |key: &str| int(budget, &["status", key]).unwrap_or(0);
    if !is_ready(pod) {
        let always = text(budget, &["spec", "unhealthyPodEvictionPolicy"]) == "AlwaysAllow";
        let healthy =
            count("currentHealthy") >= count("desiredHealthy") && count("desiredHealthy") > 0;
        if always || healthy {
            return Ok(Consent::Unhealthy(name));
        }
    }
    let budget = Target {
        kind,
        namespace: target.namespace.clone(),
        name,
        subresource: String::new(),
        legacy_watch: false,
    };
    let now = clock::rfc3339(exchange.now_seconds);
    let terms = Terms { dry_run, ..OWN };
    change(api, &budget, exchange, terms, |old, _| {
        check(kind, old)?;
        let mut new = old.clone();
        let left = int(old, &["status", "disruptionsAllowed"]).unwrap_or(0) - 1;
        set(&mut new, &["status", "disruptionsAllowed"], left);
        if left == 0 {
            say_insufficient(&mut new, &now);
        }
        set(
            &mut new,
            &["status", "disruptedPods", &target.name],
            now.as_str(),
        );
        Ok(new)
    })
    .await?;
    Ok(Consent::Counted)
}

/// Refuses where a budget has nothing to spare.
fn check(kind: &'static Kind, budget: &Value) -> Result<(), Status> {
    let name = object::name(budget);
    let count = |key: &str| int(budget, &["status", key]).unwrap_or(0);
    let generation = int(budget, &["metadata", "generation"]).unwrap_or(0);
    if count("observedGeneration") < generation {
        return Err(still_processed(name));
    }
    let forbidden = |why: &str| Status::forbidden(kind, name, why);
    if count("disruptionsAllowed") < 0 {
        return Err(forbidden("pdb disruptions allowed is negative"));
    }
    if map(budget, &["status", "disruptedPods"]).is_some_and(|pods| pods.len() > MOST_DISRUPTED) {
        return Err(forbidden(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ));
    }
    if count("disruptionsAllowed") > 0 {
        return Ok(());
    }
    let failed = list(budget, &["status", "conditions"]).iter().find(|c| {
        text(c, &["type"]) == "DisruptionAllowed" && text(c, &["reason"]) == "SyncFailed"
    });
    let message = match failed {
        Some(condition) => format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {}",
            text(condition, &["message"])
        ),
        None => format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            count("desiredHealthy"),
            count("currentHealthy")
        ),
    };
    Err(too_many(message, None))
}

fn still_processed(budget: &str) -> Status {
    let words = format!("The disruption budget {budget} is still being processed by the server.");
    too_many(words, Some(10))
}

fn too_many(message: String, retry_after_seconds: Option<u32>) -> Status {
    let causes = vec![Cause {
        reason: "DisruptionBudget".into(),
        message,
        field: String::new(),
    }];
    Status::new(429, "TooManyRequests", VIOLATED).with_details(Details {
        causes,
        retry_after_seconds: retry_after_seconds.unwrap_or_default(),
        ..Details::default()
    })
}

/// The condition of a budget that has just given away its last.
fn say_insufficient(budget: &mut Value, now: &str) {
    let generation = int(budget, &["metadata", "generation"]).unwrap_or(0);
    let mut conditions = list(budget, &["status", "conditions"]).to_vec();
    let mut condition = json!({
        "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
        "observedGeneration": generation, "lastTransitionTime": now,
    });
    match conditions
        .iter_mut()
        .find(|c| text(c, &["type"]) == "DisruptionAllowed")
    {
        Some(present) => {
            if text(present, &["status"]) == "False" {
                condition["lastTransitionTime"] = present["lastTransitionTime"].clone();
            }
            *present = condition;
        }
        None => conditions.push(condition),
    }
    set(budget, &["status", "conditions"], conditions);
}

fn budgets_of(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    pod: &Value,
) -> Result<Vec<Value>, Status> {
    let labels = map(pod, &["metadata", "labels"]);
    let mut budgets = crate::admission::all_of(api, kind, namespace)?;
    budgets.retain(|budget| {
        LabelSelector::from_object(at(budget, &["spec", "selector"]))
            .is_ok_and(|selector| selector.matches(&labels))
    });
    Ok(budgets)
}

/// Marks a pod as the target of a disruption, then deletes it.
async fn evict(
    api: &Api,
    target: &Target,
    delete: &DeleteOptions,
    exchange: &mut Exchange,
) -> Result<(), Status> {
    let mut delete = delete.clone();
    if !delete.dry_run {
        let now = clock::rfc3339(exchange.now_seconds);
        let marked = change(api, target, exchange, OWN, |old, _| {
            check_preconditions(target.kind, old, &target.name, &delete)?;
            let mut new = old.clone();
            mark(&mut new, &now);
            Ok(new)
        })
        .await?;
        if delete.resource_version.is_some() {
            // the mark made a new version, which is the one that was agreed to
            let marked: Value = serde_json::from_slice(&marked).map_err(Status::internal)?;
            delete.resource_version = Some(object::resource_version(&marked).to_owned());
        }
    }
    delete_object(
        api,
        target.kind,
        &target.namespace,
        &target.name,
        &delete,
        exchange,
    )
    .await
    .map(|_| ())
}

fn mark(pod: &mut Value, now: &str) {
    let mut conditions = list(pod, &["status", "conditions"]).to_vec();
    let mut condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting", "lastProbeTime": null, "lastTransitionTime": now,
    });
    match conditions
        .iter_mut()
        .find(|c| text(c, &["type"]) == "DisruptionTarget")
    {
        Some(present) => {
            if text(present, &["status"]) == "True" {
                condition["lastTransitionTime"] = present["lastTransitionTime"].clone();
            }
            *present = condition;
        }
        None => conditions.push(condition),
    }
    set(pod, &["status", "conditions"], conditions);
}
