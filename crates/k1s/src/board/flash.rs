// SPDX-License-Identifier: Apache-2.0
//! `k1s board flash` and `k1s board firmware`: images, with progress.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use serde_json::json;
use turingpi_bmc::Slot;
use turingpi_bmc::flash::{Flash, Progress, Source, State, never};

use super::access::{FLAGS, SLOTS, board, done, failed, no_arguments, print, slot};

const PROGRESS: Flag = Flag::text(
    "progress",
    "auto (a bar on a terminal, nothing elsewhere), plain (a line for each tenth) or none.",
)
.default("auto");

/// `board flash`.
pub(super) static COMMAND: Command = Command {
    name: "flash",
    aliases: &[],
    usage: "-n SLOT -i IMAGE [--power-on] | status | cancel",
    about: "Write an image to the eMMC of a module.",
    examples: &[
        (
            "A file of this machine",
            "board flash -n 1 -i metal-arm64.raw.xz",
        ),
        (
            "A file on the BMC's microSD card",
            "board flash -n 2 -l -i /mnt/sdcard/image.img",
        ),
        (
            "Fetched by the BMC",
            "board flash -n 3 -i https://example.com/image.raw",
        ),
        ("What becomes of it", "board flash status"),
    ],
    flags: &[
        &[
            SLOTS,
            Flag::text(
                "image-path",
                "Image: a file, or an address of http or https.",
            )
            .short('i'),
            Flag::switch("local", "The file is on the BMC.").short('l'),
            Flag::text("sha256", "SHA-256 that the image must have, as it is sent."),
            Flag::switch("skip-crc", "Do not read back what was written."),
            Flag::switch(
                "force",
                "End a transfer of another client that is under way.",
            ),
            Flag::switch(
                "power-on",
                "Switch the module on afterwards; else it is off.",
            ),
            PROGRESS,
        ],
        FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(flash(cx, flags))),
};

/// `board firmware`.
pub(super) static FIRMWARE: Command = Command {
    name: "firmware",
    aliases: &[],
    usage: "-f FILE",
    about: "Write a firmware to the BMC. It runs after the next `board reboot`.",
    examples: &[(
        "A file of this machine",
        "board firmware -f tp2-firmware.swu",
    )],
    flags: &[
        &[
            Flag::text("file", "Firmware.").short('f').required(),
            Flag::text("sha256", "SHA-256 that it must have."),
            PROGRESS,
        ],
        FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(firmware(cx, flags))),
};

async fn flash(cx: &Context, flags: &Parsed) -> Result {
    match flags.args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["status"] => {
            let bmc = board(cx, flags)?;
            let state = bmc.flash_state().await.map_err(|e| failed(&e))?;
            return print(cx, flags, &json!(state), || cx.line(in_words(&state)));
        }
        ["cancel"] => {
            let bmc = board(cx, flags)?;
            let text = match bmc.flash_cancel().await.map_err(|e| failed(&e))? {
                true => "the transfer is ended",
                false => "no transfer is under way",
            };
            return done(cx, flags, text);
        }
        _ => return Err(Error::usage("extra arguments", flags)),
    }
    let slot = slot(flags)?;
    let image = flags.text("image-path");
    if image.is_empty() {
        return Err(Error::usage("name an image with --image-path", flags));
    }
    let source = if flags.on("local") {
        Source::OnBmc(image.to_owned())
    } else if image.starts_with("http://") || image.starts_with("https://") {
        Source::Url(image.to_owned())
    } else {
        Source::File(PathBuf::from(image))
    };
    let mut flash = Flash::new(slot, source);
    flash.skip_crc = flags.on("skip-crc");
    flash.force = flags.on("force");
    write(cx, flags, flash, Some(slot)).await
}

/// The state of the board's transfer, for people.
fn in_words(state: &State) -> String {
    match state {
        State::Ready => "ready: nothing was transferred since the daemon started".to_owned(),
        State::Transferring {
            process,
            size,
            bytes_written,
            ..
        } => {
            let all = if *size == 0 {
                String::new()
            } else {
                format!(" of {} MiB", size >> 20)
            };
            let what = if process.is_empty() {
                "transferring"
            } else {
                process
            };
            format!("{what}: {} MiB{all}", bytes_written >> 20)
        }
        State::Done { took, size } => {
            format!("done: {} MiB in {} s", size >> 20, took.as_secs())
        }
        State::Error(text) => format!("failed: {text}"),
    }
}

