// SPDX-License-Identifier: Apache-2.0
//! The help of a command, made from its table.

use std::fmt::Write as _;

use crate::PROGRAM;
use crate::command::Command;
use crate::context;
use crate::flag::{Flag, Kind};

/// What `--help` shows.
pub(crate) fn of(command: &Command, path: &str) -> String {
    let mut out = format!("{}\n", command.about);
    let full = if path.is_empty() {
        PROGRAM.to_string()
    } else {
        format!("{PROGRAM} {path}")
    };
    if !command.aliases.is_empty() {
        let _ = write!(
            out,
            "\nAliases:\n  {}, {}\n",
            command.name,
            command.aliases.join(", ")
        );
    }
    if !command.subcommands.is_empty() {
        out.push_str("\nCommands:\n");
        let width = command
            .subcommands
            .iter()
            .map(|c| c.name.len())
            .max()
            .unwrap_or(0);
        for c in command
            .subcommands
            .iter()
            .filter(|c| !c.name.starts_with('_'))
        {
            let _ = writeln!(out, "  {:width$}  {}", c.name, c.about);
        }
    }
    if !command.examples.is_empty() {
        out.push_str("\nExamples:\n");
        for (n, (what, line)) in command.examples.iter().enumerate() {
            let gap = if n == 0 { "" } else { "\n" };
            let _ = writeln!(out, "{gap}  # {what}\n  {PROGRAM} {line}");
        }
    }
    let flags: Vec<&Flag> = command.flags.iter().flat_map(|t| t.iter()).collect();
    if !flags.is_empty() {
        out.push_str("\nOptions:\n");
        options(&mut out, flags.into_iter());
    }
    if path.is_empty() {
        out.push_str("\nOptions of every command:\n");
        options(&mut out, context::FLAGS.iter());
    }
    let _ = write!(out, "\nUsage:\n  {full} {}\n", command.usage);
    if !command.subcommands.is_empty() {
        let _ = write!(
            out,
            "\nUse \"{full} COMMAND --help\" for more about a command.\n"
        );
    }
    if !path.is_empty() {
        let _ = writeln!(
            out,
            "Use \"{PROGRAM} options\" for the options of every command."
        );
    }
    out
}

/// The options that every command takes.
pub(crate) fn global_options() -> String {
    let mut out = "These options can be given to any command:\n\n".to_owned();
    options(&mut out, context::FLAGS.iter());
    out
}

fn options<'a>(out: &mut String, flags: impl Iterator<Item = &'a Flag>) {
    let mut rows: Vec<(String, &str)> = flags
        .map(|f| {
            let short = f.short.map_or("    ".to_owned(), |s| format!("-{s}, "));
            let value = match f.kind {
                Kind::Text => format!("='{}'", f.default),
                Kind::List | Kind::Each => "=[]".to_owned(),
                Kind::Switch | Kind::Number | Kind::Duration => format!("={}", f.default),
            };
            (format!("{short}--{}{value}", f.name), f.help)
        })
        .collect();
    rows.sort_by(|a, b| a.0[4..].cmp(&b.0[4..]));
    let width = rows.iter().map(|(head, _)| head.len()).max().unwrap_or(0);
    for (head, help) in rows {
        let _ = writeln!(out, "  {head:width$}  {help}");
    }
}
