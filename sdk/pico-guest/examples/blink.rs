// SPDX-License-Identifier: Apache-2.0
//! Blinks the LED every INTERVAL_MS milliseconds, 500 unless configured.
#![no_std]
#![no_main]

use pico_guest::{Result, config, led, log, system};

pico_guest::main!(run);

fn run() -> Result<()> {
    let mut buffer = [0; 8];
    let interval = config::get("INTERVAL_MS", &mut buffer)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(500);
    for on in [true, false].into_iter().cycle() {
        led::set(on)?;
        log::info(if on { "led on" } else { "led off" });
        system::sleep_ms(interval)?;
    }
    Ok(())
}
