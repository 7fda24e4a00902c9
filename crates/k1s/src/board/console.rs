// SPDX-License-Identifier: Apache-2.0
//! `k1s board uart` and `k1s board console`: the serial ports of the modules.

use std::io::Write as _;

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use k1s_cli::terminal::Raw;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use turingpi_bmc::Encoding;
use turingpi_bmc::console::Way;

use super::access::{FLAGS, SLOTS, board, done, failed, print, slot, slot_argument};

/// Ends a console: Ctrl-].
const ESCAPE: u8 = 0x1d;

/// `board uart`.
pub(super) static UART: Command = Command {
    name: "uart",
    aliases: &[],
    usage: "get|set -n SLOT [-c LINE] | status",
    about: "Read what a module wrote on its serial port, or type a line.",
    examples: &[
        ("What slot 1 said last", "board uart get -n 1"),
        ("Log in", "board uart set -n 1 -c root"),
        ("Whether the ports are read", "board uart status"),
    ],
    flags: &[
        &[
            SLOTS,
            Flag::text("cmd", "The line, for set.").short('c'),
            Flag::text("encoding", "How its bytes are read.").default("utf8"),
        ],
        FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(uart(cx, flags))),
};

/// `board console`.
pub(super) static COMMAND: Command = Command {
    name: "console",
    aliases: &[],
    usage: "SLOT",
    about: "Sit at the serial console of a module. Ctrl-] ends it.",
    examples: &[("Slot 2", "board console 2")],
    flags: &[&[SLOTS], FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(console(cx, flags))),
};

async fn uart(cx: &Context, flags: &Parsed) -> Result {
    if flags.args == ["status"] {
        let bmc = board(cx, flags)?;
        let ports = bmc.serial_status().await.map_err(|e| failed(&e))?;
        return print(cx, flags, &json!(ports), || {
            for (i, state) in ports.iter().enumerate() {
                cx.line(format_args!("node{}: {state}", i + 1))?;
            }
            Ok(())
        });
    }
    let slot = slot(flags)?;
    match flags.args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["get"] | [] => {
            let encoding: Encoding = flags.text("encoding").parse().map_err(|e| failed(&e))?;
            let bmc = board(cx, flags)?;
            let text = bmc.uart(slot, encoding).await.map_err(|e| failed(&e))?;
            print(cx, flags, &json!({ "uart": text }), || cx.print(&text))
        }
        ["set"] => {
            if !flags.given("cmd") {
                return Err(Error::usage("say the line with --cmd", flags));
            }
            let bmc = board(cx, flags)?;
            let sent = bmc.uart_send(slot, flags.text("cmd")).await;
            sent.map_err(|e| failed(&e))?;
            done(cx, flags, &format!("slot {slot}: sent"))
        }
        _ => Err(Error::usage("say get, set or status", flags)),
    }
}

async fn console(cx: &Context, flags: &Parsed) -> Result {
    let slot = slot_argument(flags)?;
    let bmc = board(cx, flags)?;
    let mut console = bmc.console(slot).await.map_err(|e| failed(&e))?;
    let way = match console.way {
        Way::WebSocket => "live",
        Way::Polling => "twice a second; what is typed goes line by line",
    };
    cx.talk(format_args!(
        "console of slot {slot} ({way}); Ctrl-] ends it"
    ));
    let raw = Raw::new();
    let mut stdin = tokio::io::stdin();
    let mut keys = [0; 256];
    let mut typing = true;
    let result = loop {
        tokio::select! {
            output = console.next() => match output {
                Some(Ok(bytes)) => {
                    let mut out = std::io::stdout().lock();
                    if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
                        break Ok(());
                    }
                }
                Some(Err(e)) => break Err(failed(&e)),
                None => break Err(Error::message("the board closed the console")),
            },
            read = stdin.read(&mut keys), if typing => match read {
                Ok(0) | Err(_) => typing = false,
                Ok(n) => {
                    if let Some(end) = keys[..n].iter().position(|b| *b == ESCAPE) {
                        console.send(keys[..end].to_vec()).await;
                        break Ok(());
                    }
                    console.send(keys[..n].to_vec()).await;
                }
            },
            _ = tokio::signal::ctrl_c(), if !raw.is_raw() => break Ok(()),
        }
    };
    drop(raw);
    cx.talk("");
    result
}
