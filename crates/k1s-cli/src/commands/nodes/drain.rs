// SPDX-License-Identifier: Apache-2.0
//! `drain`: no new pods onto nodes, and those that are there away.

mod pods;

use std::collections::BTreeMap;
use std::time::Duration;

use k1s_core::object::text;
use k1s_core::selector::LabelSelector;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{cordon, named};
use crate::client::{Call, escape};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun};
use crate::selection::Target;
use crate::writing::Writer;
use pods::{Away, Fate, Rules};

/// `drain`.
pub(in crate::commands) static COMMAND: Command = Command {
    name: "drain",
    aliases: &[],
    usage: "NODE... | -l SELECTOR",
    about: "Let no more pods onto nodes, and send away those that are there",
    examples: &[
        (
            "One node; pods of daemon sets stay",
            "drain node-1 --ignore-daemonsets",
        ),
        (
            "Also pods that nobody makes again, with the data that they have there",
            "drain node-1 --force --delete-emptydir-data",
        ),
        (
            "What would happen",
            "drain -l rack=b --ignore-daemonsets --dry-run=client",
        ),
    ],
    flags: &[
        print::DRY_RUN,
        &[
            Flag::number(
                "chunk-size",
                "500",
                "How many objects of a list are asked for at a time; 0 is all.",
            ),
            Flag::switch(
                "delete-emptydir-data",
                "Go on although pods have data in an emptyDir, which is lost.",
            ),
            Flag::switch(
                "disable-eviction",
                "Delete instead of evicting; disruption budgets are not asked.",
            ),
            Flag::switch("force", "Go on although pods have no controller."),
            Flag::number(
                "grace-period",
                "-1",
                "Seconds that pods get to end; below zero is their own time.",
            ),
            Flag::switch("ignore-daemonsets", "Let the pods of daemon sets be."),
            Flag::text("pod-selector", "Only pods with such labels."),
            Flag::text("selector", "Nodes with such labels.").short('l'),
            Flag::number(
                "skip-wait-for-delete-timeout",
                "0",
                "Do not wait for pods that have been deleted for longer than so many seconds.",
            ),
            Flag::duration("timeout", "0s", "How long to wait; 0 is for ever."),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

/// How long a budget that allows no eviction now is given.
const RETRY: Duration = Duration::from_secs(5);
/// How often it is looked whether pods are gone.
const POLL: Duration = Duration::from_millis(250);

async fn run(cx: &Context, flags: &Parsed) -> Result {
    if flags.args.is_empty() && !flags.given("selector") {
        return Err(Error::usage("USAGE: drain NODE [flags]", flags));
    }
    let writer = Writer::new(flags)?;
    if LabelSelector::parse(flags.text("pod-selector")).is_err() {
        return Err(Error::message(
            "--pod-selector=<pod_selector> must be a valid label selector",
        ));
    }
    let targets = named(cx, flags).await?;
    for target in &targets {
        if let Err(error) = cordon(cx, &writer, target, true).await {
            cx.talk(format_args!("error: {error}"));
        }
    }
    let mut left = Vec::new();
    for target in &targets {
        match empty(cx, flags, &writer, target).await {
            Ok(()) => cx.line(format_args!(
                "node/{} drained{}",
                target.name,
                writer.dry_run.suffix()
            ))?,
            Err(error) => {
                let why = error.to_string();
                cx.talk(format_args!(
                    "error: unable to drain node \"{}\" due to error: {why}, continuing command...",
                    target.name
                ));
                left.push((target.name.as_str(), why));
            }
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    cx.talk("There are pending nodes to be drained:");
    for (name, _) in &left {
        cx.talk(format_args!(" {name}"));
    }
    let reasons: Vec<&str> = left.iter().map(|(_, why)| why.as_str()).collect();
    Err(Error::Text(reasons.join("\n")))
}

/// Sends the pods of a node away.
async fn empty(cx: &Context, flags: &Parsed, writer: &Writer, node: &Target) -> Result {
    let rules = Rules {
        force: flags.on("force"),
        ignore_daemon_sets: flags.on("ignore-daemonsets"),
        lose_data: flags.on("delete-emptydir-data"),
        skip_deleted_for: flags.number("skip-wait-for-delete-timeout"),
    };
    let found = on_node(cx, flags, &node.name).await?;
    let (mut going, mut warnings) = (Vec::new(), BTreeMap::<String, Vec<String>>::new());
    let mut refusals = BTreeMap::<String, Vec<String>>::new();
    for pod in found {
        let owner = pods::daemon_set_of(&pod);
        let owner_lost = match owner {
            Some(owner) => daemon_set_lost(cx, &pod, owner).await,
            None => None,
        };
        let title = format!(
            "{}/{}",
            text(&pod, &["metadata", "namespace"]),
            text(&pod, &["metadata", "name"])
        );
        match rules.judge(&pod, owner_lost.as_ref(), jiff::Timestamp::now()) {
            Fate::Stays => {}
            Fate::StaysWith(warning) => warnings.entry(warning).or_default().push(title),
            Fate::Goes => going.push(pod),
            Fate::GoesWith(warning) => {
                warnings.entry(warning).or_default().push(title);
                going.push(pod);
            }
            Fate::Refused(why) => refusals.entry(why).or_default().push(title),
        }
    }
    if !refusals.is_empty() {
        let all: Vec<String> = refusals
            .iter()
            .map(|(why, pods)| format!("cannot delete {why}: {}", pods.join(", ")))
            .collect();
        return Err(Error::Message(match all.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        }));
    }
    if !warnings.is_empty() {
        let all: Vec<String> = warnings
            .iter()
            .map(|(warning, pods)| format!("{warning}: {}", pods.join(", ")))
            .collect();
        cx.talk(format_args!("Warning: {}", all.join("; ")));
    }
    if writer.dry_run == DryRun::Client {
        for pod in going {
            cx.line(format_args!(
                "evicting pod {}/{} (dry run)",
                text(&pod, &["metadata", "namespace"]),
                text(&pod, &["metadata", "name"])
            ))?;
        }
        return Ok(());
    }
    send_away(cx, flags, writer, going).await
}

/// All pods of a node that the flags mean.
async fn on_node(cx: &Context, flags: &Parsed, node: &str) -> Result<Vec<Value>> {
    let (mut out, mut token) = (Vec::new(), String::new());
    loop {
        let call = Call::get("/api/v1/pods")
            .query("fieldSelector", format!("spec.nodeName={node}"))
            .query("labelSelector", flags.text("pod-selector"))
            .query("limit", flags.text("chunk-size"))
            .query("continue", token.as_str());
        let mut page = cx.json(&call).await?;
        if let Value::Array(items) = page["items"].take() {
            out.extend(items);
        }
        text(&page, &["metadata", "continue"]).clone_into(&mut token);
        if token.is_empty() {
            return Ok(out);
        }
    }
}

/// Why the daemon set of a pod cannot be had, if so.
async fn daemon_set_lost(cx: &Context, pod: &Value, owner: &str) -> Option<pods::Lost> {
    let path = format!(
        "/apis/apps/v1/namespaces/{}/daemonsets/{}",
        escape(text(pod, &["metadata", "namespace"])),
        escape(owner)
    );
    let error = cx.json(&Call::get(path)).await.err()?;
    Some(pods::Lost {
        is_gone: error.is_not_found(),
        why: error.to_string(),
    })
}

async fn send_away(cx: &Context, flags: &Parsed, writer: &Writer, going: Vec<Value>) -> Result {
    let resource = cx.resource("pods").await?;
    let evicts = !flags.on("disable-eviction")
        && resource.subresources.iter().any(|name| name == "eviction");
    let limit = flags.duration("timeout");
    let end = (!limit.is_zero()).then(|| Instant::now() + limit);
    let server = writer.dry_run == DryRun::Server;
    let mut all: Vec<Away> = going.into_iter().map(Away::new).collect();
    let mut errors = Vec::new();
    loop {
        for pod in &mut all {
            if pod.is_due(Instant::now()) {
                ask(cx, flags, server, evicts, pod, &mut errors).await?;
            } else if pod.is_waited_for() && is_gone(cx, pod).await {
                let done = if evicts { "evicted" } else { "deleted" };
                cx.line(format_args!("pod/{} {done}", pod.name()))?;
                pod.finish();
            }
        }
        cx.flush()?;
        if all.iter().all(Away::is_finished) {
            break;
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            for pod in all.iter().filter(|pod| !pod.is_finished()) {
                errors.push(format!(
                    "error when waiting for pod \"{}\" in namespace \"{}\" to terminate: global timeout reached: {}",
                    pod.name(),
                    pod.namespace(),
                    flags.text("timeout")
                ));
            }
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::Message(one.clone())),
        many => Err(Error::Message(format!("[{}]", many.join(", ")))),
    }
}

/// Evicts or deletes one pod.
async fn ask(
    cx: &Context,
    flags: &Parsed,
    server: bool,
    evicts: bool,
    pod: &mut Away,
    errors: &mut Vec<String>,
) -> Result {
    let mut options = json!({});
    if !flags.is_negative("grace-period") {
        options["gracePeriodSeconds"] = flags.number("grace-period").into();
    }
    if server {
        options["dryRun"] = json!(["All"]);
    }
    let (namespace, name) = (pod.namespace(), pod.name());
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}",
        escape(namespace),
        escape(name)
    );
    let call = if evicts {
        let suffix = if server { " (server dry run)" } else { "" };
        cx.line(format_args!("evicting pod {namespace}/{name}{suffix}"))?;
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": { "name": name, "namespace": namespace },
            "deleteOptions": options,
        });
        Call::with_json(http::Method::POST, format!("{path}/eviction"), &eviction)
    } else {
        Call::with_json(http::Method::DELETE, path, &options)
    };
    match cx.call(&call).await {
        Ok(_) if server => pod.finish(),
        Ok(_) => pod.wait(),
        Err(error) if error.is_not_found() => pod.finish(),
        Err(error) if error.refusal().is_some_and(|r| r.code == 429) => {
            cx.talk(format_args!(
                "error when evicting pods/\"{name}\" -n \"{namespace}\" (will retry after 5s): {error}"
            ));
            pod.retry(Instant::now() + RETRY);
        }
        Err(error) => {
            errors.push(if evicts {
                format!("error when evicting pods/\"{name}\" -n \"{namespace}\": {error}")
            } else {
                error.to_string()
            });
            pod.finish();
        }
    }
    Ok(())
}

/// Whether a pod is gone, or another one has its name.
async fn is_gone(cx: &Context, pod: &Away) -> bool {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}",
        escape(pod.namespace()),
        escape(pod.name())
    );
    match cx.json(&Call::get(path)).await {
        Ok(there) => text(&there, &["metadata", "uid"]) != pod.uid(),
        Err(error) => error.is_not_found(),
    }
}
