// SPDX-License-Identifier: Apache-2.0
//! The board itself: what it is, its USB switch, fans, settings, restarts.

use std::time::Duration;

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use serde_json::json;
use turingpi_bmc::model::{NodeSettings, UsbMode, UsbRoute};

use super::access::{FLAGS, FORCE, SLOTS, board, done, failed, no_arguments, print, slot};

const WHICH: &[Flag] = &[SLOTS];
const ACTING: &[Flag] = &[SLOTS, FORCE];

/// `board info`.
pub(super) static INFO: Command = Command {
    name: "info",
    aliases: &["about"],
    usage: "",
    about: "Say which board it is: versions, addresses, storage.",
    examples: &[("For programs", "board info -o json")],
    flags: &[FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(info(cx, flags))),
};

async fn info(cx: &Context, flags: &Parsed) -> Result {
    no_arguments(flags)?;
    let bmc = board(cx, flags)?;
    let about = bmc.about().await.map_err(|e| failed(&e))?;
    let info = bmc.info().await.map_err(|e| failed(&e))?;
    let value = json!({"about": about, "network": info.network, "storage": info.storage});
    print(cx, flags, &value, || {
        let rows = [
            ("board", &about.board_model),
            ("revision", &about.board_revision),
            ("hostname", &about.hostname),
            ("firmware", &about.firmware_version),
            ("daemon", &about.daemon_version),
            ("buildroot", &about.buildroot_version),
            ("built", &about.build_time),
            ("api", &about.api_version),
        ];
        for (name, value) in rows {
            if let Some(value) = value {
                cx.line(format_args!("{name:<10} {value}"))?;
            }
        }
        for network in &info.network {
            cx.line(format_args!(
                "{:<10} {} ({})",
                network.device, network.ip, network.mac
            ))?;
        }
        for storage in &info.storage {
            cx.line(format_args!(
                "{:<10} {} MiB free of {} MiB",
                storage.name,
                storage.free_bytes >> 20,
                storage.total_bytes >> 20
            ))?;
        }
        Ok(())
    })
}

/// `board usb`.
pub(super) static USB: Command = Command {
    name: "usb",
    aliases: &[],
    usage: "host|device|flash|status|boot [-n SLOT] [-b] | node1 [alternative|normal]",
    about: "Set the USB switch of the board, or hold a module's recovery pin.",
    examples: &[
        ("How it stands", "board usb status"),
        (
            "Slot 1 as a device of the BMC",
            "board usb device -n 1 --bmc",
        ),
        (
            "The next start of slot 2 is into recovery",
            "board usb boot -n 2",
        ),
        (
            "Slot 1 on the front connector of a 2.5 board",
            "board usb node1 alternative",
        ),
    ],
    flags: &[
        ACTING,
        &[Flag::switch("bmc", "The other end is the BMC, not the USB-A connector.").short('b')],
        FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(usb(cx, flags))),
};

async fn usb(cx: &Context, flags: &Parsed) -> Result {
    let verb = match &flags.args[..] {
        [verb] => verb,
        [verb, to] if verb == "node1" => return usb_node1(cx, flags, Some(to)).await,
        _ => {
            return Err(Error::usage(
                "say host, device, flash, boot, node1 or status",
                flags,
            ));
        }
    };
    if verb == "node1" {
        return usb_node1(cx, flags, None).await;
    }
    if verb == "status" {
        let bmc = board(cx, flags)?;
        let usb = bmc.usb().await.map_err(|e| failed(&e))?;
        return print(cx, flags, &json!(usb), || {
            cx.line(format_args!(
                "node{}: {} on {}",
                usb.slot, usb.mode, usb.route
            ))
        });
    }
    let slot = slot(flags)?;
    if verb == "boot" {
        let bmc = board(cx, flags)?;
        bmc.usb_boot(slot).await.map_err(|e| failed(&e))?;
        return done(
            cx,
            flags,
            &format!("slot {slot}: its next start is into recovery"),
        );
    }
    let mode: UsbMode = verb.parse().map_err(|e| failed(&e))?;
    let route = if flags.on("bmc") {
        UsbRoute::Bmc
    } else {
        UsbRoute::UsbA
    };
    let bmc = board(cx, flags)?;
    bmc.set_usb(slot, mode, route)
        .await
        .map_err(|e| failed(&e))?;
    done(cx, flags, &format!("slot {slot}: {mode} on {route}"))
}

