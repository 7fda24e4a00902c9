// SPDX-License-Identifier: Apache-2.0
//! `delete`: objects by file, name, selector or all of a kind, with waiting until they are gone.

use std::time::Duration;

use http::Method;
use k1s_core::object::text;
use serde_json::{Value, json};

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::deletion;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun};
use crate::selection::{ALL_NAMESPACES, Ask, SELECTORS, Selection, Target};
use crate::source;

/// `delete`.
pub(super) static COMMAND: Command = Command {
    name: "delete",
    aliases: &[],
    usage: "([-f FILE] | TYPE [NAME… | -l SELECTOR | --all] | TYPE/NAME…) [OPTIONS]",
    about: "Delete objects by file, by name, by selector or all of a kind.",
    examples: &[
        ("By name", "delete configmap settings"),
        ("What a file holds", "delete -f web.yaml"),
        ("By labels", "delete pods,services -l app=web"),
        (
            "A pod that does not end by itself",
            "delete pod web --grace-period=0 --force",
        ),
    ],
    flags: &[
        &[
            Flag::text(
                "cascade",
                "What becomes of dependents: background, foreground or orphan.",
            )
            .default("background")
            .bare("background"),
            Flag::switch("force", "Delete at once, without waiting for confirmation."),
            Flag::number(
                "grace-period",
                "-1",
                "Seconds that an object has to end; negative is its own.",
            ),
            Flag::switch(
                "ignore-not-found",
                "Nothing is said of an object that is not there.",
            ),
            Flag::switch("interactive", "Ask before deleting.").short('i'),
            Flag::switch("now", "As --grace-period=1."),
            Flag::text("output", "name for names only.").short('o'),
            Flag::text("raw", "A path of the API to delete."),
            Flag::duration(
                "timeout",
                "0s",
                "How long to wait; zero is as long as it takes.",
            ),
            Flag::switch("wait", "Wait until the objects are gone.").default("true"),
        ],
        print::DRY_RUN,
        source::FLAGS,
        SELECTORS,
        ALL_NAMESPACES,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

/// How to delete.
pub(super) struct Deletion {
    /// Seconds to end; none is the object's own.
    pub(super) grace: Option<i64>,
    /// `Background`, `Foreground` or `Orphan`.
    pub(super) policy: &'static str,
    pub(super) dry_run: DryRun,
    pub(super) names_only: bool,
    /// Whether it is said that the object had no time to end.
    pub(super) forced: bool,
}

impl Deletion {
    fn new(args: &Parsed) -> Result<Self> {
        let policy = policy(args)?;
        let mut grace = args.number("grace-period");
        if args.on("now") {
            if grace != -1 {
                return Err(Error::message(
                    "--now and --grace-period cannot be specified together",
                ));
            }
            grace = 1;
        }
        let force = args.on("force");
        if grace == 0 && !force {
            // Zero alone is not enough to lose data.
            grace = 1;
        }
        if force && grace < 0 {
            grace = 0;
        }
        if force && grace > 0 {
            return Err(Error::message(
                "--force and --grace-period greater than 0 cannot be specified together",
            ));
        }
        let output = args.text("output");
        if !output.is_empty() && output != "name" {
            return Err(Error::message(format!(
                "unexpected -o output mode: {output}. We only support '-o name'"
            )));
        }
        Ok(Self {
            grace: (grace >= 0).then_some(grace),
            policy,
            dry_run: DryRun::new(args)?,
            names_only: output == "name",
            forced: grace == 0,
        })
    }

    /// Deletes one object and says so; gives the uid to wait for.
    pub(super) async fn one(&self, cx: &Context, target: &Target) -> Result<String> {
        let mut options = json!({"propagationPolicy": self.policy});
        if let Some(grace) = self.grace {
            options["gracePeriodSeconds"] = grace.into();
        }
        target
            .require_name()
            .map_err(|e| e.with_source("deleting", &target.source))?;
        let mut uid = String::new();
        if self.dry_run != DryRun::Client {
            if self.dry_run == DryRun::Server {
                options["dryRun"] = json!(["All"]);
            }
            let answer = cx
                .json(&Call::with_json(Method::DELETE, target.path(), &options))
                .await
                .map_err(|e| e.with_source("deleting", &target.source))?;
            uid = if text(&answer, &["kind"]) == "Status" {
                text(&answer, &["details", "uid"]).to_owned()
            } else {
                text(&answer, &["metadata", "uid"]).to_owned()
            };
        }
        self.tell(cx, target)?;
        Ok(uid)
    }

    fn tell(&self, cx: &Context, target: &Target) -> Result {
        if self.names_only {
            return cx.line(target.title());
        }
        let done = if self.forced {
            "force deleted"
        } else {
            "deleted"
        };
        let mut line = format!(
            "{} \"{}\" {done}",
            target.resource.group_kind(),
            target.name
        );
        if !target.namespace.is_empty() {
            line.push_str(&format!(" from {} namespace", target.namespace));
        }
        cx.line(line + self.dry_run.suffix())
    }
}

/// What becomes of dependents.
pub(super) fn policy(args: &Parsed) -> Result<&'static str> {
    match args.text("cascade") {
        "background" | "true" => Ok("Background"),
        "foreground" => Ok("Foreground"),
        "orphan" | "false" => Ok("Orphan"),
        other => Err(Error::message(format!(
            "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
        ))),
    }
}

async fn run(cx: &Context, args: &Parsed) -> Result {
    if args.given("raw") {
        return raw(cx, args).await;
    }
    let deletion = Deletion::new(args)?;
    let selects = args.on("all")
        || !args.text("selector").is_empty()
        || !args.text("field-selector").is_empty();
    if args.on("all") && !args.text("selector").is_empty() {
        return Err(Error::message(
            "setting 'all' parameter but found a non empty selector. ",
        ));
    }
    if args.on("all") && !args.text("field-selector").is_empty() {
        return Err(Error::message(
            "cannot set --all and --field-selector at the same time",
        ));
    }
    if args.on("force") && deletion.grace == Some(0) {
        cx.warn(
            "Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may \
             continue to run on the cluster indefinitely.",
        );
    }
    let ignore = if args.given("ignore-not-found") {
        args.on("ignore-not-found")
    } else {
        selects
    };
    let mut selection = Selection::new(cx, args)?;
    if args.on("all") {
        selection.labels = Some(String::new());
    }
    let (targets, mut errors) = targets(cx, args, &selection).await?;
    errors.retain(|e| !(ignore && e.is_not_found()));
    if args.on("interactive") && !confirmed(cx, &targets)? {
        return cx.line("deletion is cancelled");
    }
    let mut warn = selection.namespace_given;
    let mut waiting = Vec::new();
    let found = targets.len();
    for target in targets {
        if warn && !target.resource.namespaced {
            cx.warn("deleting cluster-scoped resources, not scoped to the provided namespace");
            warn = false;
        }
        match deletion.one(cx, &target).await {
            Ok(uid) => waiting.push((target, uid)),
            Err(e) if ignore && e.is_not_found() => {}
            Err(e @ Error::Output(_)) => return Err(e),
            Err(e) => errors.push(e),
        }
    }
    Error::all(errors)?;
    if found == 0 {
        return cx.line("No resources found");
    }
    if !args.on("wait") || deletion.dry_run != DryRun::None {
        return Ok(());
    }
    cx.flush()?;
    wait(cx, waiting, args.duration("timeout")).await
}

/// What to delete. Objects named on the command line or in files are not asked for first.
async fn targets(
    cx: &Context,
    args: &Parsed,
    selection: &Selection,
) -> Result<(Vec<Target>, Vec<Error>)> {
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for ask in selection.plan(cx, args).await?.asks {
        match ask {
            Err(e) => errors.push(e),
            Ok(Ask::File(target)) => targets.push(*target),
            Ok(Ask::One {
                resource,
                namespace,
                name,
            }) => targets.push(Target {
                resource,
                namespace,
                name,
                source: String::new(),
                value: Value::Null,
            }),
            Ok(Ask::Many {
                resource,
                namespace,
            }) => match selection.list(cx, &resource, &namespace).await {
                Ok(found) => targets.extend(found),
                Err(e) => errors.push(e),
            },
        }
    }
    Ok((targets, errors))
}

fn confirmed(cx: &Context, targets: &[Target]) -> Result<bool> {
    cx.line(format_args!(
        "You are about to delete the following {} resource(s):",
        targets.len()
    ))?;
    for target in targets {
        cx.line(target.title())?;
    }
    cx.print("Do you want to continue? (y/N): ")?;
    cx.flush()?;
    Ok(matches!(
        cx.read_line()?.trim(),
        "y" | "Y" | "yes" | "Yes" | "YES"
    ))
}

/// Waits until all are gone. Where waiting is not allowed, deleting was all there is to do.
pub(super) async fn wait(cx: &Context, waiting: Vec<(Target, String)>, limit: Duration) -> Result {
    let deadline = (!limit.is_zero()).then(|| tokio::time::Instant::now() + limit);
    let mut errors = Vec::new();
    for (target, uid) in waiting {
        match deletion::wait(cx, &target, &uid, deadline).await {
            Err(e)
                if e.refusal()
                    .is_some_and(|r| r.reason == "Forbidden" || r.reason == "MethodNotAllowed") => {
            }
            Err(e) => errors.push(e),
            Ok(()) => {}
        }
    }
    Error::all(errors)
}

async fn raw(cx: &Context, args: &Parsed) -> Result {
    if !args.args.is_empty() {
        return Err(Error::message(
            "arguments may not be passed when --raw is specified",
        ));
    }
    let call = Call::new(Method::DELETE, args.text("raw"));
    let answer = cx.call(&call).await?;
    cx.bytes(&answer.body)
}
