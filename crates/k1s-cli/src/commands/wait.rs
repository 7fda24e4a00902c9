// SPDX-License-Identifier: Apache-2.0
//! `wait`: until objects are there, are gone, or are as they should be.

mod condition;

use std::time::Duration;

use k1s_core::object::text;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, Outcome};
use crate::selection::{self, Ask, Selection, Target};
use crate::source;
use crate::watch::Watch;
use condition::Condition;

/// How long between two looks for objects that are not there yet.
const CREATE_INTERVAL: Duration = Duration::from_millis(500);

/// What a negative timeout means.
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// `wait`.
pub(super) static COMMAND: Command = Command {
    name: "wait",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME | TYPE/NAME | TYPE -l SELECTOR | TYPE --all) --for=(create | delete | condition=NAME[=VALUE] | jsonpath=PATH[=VALUE])",
    about: "Wait until objects are as they should be",
    examples: &[
        (
            "Until a deployment is available, at most a minute",
            "wait --for=condition=Available deployment/web --timeout=60s",
        ),
        ("Until a pod is gone", "wait --for=delete pod/once"),
        (
            "Until a field has a value",
            "wait --for=jsonpath={.status.phase}=Running pod/web",
        ),
        (
            "Until an object is there",
            "wait --for=create configmap/settings",
        ),
    ],
    flags: &[
        selection::ALL_NAMESPACES,
        selection::SELECTORS,
        source::FLAGS,
        print::FLAGS,
        &[
            Flag::text(
                "for",
                "create, delete, condition=NAME[=VALUE] or jsonpath={PATH}[=VALUE].",
            ),
            Flag::switch(
                "local",
                "Accepted for kubectl's sake; objects are always read from the API.",
            ),
            Flag::duration(
                "timeout",
                "30s",
                "How long to wait; 0 looks once, below zero is a week.",
            ),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let mut outcome = Outcome::new(flags)?;
    let condition = Condition::parse(flags.text("for"))?;
    let selection = Selection::new(cx, flags)?;
    let limit = if flags.is_negative("timeout") {
        A_WEEK
    } else {
        flags.duration("timeout")
    };
    let end = Instant::now() + limit;
    if matches!(condition, Condition::Created) {
        until_created(cx, flags, &selection, end).await?;
    }
    let mut errors = Vec::new();
    let mut seen = 0;
    for target in targets(cx, flags, &selection).await? {
        let target = match target {
            Ok(target) => target,
            Err(error) if error.is_not_found() && matches!(condition, Condition::Deleted) => {
                continue;
            }
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        seen += 1;
        match until(cx, &target, &condition, end, limit.is_zero()).await {
            Ok(object) => outcome.tell(cx, &target.resource, &object, "condition met")?,
            Err(error) => errors.push(error),
        }
        cx.flush()?;
    }
    if seen == 0 && errors.is_empty() && !matches!(condition, Condition::Deleted) {
        return Err(Error::message("no matching resources found"));
    }
    Error::all(errors)
}

/// The objects, each asked for anew.
async fn targets(
    cx: &Context,
    flags: &Parsed,
    selection: &Selection,
) -> Result<Vec<Result<Target>>> {
    selection.targets(cx, flags, true).await
}

async fn until_created(
    cx: &Context,
    flags: &Parsed,
    selection: &Selection,
    end: Instant,
) -> Result {
    loop {
        let plan = selection.plan(cx, flags).await?;
        let many = plan
            .asks
            .iter()
            .all(|ask| matches!(ask, Ok(Ask::Many { .. })));
        let found = targets(cx, flags, selection).await?;
        if (!found.is_empty() || !many) && found.iter().all(Result::is_ok) {
            return Ok(());
        }
        if let Some(error) = found
            .into_iter()
            .filter_map(Result::err)
            .find(|error| !error.is_not_found())
        {
            return Err(error);
        }
        if Instant::now() >= end {
            return Err(Error::message("timed out waiting for the condition"));
        }
        sleep(CREATE_INTERVAL.min(end - Instant::now())).await;
    }
}

/// Waits until an object meets the condition, and gives it as it then is.
async fn until(
    cx: &Context,
    target: &Target,
    condition: &Condition,
    end: Instant,
    once: bool,
) -> Result<Value> {
    let title = format!("{}/{}", target.resource.plural, target.name);
    if condition.met(Some(&target.value))? {
        return Ok(target.value.clone());
    }
    if once {
        return Err(Error::message(format!("condition not met for {title}")));
    }
    let late = || Error::message(format!("timed out waiting for the condition on {title}"));
    match timeout_at(end, follow(cx, target, condition)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(late()),
    }
}

/// Follows an object's changes until one meets the condition.
async fn follow(cx: &Context, target: &Target, condition: &Condition) -> Result<Value> {
    let (resource, mut last) = (&target.resource, target.value.clone());
    let call = Call::get(resource.path(&target.namespace, "", ""))
        .query("fieldSelector", format!("metadata.name={}", target.name));
    loop {
        let page = cx.json(&call).await?;
        let Some(object) = k1s_core::object::list(&page, &["items"]).first().cloned() else {
            return match condition {
                Condition::Deleted => Ok(last),
                _ => Err(gone(target)),
            };
        };
        last = with_kind(object, target);
        if condition.met(Some(&last))? {
            return Ok(last);
        }
        let mut watch = Watch::start(
            cx,
            call.clone(),
            text(&page, &["metadata", "resourceVersion"]),
        )
        .await?;
        while let Some(event) = watch.next().await? {
            let object = with_kind(event.object, target);
            if event.kind == "DELETED" {
                match condition {
                    Condition::Deleted => return Ok(object),
                    _ => break,
                }
            }
            last = object;
            if condition.met(Some(&last))? {
                return Ok(last);
            }
        }
    }
}

/// An item of a list with its kind.
fn with_kind(mut object: Value, target: &Target) -> Value {
    if object.is_object() {
        object["apiVersion"] = target.resource.api_version().into();
        object["kind"] = target.resource.kind.clone().into();
    }
    object
}

fn gone(target: &Target) -> Error {
    let message = format!(
        "{} \"{}\" not found",
        target.resource.group_resource(),
        target.name
    );
    Error::Api(Box::new(crate::error::Refusal {
        code: 404,
        reason: "NotFound".to_owned(),
        message,
        details: Value::Null,
    }))
}
