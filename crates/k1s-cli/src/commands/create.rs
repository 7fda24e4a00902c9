// SPDX-License-Identifier: Apache-2.0
//! `create -f`: objects of files; the generators `create KIND NAME` are its subcommands.

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use crate::writing::{self, Validation, Writer, field_manager};

/// `create`.
pub(super) static COMMAND: Command = Command {
    name: "create",
    aliases: &[],
    usage: "-f FILE [OPTIONS]",
    about: "Create objects from files, from standard input or from flags.",
    examples: &[
        ("The objects of a file", "create -f pod.yaml"),
        ("Of standard input", "create -f - < pod.json"),
        (
            "Of a directory with all that is beneath it",
            "create -f manifests/ -R",
        ),
        (
            "Only check what the API would say",
            "create -f pod.yaml --dry-run=server",
        ),
    ],
    flags: &[
        &[
            field_manager!("kubectl-create"),
            Flag::switch("edit", "Edit the objects before they are created."),
            Flag::text("raw", "A path of the API to send the file to."),
            Flag::switch(
                "save-config",
                "Keep the file in the object's annotation, for apply.",
            ),
            Flag::text("selector", "Only objects with such labels.").short('l'),
            Flag::switch("windows-line-endings", "Accepted for kubectl's sake."),
            writing::VALIDATE,
        ],
        print::DRY_RUN,
        print::FLAGS,
        source::FLAGS,
    ],
    subcommands: super::generators::GENERATORS,
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

async fn run(cx: &Context, args: &Parsed) -> Result {
    if !args.args.is_empty() {
        return Err(Error::unexpected("Unexpected args", args));
    }
    if !source::is_given(args) {
        return Err(Error::message("must specify one of -f and -k"));
    }
    if args.given("raw") {
        return raw(cx, args).await;
    }
    let writer = Writer::new(args)?;
    let mut outcome = Outcome::new(args)?;
    if args.on("edit") {
        return super::edit::created(cx, args, &writer, &mut outcome).await;
    }
    let mut selection = Selection::new(cx, args)?;
    selection.validate = writer.validation != Some(Validation::Ignore);
    let (mut errors, mut count) = (Vec::new(), 0);
    for target in selection.targets(cx, args, false).await? {
        let done = match target {
            Ok(target) => one(cx, args, &writer, &mut outcome, target).await,
            Err(e) => Err(e),
        };
        match done {
            Ok(()) => count += 1,
            Err(e @ Error::Output(_)) => return Err(e),
            Err(e) => errors.push(e),
        }
    }
    if errors.is_empty() && count == 0 {
        return Err(Error::message("no objects passed to create"));
    }
    Error::all(errors)
}

async fn one(
    cx: &Context,
    args: &Parsed,
    writer: &Writer,
    outcome: &mut Outcome,
    mut target: Target,
) -> Result {
    writing::remember_if(&mut target.value, args.on("save-config"));
    if writer.dry_run != DryRun::Client {
        target.value = writer
            .create(cx, &target)
            .await
            .map_err(|e| e.with_source("creating", &target.source))?;
    }
    outcome.tell(cx, &target.resource, &target.value, "created")
}

/// Sends one file to a path as it is.
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
    let call = Call::new(http::Method::POST, args.text("raw")).body("application/json", body);
    let answer = cx.call(&call).await?;
    cx.bytes(&answer.body)
}