/// Whether slot 1 goes to the alternative port.
async fn usb_node1(cx: &Context, flags: &Parsed, to: Option<&str>) -> Result {
    let bmc = board(cx, flags)?;
    let name = |alternative| match alternative {
        true => "alternative",
        false => "normal",
    };
    let wanted = match to {
        None => {
            let alternative = bmc.usb_node1_alternative().await.map_err(|e| failed(&e))?;
            let value = json!({ "alternative_port": alternative });
            return print(cx, flags, &value, || {
                cx.line(format_args!("node1: {} port", name(alternative)))
            });
        }
        Some("alternative") => true,
        Some("normal") => false,
        Some(_) => return Err(Error::usage("say alternative or normal", flags)),
    };
    let set = bmc.set_usb_node1_alternative(wanted).await;
    set.map_err(|e| failed(&e))?;
    done(cx, flags, &format!("slot 1: {} port", name(wanted)))
}

/// `board advanced`.
pub(super) static ADVANCED: Command = Command {
    name: "advanced",
    aliases: &[],
    usage: "normal|msd -n SLOT",
    about: "Start a module as a mass storage device, or normally again.",
    examples: &[
        ("The eMMC of slot 1 on USB", "board advanced msd -n 1"),
        ("Back again", "board advanced normal -n 1"),
    ],
    flags: &[ACTING, FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(advanced(cx, flags))),
};

async fn advanced(cx: &Context, flags: &Parsed) -> Result {
    let slot = slot(flags)?;
    let bmc = board(cx, flags)?;
    match flags.args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["msd"] => {
            bmc.node_to_msd(slot).await.map_err(|e| failed(&e))?;
            done(cx, flags, &format!("slot {slot}: mass storage"))
        }
        ["normal"] => {
            bmc.clear_usb_boot().await.map_err(|e| failed(&e))?;
            bmc.reset(slot).await.map_err(|e| failed(&e))?;
            done(cx, flags, &format!("slot {slot}: normal"))
        }
        _ => Err(Error::usage("say normal or msd", flags)),
    }
}

/// `board cooling`.
pub(super) static COOLING: Command = Command {
    name: "cooling",
    aliases: &[],
    usage: "status | set DEVICE SPEED",
    about: "Show and set the fans.",
    examples: &[("A step", "board cooling set 'system fan' 5")],
    flags: &[FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(cooling(cx, flags))),
};

async fn cooling(cx: &Context, flags: &Parsed) -> Result {
    match flags.args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["status"] | [] => {
            let bmc = board(cx, flags)?;
            let fans = bmc.cooling().await.map_err(|e| failed(&e))?;
            print(cx, flags, &json!(fans), || {
                for fan in &fans {
                    cx.line(format_args!(
                        "{}: {} of {}",
                        fan.device, fan.speed, fan.max_speed
                    ))?;
                }
                Ok(())
            })
        }
        ["set", device, speed] => {
            let speed = speed
                .parse()
                .map_err(|_| Error::message(format!("{speed:?} is no whole number")))?;
            let bmc = board(cx, flags)?;
            bmc.set_cooling(device, speed)
                .await
                .map_err(|e| failed(&e))?;
            done(cx, flags, &format!("{device}: {speed}"))
        }
        _ => Err(Error::usage("say status, or set DEVICE SPEED", flags)),
    }
}

/// `board nodes`.
pub(super) static NODES: Command = Command {
    name: "nodes",
    aliases: &["node-info"],
    usage: "[-n SLOT --name NAME --module KIND]",
    about: "Show what the board knows of its modules, or say it.",
    examples: &[
        ("All", "board nodes"),
        (
            "Slot 1 has a name",
            "board nodes -n 1 --name cp1 --module RK1",
        ),
    ],
    flags: &[
        WHICH,
        &[
            Flag::text("name", "Name of the module."),
            Flag::text("module", "Kind of the module."),
        ],
        FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(nodes(cx, flags))),
};

async fn nodes(cx: &Context, flags: &Parsed) -> Result {
    no_arguments(flags)?;
    let text = |name: &str| Some(flags.text(name).to_owned()).filter(|t| !t.is_empty());
    let settings = NodeSettings {
        name: text("name"),
        module_name: text("module"),
        uart_baud: None,
    };
    let bmc = board(cx, flags)?;
    if settings != NodeSettings::default() {
        let slot = slot(flags)?;
        let set = bmc.set_node_info(slot, &settings).await;
        set.map_err(|e| failed(&e))?;
    }
    let nodes = bmc.node_info().await.map_err(|e| failed(&e))?;
    print(cx, flags, &json!(nodes), || {
        for (i, node) in nodes.iter().enumerate() {
            cx.line(format_args!(
                "node{}: {} ({})",
                i + 1,
                node.name.as_deref().unwrap_or("-"),
                node.module_name.as_deref().unwrap_or("unknown module")
            ))?;
        }
        Ok(())
    })
}

