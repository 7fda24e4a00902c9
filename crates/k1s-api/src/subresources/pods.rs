// SPDX-License-Identifier: Apache-2.0
//! `pods/binding` and `pods/eviction`.

use k1s_core::kinds;
use k1s_core::object::{self, list, text};
use k1s_core::schema::Schema;
use k1s_core::selector::LabelSelector;
use k1s_core::status::{Cause, Details, Status};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::clock;
use crate::content::{self, Expected};
use crate::negotiate::Forms;
use crate::options::{DeleteOptions, WriteKind, WriteOptions};
use crate::route::Target;
use crate::verbs::delete::delete_object;
use crate::verbs::update::{Part, Terms, change};

fn read(
    exchange: &mut Exchange,
    group: &'static str,
    kind: &'static str,
    schema: &str,
) -> Result<(Value, WriteOptions), Status> {
    let schema = Schema::named(schema)
        .ok_or_else(|| Status::internal(format!("there is no schema of {kind}")))?;
    let options = WriteOptions::parse(&exchange.query, WriteKind::Create)?;
    let expected = Expected {
        group,
        version: "v1",
        kind,
        schema,
    };
    let mut warnings = Vec::new();
    let value = content::object(
        &expected,
        &exchange.headers,
        &exchange.body,
        options.field_validation,
        &mut warnings,
    )?;
    exchange.warnings.append(&mut warnings);
    Ok((value, options))
}

fn success() -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "code": 201})
}

/// Puts a pod on a node.
pub(super) async fn bind(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::NoTable)?;
    let (binding, options) = read(exchange, "", "Binding", "io.k8s.api.core.v1.Binding")?;
    if object::name(&binding) != target.name {
        return Err(Status::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    let node = text(&binding, &["target", "name"]).to_owned();
    let kind = text(&binding, &["target", "kind"]);
    let mut errors = k1s_core::field::Errors::new();
    if !kind.is_empty() && kind != "Node" {
        errors.not_supported("target.kind", &Value::from(kind), &["Node", "<empty>"]);
    }
    if node.is_empty() {
        errors.required("target.name", "");
    }
    if !errors.is_empty() {
        return Err(Status::invalid("", "Binding", &target.name, errors));
    }
    let conflict = |why: String| {
        let mut status = Status::conflict(target.kind, &target.name, &why);
        status.message = format!(
            "Operation cannot be fulfilled on pods/binding {}: {why}",
            k1s_core::field::quote(&target.name)
        );
        status.details = Some(Box::new(Details {
            name: target.name.clone(),
            kind: "pods/binding".into(),
            ..Details::default()
        }));
        status
    };
    let terms = Terms {
        part: Part::Own,
        dry_run: options.dry_run,
        checks_version: false,
        uid_is_precondition: false,
    };
    let labels = crate::admission::pods::labels_of_node(api, &node)?;
    change(api, target, exchange, terms, |old, exchange| {
        let uid = object::uid(&binding);
        if !uid.is_empty() && uid != object::uid(old) {
            return Err(conflict(format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", object::uid(old))));
        }
        if object::is_deleting(old) {
            return Err(conflict(format!("pod {} is being deleted, cannot be assigned to a host", target.name)));
        }
        let present = text(old, &["spec", "nodeName"]);
        if !present.is_empty() {
            return Err(conflict(format!("pod {} is already assigned to node {}", target.name, k1s_core::field::quote(present))));
        }
        if !list(old, &["spec", "schedulingGates"]).is_empty() {
            return Err(conflict(format!("pod {} has non-empty .spec.schedulingGates", target.name)));
        }
        let mut new = old.clone();
        object::set(&mut new, &["spec", "nodeName"], node.as_str());
        for (key, value) in &labels {
            if object::label(old, key).is_none() {
                object::set(&mut new, &["metadata", "labels", key], value.as_str());
            }
        }
        for (key, value) in object::map(&binding, &["metadata", "annotations"]).into_iter().flatten() {
            object::set(&mut new, &["metadata", "annotations", key], value.clone());
        }
        let condition = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": clock::rfc3339(exchange.now_seconds)});
        let mut conditions: Vec<Value> = list(old, &["status", "conditions"]).iter().filter(|c| text(c, &["type"]) != "PodScheduled").cloned().collect();
        conditions.push(condition);
        object::set(&mut new, &["status", "conditions"], conditions);
        Ok(new)
    })
    .await?;
    Ok(Answer::Value {
        code: 201,
        value: success(),
        output,
    })
}

/// Deletes a pod if its disruption budgets allow it.
pub(super) async fn evict(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::NoTable)?;
    let (eviction, options) = read(
        exchange,
        "policy",
        "Eviction",
        "io.k8s.api.policy.v1.Eviction",
    )?;
    let own = object::name(&eviction);
    if !own.is_empty() && own != target.name {
        return Err(Status::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let Some((pod, _)) = api.load(target.kind, &target.namespace, &target.name)? else {
        return Err(Status::not_found(target.kind, &target.name));
    };
    if counts_for_budgets(&pod) {
        ask_budgets(api, target, &pod)?;
    }
    let mut delete =
        DeleteOptions::parse(&exchange.query, object::at(&eviction, &["deleteOptions"]))?;
    delete.dry_run |= options.dry_run;
    delete_object(
        api,
        target.kind,
        &target.namespace,
        &target.name,
        &delete,
        exchange,
    )
    .await?;
    Ok(Answer::Value {
        code: 201,
        value: success(),
        output,
    })
}

/// Pods that have not started or have ended disturb nobody.
fn counts_for_budgets(pod: &Value) -> bool {
    !object::is_deleting(pod)
        && !matches!(
            text(pod, &["status", "phase"]),
            "Pending" | "Succeeded" | "Failed"
        )
}

fn ask_budgets(api: &Api, target: &Target, pod: &Value) -> Result<(), Status> {
    let Some(kind) = kinds::of_kind("policy", "v1", "PodDisruptionBudget") else {
        return Ok(());
    };
    let labels = object::map(pod, &["metadata", "labels"]);
    let mut budgets = Vec::new();
    let prefix = api.storage().prefix(kind, &target.namespace)?;
    api.storage()
        .store
        .scan(&k1s_store::ListRequest::new(prefix), &mut |entry| {
            if let Some(budget) = entry
                .ok()
                .and_then(|e| serde_json::from_slice::<Value>(e.value()).ok())
            {
                let selects =
                    LabelSelector::from_object(object::at(&budget, &["spec", "selector"]))
                        .is_ok_and(|s| s.matches(&labels));
                if selects {
                    budgets.push(budget);
                }
            }
            std::ops::ControlFlow::Continue(())
        })
        .map_err(crate::storage::failure)?;
    match budgets.as_slice() {
        [] => Ok(()),
        [budget] => {
            let allowed = object::int(budget, &["status", "disruptionsAllowed"]).unwrap_or(0);
            if allowed > 0 {
                return Ok(());
            }
            let status = Status::new(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
            );
            let message = format!(
                "The disruption budget {} needs {} healthy pods and has {} currently",
                object::name(budget),
                object::int(budget, &["status", "desiredHealthy"]).unwrap_or(0),
                object::int(budget, &["status", "currentHealthy"]).unwrap_or(0)
            );
            let causes = vec![Cause {
                reason: "DisruptionBudget".into(),
                message,
                field: String::new(),
            }];
            Err(status.with_details(Details {
                causes,
                ..Details::default()
            }))
        }
        _ => Err(Status::new(
            500,
            "",
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )),
    }
}
