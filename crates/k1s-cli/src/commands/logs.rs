// SPDX-License-Identifier: Apache-2.0
//! `logs`: what the containers of pods have printed.

use futures_util::future::{join_all, try_join_all};
use http_body_util::BodyExt as _;
use k1s_core::object::{self, annotation, list, text};
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::describe;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::selection::{Selection, Target};

/// `logs`.
pub(super) static COMMAND: Command = Command {
    name: "logs",
    aliases: &[],
    usage: "[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]",
    about: "Print the logs of a container",
    examples: &[
        ("All that is kept of a pod's log", "logs blink"),
        (
            "The last lines, and those that come",
            "logs blink --tail=20 -f",
        ),
        ("Of the run before the last restart", "logs hog -p"),
        (
            "Of all containers of the pods with a label, each line with its source",
            "logs -l app=web --all-containers --prefix",
        ),
        ("Of a pod of a deployment", "logs deployment/web -c nginx"),
    ],
    flags: &[&[
        Flag::switch("all-containers", "The logs of all containers."),
        Flag::switch(
            "all-pods",
            "The logs of all pods of the object; sets --prefix.",
        ),
        Flag::text("container", "The container.").short('c'),
        Flag::switch("follow", "Go on with the lines that come.").short('f'),
        Flag::switch(
            "ignore-errors",
            "An error of one log does not end the others.",
        ),
        Flag::switch(
            "insecure-skip-tls-verify-backend",
            "Take whatever certificate the kubelet has.",
        ),
        Flag::number("limit-bytes", "0", "Most bytes of a log; 0 is all."),
        Flag::number(
            "max-log-requests",
            "5",
            "Most logs that are followed at a time.",
        ),
        Flag::switch("prefix", "Put pod and container before each line."),
        Flag::switch("previous", "The log of the run before the last restart.").short('p'),
        Flag::text("selector", "Pods with such labels.").short('l'),
        Flag::duration("since", "0s", "Only lines that are not older than this."),
        Flag::text("since-time", "Only lines after this moment (RFC 3339)."),
        Flag::number(
            "tail",
            "-1",
            "How many of the last lines; -1 is all, or 10 where a selector chooses the pods.",
        ),
        Flag::switch("timestamps", "Put its time before each line."),
    ]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

/// The log of a container.
struct Log {
    call: Call,
    /// What stands before each line.
    prefix: String,
    /// For errors.
    container: String,
}

async fn run(cx: &Context, flags: &Parsed) -> Result {
    check(flags)?;
    let pods = pods(cx, flags).await?;
    let mut logs = Vec::new();
    for pod in &pods {
        for container in containers(cx, flags, pod)? {
            logs.push(log(flags, pod, container));
        }
    }
    let follow = flags.on("follow");
    let most = flags.number("max-log-requests");
    if follow && i64::try_from(logs.len()).is_ok_and(|count| count > most) {
        return Err(Error::message(format!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {most}, \
             use --max-log-requests to increase the limit",
            logs.len()
        )));
    }
    let ignore = flags.on("ignore-errors");
    if follow && logs.len() > 1 {
        let all = logs.iter().map(|log| copy(cx, log));
        if ignore {
            for outcome in join_all(all).await {
                told(cx, outcome, ignore)?;
            }
            return Ok(());
        }
        return try_join_all(all).await.map(drop);
    }
    for log in &logs {
        told(cx, copy(cx, log).await, ignore)?;
    }
    Ok(())
}

fn told(cx: &Context, outcome: Result, ignore: bool) -> Result {
    match outcome {
        Err(error) if ignore => {
            cx.talk(format_args!("error: {error}"));
            Ok(())
        }
        outcome => outcome,
    }
}

fn check(flags: &Parsed) -> Result {
    let selector = flags.given("selector");
    if flags.args.is_empty() && !selector || flags.args.len() > 2 {
        return Err(Error::usage(
            "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\n\
             POD or TYPE/NAME is a required argument for the logs command",
            flags,
        ));
    }
    let refuse = |why: &str| Err(Error::message(why));
    if selector && !flags.args.is_empty() {
        return refuse("only a selector (-l) or a POD name is allowed");
    }
    if flags.on("all-containers") && !named(flags).is_empty() {
        return Err(Error::message(format!(
            "--all-containers=true should not be specified with container name {}",
            named(flags)
        )));
    }
    if flags.given("container") && flags.args.len() == 2 {
        return refuse("only one of -c or an inline [CONTAINER] arg is allowed");
    }
    if flags.given("since-time") && flags.given("since") {
        return refuse("at most one of `sinceTime` or `sinceSeconds` may be specified");
    }
    if flags.given("limit-bytes") && flags.number("limit-bytes") < 1 {
        return refuse("--limit-bytes must be greater than 0");
    }
    if flags.number("tail") < -1 {
        return refuse("--tail must be greater than or equal to -1");
    }
    Ok(())
}

/// The pods whose logs are meant. Of an object that has several it is the first, unless all are asked for.
async fn pods(cx: &Context, flags: &Parsed) -> Result<Vec<Target>> {
    let mut selection = Selection::new(cx, flags)?;
    let found = match flags.args.first() {
        None => return of_kind_pod(cx, &selection, flags).await,
        Some(word) if word.contains('/') => {
            selection.args = vec![word.clone()];
            selection.targets(cx, flags, true).await?
        }
        Some(word) => {
            selection.args = vec!["pods".to_owned(), word.clone()];
            selection.targets(cx, flags, true).await?
        }
    };
    let mut out = Vec::new();
    for target in found {
        let target = target.map_err(|error| missing(error, &selection.namespace))?;
        if target.resource.kind == "Pod" {
            out.push(target);
            continue;
        }
        let labels = labels_of_pods(&target.value);
        if labels.is_empty() {
            return Err(Error::message(format!(
                "cannot get the logs from {}: it selects no pods",
                target.title()
            )));
        }
        selection.labels = Some(labels);
        selection.namespace.clone_from(&target.namespace);
        let mut pods = of_kind_pod(cx, &selection, flags).await?;
        // those that run first, then the oldest
        pods.sort_by_key(|pod| {
            let phase = text(&pod.value, &["status", "phase"]);
            let made = text(&pod.value, &["metadata", "creationTimestamp"]);
            (phase != "Running", made.to_owned())
        });
        if pods.is_empty() {
            return Err(Error::message(format!(
                "no pods of {} were found in namespace {}",
                target.title(),
                Quoted(&target.namespace)
            )));
        }
        if !flags.on("all-pods") && pods.len() > 1 {
            let first = pods[0].name.as_str();
            cx.talk(format_args!("Found {} pods, using pod/{first}", pods.len()));
            pods.truncate(1);
        }
        out.append(&mut pods);
    }
    Ok(out)
}

/// An object that is not there is told with its namespace.
fn missing(error: Error, namespace: &str) -> Error {
    if error.is_not_found() {
        Error::message(format!(
            "error from server (NotFound): {error} in namespace {}",
            Quoted(namespace)
        ))
    } else {
        error
    }
}

async fn of_kind_pod(cx: &Context, selection: &Selection, flags: &Parsed) -> Result<Vec<Target>> {
    let mut selection = selection.clone();
    selection.args = vec!["pods".to_owned()];
    let found = selection.targets(cx, flags, true).await?;
    let pods: Vec<Target> = found.into_iter().collect::<Result<_>>()?;
    if pods.is_empty() && flags.given("selector") {
        cx.talk(format_args!(
            "No resources found in {} namespace.",
            selection.namespace
        ));
    }
    Ok(pods)
}

/// The selector of an object's pods, as the command line has it.
fn labels_of_pods(object: &Value) -> String {
    let selector = &object["spec"]["selector"];
    if selector["matchLabels"].is_object() || selector["matchExpressions"].is_array() {
        return describe::selector_text(selector);
    }
    // of a Service or a ReplicationController
    describe::selector_text(&serde_json::json!({ "matchLabels": selector }))
}

/// The container that the command line names, if it does.
fn named(flags: &Parsed) -> &str {
    match flags.args.get(1) {
        Some(inline) => inline,
        None => flags.text("container"),
    }
}

/// The containers of a pod whose logs are meant.
fn containers<'a>(cx: &Context, flags: &'a Parsed, pod: &'a Target) -> Result<Vec<&'a str>> {
    let names = |field| {
        list(&pod.value, &["spec", field])
            .iter()
            .map(|container| text(container, &["name"]))
    };
    let (init, main) = (names("initContainers"), names("containers"));
    let ephemeral = names("ephemeralContainers");
    if flags.on("all-containers") {
        return Ok(init.chain(main).chain(ephemeral).collect());
    }
    let named = named(flags);
    let all: Vec<&str> = main
        .clone()
        .chain(init.clone())
        .chain(ephemeral.clone())
        .collect();
    if !named.is_empty() {
        if !all.contains(&named) {
            let name = &pod.name;
            return Err(Error::message(format!(
                "container {named} is not valid for pod {name}"
            )));
        }
        return Ok(vec![named]);
    }
    let marked = annotation(&pod.value, "kubectl.kubernetes.io/default-container")
        .filter(|name| all.contains(name));
    if let Some(marked) = marked {
        return Ok(vec![marked]);
    }
    let Some(first) = all.first() else {
        return Ok(Vec::new());
    };
    if all.len() > 1 && !flags.on("all-pods") {
        let init = init.map(|name| format!("{name} (init)"));
        let ephemeral = ephemeral.map(|name| format!("{name} (ephem)"));
        let known: Vec<String> = main
            .map(str::to_owned)
            .chain(ephemeral)
            .chain(init)
            .collect();
        cx.talk(format_args!(
            "Defaulted container {} out of: {}",
            Quoted(first),
            known.join(", ")
        ));
    }
    Ok(vec![first])
}

fn log(flags: &Parsed, pod: &Target, container: &str) -> Log {
    let yes = |name: &str| if flags.on(name) { "true" } else { "" };
    let since = flags.duration("since");
    // a part of a second is one: nothing newer is left out
    let since = since.as_secs() + u64::from(since.subsec_nanos() > 0);
    let positive = |number: i64| {
        if number > 0 {
            number.to_string()
        } else {
            String::new()
        }
    };
    let tail = match flags.number("tail") {
        -1 if flags.given("selector") && !flags.given("tail") => "10".to_owned(),
        -1 => String::new(),
        lines => lines.to_string(),
    };
    let path = pod.resource.path(&pod.namespace, &pod.name, "log");
    let call = Call::get(path)
        .accept("application/json, */*")
        .query("container", container)
        .query("follow", yes("follow"))
        .query(
            "insecureSkipTLSVerifyBackend",
            yes("insecure-skip-tls-verify-backend"),
        )
        .query("limitBytes", positive(flags.number("limit-bytes")))
        .query("previous", yes("previous"))
        .query(
            "sinceSeconds",
            positive(i64::try_from(since).unwrap_or(i64::MAX)),
        )
        .query("sinceTime", flags.text("since-time"))
        .query("tailLines", tail)
        .query("timestamps", yes("timestamps"));
    let prefix = if flags.on("prefix") || flags.on("all-pods") {
        format!("[pod/{}/{container}] ", object::name(&pod.value))
    } else {
        String::new()
    };
    Log {
        call,
        prefix,
        container: container.to_owned(),
    }
}

/// Copies a log to standard output: as it comes, or, with a prefix, line by line.
async fn copy(cx: &Context, log: &Log) -> Result {
    let mut body = cx.open(&log.call).await?.into_body();
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| {
            Error::message(format!("the log of {} ended early: {e}", log.container))
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if log.prefix.is_empty() {
            cx.bytes(&data)?;
        } else {
            rest.extend_from_slice(&data);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                cx.bytes(log.prefix.as_bytes())?;
                cx.bytes(&line)?;
            }
        }
        cx.flush()?;
    }
    if !rest.is_empty() {
        cx.bytes(log.prefix.as_bytes())?;
        cx.bytes(&rest)?;
        cx.bytes(b"\n")?;
    }
    cx.flush()
}
