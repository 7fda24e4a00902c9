// SPDX-License-Identifier: Apache-2.0
//! `k1s board _relay`: what `sshd` runs for a session in a simulated module. People do not call it.

use std::io::IsTerminal as _;
use std::path::Path;

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::Parsed;
use k1s_cli::terminal::Raw;
use turingpi_sim::Relay;

use super::access::chain;

/// The name of the command, for whoever has `sshd` run it.
pub(super) const NAME: &str = "_relay";

/// `board _relay`.
pub(super) static COMMAND: Command = Command {
    name: NAME,
    aliases: &[],
    usage: "SOCKET",
    about: "Carry a session of sshd to a simulated module.",
    examples: &[],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(relay(cx, flags))),
};

async fn relay(cx: &Context, flags: &Parsed) -> Result {
    let [socket] = &flags.args[..] else {
        return Err(Error::usage("say the socket", flags));
    };
    let terminal = std::io::stdin().is_terminal();
    let session = Relay {
        user: std::env::var("USER").unwrap_or_default(),
        command: std::env::var("SSH_ORIGINAL_COMMAND").ok(),
        terminal,
    };
    // the module's terminal shows what is typed
    let raw = terminal.then(Raw::new);
    let code = turingpi_sim::relay(
        Path::new(socket),
        &session,
        tokio::io::stdin(),
        tokio::io::stdout(),
        tokio::io::stderr(),
    )
    .await;
    drop(raw);
    match code {
        // reading standard input never ends by itself, so the process does
        Ok(code) => std::process::exit(i32::from(code)),
        // the code that ssh has for a connection that is lost
        Err(e) => {
            cx.talk(format_args!("error: {}", chain(&e)));
            std::process::exit(255);
        }
    }
}
