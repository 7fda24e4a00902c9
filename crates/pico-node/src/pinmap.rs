// SPDX-License-Identifier: Apache-2.0
//! A ConfigMap that sets pins: `pin_15: HIGH`, `pin_16: PWM:128`, and bytes of the node's memory map.
//!
//! It is applied when it changed and not otherwise. What cannot be understood is an event, and the rest is applied.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use pico_board::{Level, PinMode, PinSet};

use crate::event::{About, Events};
use crate::facts::Config;
use crate::http::escaped;
use crate::json::Value;
use crate::kinds::Resource;
use crate::pods::{PinUser, Pods};
use crate::runtime::Runtime;
use crate::time::Wall;

/// Addresses of the memory map.
const MEMORY: u64 = 1024;
/// The frequency of PWM outputs, in hertz.
const FREQUENCY_HZ: u32 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Level(Level),
    /// The duty in 1/255.
    Pwm(u8),
}

#[derive(Debug, Default)]
pub(crate) struct PinMap {
    /// Namespace and name.
    of: (String, String),
    /// What the API holds, not applied yet.
    pending: Option<Vec<(String, String)>>,
    version: String,
    applied: BTreeMap<u8, Output>,
    memory: BTreeMap<u16, u8>,
}

impl Resource for PinMap {
    fn path(&self) -> String {
        format!(
            "/api/v1/namespaces/{}/configmaps?fieldSelector=metadata.name%3D{}",
            escaped(&self.of.0),
            escaped(&self.of.1)
        )
    }

    /// Takes the map as the API holds it. One of the version that is known already is no news.
    fn put(&mut self, map: &Value, is_partial: bool) {
        let version = map.text(&["metadata", "resourceVersion"]);
        if version == self.version || is_partial {
            return;
        }
        self.version = version.into();
        let data = map.entries(&["data"]).iter();
        self.pending = Some(
            data.map(|(key, value)| {
                (
                    String::from(&**key),
                    String::from(value.as_text().unwrap_or_default()),
                )
            })
            .collect(),
        );
    }

    /// The map is no more: its pins are released.
    fn gone(&mut self, _uid: &str) {
        self.version.clear();
        self.pending = Some(Vec::new());
    }

    fn has(&self, _uid: &str) -> bool {
        true
    }

    fn keep(&mut self, uids: &[String]) {
        if uids.is_empty() && !self.version.is_empty() {
            self.gone("");
        }
    }
}

impl PinMap {
    /// Of the ConfigMap with this namespace and name.
    pub(crate) fn new(of: Option<(String, String)>) -> Self {
        Self {
            of: of.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The bytes that were set, by address.
    pub(crate) fn memory(&self) -> &BTreeMap<u16, u8> {
        &self.memory
    }

    /// Brings the pins in line with what came last.
    pub(crate) fn apply(
        &mut self,
        pods: &mut Pods,
        config: &Config,
        events: &mut Events,
        now: Option<Wall>,
        runtime: &mut dyn Runtime,
    ) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        let mut wrong = Vec::new();
        let mut wanted = BTreeMap::new();
        for (key, value) in &pending {
            if key == "memory_values" {
                match memory(value) {
                    Ok(values) => self.memory = values,
                    Err(why) => wrong.push(why),
                }
                continue;
            }
            let Some(pin) = key.strip_prefix("pin_").and_then(|pin| pin.parse().ok()) else {
                wrong.push(format!("{key:?} is neither pin_N nor memory_values"));
                continue;
            };
            let taken = pods.why_taken(pin, Some(PinUser::Map));
            match output(value) {
                _ if !config.hardware.pins.contains(&pin) => {
                    wrong.push(format!(
                        "GP{pin} is not on the header of {}",
                        config.hardware.model
                    ));
                }
                Some(output) if taken.is_none() => {
                    wanted.insert(pin, output);
                }
                Some(_) => wrong.extend(taken),
                None => wrong.push(format!(
                    "{key}: {value:?} is none of HIGH, LOW, PWM:0 to PWM:255"
                )),
            }
        }
        let devices = runtime.devices();
        for pin in self.applied.keys().filter(|pin| !wanted.contains_key(pin)) {
            let _ = devices.stop_pwm(*pin);
            let _ = devices.configure_pin(*pin, PinMode::Disabled);
        }
        for (pin, output) in &wanted {
            if self.applied.get(pin) == Some(output) {
                continue;
            }
            let done = match *output {
                Output::Level(level) => devices.configure_pin(*pin, PinMode::Output(level)),
                Output::Pwm(duty) => devices.set_pwm(*pin, FREQUENCY_HZ, u16::from(duty) * 257),
            };
            if let Err(error) = done {
                wrong.push(format!("GP{pin}: {error}"));
            }
        }
        let pins = wanted.keys();
        let pins = pins.fold(PinSet::EMPTY, |set, pin| set.with(PinSet::one(*pin)));
        pods.reserve(PinUser::Map, pins);
        self.applied = wanted;
        for why in wrong {
            events.add(About::node(config), true, "InvalidPinMap", why, now);
        }
    }
}

fn output(text: &str) -> Option<Output> {
    match text.trim() {
        "HIGH" => Some(Output::Level(Level::High)),
        "LOW" => Some(Output::Level(Level::Low)),
        other => {
            let duty = number(other.strip_prefix("PWM:")?)?;
            u8::try_from(duty).ok().map(Output::Pwm)
        }
    }
}

/// Decimal, or hexadecimal after `0x`: `10` is ten.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u64::from_str_radix(hex, 16).ok()
        }
        Some(_) => None,
        None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

fn memory(text: &str) -> Result<BTreeMap<u16, u8>, String> {
    let mut all = BTreeMap::new();
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let parsed = pair.split_once('=').and_then(|(address, value)| {
            let address = number(address).filter(|a| *a < MEMORY)?;
            Some((
                u16::try_from(address).ok()?,
                u8::try_from(number(value)?).ok()?,
            ))
        });
        let (address, value) = parsed.ok_or_else(|| {
            format!("memory_values: {pair:?} is not ADDRESS=BYTE below {MEMORY} and 256")
        })?;
        all.insert(address, value);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (text, expected) in [
            ("HIGH", Some(Output::Level(Level::High))),
            (" LOW ", Some(Output::Level(Level::Low))),
            ("PWM:128", Some(Output::Pwm(128))),
            ("PWM:0x80", Some(Output::Pwm(128))),
            ("PWM:256", None),
            ("PWM:-1", None),
            ("PWM:", None),
            ("high", None),
        ] {
            assert_eq!(output(text), expected, "{text}");
        }
        let map = memory("5=10, 6=0x10,0x7=0xFF").unwrap();
        assert_eq!(
            map.into_iter().collect::<Vec<_>>(),
            [(5, 10), (6, 16), (7, 255)]
        );
        for bad in ["5=256", "1024=1", "5", "a=1", "5=0xg"] {
            assert!(memory(bad).unwrap_err().contains(bad), "{bad}");
        }
    }
}
