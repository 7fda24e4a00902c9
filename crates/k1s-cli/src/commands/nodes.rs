// SPDX-License-Identifier: Apache-2.0
//! `cordon`, `uncordon`, `taint`: what may run on nodes.

mod taint;

use k1s_core::object::is_true;
use serde_json::json;

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::print::{self, DryRun};
use crate::selection::{SELECTORS, Selection};
use crate::writing::{PatchType, Writer};

pub(super) use taint::COMMAND as TAINT;

/// `cordon`.
pub(super) static CORDON: Command = Command {
    name: "cordon",
    aliases: &[],
    usage: "NODE... | -l SELECTOR",
    about: "Let no more pods onto nodes",
    examples: &[
        ("No new pods onto one node", "cordon node-1"),
        ("The same for all nodes with a label", "cordon -l rack=b"),
    ],
    flags: &[SELECTORS, print::DRY_RUN],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(schedule(cx, flags, true))),
};

/// `uncordon`.
pub(super) static UNCORDON: Command = Command {
    name: "uncordon",
    aliases: &[],
    usage: "NODE... | -l SELECTOR",
    about: "Let pods onto nodes again",
    examples: &[("Pods onto the node again", "uncordon node-1")],
    flags: &[SELECTORS, print::DRY_RUN],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(schedule(cx, flags, false))),
};

async fn schedule(cx: &Context, flags: &Parsed, unschedulable: bool) -> Result {
    if flags.args.is_empty() && flags.text("selector").is_empty() {
        let verb = &flags.path;
        let message = format!("USAGE: {verb} NODE [flags]");
        return Err(Error::Usage {
            message,
            path: flags.path.clone(),
        });
    }
    let writer = Writer {
        manager: String::new(),
        dry_run: DryRun::new(flags)?,
        validation: None,
    };
    let done = if unschedulable {
        "cordoned"
    } else {
        "uncordoned"
    };
    let mut errors = Vec::new();
    for target in nodes(cx, flags, &flags.args)
        .await?
        .targets(cx, flags, true)
        .await?
    {
        let target = match target {
            Ok(target) => target,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        if is_true(&target.value, &["spec", "unschedulable"]) == unschedulable {
            cx.line(format_args!(
                "node/{} already {done}{}",
                target.name,
                writer.dry_run.suffix()
            ))?;
            continue;
        }
        if writer.dry_run != DryRun::Client {
            let wanted = if unschedulable {
                json!(true)
            } else {
                json!(null)
            };
            let patch = json!({ "spec": { "unschedulable": wanted } });
            if let Err(error) = writer
                .patch(cx, &target, "", PatchType::Strategic, patch.to_string())
                .await
            {
                errors.push(Error::message(format!(
                    "unable to {} node {:?}: {error}",
                    flags.path, target.name
                )));
                continue;
            }
        }
        cx.line(format_args!(
            "node/{} {done}{}",
            target.name,
            writer.dry_run.suffix()
        ))?;
    }
    Error::all(errors)
}

/// The selection of nodes by their names.
async fn nodes(cx: &Context, flags: &Parsed, names: &[String]) -> Result<Selection> {
    let mut selection = Selection::new(cx, flags)?;
    selection.args = vec!["nodes".to_owned()];
    selection.args.extend(
        names
            .iter()
            .map(|name| name.strip_prefix("node/").unwrap_or(name).to_owned()),
    );
    Ok(selection)
}
