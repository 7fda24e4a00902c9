// SPDX-License-Identifier: Apache-2.0
//! `apply view-last-applied`, `set-last-applied` and `edit-last-applied`: the annotation that client-side apply compares with.

use k1s_core::object::annotation;
use serde_json::{Value, json};

use super::super::edit::{Edited, Session};
use crate::PROGRAM;
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use crate::writing::{LAST_APPLIED, PatchType, Writer, configuration};

/// `apply view-last-applied`.
pub(in crate::commands) static VIEW: Command = Command {
    name: "view-last-applied",
    aliases: &[],
    usage: "(TYPE [NAME | -l SELECTOR] | TYPE/NAME | -f FILE)",
    about: "Show what was last applied to objects.",
    examples: &[
        (
            "What was applied last",
            "apply view-last-applied deployment/web",
        ),
        ("In JSON", "apply view-last-applied -f web.yaml -o json"),
    ],
    flags: &[
        &[
            Flag::switch("all", "All objects of the kind."),
            Flag::text("output", "yaml or json.")
                .short('o')
                .default("yaml"),
            Flag::text("selector", "Only objects with such labels.").short('l'),
        ],
        source::FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(view(cx, args))),
};

/// `apply set-last-applied`.
pub(in crate::commands) static SET: Command = Command {
    name: "set-last-applied",
    aliases: &[],
    usage: "-f FILE",
    about: "Say that a file is what was last applied.",
    examples: &[(
        "Take a file for what was applied last",
        "apply set-last-applied -f web.yaml --create-annotation",
    )],
    flags: &[
        &[Flag::switch(
            "create-annotation",
            "Also where there is no annotation yet.",
        )],
        print::DRY_RUN,
        print::FLAGS,
        source::FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(set(cx, args))),
};

/// `apply edit-last-applied`.
pub(in crate::commands) static EDIT: Command = Command {
    name: "edit-last-applied",
    aliases: &[],
    usage: "(TYPE NAME | TYPE/NAME | -f FILE)",
    about: "Edit what was last applied to objects.",
    examples: &[(
        "Edit what was applied last",
        "apply edit-last-applied deployment/web",
    )],
    flags: &[
        &[
            Flag::text(
                "field-manager",
                "Name that the written fields are kept under.",
            )
            .default("kubectl-edit"),
            Flag::switch("record", "Accepted for kubectl's sake."),
            Flag::switch("windows-line-endings", "Accepted for kubectl's sake."),
        ],
        print::FLAGS,
        source::FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(edit(cx, args))),
};

async fn view(cx: &Context, args: &Parsed) -> Result {
    let output = args.text("output");
    if output != "yaml" && output != "json" {
        return Err(Error::usage(
            format!(
                "Unexpected -o output mode: {output}, the flag 'output' must be one of yaml|json"
            ),
            args,
        ));
    }
    let mut selection = Selection::new(cx, args)?;
    selection.bare_kind_is_all = true;
    let mut errors = Vec::new();
    for target in selection.targets(cx, args, true).await? {
        match target {
            Err(e) => errors.push(e),
            Ok(target) => {
                let Some(text) = annotation(&target.value, LAST_APPLIED) else {
                    continue;
                };
                let value = parsed(text)?;
                match output {
                    "json" => cx.print(print::json_two_spaces(&value))?,
                    _ => cx.print(print::yaml(&value))?,
                }
            }
        }
    }
    Error::all(errors)
}

fn parsed(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| {
        Error::message(format!(
            "the annotation {LAST_APPLIED} does not hold JSON: {e}"
        ))
    })
}

async fn set(cx: &Context, args: &Parsed) -> Result {
    if !source::is_given(args) {
        return Err(crate::selection::nothing_named());
    }
    let mut outcome = Outcome::new(args)?;
    let writer = Writer {
        manager: "kubectl-client-side-apply".to_owned(),
        dry_run: outcome.dry_run,
        validation: None,
    };
    let selection = Selection::new(cx, args)?;
    let mut changes = Vec::new();
    for target in selection.targets(cx, args, false).await? {
        let mut target = target?;
        let there = cx.json(&Call::get(target.path())).await?;
        let mut wanted = crate::writing::server_side_configuration(&target.value);
        if !wanted.ends_with('\n') {
            wanted.push('\n');
        }
        match annotation(&there, LAST_APPLIED) {
            None if !args.on("create-annotation") => {
                return Err(Error::message(format!(
                    "no last-applied-configuration annotation found on resource: {}, to create the annotation, run the command \
                     with --create-annotation",
                    target.name
                )));
            }
            Some(now) if now.trim_end() == wanted.trim_end() => {
                cx.line(format_args!(
                    "set-last-applied {}: no changes required.",
                    target.name
                ))?;
            }
            _ => {
                target.value = there;
                changes.push((target, wanted));
            }
        }
    }
    for (target, wanted) in changes {
        let answer = if writer.dry_run == DryRun::Client {
            target.value.clone()
        } else {
            annotate(cx, &writer, &target, &wanted).await?
        };
        outcome.tell(cx, &target.resource, &answer, "configured")?;
    }
    Ok(())
}

async fn annotate(cx: &Context, writer: &Writer, target: &Target, text: &str) -> Result<Value> {
    let patch = json!({"metadata": {"annotations": {LAST_APPLIED: text}}});
    writer
        .patch(cx, target, "", PatchType::Merge, patch.to_string())
        .await
}

async fn edit(cx: &Context, args: &Parsed) -> Result {
    let writer = Writer::new(args)?;
    let mut outcome = Outcome::new(args)?;
    let selection = Selection::new(cx, args)?;
    for target in selection.targets(cx, args, true).await? {
        let target = target?;
        let Some(now) = annotation(&target.value, LAST_APPLIED) else {
            return Err(Error::message(format!(
                "no last-applied-configuration annotation found on resources, to create the annotation, use command \
                 `{PROGRAM} apply set-last-applied --create-annotation`"
            )));
        };
        let shown = parsed(now)?;
        let mut session = Session::new(cx, args, &target, &shown);
        if let Edited::Object(value, draft) = session.edit()? {
            let text = configuration(&value);
            let answer = annotate(cx, &writer, &target, &text).await?;
            draft.remove();
            outcome.tell(cx, &target.resource, &answer, "edited")?;
        }
    }
    Ok(())
}
