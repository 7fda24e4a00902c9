// SPDX-License-Identifier: Apache-2.0
//! `k1s store`: looking after a store, with or without a server on it.

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::Parsed;

use crate::place;

/// `store`.
pub(crate) static COMMAND: Command = Command {
    name: "store",
    aliases: &[],
    usage: "COMMAND [--data-dir DIR]",
    about: "Look after a store.",
    examples: &[],
    flags: &[],
    subcommands: &[&CHECK, &COMPACT],
    run: None,
};

static CHECK: Command = Command {
    name: "check",
    aliases: &[],
    usage: "[--data-dir DIR]",
    about: "Read all of a store, and say whether it is sound.",
    examples: &[
        ("The default store", "store check"),
        ("Another one", "store check --data-dir ./data"),
    ],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(check(cx, flags)))),
};

static COMPACT: Command = Command {
    name: "compact",
    aliases: &[],
    usage: "[--data-dir DIR]",
    about: "Forget all revisions but the present one.",
    examples: &[("Only the present is kept", "store compact")],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(compact(cx, flags)))),
};

fn check(cx: &Context, flags: &Parsed) -> Result {
    let report = on_store(flags, true, |store| Ok(store.check()?))?;
    cx.line(format_args!(
        "{} objects, {} log entries ({} bytes), revisions {} to {}",
        report.objects, report.log_entries, report.log_bytes, report.oldest, report.revision
    ))?;
    for problem in &report.problems {
        cx.line(format_args!("problem: {problem}"))?;
    }
    match report.problem_count {
        0 => cx.line("The store is sound."),
        n => Err(Error::message(format!("the store has {n} problems"))),
    }
}

fn compact(cx: &Context, flags: &Parsed) -> Result {
    let oldest = on_store(flags, false, |store| Ok(store.compact(store.revision()?)?))?;
    cx.line(format_args!("Revisions before {oldest} are forgotten."))
}

/// Opens a store that must be there already, and does something with it.
fn on_store<T>(
    flags: &Parsed,
    read_only: bool,
    action: impl FnOnce(&dyn k1s_store::Store) -> anyhow::Result<T>,
) -> Result<T> {
    let run = || {
        let directory = match place::directory(flags)? {
            Some(directory) if directory.exists() => directory,
            Some(directory) => anyhow::bail!("there is no store in {}", directory.display()),
            None => unreachable!("--memory is no flag of these commands"),
        };
        let options = k1s_store::Options {
            read_only,
            examine: read_only,
            ..k1s_store::Options::default()
        };
        action(place::open(&directory, options)?.as_ref())
    };
    crate::server::without_arguments(flags)?;
    run().map_err(|error: anyhow::Error| Error::message(format!("{error:#}")))
}
