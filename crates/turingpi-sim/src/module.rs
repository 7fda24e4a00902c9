// SPDX-License-Identifier: Apache-2.0
//! What is in a slot: a module that boots what is on its eMMC and talks on its serial port.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use crate::board::Shared;

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

/// What the first bytes of an eMMC say.
enum Contents {
    Nothing,
    Os(String),
}

fn contents(emmc: &Path) -> Contents {
    use std::io::Read as _;
    let mut first = vec![0; 4096];
    let read = std::fs::File::open(emmc).and_then(|mut f| f.read(&mut first));
    let first = &first[..read.unwrap_or(0)];
    if first.iter().all(|b| *b == 0) {
        return Contents::Nothing;
    }
    // an image may say what it is in its first line; what says nothing is the usual distribution
    let line = first.split(|b| *b == b'\n').next().unwrap_or_default();
    let name = std::str::from_utf8(line)
        .ok()
        .and_then(|l| l.strip_prefix("os: "))
        .unwrap_or("Armbian 25.2.1 noble");
    Contents::Os(name.to_owned())
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
    let mut prompt = String::new();
    match contents(&emmc) {
        Contents::Nothing => lines.push("** No bootable device found **\n=> ".into()),
        Contents::Os(_) if never => {
            lines.push(
                "Starting kernel ...\n\nKernel panic - not syncing: VFS: Unable to mount root fs\n"
                    .into(),
            );
        }
        Contents::Os(os) => {
            lines.push(format!(
                "Starting kernel ...\n\n[    0.000000] Booting {os}\n"
            ));
            let host = format!("{}-{}", kind.to_string().to_lowercase(), slot + 1);
            prompt = format!("{os} {host} ttyS9\n\n{host} login: ");
            lines.push(format!(
                "[\x1b[0;32m  OK  \x1b[0m] Reached target Multi-User System.\n\n{prompt}"
            ));
        }
    }
    for (text, delay) in lines.iter().zip(BOOT) {
        shared.clock.sleep(delay).await;
        if !say(text) {
            return;
        }
    }
    if prompt.is_empty() {
        return;
    }
    let mut board = shared.board();
    if board.slots[slot].starts == start && board.slots[slot].on {
        board.slots[slot].prompt = Some(prompt);
    }
}

/// What a module answers to a line that is typed on its console: a login prompt takes names and knows none.
pub(crate) fn typed(shared: &Shared, slot: usize, line: &str) {
    let mut board = shared.board();
    if !board.slots[slot].on || board.slots[slot].kind == Kind::Empty {
        return;
    }
    let Some(prompt) = board.slots[slot].prompt.clone() else {
        return;
    };
    let answer = if line.is_empty() {
        format!("\n\n{prompt}")
    } else {
        format!("{line}\nPassword: \nLogin incorrect\n{prompt}")
    };
    board.uarts[slot].write(answer.replace('\n', "\r\n").as_bytes());
}
