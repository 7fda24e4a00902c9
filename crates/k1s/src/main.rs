// SPDX-License-Identifier: Apache-2.0
//! The `k1s` binary: the CLI library's commands, and those that only a program with a store and a listener can have:
//! `up`, `serve` and `store`. Nothing is started that the command does not need.

mod board;
mod controllers;
mod embedded;
mod place;
mod serve;
mod server;
mod store;
mod up;

use std::io::BufWriter;
use std::process::ExitCode;

use k1s_cli::command::Command;
use k1s_cli::commands::COMMANDS;
use k1s_cli::context::Host;

const OWN: [&Command; 4] = [
    &up::COMMAND,
    &serve::COMMAND,
    &store::COMMAND,
    &board::COMMAND,
];

/// This program's own commands first, in the order of the help.
static ALL: [&Command; OWN.len() + COMMANDS.len()] = {
    let mut all = [OWN[0]; OWN.len() + COMMANDS.len()];
    let mut n = 1;
    while n < all.len() {
        all[n] = if n < OWN.len() {
            OWN[n]
        } else {
            COMMANDS[n - OWN.len()]
        };
        n += 1;
    }
    all
};

static ROOT: Command = Command {
    name: "",
    aliases: &[],
    usage: "COMMAND [OPTIONS]",
    about: "The Kubernetes API in one process, and a command line for it and for any cluster.",
    examples: &[],
    flags: &[],
    subcommands: &ALL,
    run: None,
};

fn main() -> ExitCode {
    let mut words = Vec::new();
    for word in std::env::args_os().skip(1) {
        match word.into_string() {
            Ok(word) => words.push(word),
            Err(word) => {
                eprintln!("error: {} is not UTF-8", word.display());
                return ExitCode::FAILURE;
            }
        }
    }
    let host = Host {
        out: Box::new(BufWriter::new(std::io::stdout())),
        err: Box::new(std::io::stderr()),
        input: Box::new(std::io::stdin()),
        embedded: Box::new(embedded::transport),
    };
    // One thread is enough for a command; a server starts its own.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the system lets us wait for nothing: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(k1s_cli::run::run(&ROOT, host, &words));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
