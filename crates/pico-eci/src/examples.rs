// SPDX-License-Identifier: Apache-2.0
//! The example images, built and signed: what the simulator's flash comes preloaded with.
//!
//! Their sources are in `images/`; a test builds them anew and compares. Only the public half of the key that signed
//! them exists.

use crate::PublicKey;

/// An example.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The name by which a pod asks for it.
    pub reference: &'static str,
    /// The signed bundle.
    pub bundle: &'static [u8],
}

/// Every example.
pub const EXAMPLES: &[Example] = &[
    Example {
        reference: "pico/blink:v1",
        bundle: include_bytes!("../images/blink.eci"),
    },
    Example {
        reference: "pico/thermometer:v1",
        bundle: include_bytes!("../images/thermometer.eci"),
    },
    Example {
        reference: "pico/button:v1",
        bundle: include_bytes!("../images/button.eci"),
    },
    Example {
        reference: "pico/http-led:v1",
        bundle: include_bytes!("../images/http-led.eci"),
    },
    Example {
        reference: "pico/hog:v1",
        bundle: include_bytes!("../images/hog.eci"),
    },
];

/// The key that signed them.
#[must_use]
pub fn key() -> Option<PublicKey> {
    include_str!("../images/examples.pub").parse().ok()
}
