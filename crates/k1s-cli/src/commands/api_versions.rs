// SPDX-License-Identifier: Apache-2.0
//! `api-versions`: the group versions that the API serves.

use std::collections::BTreeSet;

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;

/// `api-versions`.
pub(super) static COMMAND: Command = Command {
    name: "api-versions",
    aliases: &[],
    usage: "",
    about: "Print the group versions of the API.",
    examples: &[("All groups with their versions", "api-versions")],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

async fn run(cx: &Context, args: &Parsed) -> Result {
    if !args.args.is_empty() {
        return Err(Error::unexpected("unexpected arguments", args));
    }
    let versions: BTreeSet<String> = cx
        .resources()
        .await?
        .iter()
        .map(|r| r.api_version())
        .collect();
    for version in versions {
        cx.line(version)?;
    }
    Ok(())
}
