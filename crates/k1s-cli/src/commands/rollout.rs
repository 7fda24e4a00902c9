// SPDX-License-Identifier: Apache-2.0
//! `rollout`: how far a change of pods has come; pausing, going on, starting anew.

mod history;
mod progress;
mod revisions;
mod undo;

use std::time::Duration;

use k1s_core::object::{annotation, is_true, text};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use crate::watch::Watch;
use crate::writing::{PatchType, Writer};
use progress::{Progress, progress};

/// The group.
pub(super) static COMMAND: Command = Command {
    name: "rollout",
    aliases: &[],
    usage: "SUBCOMMAND",
    about: "Follow and steer the rollout of a change",
    examples: &[],
    flags: &[],
    subcommands: &[&HISTORY, &PAUSE, &RESTART, &RESUME, &STATUS, &UNDO],
    run: None,
};

const COMMON: &[Flag] = &[
    Flag::text("field-manager", "Who is named as the owner of the fields.")
        .default("kubectl-rollout"),
    Flag::text("selector", "Only objects with such labels.").short('l'),
];

static HISTORY: Command = Command {
    name: "history",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) [--revision=N]",
    about: "Show the revisions of an object",
    examples: &[
        (
            "Which revisions there are",
            "rollout history deployment/web",
        ),
        (
            "What the pods of one were",
            "rollout history deployment/web --revision=3",
        ),
    ],
    flags: &[
        source::FLAGS,
        print::FLAGS,
        COMMON,
        &[Flag::number("revision", "0", "Revision to show.")],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(history::run(cx, flags))),
};

static UNDO: Command = Command {
    name: "undo",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) [--to-revision=N]",
    about: "Go back to an earlier revision",
    examples: &[
        (
            "To the revision before this one",
            "rollout undo deployment/web",
        ),
        (
            "To a revision by its number",
            "rollout undo daemonset/agent --to-revision=3",
        ),
        (
            "What the pods would be then",
            "rollout undo deployment/web --dry-run=client",
        ),
    ],
    flags: &[
        source::FLAGS,
        print::FLAGS,
        print::DRY_RUN,
        COMMON,
        &[Flag::number(
            "to-revision",
            "0",
            "Revision to go back to; 0 is the one before this.",
        )],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(undo::run(cx, flags))),
};

static PAUSE: Command = Command {
    name: "pause",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME)",
    about: "Let a rollout wait",
    examples: &[(
        "Collect several changes, then roll them out at once",
        "rollout pause deployment/web",
    )],
    flags: &[source::FLAGS, print::FLAGS, COMMON],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(change(cx, flags, Change::Pause))),
};

static RESUME: Command = Command {
    name: "resume",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME)",
    about: "Let a paused rollout go on",
    examples: &[("Go on", "rollout resume deployment/web")],
    flags: &[source::FLAGS, print::FLAGS, COMMON],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(change(cx, flags, Change::Resume))),
};

static RESTART: Command = Command {
    name: "restart",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME)",
    about: "Replace all pods of an object",
    examples: &[
        (
            "Replace all pods of a deployment",
            "rollout restart deployment/web",
        ),
        (
            "Of all daemon sets with a label",
            "rollout restart daemonset -l tier=edge",
        ),
    ],
    flags: &[source::FLAGS, print::FLAGS, COMMON],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(change(cx, flags, Change::Restart))),
};

static STATUS: Command = Command {
    name: "status",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) [--watch=false] [--timeout=DURATION]",
    about: "Show how far a rollout has come",
    examples: &[
        (
            "Wait until a change has arrived everywhere",
            "rollout status deployment/web",
        ),
        ("Only look", "rollout status deployment/web --watch=false"),
    ],
    flags: &[
        source::FLAGS,
        COMMON,
        &[
            Flag::number(
                "revision",
                "0",
                "Fail unless a deployment is at this revision; 0 is any.",
            ),
            Flag::duration("timeout", "0s", "How long to watch; 0 is for ever."),
            Flag::switch("watch", "Watch until the rollout is done.")
                .short('w')
                .default("true"),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(status(cx, flags))),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Pause,
    Resume,
    Restart,
}

async fn change(cx: &Context, flags: &Parsed, change: Change) -> Result {
    let writer = Writer::new(flags)?;
    let mut outcome = Outcome::new(flags)?;
    let mut errors = Vec::new();
    let found = targets(cx, flags).await?;
    if found.is_empty() {
        none_found(cx)?;
    }
    for target in found {
        let done = match target {
            Ok(target) => apply(cx, &writer, &mut outcome, &target, change).await,
            Err(error) => Err(error),
        };
        errors.extend(done.err());
    }
    Error::all(errors)
}

