// SPDX-License-Identifier: Apache-2.0
//! The `k1s` binary: the CLI library's commands, and those that only a program with a store and a listener can have:
//! `up`, `serve`, `pico` and `store`; and `board`, for Turing Pi boards. Nothing is started that the command does not need.

mod board;
mod controllers;
mod embedded;
mod pico;
mod place;
mod serve;
mod server;
mod store;
mod up;

use std::process::ExitCode;

use k1s_cli::app::App;

fn main() -> ExitCode {
    App::new(
        "k1s",
        "The Kubernetes API in one process, and a command line for it and for any cluster.",
    )
    .command(&up::COMMAND)
    .command(&serve::COMMAND)
    .command(&pico::COMMAND)
    .command(&store::COMMAND)
    .command(&board::COMMAND)
    .main(embedded::transport)
}
