// SPDX-License-Identifier: Apache-2.0
//! `set`: single things of objects: images, variables, resources, the service account, the selector, the subjects.

mod env;
mod images;
mod pod_spec;
mod resources;
mod selector;
mod service_account;
mod subject;
mod typed;

use serde_json::Value;

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::go_order;
use crate::patching;
use crate::print::{self, DryRun, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use crate::writing::{PatchType, Writer};

const MANAGER: Flag =
    Flag::text("field-manager", "Who is named as the owner of the fields.").default("kubectl-set");
const ALL: Flag = Flag::switch("all", "All objects of the kind.");
const LABELS: Flag = Flag::text("selector", "Only objects with such labels.").short('l');
const LOCAL: Flag = Flag::switch(
    "local",
    "Change the file's object and print it; nothing is sent.",
);
const CONTAINERS: Flag = Flag::text("containers", "Containers by name; * stands for any text.")
    .short('c')
    .default("*");

/// The flags that all of these commands have.
const COMMON: &[Flag] = &[ALL, LOCAL, MANAGER];

/// The group.
pub(super) static COMMAND: Command = Command {
    name: "set",
    aliases: &[],
    usage: "SUBCOMMAND",
    about: "Set single things of objects",
    examples: &[],
    flags: &[],
    subcommands: &[
        &env::COMMAND,
        &images::COMMAND,
        &resources::COMMAND,
        &selector::COMMAND,
        &service_account::COMMAND,
        &subject::COMMAND,
    ],
    run: None,
};

/// How one of these commands goes about its objects.
struct Setting<'a> {
    /// What is said of an object that was changed: `image updated`.
    done: &'a str,
    /// Before the words of an API that refuses.
    refused: &'a str,
    /// Whether an object that is so already is written and told of, too.
    unchanged: bool,
    /// Changes an object; what is wrong with it is told, and the object is left out.
    change: &'a dyn Fn(&mut Value) -> Result,
}

/// The objects that a command is about: files alone with `--local`, else as the API has them.
async fn targets(cx: &Context, flags: &Parsed, words: &[String]) -> Result<Vec<Target>> {
    let local = flags.on("local");
    if local && flags.text("dry-run") == "server" {
        return Err(Error::message(
            "cannot specify --local and --dry-run=server - did you mean --dry-run=client?",
        ));
    }
    if local && !words.is_empty() {
        return Err(Error::message(
            "error: you must specify resources by --filename when --local is set.\nExample resource specifications include:\n   \
             '-f rsrc.yaml'\n   '--filename=rsrc.json'",
        ));
    }
    let mut selection = Selection::new(cx, flags)?;
    selection.args = words.to_vec();
    selection.local = local;
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for target in selection.targets(cx, flags, !local).await? {
        match target {
            Ok(target) => found.push(target),
            Err(error) => errors.push(error),
        }
    }
    Error::all(errors)?;
    Ok(found)
}

/// Changes objects, and sends what is different.
async fn set(cx: &Context, flags: &Parsed, targets: Vec<Target>, setting: &Setting<'_>) -> Result {
    let writer = Writer::new(flags)?;
    let mut outcome = Outcome::new(flags)?;
    let local = flags.on("local");
    let mut errors = Vec::new();
    for target in targets {
        let mut object = target.value.clone();
        if let Err(error) = (setting.change)(&mut object) {
            errors.push(error);
            if setting.unchanged {
                continue;
            }
        }
        if object == target.value && !setting.unchanged {
            continue;
        }
        if !local && writer.dry_run != DryRun::Client {
            let (kind, patch) = patching::two_way(&target.resource, &target.value, &object)?;
            match send(cx, &writer, &target, kind, &patch, setting.refused).await {
                Ok(written) => object = written,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            }
        }
        if local {
            typed::fill(&mut object);
        }
        show(cx, flags, &mut outcome, &target, &object, setting.done)?;
    }
    Error::all(errors)
}

async fn send(
    cx: &Context,
    writer: &Writer,
    target: &Target,
    kind: PatchType,
    patch: &Value,
    refused: &str,
) -> Result<Value> {
    writer
        .patch(cx, target, "", kind, patch.to_string())
        .await
        .map_err(|error| match refused {
            "" => error,
            refused => Error::Message(format!("{refused}{error}")),
        })
}

/// Prints an object of a built-in type, with its fields in their order where that shows.
fn show(
    cx: &Context,
    flags: &Parsed,
    outcome: &mut Outcome,
    target: &Target,
    object: &Value,
    done: &str,
) -> Result {
    if flags.text("output") == "json" {
        let stripped = print::without_managed_fields(object);
        return cx.print(go_order::object(if flags.on("show-managed-fields") {
            object
        } else {
            &stripped
        }));
    }
    outcome.tell(cx, &target.resource, object, done)
}

/// Refuses a command line that names nothing to change.
fn require_objects(flags: &Parsed, words: &[String]) -> Result {
    if words.is_empty() && !source::is_given(flags) {
        return Err(Error::message(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    Ok(())
}

/// Refuses two ways of choosing at once.
fn check_choice(flags: &Parsed) -> Result {
    if flags.on("all") && !flags.text("selector").is_empty() {
        return Err(Error::message(
            "cannot set --all and --selector at the same time",
        ));
    }
    Ok(())
}
