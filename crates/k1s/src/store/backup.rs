// SPDX-License-Identifier: Apache-2.0
//! `k1s store backup` and `restore`: a copy of a data directory, made while it is in use, and a data directory of a copy.
//!
//! A backup is a data directory itself: `k1s --data-dir BACKUP get …` reads it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::Parsed;
use serde_json::json;

use super::{OUTPUT, on_store, tell};
use crate::place;

pub(super) static BACKUP: Command = Command {
    name: "backup",
    aliases: &[],
    usage: "DIR [--data-dir DIR] [-o json]",
    about: "Copy a store and its keys to a new directory, while they are in use.",
    examples: &[
        ("The default store", "store backup ./k1s-monday"),
        ("Look into the copy", "store check --data-dir ./k1s-monday"),
    ],
    flags: &[OUTPUT],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(backup(cx, flags)))),
};

pub(super) static RESTORE: Command = Command {
    name: "restore",
    aliases: &[],
    usage: "DIR [--data-dir DIR] [-o json]",
    about: "Make a data directory of a backup; one that has a store is left as it is.",
    examples: &[
        ("Into the default directory", "store restore ./k1s-monday"),
        (
            "Into another one",
            "store restore ./k1s-monday --data-dir ./data",
        ),
    ],
    flags: &[OUTPUT],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(restore(cx, flags)))),
};

/// The one argument: the backup's directory.
fn argument(flags: &Parsed) -> Result<PathBuf> {
    match flags.args.as_slice() {
        [directory] => Ok(directory.into()),
        _ => Err(Error::usage("exactly one directory is required", flags)),
    }
}

fn backup(cx: &Context, flags: &Parsed) -> Result {
    let to = argument(flags)?;
    let revision = on_store(flags, true, |store, directory| {
        copy(store, directory, &to)?;
        let options = k1s_store::Options {
            read_only: true,
            ..k1s_store::Options::default()
        };
        Ok(place::open(&to, options)?.revision()?)
    })?;
    done(cx, flags, &to, revision, "Backed up")
}

fn restore(cx: &Context, flags: &Parsed) -> Result {
    let from = argument(flags)?;
    let run = || {
        let Some(to) = place::directory(flags)? else {
            unreachable!("--memory is no flag of these commands")
        };
        if !place::has_store(&from) {
            bail!("there is no backup in {}", from.display());
        }
        let options = k1s_store::Options {
            read_only: true,
            ..k1s_store::Options::default()
        };
        let store = place::open(&from, options)?;
        let report = store.check()?;
        if let Some(problem) = report.problems.first() {
            bail!("the backup in {} is damaged: {problem}", from.display());
        }
        copy(store.as_ref(), &from, &to)?;
        Ok((to, report.revision))
    };
    let (to, revision) =
        run().map_err(|error: anyhow::Error| Error::message(format!("{error:#}")))?;
    done(cx, flags, &to, revision, "Restored")
}

/// Copies a store and its keys to a directory without a store.
fn copy(store: &dyn k1s_store::Store, from: &Path, to: &Path) -> anyhow::Result<()> {
    if place::has_store(to) {
        bail!(
            "there is a store in {} already: name another directory, or move it away",
            to.display()
        );
    }
    private_file::directory(to)?;
    store
        .copy_to(&place::store_of(to))
        .with_context(|| format!("cannot copy the store to {}", to.display()))?;
    let keys = place::keys_of(from);
    if !keys.is_dir() {
        return Ok(());
    }
    let target = place::keys_of(to);
    private_file::directory(&target)?;
    let entries =
        std::fs::read_dir(&keys).with_context(|| format!("cannot read {}", keys.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", keys.display()))?;
        let path = entry.path();
        if path.is_file() {
            let content =
                std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            private_file::write(&target.join(entry.file_name()), &content)?;
        }
    }
    Ok(())
}

fn done(
    cx: &Context,
    flags: &Parsed,
    to: &Path,
    revision: k1s_store::Revision,
    done: &str,
) -> Result {
    let words = format!("{done} revision {revision} to {}.", to.display());
    let value = json!({ "directory": to.display().to_string(), "revision": revision.0 });
    tell(cx, flags, &value, &words).map(|_| ())
}
