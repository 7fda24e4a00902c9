// SPDX-License-Identifier: Apache-2.0
//! `k1s board`: a Turing Pi board from the command line, with the verbs and the environment variables of `tpi`, and a simulated board.

mod access;
mod console;
mod flash;
mod hardware;
mod power;
mod relay;
mod sim;

use k1s_cli::command::Command;

/// `board`.
pub(crate) static COMMAND: Command = Command {
    name: "board",
    aliases: &[],
    usage: "COMMAND [--host HOST]",
    about: "Power, flash and watch the modules of a Turing Pi board.",
    examples: &[
        ("Which board it is", "board info --host turingpi.local"),
        ("Slots 1 and 3 on", "board power on -n 1 -n 3"),
        (
            "A simulated board, to try it all",
            "board sim --listen 127.0.0.1:4443",
        ),
    ],
    flags: &[access::FLAGS],
    subcommands: &[
        &hardware::INFO,
        &power::COMMAND,
        &flash::COMMAND,
        &flash::FIRMWARE,
        &console::UART,
        &console::COMMAND,
        &hardware::USB,
        &hardware::ADVANCED,
        &hardware::COOLING,
        &hardware::NODES,
        &hardware::ETH,
        &hardware::REBOOT,
        &hardware::RELOAD,
        &hardware::BACKUP,
        &sim::COMMAND,
        &relay::COMMAND,
    ],
    run: None,
};
