// SPDX-License-Identifier: Apache-2.0
//! `scale`: how many replicas there are to be.

use k1s_core::object::{int, text};
use k1s_core::quote::Quoted;
use serde_json::json;

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun, Outcome};
use crate::selection::{SELECTORS, Selection, Target};
use crate::source;
use crate::writing::{PatchType, Writer};

/// `scale`.
pub(super) static COMMAND: Command = Command {
    name: "scale",
    aliases: &[],
    usage: "--replicas=COUNT (-f FILE | TYPE NAME) [OPTIONS]",
    about: "Set the number of replicas.",
    examples: &[
        ("Three replicas", "scale --replicas=3 deployment/web"),
        (
            "Only if there are two now",
            "scale --current-replicas=2 --replicas=3 deployment/web",
        ),
        (
            "Several objects",
            "scale --replicas=1 deployment/web statefulset/db",
        ),
    ],
    flags: &[
        &[
            Flag::number(
                "current-replicas",
                "-1",
                "Only if there are so many now; -1 is any number.",
            ),
            Flag::number("replicas", "0", "How many there are to be.").required(),
            Flag::text("resource-version", "Only if the object has this version."),
            Flag::duration(
                "timeout",
                "0s",
                "How long to wait until there are so many; zero is not at all.",
            ),
        ],
        print::DRY_RUN,
        print::FLAGS,
        source::FLAGS,
        SELECTORS,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

async fn run(cx: &Context, args: &Parsed) -> Result {
    let replicas = args.number("replicas");
    if replicas < 0 {
        return Err(Error::message(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    if args.number("current-replicas") < -1 {
        return Err(Error::message(
            "The --current-replicas must specify an integer of -1 or greater",
        ));
    }
    let writer = Writer {
        manager: "kubectl".to_owned(),
        ..Writer::new(args)?
    };
    let mut outcome = Outcome::new(args)?;
    let selection = Selection::new(cx, args)?;
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for target in selection.targets(cx, args, false).await? {
        match target {
            Ok(target) => targets.push(target),
            Err(e) => errors.push(e),
        }
    }
    if !args.text("resource-version").is_empty() && targets.len() > 1 {
        return Err(Error::message(
            "cannot use --resource-version with multiple resources",
        ));
    }
    if targets.is_empty() && errors.is_empty() {
        return Err(Error::message("no objects passed to scale"));
    }
    // the first that cannot be scaled ends it, and is all that is told
    for target in targets {
        one(cx, args, &writer, &mut outcome, &target, replicas).await?;
    }
    Error::all(errors)
}

async fn one(
    cx: &Context,
    args: &Parsed,
    writer: &Writer,
    outcome: &mut Outcome,
    target: &Target,
    replicas: i64,
) -> Result {
    if writer.dry_run != DryRun::Client {
        let mut patch = json!({"spec": {"replicas": replicas}});
        if let Some(version) = condition(cx, args, target).await? {
            patch["metadata"]["resourceVersion"] = version.into();
        }
        writer
            .patch(cx, target, "scale", PatchType::Merge, patch.to_string())
            .await?;
        wait(cx, args, target, replicas).await?;
    }
    outcome.tell(cx, &target.resource, &target.value, "scaled")
}

/// Checks what must hold before; gives the version that it held for.
async fn condition(cx: &Context, args: &Parsed, target: &Target) -> Result<Option<String>> {
    let (count, version) = (
        args.number("current-replicas"),
        args.text("resource-version"),
    );
    if count < 0 && version.is_empty() {
        return Ok(None);
    }
    let path = target
        .resource
        .path(&target.namespace, &target.name, "scale");
    let scale = cx.json(&Call::get(path)).await?;
    let now = int(&scale, &["spec", "replicas"]).unwrap_or(0);
    if count >= 0 && now != count {
        return Err(Error::message(format!(
            "Expected replicas to be {count}, was {now}"
        )));
    }
    let there = text(&scale, &["metadata", "resourceVersion"]);
    if !version.is_empty() && version != there {
        return Err(Error::message(format!(
            "Expected resource version to be {version}, was {there}"
        )));
    }
    Ok(Some(there.to_owned()))
}

/// Waits until the status says so many, where that is asked for.
async fn wait(cx: &Context, args: &Parsed, target: &Target, replicas: i64) -> Result {
    let limit = args.duration("timeout");
    if limit.is_zero() {
        return Ok(());
    }
    let path = target
        .resource
        .path(&target.namespace, &target.name, "scale");
    let reached = async {
        loop {
            let scale = cx.json(&Call::get(path.clone())).await?;
            let now = int(&scale, &["status", "replicas"]).unwrap_or(0);
            let wanted = int(&scale, &["spec", "replicas"]).unwrap_or(0);
            if now == replicas && wanted == replicas {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(limit, reached)
        .await
        .unwrap_or_else(|_| {
            Err(Error::message(format!(
                "timed out waiting for {} to be synced",
                Quoted(&target.name)
            )))
        })
}
