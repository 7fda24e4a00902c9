// SPDX-License-Identifier: Apache-2.0
//! `replace`: objects of files in place of those that are there; by force they are deleted first.

use http::Method;
use k1s_core::object::text;

use super::delete::{Deletion, policy, wait};
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use crate::writing::{self, Validation, Writer, field_manager};

/// `replace`.
pub(super) static COMMAND: Command = Command {
    name: "replace",
    aliases: &[],
    usage: "-f FILE [OPTIONS]",
    about: "Replace objects by those of files or of standard input.",
    examples: &[
        (
            "Put an object in the place of what is there",
            "replace -f pod.yaml",
        ),
        (
            "Delete it and create it anew",
            "replace --force -f pod.yaml",
        ),
    ],
    flags: &[
        &[
            field_manager!("kubectl-replace"),
            Flag::text(
                "cascade",
                "With --force, what becomes of dependents: background, foreground or orphan.",
            )
            .default("background")
            .bare("background"),
            Flag::switch("force", "Delete the object and create it anew."),
            Flag::number(
                "grace-period",
                "-1",
                "With --force: seconds that an object has to end.",
            ),
            Flag::text("raw", "A path of the API to put the file to."),
            Flag::switch(
                "save-config",
                "Keep the file in the object's annotation, for apply.",
            ),
            Flag::text(
                "subresource",
                "A subresource in place of the object: status, scale.",
            ),
            Flag::duration(
                "timeout",
                "0s",
                "With --force: how long to wait until an object is gone.",
            ),
            Flag::switch("wait", "Accepted for kubectl's sake."),
            writing::VALIDATE,
        ],
        print::DRY_RUN,
        print::FLAGS,
        source::FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

async fn run(cx: &Context, args: &Parsed) -> Result {
    if !source::is_given(args) {
        return Err(Error::message("must specify one of -f and -k"));
    }
    if args.given("raw") {
        return raw(cx, args).await;
    }
    let force = args.on("force");
    if args.number("grace-period") >= 0 && !force {
        return Err(Error::message("--grace-period must have --force specified"));
    }
    if !args.duration("timeout").is_zero() && !force {
        return Err(Error::message("--timeout must have --force specified"));
    }
    let writer = Writer::new(args)?;
    if force && writer.dry_run != DryRun::None {
        return Err(Error::message(
            "--dry-run can not be used when --force is set",
        ));
    }
    let mut outcome = Outcome::new(args)?;
    let mut selection = Selection::new(cx, args)?;
    selection.validate = writer.validation != Some(Validation::Ignore);
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for target in selection.targets(cx, args, false).await? {
        match target {
            Ok(target) => targets.push(target),
            Err(e) => errors.push(e),
        }
    }
    if targets.is_empty() && errors.is_empty() {
        return Ok(());
    }
    if force {
        Error::all(errors)?;
        remove(cx, args, &writer, &targets).await?;
        errors = Vec::new();
    }
    for mut target in targets {
        writing::remember_if(&mut target.value, args.on("save-config"));
        let answer = if writer.dry_run == DryRun::Client {
            Ok(target.value.clone())
        } else if force {
            writer.create(cx, &target).await
        } else {
            writer
                .replace(cx, &target, args.text("subresource"))
                .await
                .map_err(|e| e.with_source("replacing", &target.source))
        };
        match answer {
            Ok(value) => outcome.tell(cx, &target.resource, &value, "replaced")?,
            Err(e) => errors.push(e),
        }
    }
    Error::all(errors)
}

/// Deletes what is there, and waits until it is gone.
async fn remove(cx: &Context, args: &Parsed, writer: &Writer, targets: &[Target]) -> Result {
    let grace = args.number("grace-period");
    let deletion = Deletion {
        grace: (grace >= 0).then_some(grace),
        policy: policy(args)?,
        dry_run: writer.dry_run,
        names_only: args.text("output") == "name",
        forced: false,
    };
    let mut waiting = Vec::new();
    for target in targets {
        let mut named = target.clone();
        text(&target.value, &["metadata", "name"]).clone_into(&mut named.name);
        match deletion.one(cx, &named).await {
            Ok(uid) => waiting.push((named, uid)),
            Err(e) if e.is_not_found() => {}
            Err(e) => return Err(e),
        }
    }
    if writer.dry_run != DryRun::None {
        return Ok(());
    }
    cx.flush()?;
    wait(cx, waiting, args.duration("timeout")).await
}

async fn raw(cx: &Context, args: &Parsed) -> Result {
    let files = args.list("filename");
    let [file] = files.as_slice() else {
        return Err(Error::usage(
            "--raw can only use a single local file or stdin",
            args,
        ));
    };
    let body = if file == "-" {
        cx.read_input()?
    } else {
        std::fs::read(file).map_err(|e| Error::message(format!("open {file}: {e}")))?
    };
    let call = Call::new(Method::PUT, args.text("raw")).body("application/json", body);
    let answer = cx.call(&call).await?;
    cx.bytes(&answer.body)
}
