// SPDX-License-Identifier: Apache-2.0
//! `auth`: who one is, and what one may do.

mod can_i;
mod reconcile;
mod whoami;

use crate::command::Command;

/// The group.
pub(super) static COMMAND: Command = Command {
    name: "auth",
    aliases: &[],
    usage: "SUBCOMMAND",
    about: "Show who you are and what you may do",
    examples: &[],
    flags: &[],
    subcommands: &[&can_i::COMMAND, &reconcile::COMMAND, &whoami::COMMAND],
    run: None,
};