async fn firmware(cx: &Context, flags: &Parsed) -> Result {
    no_arguments(flags)?;
    let flash = Flash::firmware(Source::File(PathBuf::from(flags.text("file"))));
    write(cx, flags, flash, None).await
}

async fn write(cx: &Context, flags: &Parsed, mut flash: Flash, slot: Option<Slot>) -> Result {
    flash.sha256 = Some(flags.text("sha256").to_owned()).filter(|s| !s.is_empty());
    let bmc = board(cx, flags)?;
    let (stop, mut stopped) = never();
    let mut bar = Bar::new(flags)?;
    let result = {
        let writing = bmc.flash(&flash, |progress| bar.show(progress), &mut stopped);
        tokio::pin!(writing);
        loop {
            tokio::select! {
                result = &mut writing => break result,
                signal = tokio::signal::ctrl_c() => {
                    // the transfer ends on the board before this program does
                    if signal.is_ok() {
                        let _ = stop.send(true);
                    }
                }
            }
        }
    };
    bar.end();
    let flashed = result.map_err(|e| failed(&e))?;
    let on = flags.has("power-on") && flags.on("power-on");
    if let Some(slot) = slot.filter(|_| on) {
        bmc.set_power(&[(slot, true)])
            .await
            .map_err(|e| failed(&e))?;
    }
    let value = json!({"sha256": flashed.sha256, "bytes": flashed.size});
    print(cx, flags, &value, || match slot {
        Some(slot) if on => cx.line(format_args!("slot {slot}: written, and on")),
        Some(slot) => cx.line(format_args!("slot {slot}: written, and off")),
        None => cx.line("the firmware is written; it runs after the next reboot of the BMC"),
    })
}

/// Progress on standard error.
struct Bar {
    style: Style,
    last: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// A line that moves.
    Moving,
    /// A line for each tenth.
    Lines,
    None,
}

const WIDTH: usize = 30;

impl Bar {
    fn new(flags: &Parsed) -> Result<Self> {
        let style = match flags.text("progress") {
            "auto" if std::io::stderr().is_terminal() => Style::Moving,
            "auto" | "none" => Style::None,
            "plain" => Style::Lines,
            other => {
                return Err(Error::usage(
                    format!("--progress must be auto, plain or none, not {other:?}"),
                    flags,
                ));
            }
        };
        Ok(Self {
            style,
            last: String::new(),
        })
    }

    fn show(&mut self, progress: Progress) {
        if self.style == Style::None {
            return;
        }
        let (what, done, all) = match progress {
            Progress::Waiting => ("waiting for another transfer", 0, 0),
            Progress::Hashing(done, all) => ("reading", done, all),
            Progress::Writing(done, all) => ("writing", done, all),
            Progress::Verifying(done, all) => ("verifying", done, all),
        };
        // a packed image grows as it is unpacked: more than all is all
        let percent = usize::try_from(
            done.saturating_mul(100)
                .checked_div(all)
                .unwrap_or(0)
                .min(100),
        )
        .unwrap_or(0);
        let text = if self.style == Style::Moving {
            let full = percent * WIDTH / 100;
            format!(
                "{what:<10} [{}{}] {percent:>3} %  {} MiB",
                "#".repeat(full),
                "-".repeat(WIDTH - full),
                done >> 20
            )
        } else {
            format!("{what}: {} %", percent / 10 * 10)
        };
        if text == self.last {
            return;
        }
        let mut err = std::io::stderr().lock();
        // progress that nobody can see is no reason to stop
        let _ = if self.style == Style::Moving {
            write!(err, "\r{text}\x1b[K").and_then(|()| err.flush())
        } else {
            writeln!(err, "{text}")
        };
        self.last = text;
    }

    fn end(&mut self) {
        if self.style == Style::Moving && !self.last.is_empty() {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}
