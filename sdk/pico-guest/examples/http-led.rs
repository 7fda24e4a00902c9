// SPDX-License-Identifier: Apache-2.0
//! Switches the LED by HTTP: POST /on, POST /off.
#![no_std]
#![no_main]

use pico_guest::{Result, http, led};

pico_guest::main!(run);

fn run() -> Result<()> {
    let mut buffer = [0; 128];
    loop {
        let on = match http::next(&mut buffer, None)? {
            request if request.starts_with(b"POST /on\n") => true,
            request if request.starts_with(b"POST /off\n") => false,
            _ => {
                http::respond(404, b"POST /on or POST /off\n")?;
                continue;
            }
        };
        led::set(on)?;
        http::respond(200, if on { b"on\n" } else { b"off\n" })?;
    }
}
