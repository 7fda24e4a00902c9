// SPDX-License-Identifier: Apache-2.0
//! Pushes the example images to a registry, pulls them by tag and by digest, verifies them and loads them into a flash:
//!
//!     cargo run -p pico-oci --example round_trip -- 127.0.0.1:5000

use pico_board::PICO_W;
use pico_eci::Verifier;
use pico_eci::examples::{EXAMPLES, key};
use pico_oci::{Error, Reference, Registry, load};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .ok_or("usage: round_trip HOST:PORT")?;
    let trusted = [key().ok_or("the examples have no key")?];
    let flash = std::env::temp_dir().join(format!("round-trip-{}.flash", std::process::id()));
    let mut registry = Registry::default();
    let mut passed = 0;
    for example in EXAMPLES {
        let tag: Reference = format!("{address}/{}", example.reference).parse()?;
        let digest = registry.push(&tag, example.bundle)?;
        let by_digest: Reference = format!("{address}/{}@{digest}", tag.repository).parse()?;
        for reference in [&tag, &by_digest] {
            let pulled = registry.pull(reference)?;
            Verifier::new(&trusted).verify_digest(pulled.as_slice(), digest)?;
            let stored = load(&flash, &PICO_W, &trusted, None, &pulled)?;
            println!("{reference}: {} at {:#x}", stored.reference, stored.address);
            passed += 1;
        }
    }
    let missing: Reference = format!("{address}/pico/blink:no-such-tag").parse()?;
    match registry.pull(&missing) {
        Err(Error::Refused { status: 404, .. }) => passed += 1,
        other => return Err(format!("a tag that is not there: {other:?}").into()),
    }
    std::fs::remove_file(&flash)?;
    println!("{passed} passed, 0 failed");
    Ok(())
}
