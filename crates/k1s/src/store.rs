// SPDX-License-Identifier: Apache-2.0
//! `k1s store`: looking after a store, with or without a server on it.

mod backup;

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use serde_json::{Value, json};

use crate::place;

/// `store`.
pub(crate) static COMMAND: Command = Command {
    name: "store",
    aliases: &[],
    usage: "COMMAND [--data-dir DIR]",
    about: "Look after a store.",
    examples: &[],
    flags: &[],
    subcommands: &[&CHECK, &STATS, &COMPACT, &backup::BACKUP, &backup::RESTORE],
    run: None,
};

/// How the outcome is told.
const OUTPUT: &[Flag] = &[Flag::text("output", "json for programs; words without it.").short('o')];

static CHECK: Command = Command {
    name: "check",
    aliases: &[],
    usage: "[--data-dir DIR] [-o json]",
    about: "Read all of a store, and say whether it is sound.",
    examples: &[
        ("The default store", "store check"),
        (
            "Another one, for programs",
            "store check --data-dir ./data -o json",
        ),
    ],
    flags: &[OUTPUT],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(check(cx, flags)))),
};

static STATS: Command = Command {
    name: "stats",
    aliases: &[],
    usage: "[--data-dir DIR] [-o json]",
    about: "Say how much is in a store.",
    examples: &[
        ("The default store", "store stats"),
        ("For programs", "store stats -o json"),
    ],
    flags: &[OUTPUT],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(stats(cx, flags)))),
};

static COMPACT: Command = Command {
    name: "compact",
    aliases: &[],
    usage: "[--data-dir DIR] [--before REVISION] [-o json]",
    about: "Forget old revisions: all but the present one, or those before one.",
    examples: &[
        ("Only the present is kept", "store compact"),
        (
            "What happened before revision 1000 is forgotten",
            "store compact --before=1000",
        ),
    ],
    flags: &[
        OUTPUT,
        &[Flag::text(
            "before",
            "Revision that can still be read afterwards; without it the present one.",
        )],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(compact(cx, flags)))),
};

fn check(cx: &Context, flags: &Parsed) -> Result {
    crate::server::without_arguments(flags)?;
    let report = on_store(flags, true, |store, _| Ok(store.check()?))?;
    let words = format!(
        "{} objects, {} log entries ({} bytes), revisions {} to {}",
        report.objects, report.log_entries, report.log_bytes, report.oldest, report.revision
    );
    let value = json!({
        "objects": report.objects,
        "logEntries": report.log_entries,
        "logBytes": report.log_bytes,
        "oldestRevision": report.oldest.0,
        "revision": report.revision.0,
        "sound": report.problem_count == 0,
        "problemCount": report.problem_count,
        "problems": report.problems,
    });
    let as_json = tell(cx, flags, &value, &words)?;
    if !as_json {
        for problem in &report.problems {
            cx.line(format_args!("problem: {problem}"))?;
        }
    }
    match report.problem_count {
        0 if as_json => Ok(()),
        0 => cx.line("The store is sound."),
        n => Err(Error::message(format!("the store has {n} problems"))),
    }
}

fn stats(cx: &Context, flags: &Parsed) -> Result {
    crate::server::without_arguments(flags)?;
    let tenant = flags.text("tenant").to_owned();
    let (stats, oldest, newest, disk) = on_store(flags, true, |store, directory| {
        let all = match tenant.as_str() {
            "" => k1s_store::Prefix::everything(),
            tenant => k1s_store::Prefix::tenant(tenant)?,
        };
        Ok((
            store.stats(&all)?,
            store.compacted_revision()?,
            store.revision()?,
            place::size_of_store(directory)?,
        ))
    })?;
    let whose = match tenant.as_str() {
        "" => "all tenants".to_owned(),
        tenant => format!("tenant {tenant}"),
    };
    let words = format!(
        "{} objects ({} bytes) of {whose}, revisions {oldest} to {newest}, {disk} bytes on disk",
        stats.objects, stats.bytes
    );
    let value = json!({
        "objects": stats.objects,
        "objectBytes": stats.bytes,
        "oldestRevision": oldest.0,
        "revision": newest.0,
        "diskBytes": disk,
    });
    tell(cx, flags, &value, &words).map(|_| ())
}

fn compact(cx: &Context, flags: &Parsed) -> Result {
    crate::server::without_arguments(flags)?;
    let before = match flags.text("before") {
        "" => None,
        text => Some(text.parse::<u64>().map_err(|_| {
            Error::usage(
                format!("--before={text} is not a revision: it is a whole number"),
                flags,
            )
        })?),
    };
    let oldest = on_store(flags, false, |store, _| {
        let before = match before {
            Some(before) => k1s_store::Revision(before),
            None => store.revision()?,
        };
        Ok(store.compact(before)?)
    })?;
    let words = format!("Revisions before {oldest} are forgotten.");
    tell(cx, flags, &json!({ "oldestRevision": oldest.0 }), &words).map(|_| ())
}

/// Prints the outcome in the form that was asked for; says whether that was JSON.
fn tell(cx: &Context, flags: &Parsed, value: &Value, words: &str) -> Result<bool> {
    match flags.text("output") {
        "" => cx.line(words).map(|()| false),
        "json" => cx.line(value).map(|()| true),
        other => Err(Error::usage(
            format!("--output={other} is not offered here; it is json"),
            flags,
        )),
    }
}

/// Opens a store that must be there already, and does something with it and its data directory.
fn on_store<T>(
    flags: &Parsed,
    read_only: bool,
    action: impl FnOnce(&dyn k1s_store::Store, &std::path::Path) -> anyhow::Result<T>,
) -> Result<T> {
    let run = || {
        let directory = match place::directory(flags)? {
            Some(directory) if place::has_store(&directory) => directory,
            Some(directory) => anyhow::bail!("there is no store in {}", directory.display()),
            None => unreachable!("--memory is no flag of these commands"),
        };
        let options = k1s_store::Options {
            read_only,
            examine: read_only,
            ..k1s_store::Options::default()
        };
        action(place::open(&directory, options)?.as_ref(), &directory)
    };
    run().map_err(|error: anyhow::Error| Error::message(format!("{error:#}")))
}
