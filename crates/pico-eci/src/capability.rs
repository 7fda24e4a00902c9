// SPDX-License-Identifier: Apache-2.0
//! What an image asks for and what a pod was given; a call needs both.

use core::fmt;

use pico_board::PinSet;
use serde::{Deserialize, Serialize};

/// Where a container is asked over HTTP: no resource, but what a pod gives it all the same.
const PORT: &str = "containerPort";

/// What an image asks for, as its config says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capabilities {
    /// Digital pins.
    #[serde(skip_serializing_if = "is_default")]
    pub pins: u8,
    /// Pins among them that are driven with PWM.
    #[serde(skip_serializing_if = "is_default")]
    pub pwm: u8,
    /// Analogue channels.
    #[serde(skip_serializing_if = "is_default")]
    pub adc: u8,
    /// The LED.
    #[serde(skip_serializing_if = "is_default")]
    pub led: bool,
    /// The chip's temperature.
    #[serde(skip_serializing_if = "is_default")]
    pub temperature: bool,
    /// HTTP requests.
    #[serde(skip_serializing_if = "is_default")]
    pub http: bool,
    /// Storage in bytes that the container may fill.
    #[serde(skip_serializing_if = "is_default")]
    pub storage: u32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a pod was given: real pins and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Pins the container may use.
    pub pins: PinSet,
    /// Pins it may drive with PWM.
    pub pwm: PinSet,
    /// Analogue channels it may read.
    pub adc: PinSet,
    /// Whether it holds the LED.
    pub led: bool,
    /// Whether it may read the chip's temperature.
    pub temperature: bool,
    /// Whether requests are sent to it.
    pub http: bool,
    /// Bytes of storage it may fill (`limits.ephemeral-storage`).
    pub storage_bytes: u32,
}

impl Grant {
    /// Nothing but time, log and configuration.
    pub const NONE: Self = Self {
        pins: PinSet::EMPTY,
        pwm: PinSet::EMPTY,
        adc: PinSet::EMPTY,
        led: false,
        temperature: false,
        http: false,
        storage_bytes: 0,
    };

    /// Whether this is at least what the image asks for.
    ///
    /// # Errors
    /// The first thing of which the pod was given less.
    pub fn check(&self, asked: &Capabilities) -> Result<(), Shortage> {
        let counts = [
            ("pico.io/gpio-pin", u32::from(asked.pins), self.pins.len()),
            ("pico.io/pwm", u32::from(asked.pwm), self.pwm.len()),
            ("pico.io/adc", u32::from(asked.adc), self.adc.len()),
            ("pico.io/led", u32::from(asked.led), u32::from(self.led)),
            (
                "pico.io/temp-sensor",
                u32::from(asked.temperature),
                u32::from(self.temperature),
            ),
            (PORT, u32::from(asked.http), u32::from(self.http)),
            ("ephemeral-storage", asked.storage, self.storage_bytes),
        ];
        match counts.into_iter().find(|(_, asked, given)| asked > given) {
            Some((resource, asked, given)) => Err(Shortage {
                resource,
                asked,
                given,
            }),
            None => Ok(()),
        }
    }

    /// The grant without what the image did not ask for: a container gets only what both name.
    #[must_use]
    pub fn limited_to(self, asked: &Capabilities) -> Self {
        Self {
            pins: if asked.pins == 0 {
                PinSet::EMPTY
            } else {
                self.pins
            },
            pwm: if asked.pwm == 0 {
                PinSet::EMPTY
            } else {
                self.pwm
            },
            adc: if asked.adc == 0 {
                PinSet::EMPTY
            } else {
                self.adc
            },
            led: self.led && asked.led,
            temperature: self.temperature && asked.temperature,
            http: self.http && asked.http,
            storage_bytes: self.storage_bytes.min(asked.storage),
        }
    }
}

/// An image asks for more than its pod was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The resource by its name in a pod.
    pub resource: &'static str,
    /// What the image asks for.
    pub asked: u32,
    /// What the pod was given.
    pub given: u32,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            asked,
            given,
        } = self;
        if *resource == PORT {
            return f.write_str(
                "the image answers HTTP requests, and the container has no port: give it a containerPort",
            );
        }
        write!(
            f,
            "the image asks for {asked} {resource}, the pod was given {given}: raise it in the container's resources"
        )
    }
}

impl core::error::Error for Shortage {}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Grant = Grant {
        pins: PinSet::range(2, 3),
        pwm: PinSet::range(3, 3),
        adc: PinSet::range(0, 1),
        led: true,
        temperature: true,
        http: true,
        storage_bytes: 4096,
    };

    #[test]
    fn shortages() {
        let none = Capabilities::default();
        let cases = [
            (Capabilities { pins: 2, ..none }, None),
            (
                Capabilities { pins: 3, ..none },
                Some(("pico.io/gpio-pin", 3, 2)),
            ),
            (Capabilities { pwm: 2, ..none }, Some(("pico.io/pwm", 2, 1))),
            (Capabilities { adc: 3, ..none }, Some(("pico.io/adc", 3, 2))),
            (
                Capabilities {
                    storage: 4097,
                    ..none
                },
                Some(("ephemeral-storage", 4097, 4096)),
            ),
            (
                Capabilities {
                    pins: 2,
                    pwm: 1,
                    adc: 2,
                    led: true,
                    temperature: true,
                    http: true,
                    storage: 4096,
                },
                None,
            ),
        ];
        for (asked, expected) in cases {
            let shortage = ALL
                .check(&asked)
                .err()
                .map(|s| (s.resource, s.asked, s.given));
            assert_eq!(shortage, expected, "{asked:?}");
        }
        for (asked, resource) in [
            (Capabilities { led: true, ..none }, "pico.io/led"),
            (
                Capabilities {
                    temperature: true,
                    ..none
                },
                "pico.io/temp-sensor",
            ),
            (Capabilities { http: true, ..none }, "containerPort"),
        ] {
            assert_eq!(
                Grant::NONE.check(&asked).map_err(|s| s.resource),
                Err(resource)
            );
        }
    }

    #[test]
    fn what_was_not_asked_for_is_not_given() {
        assert_eq!(ALL.limited_to(&Capabilities::default()), Grant::NONE);
        let led = Capabilities {
            led: true,
            storage: 100,
            ..Capabilities::default()
        };
        assert_eq!(
            ALL.limited_to(&led),
            Grant {
                led: true,
                storage_bytes: 100,
                ..Grant::NONE
            }
        );
    }
}
