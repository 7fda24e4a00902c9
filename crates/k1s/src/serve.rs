// SPDX-License-Identifier: Apache-2.0
//! `k1s serve`: the API for scripts, with one line on stdout once requests are answered, and nothing more.

use std::io::Write;
use std::path::PathBuf;

use k1s_cli::command::Command;
use k1s_cli::flag::{Flag, Parsed};

use crate::{controllers, place, server};

/// `serve`.
pub(crate) static COMMAND: Command = Command {
    name: "serve",
    aliases: &[],
    usage: "[--data-dir DIR | --memory] [--listen ADDRESS:PORT] [--write-kubeconfig FILE] [--controllers all|LIST] [--hollow-nodes N] [--tenant NAME]",
    about: "Serve the API over TLS, for scripts: one line once it is ready.",
    examples: &[
        (
            "A fresh API for a test, on any free port",
            "serve --memory --listen 127.0.0.1:0 --write-kubeconfig kc.yaml",
        ),
        (
            "A store of one's own, one tenant of it",
            "serve --data-dir ./data --tenant team-a --write-kubeconfig team-a.yaml",
        ),
    ],
    flags: &[&[
        place::MEMORY,
        server::LISTEN,
        controllers::OFF,
        controllers::HOLLOW_NODES,
        Flag::text(
            "write-kubeconfig",
            "File to write the administrator's kubeconfig to.",
        ),
    ]],
    subcommands: &[],
    run: Some(|_, flags| {
        Box::pin(std::future::ready(
            server::without_arguments(flags).and_then(|()| run(flags)),
        ))
    }),
};

fn run(flags: &Parsed) -> k1s_cli::error::Result {
    let kubeconfig = Some(flags.text("write-kubeconfig"))
        .filter(|file| !file.is_empty())
        .map(PathBuf::from);
    server::run(flags, |ready| {
        if let Some(path) = &kubeconfig {
            ready.kubeconfig.write(path)?;
        }
        // Whoever started this may have closed its end; that is no reason not to serve.
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "k1s serving on {}", ready.url).and_then(|()| stdout.flush());
        Ok(())
    })
}