/// `board eth`.
pub(super) static ETH: Command = Command {
    name: "eth",
    aliases: &[],
    usage: "reset",
    about: "Take the network of the board down and up again.",
    examples: &[("It takes a second", "board eth reset")],
    flags: &[&[FORCE], FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(eth(cx, flags))),
};

async fn eth(cx: &Context, flags: &Parsed) -> Result {
    if flags.args != ["reset"] {
        return Err(Error::usage("say reset", flags));
    }
    let bmc = board(cx, flags)?;
    bmc.reset_network().await.map_err(|e| failed(&e))?;
    done(cx, flags, "the network is reset")
}

const WAIT: &[Flag] = &[
    Flag::switch("wait", "Wait until it takes a new login."),
    Flag::duration("timeout", "2m", "How long to wait for it."),
    FORCE,
];

/// `board reboot`.
pub(super) static REBOOT: Command = Command {
    name: "reboot",
    aliases: &[],
    usage: "[--wait] [--fel]",
    about: "Restart the BMC. All modules lose power.",
    examples: &[("And wait for it", "board reboot --wait")],
    flags: &[
        WAIT,
        &[Flag::switch(
            "fel",
            "Into its recovery mode; it does not come back by itself.",
        )],
        FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(restart(cx, flags, true))),
};

/// `board reload`.
pub(super) static RELOAD: Command = Command {
    name: "reload",
    aliases: &[],
    usage: "[--wait]",
    about: "Restart the BMC's daemon. Modules run on.",
    examples: &[("And wait for it", "board reload --wait")],
    flags: &[WAIT, FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(restart(cx, flags, false))),
};

async fn restart(cx: &Context, flags: &Parsed, all: bool) -> Result {
    no_arguments(flags)?;
    let bmc = board(cx, flags)?;
    let fel = all && flags.on("fel");
    let result = if all {
        bmc.reboot(fel).await
    } else {
        bmc.reload().await
    };
    result.map_err(|e| failed(&e))?;
    if flags.on("wait") && !fel {
        let within = flags.duration("timeout").max(Duration::from_secs(1));
        cx.talk("waiting for it to come back");
        bmc.wait_ready(within).await.map_err(|e| failed(&e))?;
    }
    done(cx, flags, "restarted")
}

/// `board backup`.
pub(super) static BACKUP: Command = Command {
    name: "backup",
    aliases: &[],
    usage: "[FILE]",
    about: "Write a backup of the BMC's settings. It holds secrets: the file is for its owner alone.",
    examples: &[("Under the name that the board gives", "board backup")],
    flags: &[FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(backup(cx, flags))),
};

async fn backup(cx: &Context, flags: &Parsed) -> Result {
    let wanted = match &flags.args[..] {
        [] => None,
        [file] => Some(file.clone()),
        _ => return Err(Error::usage("say at most one FILE", flags)),
    };
    let bmc = board(cx, flags)?;
    let cannot =
        |file: &str, e: std::io::Error| Error::message(format!("cannot write {file}: {e}"));
    let part = format!("{}.part", wanted.as_deref().unwrap_or("board-backup"));
    // one that an earlier run left; never written through a link
    let _ = std::fs::remove_file(&part);
    let mut options = tokio::fs::OpenOptions::new();
    options.create_new(true).write(true).mode(0o600);
    let mut to = options.open(&part).await.map_err(|e| cannot(&part, e))?;
    let written = bmc.backup(&mut to).await;
    let (name, size) = match written {
        Ok(written) => written,
        Err(e) => {
            // half a backup is none
            let _ = std::fs::remove_file(&part);
            return Err(failed(&e));
        }
    };
    let is_named = wanted.is_some();
    let file = wanted
        .or(name)
        .unwrap_or_else(|| "board-backup.tar.gz".into());
    if !is_named && std::path::Path::new(&file).exists() {
        return Err(Error::message(format!(
            "{file} is there already; the backup is in {part}"
        )));
    }
    std::fs::rename(&part, &file).map_err(|e| cannot(&file, e))?;
    let value = json!({"file": file, "bytes": size});
    print(cx, flags, &value, || {
        cx.line(format_args!("{file}: {size} bytes"))
    })
}
