// SPDX-License-Identifier: Apache-2.0
//! `logs`: what the containers of pods have printed.

use futures_util::future::{join_all, try_join_all};
use http_body_util::BodyExt as _;
use k1s_core::object::{self, list, text};

use super::pods::{container, pods};
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::selection::Target;

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
    let word = flags.args.first().map(String::as_str);
    let purpose = "get the logs from";
    let pods = pods(cx, flags, word, purpose, flags.on("all-pods")).await?;
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

/// The container that the command line names, if it does.
fn named(flags: &Parsed) -> &str {
    match flags.args.get(1) {
        Some(inline) => inline,
        None => flags.text("container"),
    }
}

/// The containers of a pod whose logs are meant.
fn containers<'a>(cx: &Context, flags: &'a Parsed, pod: &'a Target) -> Result<Vec<&'a str>> {
    if flags.on("all-containers") {
        let names = |field| {
            list(&pod.value, &["spec", field])
                .iter()
                .map(|container| text(container, &["name"]))
        };
        let (init, main) = (names("initContainers"), names("containers"));
        return Ok(init
            .chain(main)
            .chain(names("ephemeralContainers"))
            .collect());
    }
    let is_quiet = flags.on("all-pods");
    Ok(container(cx, pod, named(flags), is_quiet)?
        .into_iter()
        .collect())
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