fn none_found(cx: &Context) -> Result {
    cx.talk(format_args!(
        "No resources found in {} namespace.",
        cx.namespace()?.0
    ));
    Ok(())
}

async fn apply(
    cx: &Context,
    writer: &Writer,
    outcome: &mut Outcome,
    target: &Target,
    change: Change,
) -> Result {
    let kind = target.resource.kind.as_str();
    let title = format!("{} \"{}\"", target.resource.group_resource(), target.name);
    let paused = is_true(&target.value, &["spec", "paused"]);
    let refused = match change {
        Change::Pause if kind != "Deployment" => format!("{title} pausing is not supported"),
        Change::Resume if kind != "Deployment" => format!("{title} resuming is not supported"),
        Change::Restart if !["DaemonSet", "Deployment", "StatefulSet"].contains(&kind) => {
            format!("{title} restarting is not supported")
        }
        Change::Pause if paused => format!("{title} is already paused"),
        Change::Resume if !paused => format!("{title} is not paused"),
        Change::Restart if paused => {
            format!("{title} can't restart paused deployment (run rollout resume first)")
        }
        _ => String::new(),
    };
    if !refused.is_empty() {
        return Err(Error::Message(refused));
    }
    let (patch, done) = match change {
        Change::Pause => (json!({ "spec": { "paused": true } }), "paused"),
        Change::Resume => (json!({ "spec": { "paused": null } }), "resumed"),
        Change::Restart => {
            let now = k1s_core::time::print_time(jiff::Timestamp::now());
            let annotations = json!({ "kubectl.kubernetes.io/restartedAt": now });
            (
                json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }),
                "restarted",
            )
        }
    };
    let object = writer
        .patch(cx, target, "", PatchType::Strategic, patch.to_string())
        .await?;
    outcome.tell(cx, &target.resource, &object, done)
}

async fn targets(cx: &Context, flags: &Parsed) -> Result<Vec<Result<Target>>> {
    if flags.args.is_empty() && !source::is_given(flags) {
        return Err(Error::message("required resource not specified"));
    }
    let mut selection = Selection::new(cx, flags)?;
    selection.bare_kind_is_all = true;
    selection.targets(cx, flags, true).await
}

async fn status(cx: &Context, flags: &Parsed) -> Result {
    let revision = flags.number("revision");
    if revision < 0 {
        return Err(Error::message(format!(
            "revision must be a positive integer: {revision}"
        )));
    }
    let limit = flags.duration("timeout");
    let limit = if limit.is_zero() {
        Duration::from_secs(365 * 24 * 3600)
    } else {
        limit
    };
    let found = targets(cx, flags).await?;
    if found.is_empty() {
        none_found(cx)?;
    }
    for target in found {
        let target = target?;
        let follow = follow(cx, &target, flags.on("watch"), revision);
        timeout_at(Instant::now() + limit, follow)
            .await
            .unwrap_or_else(|_| Err(Error::message("timed out waiting for the condition")))?;
    }
    Ok(())
}

/// Prints the state of a rollout each time it changes, until it is done.
async fn follow(cx: &Context, target: &Target, watch: bool, revision: i64) -> Result {
    let kind = target.resource.kind.as_str();
    let call = Call::get(target.resource.path(&target.namespace, "", ""))
        .query("fieldSelector", format!("metadata.name={}", target.name));
    let mut object = target.value.clone();
    loop {
        let mut version = text(&object, &["metadata", "resourceVersion"]).to_owned();
        if tell(cx, kind, &object, revision)? || !watch {
            return Ok(());
        }
        let mut changes = Watch::start(cx, call.clone(), &version).await?;
        while let Some(event) = changes.next().await? {
            if event.kind == "DELETED" {
                return Err(Error::message("object has been deleted"));
            }
            text(&event.object, &["metadata", "resourceVersion"]).clone_into(&mut version);
            if tell(cx, kind, &event.object, revision)? {
                return Ok(());
            }
        }
        object = cx.json(&Call::get(target.path())).await?;
    }
}

fn tell(cx: &Context, kind: &str, object: &serde_json::Value, revision: i64) -> Result<bool> {
    if kind == "Deployment" && revision > 0 {
        let running = annotation(object, "deployment.kubernetes.io/revision").unwrap_or("0");
        if running != revision.to_string() {
            return Err(Error::message(format!(
                "desired revision ({revision}) is different from the running revision ({running})"
            )));
        }
    }
    let Progress { text, done } = progress(kind, object).map_err(Error::Message)?;
    cx.line(text)?;
    cx.flush()?;
    Ok(done)
}
