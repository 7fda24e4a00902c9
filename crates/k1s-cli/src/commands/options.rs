// SPDX-License-Identifier: Apache-2.0
//! `options`: the flags that every command takes.

use crate::command::Command;
use crate::help;

/// `options`.
pub(super) static COMMAND: Command = Command {
    name: "options",
    aliases: &[],
    usage: "",
    about: "Print the options that every command takes.",
    examples: &[("The options that every command takes", "options")],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, _| Box::pin(async move { cx.print(help::global_options()) })),
};
