// SPDX-License-Identifier: Apache-2.0
//! `exec`: a command in a container; `attach`: what a container says.

use std::io::IsTerminal as _;

use super::pods::{container, pods};
use crate::channels::Streams;
use crate::client::{Call, escape};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};

const FLAGS: &[Flag] = &[
    Flag::text("container", "The container.").short('c'),
    Flag::switch("quiet", "Say nothing but what the container says.").short('q'),
    Flag::switch("stdin", "Pass standard input on.").short('i'),
    Flag::switch("tty", "Standard input is a terminal.").short('t'),
];

/// `exec`.
pub(super) static EXEC: Command = Command {
    name: "exec",
    aliases: &[],
    usage: "(POD | TYPE/NAME) [-c CONTAINER] [-i] [-t] -- COMMAND [ARGUMENTS]",
    about: "Run a command in a container; it ends with the command's exit code",
    examples: &[
        (
            "What a container on a board understands",
            "exec blink --context lab -- help",
        ),
        (
            "A shell on a terminal",
            "exec -it blink -c blink --context lab -- sh",
        ),
        (
            "In the first pod of a deployment",
            "exec deployment/web --context lab -- cat /etc/hostname",
        ),
    ],
    flags: &[FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(exec(cx, flags))),
};

/// `attach`.
pub(super) static ATTACH: Command = Command {
    name: "attach",
    aliases: &[],
    usage: "(POD | TYPE/NAME) [-c CONTAINER] [-i] [-t]",
    about: "Show what a container says from now on, until it ends",
    examples: &[("What a pod says", "attach blink --context lab")],
    flags: &[FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(attach(cx, flags))),
};

async fn exec(cx: &Context, flags: &Parsed) -> Result {
    let (before, command) = match flags.dash {
        Some(at) => flags.args.split_at(at),
        None => (&flags.args[..], &[][..]),
    };
    let word = match before {
        [word] => word,
        [] => {
            let why = "a pod or type/name must be specified";
            return Err(Error::usage(why, flags));
        }
        _ => {
            return Err(Error::message(
                "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead",
            ));
        }
    };
    if command.is_empty() {
        let why = "you must specify at least one command for the container";
        return Err(Error::usage(why, flags));
    }
    session(cx, flags, word, "exec", command).await
}

async fn attach(cx: &Context, flags: &Parsed) -> Result {
    let [word] = flags.args.as_slice() else {
        let why = "expected one POD or TYPE/NAME";
        return Err(Error::usage(why, flags));
    };
    session(cx, flags, word, "attach", &[]).await
}

async fn session(
    cx: &Context,
    flags: &Parsed,
    word: &str,
    subresource: &str,
    command: &[String],
) -> Result {
    if !cx.wants_server() {
        return Err(Error::message(format!(
            "{subresource} goes through a server, for it is the one that boards trust: start `k1s serve` or `k1s up`, and say \
             --kubeconfig FILE or --context NAME"
        )));
    }
    let is_quiet = flags.on("quiet");
    let stdin = flags.on("stdin");
    let mut tty = flags.on("tty");
    if tty && !(stdin && std::io::stdin().is_terminal()) {
        tty = false;
        if !is_quiet {
            cx.talk("Unable to use a TTY - input is not a terminal or the right kind of file");
        }
    }
    let found = pods(cx, flags, Some(word), "attach to", false).await?;
    let Some(pod) = found.first() else {
        return Err(Error::message(format!("no pod is {word:?}")));
    };
    let phase = pod.value["status"]["phase"].as_str().unwrap_or_default();
    if matches!(phase, "Succeeded" | "Failed") {
        return Err(Error::message(if subresource == "exec" {
            format!("cannot exec into a container in a completed pod; current phase is {phase}")
        } else {
            format!("cannot attach a container in a completed pod; current phase is {phase}")
        }));
    }
    let container = container(cx, pod, flags.text("container"), is_quiet)?.unwrap_or_default();
    // What a pod is asked to run may be an empty word, which a query of a call has not.
    let mut path = pod.resource.path(&pod.namespace, &pod.name, subresource);
    for (n, word) in command.iter().enumerate() {
        path.push(if n == 0 { '?' } else { '&' });
        path.push_str("command=");
        path.push_str(&escape(word));
    }
    let yes = |on: bool| if on { "true" } else { "" };
    let call = Call::get(path)
        .accept("application/json, */*")
        .query("container", container)
        .query("stdin", yes(stdin))
        .query("stdout", "true")
        .query("stderr", yes(!tty))
        .query("tty", yes(tty));
    if tty && !is_quiet && subresource == "attach" {
        cx.talk("If you don't see a command prompt, try pressing enter.");
    }
    cx.run_channels(&call, Streams { stdin, tty }).await
}
