// SPDX-License-Identifier: Apache-2.0
//! The commands that are kubectl's too. A command is a file; its table entry stands here, in the order of the help.

use crate::command::Command;

mod api_resources;
mod api_versions;
mod auth;
mod autoscale;
mod config;
mod describe;
mod events;
mod explain;
mod expose;
mod generators;
mod get;
mod options;
mod run;
mod version;
mod wait;

/// The commands, in the order of the help.
pub const COMMANDS: &[&Command] = &[
    &get::COMMAND,
    &api_resources::COMMAND,
    &api_versions::COMMAND,
    &auth::COMMAND,
    &autoscale::COMMAND,
    &config::COMMAND,
    &generators::CREATE,
    &describe::COMMAND,
    &events::COMMAND,
    &explain::COMMAND,
    &expose::COMMAND,
    &options::COMMAND,
    &run::COMMAND,
    &version::COMMAND,
    &wait::COMMAND,
];

/// The tree that a program with nothing of its own runs.
pub static ROOT: Command = Command {
    name: "",
    aliases: &[],
    usage: "COMMAND [OPTIONS]",
    about: "Controls any Kubernetes API, or the one in this program.",
    flags: &[],
    subcommands: COMMANDS,
    run: None,
};
