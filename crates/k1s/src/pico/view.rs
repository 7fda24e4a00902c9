// SPDX-License-Identifier: Apache-2.0
//! Boards as they are seen: one line each, drawn again where it stands.

use std::io::Write as _;
use std::time::Duration;

use pico_board::{Direction, Level};
use pico_sim::{Handle, Pin, Seen};
use tokio::time::sleep;

/// Draws the boards five times a second, for ever.
pub(super) async fn show(handle: &Handle) {
    let mut drawn = 0;
    loop {
        let mut text = String::new();
        if drawn > 0 {
            text.push_str(&format!("\x1b[{drawn}A"));
        }
        drawn = 0;
        for name in handle.names() {
            if let Some(seen) = handle.look(name).await {
                text.push_str(&format!("\r\x1b[2K{}\n", line(&seen)));
                drawn += 1;
            }
        }
        let mut out = std::io::stdout().lock();
        if out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            return;
        }
        drop(out);
        sleep(Duration::from_millis(200)).await;
    }
}

/// A board in one line.
pub(super) fn line(seen: &Seen) -> String {
    let led = if seen.panel.led() { "●" } else { "○" };
    let ready = if seen.is_ready {
        "Ready   "
    } else {
        "NotReady"
    };
    let pins: Vec<String> = used(seen)
        .map(|(pin, at)| format!("GP{pin}={}", short(at)))
        .collect();
    format!(
        "{:<12} {ready}  LED {led}  {}  {}",
        seen.name,
        pins.join(" "),
        seen.pods.join(" ")
    )
    .trim_end()
    .to_owned()
}

/// The pins that are not as after a reset.
pub(super) fn used(seen: &Seen) -> impl Iterator<Item = (u8, &Pin)> {
    seen.panel
        .pins()
        .filter(|(_, pin)| pin.mode.direction().is_some() || pin.driven.is_some())
}

/// A pin in one word: `out:high`, `in:low`, `pwm:50%`.
pub(super) fn short(pin: &Pin) -> String {
    if let Some((_, duty)) = pin.pwm {
        return format!("pwm:{}%", u32::from(duty) * 100 / 65_535);
    }
    let level = match pin.level() {
        Level::High => "high",
        Level::Low => "low",
    };
    match pin.mode.direction() {
        Some(Direction::Output) => format!("out:{level}"),
        Some(Direction::Input) => format!("in:{level}"),
        None => format!("off:{level}"),
    }
}
