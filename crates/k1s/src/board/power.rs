// SPDX-License-Identifier: Apache-2.0
//! `k1s board power`.

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::Result;
use k1s_cli::flag::{Flag, Parsed};
use serde_json::json;
use turingpi_bmc::Slot;

use super::access::{FLAGS, FORCE, SLOTS, board, done, failed, no_arguments, print, slot, slots};

const WHICH: &[Flag] = &[SLOTS];
const ACTING: &[Flag] = &[SLOTS, FORCE];

/// `board power`.
pub(super) static COMMAND: Command = Command {
    name: "power",
    aliases: &[],
    usage: "on|off|reset|status [-n SLOT]",
    about: "Switch modules.",
    examples: &[
        ("All slots", "board power status"),
        ("Slot 2 off", "board power off -n 2"),
    ],
    flags: &[FLAGS],
    subcommands: &[&ON, &OFF, &RESET, &STATUS],
    run: None,
};

static ON: Command = Command {
    name: "on",
    aliases: &[],
    usage: "[-n SLOT]…",
    about: "Switch slots on; all if none is named.",
    examples: &[("Slots 1 and 2", "board power on -n 1 -n 2")],
    flags: &[ACTING, FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(switch(cx, flags, true))),
};

static OFF: Command = Command {
    name: "off",
    aliases: &[],
    usage: "[-n SLOT]…",
    about: "Switch slots off; all if none is named.",
    examples: &[("All", "board power off")],
    flags: &[ACTING, FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(switch(cx, flags, false))),
};

static RESET: Command = Command {
    name: "reset",
    aliases: &[],
    usage: "-n SLOT",
    about: "Pulse the reset line of a module.",
    examples: &[("Slot 4", "board power reset -n 4")],
    flags: &[ACTING, FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(reset(cx, flags))),
};

static STATUS: Command = Command {
    name: "status",
    aliases: &[],
    usage: "[-n SLOT]…",
    about: "Say which slots are on.",
    examples: &[("For programs", "board power status -o json")],
    flags: &[WHICH, FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(status(cx, flags))),
};

async fn switch(cx: &Context, flags: &Parsed, on: bool) -> Result {
    no_arguments(flags)?;
    let slots = slots(flags)?;
    let changes: Vec<(Slot, bool)> = slots.iter().map(|s| (*s, on)).collect();
    let bmc = board(cx, flags)?;
    bmc.set_power(&changes).await.map_err(|e| failed(&e))?;
    let names: Vec<_> = slots.iter().map(Slot::to_string).collect();
    let what = if on { "on" } else { "off" };
    done(cx, flags, &format!("slot {}: {what}", names.join(", ")))
}

async fn reset(cx: &Context, flags: &Parsed) -> Result {
    no_arguments(flags)?;
    let slot = slot(flags)?;
    let bmc = board(cx, flags)?;
    bmc.reset(slot).await.map_err(|e| failed(&e))?;
    done(cx, flags, &format!("slot {slot}: reset"))
}

async fn status(cx: &Context, flags: &Parsed) -> Result {
    no_arguments(flags)?;
    let slots = slots(flags)?;
    let bmc = board(cx, flags)?;
    let power = bmc.power().await.map_err(|e| failed(&e))?;
    let value = slots
        .iter()
        .map(|s| (s.key().to_owned(), json!(power.of(*s))))
        .collect();
    print(cx, flags, &serde_json::Value::Object(value), || {
        for slot in &slots {
            let state = match power.of(*slot) {
                Some(true) => "on",
                Some(false) => "off",
                None => "unknown",
            };
            cx.line(format_args!("node{slot}: {state}"))?;
        }
        Ok(())
    })
}
