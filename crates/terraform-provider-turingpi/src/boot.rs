// SPDX-License-Identifier: Apache-2.0
//! Whether a module came up: by what it says on its serial port after it was switched on, and by nothing older.

use std::time::Duration;

use tfplugin::{Attribute, Cancel, Diagnostics, Path, Type, Value, validator};
use turingpi_bmc::{Error, Slot};

use crate::session::{Board, Result};

/// The attribute that says what to wait for.
pub(crate) fn pattern(text: &str) -> Attribute {
    Attribute::optional(Type::String)
        .check(validator::not_empty())
        .check(validator::regular_expression())
        .describe(text)
}

/// The attribute that says for how long.
pub(crate) fn seconds(usual: i64) -> Attribute {
    Attribute::optional(Type::Number)
        .default(usual)
        .check(validator::between(1, crate::attribute::LONGEST))
        .describe("Seconds to wait for it.")
}

/// How long that is.
pub(crate) fn within(value: &Value, attribute: &str, usual: u64) -> Duration {
    let seconds = value.attribute(attribute).as_i64();
    Duration::from_secs(seconds.and_then(|s| u64::try_from(s).ok()).unwrap_or(usual))
}

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
    let Some(_up) = cancel.run(board.up()).await else {
        return Ok(Boot::Stopped);
    };
    if board.bmc.power().await?.of(slot) == Some(true) {
        board.switch(slot, false).await?;
    }
    let mut log = board.bmc.boot_log(slot).await?;
    board.switch(slot, true).await?;
    let waiting = log.wait(
        within,
        |text| regex.is_match(text),
        |fresh| log::debug!("slot {slot}: {}", fresh.trim_end()),
    );
    let seen = cancel.run(waiting).await;
    match seen {
        None => Ok(Boot::Stopped),
        Some(Err(e)) => Err(e.into()),
        Some(Ok(true)) => Ok(Boot::Up),
        Some(Ok(false)) => {
            let lines: Vec<_> = log.text().lines().rev().take(10).collect();
            let last: Vec<_> = lines.into_iter().rev().collect();
            Ok(Boot::NotSeen(last.join("\n")))
        }
    }
}

/// Tells what became of a boot check.
pub(crate) fn told(
    diagnostics: &mut Diagnostics,
    slot: Slot,
    pattern: &str,
    within: Duration,
    result: &Result<Boot>,
) {
    match result {
        Ok(Boot::Up) => {}
        Ok(Boot::Stopped) => {
            diagnostics.error("Stopped", "The boot check was ended before its time.");
        }
        Ok(Boot::NotSeen(last)) => {
            let last = if last.is_empty() {
                "It said nothing.".to_owned()
            } else {
                format!("Its last lines:\n\n{last}")
            };
            diagnostics.error_at(
                &Path::of("boot_check_pattern"),
                format!("The module in slot {slot} did not come up"),
                format!(
                    "Nothing that matches {pattern:?} came on its serial port within {} s. {last}",
                    within.as_secs()
                ),
            );
        }
        Err(e) => {
            let what = format!("The module in slot {slot} was not checked");
            crate::report::error(diagnostics, &what, e);
        }
    }
}
