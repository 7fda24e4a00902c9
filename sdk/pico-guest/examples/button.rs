// SPDX-License-Identifier: Apache-2.0
//! Counts the presses of a button between its pin and ground; the count survives restarts and power cuts.
#![no_std]
#![no_main]

use pico_guest::gpio::{self, Edges, Mode};
use pico_guest::{Result, kv, log};

pico_guest::main!(run);

fn run() -> Result<()> {
    let button = gpio::pin(0)?;
    button.configure(Mode::PullUp)?;
    button.watch(Edges {
        rising: false,
        falling: true,
    })?;
    let mut buffer = [0; 4];
    let mut count = kv::get(b"presses", &mut buffer)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_le_bytes);
    loop {
        button.wait(None)?;
        count += 1;
        kv::set(b"presses", &count.to_le_bytes())?;
        log::info("pressed");
    }
}
