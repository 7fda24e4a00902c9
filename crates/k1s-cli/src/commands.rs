// SPDX-License-Identifier: Apache-2.0
//! The commands that are kubectl's too. A command is a file; its table entry stands here, in the order of the help.

use crate::command::Command;

mod api_resources;
mod api_versions;
mod apply;
mod auth;
mod autoscale;
mod bench;
mod cluster_info;
mod completion;
mod config;
mod create;
mod delete;
mod describe;
mod diff;
mod edit;
mod events;
mod exec;
mod explain;
mod expose;
mod generators;
mod get;
mod label;
mod logs;
mod nodes;
mod options;
mod patch;
mod pods;
mod port_forward;
mod replace;
mod rollout;
mod run;
mod scale;
mod set;
mod version;
mod wait;
mod watch;

/// The commands, in the order of the help.
pub const COMMANDS: &[&Command] = &[
    &create::COMMAND,
    &autoscale::COMMAND,
    &expose::COMMAND,
    &run::COMMAND,
    &set::COMMAND,
    &explain::COMMAND,
    &get::COMMAND,
    &edit::COMMAND,
    &delete::COMMAND,
    &rollout::COMMAND,
    &scale::COMMAND,
    &cluster_info::COMMAND,
    &nodes::CORDON,
    &nodes::UNCORDON,
    &nodes::DRAIN,
    &nodes::TAINT,
    &describe::COMMAND,
    &logs::COMMAND,
    &exec::ATTACH,
    &exec::EXEC,
    &port_forward::COMMAND,
    &auth::COMMAND,
    &events::COMMAND,
    &diff::COMMAND,
    &apply::COMMAND,
    &patch::COMMAND,
    &replace::COMMAND,
    &wait::COMMAND,
    &watch::COMMAND,
    &label::LABEL,
    &label::ANNOTATE,
    &bench::COMMAND,
    &completion::COMMAND,
    &completion::NEXT,
    &api_resources::COMMAND,
    &api_versions::COMMAND,
    &config::COMMAND,
    &options::COMMAND,
    &version::COMMAND,
];

/// The tree that a program with nothing of its own runs.
pub static ROOT: Command = Command {
    name: "",
    aliases: &[],
    usage: "COMMAND [OPTIONS]",
    about: "Controls any Kubernetes API, or the one in this program.",
    examples: &[],
    flags: &[],
    subcommands: COMMANDS,
    run: None,
};
