// SPDX-License-Identifier: Apache-2.0
//! Whether a module came up: by what it says on its serial port after it was switched on, and by nothing older.

use std::time::Duration;

use tfplugin::Cancel;
use turingpi_bmc::{Error, Result, Slot};

use crate::session::Board;

/// What became of a start.
pub(crate) enum Boot {
    /// The pattern was seen.
    Up,
    /// It was not, in the time that was given; the last lines of the console.
    NotSeen(String),
    /// The user wants no more.
    Stopped,
}

/// Switches a module on (off before, if it was on) and waits for a pattern in what it says from then on.
pub(crate) async fn check(
    board: &Board,
    slot: Slot,
    pattern: &str,
    within: Duration,
    cancel: &Cancel,
) -> Result<Boot> {
    let regex = regex_lite::Regex::new(pattern)
        .map_err(|e| Error::Argument(format!("boot_check_pattern: {e}")))?;
    if board.bmc.power().await?.of(slot) == Some(true) {
        board.set_power(slot, false).await?;
    }
    let mut log = board.bmc.boot_log(slot).await?;
    board.set_power(slot, true).await?;
    let waiting = log.wait(
        within,
        |text| regex.is_match(text),
        |fresh| log::debug!("slot {slot}: {}", fresh.trim_end()),
    );
    let seen = cancel.run(waiting).await;
    match seen {
        None => Ok(Boot::Stopped),
        Some(Err(e)) => Err(e),
        Some(Ok(true)) => Ok(Boot::Up),
        Some(Ok(false)) => {
            let lines: Vec<_> = log.text().lines().rev().take(10).collect();
            let last: Vec<_> = lines.into_iter().rev().collect();
            Ok(Boot::NotSeen(last.join("\n")))
        }
    }
}
