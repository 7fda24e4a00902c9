// SPDX-License-Identifier: Apache-2.0
//! Runs a module for some seconds of a clock that does not wait, on a board that is not there, and prints its log:
//!
//!     cargo run -p pico-wasm --example try_image -- CONFIG.json MODULE [SECONDS]
//!
//! Everything that the config asks for is granted; a request waits, and a button is pressed every second.

use pico_board::{Level, PinSet};
use pico_eci::build::{SigningKey, assemble, build, sign};
use pico_eci::scripted::ScriptedHost;
use pico_eci::{Blob, Engine, Grant, Limits, Progress, Verifier};
use pico_wasm::Wasm;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(config), Some(module)) = (arguments.next(), arguments.next()) else {
        return Err("usage: try_image CONFIG.json MODULE [SECONDS]".into());
    };
    let seconds: u64 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let mut module = std::fs::read(module)?;
    if !module.starts_with(b"\0asm") {
        module = assemble(&String::from_utf8(module)?)?;
    }
    let key = SigningKey::from_seed([1; 32])?;
    let bundle = sign(&build(&std::fs::read(config)?, &module)?, &key)?;
    let trusted = [key.public()];
    let mut bytes = bundle.as_slice();
    let mut image = Verifier::new(&trusted).verify(&mut bytes as &mut dyn Blob)?;
    let asked = image.config().capabilities;
    let grant = Grant {
        pins: PinSet::range(0, asked.pins.clamp(1, 23) - 1),
        pwm: PinSet::range(0, asked.pwm.clamp(1, 23) - 1),
        adc: PinSet::range(0, 2),
        led: true,
        temperature: true,
        http: true,
        storage_bytes: asked.storage,
    };
    let limits = Limits {
        memory_bytes: image.config().memory.max(16 * 1024),
    };
    let mut container = Wasm.start(&mut image, grant, limits)?;
    let mut host = ScriptedHost {
        millicelsius: 27_000,
        ..ScriptedHost::default()
    };
    let mut progress = Progress::Yielded;
    for ms in (0..seconds * 1000).step_by(10) {
        host.now_ms = ms;
        if ms % 1000 == 500 {
            host.requests.push_back("POST /on\n".into());
            host.drive(0, Level::Low);
            host.drive(0, Level::High);
        }
        progress = container.run(100_000, &mut host).progress;
        if progress.is_final() {
            break;
        }
    }
    for line in host.lines() {
        println!("{line}");
    }
    for (status, body) in &host.responses {
        println!("{status} {}", body.trim_end());
    }
    println!("{progress:?}, {:?}", container.usage());
    match progress {
        Progress::Trapped(trap) => Err(Box::new(trap)),
        Progress::OutOfMemory => Err("out of memory".into()),
        _ => Ok(()),
    }
}
