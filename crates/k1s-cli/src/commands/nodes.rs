// SPDX-License-Identifier: Apache-2.0
//! `cordon`, `uncordon`, `drain`, `taint`: what may run on nodes.

mod drain;
mod taint;

use k1s_core::object::is_true;
use k1s_core::quote::Quoted;
use serde_json::json;

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::print::{self, DryRun};
use crate::selection::{SELECTORS, Selection, Target};
use crate::writing::{PatchType, Writer};

pub(super) use drain::COMMAND as DRAIN;
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
    let mut errors = Vec::new();
    for target in named(cx, flags).await? {
        if let Err(error) = cordon(cx, &writer, &target, unschedulable).await {
            errors.push(error);
        }
    }
    Error::all(errors)
}

/// The nodes that the command line names; nothing is done to any of them if one cannot be had.
async fn named(cx: &Context, flags: &Parsed) -> Result<Vec<Target>> {
    if !flags.args.is_empty() && !flags.text("selector").is_empty() {
        return Err(Error::usage(
            "cannot specify both a node name and a --selector option",
            flags,
        ));
    }
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for target in nodes(cx, flags, &flags.args)
        .await?
        .targets(cx, flags, true)
        .await?
    {
        match target {
            Ok(target) => found.push(target),
            Err(error) => errors.push(error),
        }
    }
    Error::all(errors)?;
    Ok(found)
}

/// Lets no more pods onto a node, or lets them again.
async fn cordon(cx: &Context, writer: &Writer, target: &Target, unschedulable: bool) -> Result {
    let (verb, done, wanted) = if unschedulable {
        ("cordon", "cordoned", json!(true))
    } else {
        ("uncordon", "uncordoned", json!(null))
    };
    let suffix = writer.dry_run.suffix();
    if is_true(&target.value, &["spec", "unschedulable"]) == unschedulable {
        return cx.line(format_args!("node/{} already {done}{suffix}", target.name));
    }
    if writer.dry_run != DryRun::Client {
        let patch = json!({ "spec": { "unschedulable": wanted } });
        writer
            .patch(cx, target, "", PatchType::Strategic, patch.to_string())
            .await
            .map_err(|error| {
                Error::message(format!(
                    "unable to {verb} node {}: {error}",
                    Quoted(&target.name)
                ))
            })?;
    }
    cx.line(format_args!("node/{} {done}{suffix}", target.name))
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
