// SPDX-License-Identifier: Apache-2.0
//! What is in a slot: a module that boots what is on its eMMC and talks on its serial port.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use turingpi_host::{IMAGE_HEADER, Image};

use crate::board::Shared;
use crate::inside::Inside;

/// A kind of module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Turing RK1.
    Rk1,
    /// Raspberry Pi Compute Module 4.
    Cm4,
    /// NVIDIA Jetson: the BMC cannot flash it.
    Jetson,
    /// Nothing.
    Empty,
}

/// What is no kind of module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no module: rk1, cm4, jetson and empty are")]
pub struct KindError(String);

impl Kind {
    /// Whether the BMC can write its eMMC.
    #[must_use]
    pub fn flashable(self) -> bool {
        matches!(self, Self::Rk1 | Self::Cm4)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rk1 => "RK1",
            Self::Cm4 => "CM4",
            Self::Jetson => "Jetson",
            Self::Empty => "empty",
        })
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        match text.to_ascii_lowercase().as_str() {
            "rk1" => Ok(Self::Rk1),
            "cm4" => Ok(Self::Cm4),
            "jetson" => Ok(Self::Jetson),
            "empty" => Ok(Self::Empty),
            _ => Err(KindError(text.to_owned())),
        }
    }
}

/// The time from power to the login prompt, in parts.
const BOOT: [Duration; 3] = [
    Duration::from_millis(1500),
    Duration::from_secs(4),
    Duration::from_secs(9),
];

/// What an eMMC has to boot, if anything.
fn image(emmc: &Path) -> Option<Image> {
    use std::io::Read as _;
    let mut first = Vec::new();
    if let Ok(file) = std::fs::File::open(emmc) {
        // what cannot be read boots nothing
        let _ = file.take(IMAGE_HEADER as u64).read_to_end(&mut first);
    }
    Image::read(&first)
}

/// A module's life from the moment it gets power; it ends when the power does.
pub(crate) async fn boot(shared: Shared, slot: usize, start: u64) {
    let (kind, emmc, never) = {
        let board = shared.board();
        let slot_state = &board.slots[slot];
        (slot_state.kind, shared.emmc(slot), board.never_boots(slot))
    };
    if kind == Kind::Empty {
        return;
    }
    // whether the module still runs since the same start
    let say = |text: &str| {
        let mut board = shared.board();
        let alive = board.slots[slot].on && board.slots[slot].starts == start;
        if alive {
            board.uarts[slot].write(text.replace('\n', "\r\n").as_bytes());
        }
        alive
    };
    let mut lines = vec![format!(
        "\nU-Boot 2024.10 (Turing Machines {kind})\nDRAM:  16 GiB\nLoading Environment from MMC... OK\n"
    )];
    let image = image(&emmc);
    match &image {
        None => lines.push("** No bootable device found **\n=> ".into()),
        Some(_) if never => {
            lines.push(
                "Starting kernel ...\n\nKernel panic - not syncing: VFS: Unable to mount root fs\n"
                    .into(),
            );
        }
        Some(image) => lines.push(format!(
            "Starting kernel ...\n\n[    0.000000] Booting {}\n",
            image.os
        )),
    }
    for (text, delay) in lines.iter().zip(BOOT) {
        shared.clock.sleep(delay).await;
        if !say(text) {
            return;
        }
    }
    let Some(image) = image.filter(|_| !never) else {
        return;
    };
    shared.clock.sleep(BOOT[2]).await;
    let os = image.os.clone();
    let has_shell = image.has_shell();
    let Some(inside) = Inside::boot(&shared, slot, start, image) else {
        return;
    };
    let issue = format!("{os} {} ttyS9", inside.hostname());
    let up = "[\x1b[0;32m  OK  \x1b[0m] Reached target Multi-User System.\n\n";
    if !has_shell {
        say(&format!("{up}{issue}\n\n{} login: ", inside.hostname()));
        return;
    }
    // SSH is there before the console says that the module is up
    inside.open();
    if !say(up) {
        return;
    }
    let console = inside.console(issue);
    let mut board = shared.board();
    let one = &mut board.slots[slot];
    if one.starts == start && one.on {
        one.console = Some(console);
    }
}

/// What is typed on a module's console: nobody sees it before the module is up.
pub(crate) fn typed(shared: &Shared, slot: usize, bytes: &[u8]) {
    let console = shared.board().slots[slot].console.clone();
    if let Some(console) = console {
        // a port that nobody reads loses what does not fit
        let _ = console.try_send(bytes.to_vec());
    }
}
