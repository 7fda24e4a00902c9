// SPDX-License-Identifier: Apache-2.0
//! A host without a board: what a container asked for is recorded, what it is told is set from outside, and time moves
//! only when it is moved. For tests of engines and images, and for `k1s pico eci` to try an image out.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use pico_board::{EdgeSet, Level, PinMode};

use crate::{Host, HostError, LogLevel};

/// The scripted host; every field may be read and set between two slices of a container.
#[derive(Debug, Default)]
#[expect(
    missing_docs,
    reason = "the fields are what Host's calls of the same name read and write"
)]
pub struct ScriptedHost {
    pub now_ms: u64,
    pub unix_ms: Option<u64>,
    pub stopping: bool,
    pub pins: BTreeMap<u8, (PinMode, Level)>,
    pub watched: BTreeMap<u8, EdgeSet>,
    pub edges: BTreeMap<u8, EdgeSet>,
    pub led: bool,
    pub pwm: BTreeMap<u8, (u32, u16)>,
    pub adc: BTreeMap<u8, u16>,
    pub millicelsius: i32,
    pub log: Vec<(LogLevel, String)>,
    pub config: BTreeMap<String, String>,
    pub storage: BTreeMap<Vec<u8>, Vec<u8>>,
    pub requests: VecDeque<String>,
    pub responses: Vec<(u16, String)>,
    /// Whether the last request taken is not answered yet.
    pub answering: bool,
    /// The state of the (not random) source of random bytes.
    pub random: u64,
}

impl ScriptedHost {
    /// Changes the level at an input; a watched edge is remembered.
    pub fn drive(&mut self, pin: u8, level: Level) {
        let Some((PinMode::Input(_), at)) = self.pins.get_mut(&pin) else {
            return;
        };
        let before = core::mem::replace(at, level);
        let watched = self.watched.get(&pin).copied().unwrap_or_default();
        let edges = self.edges.entry(pin).or_default();
        edges.rising |= watched.rising && before == Level::Low && level == Level::High;
        edges.falling |= watched.falling && before == Level::High && level == Level::Low;
    }

    /// The lines of the log without their levels.
    #[must_use]
    pub fn lines(&self) -> Vec<&str> {
        self.log.iter().map(|(_, line)| line.as_str()).collect()
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let length = from.len().min(to.len());
    to[..length].copy_from_slice(&from[..length]);
    from.len()
}

impl Host for ScriptedHost {
    fn monotonic_ms(&self) -> u64 {
        self.now_ms
    }

    fn unix_ms(&self) -> Option<u64> {
        self.unix_ms
    }

    fn stopping(&self) -> bool {
        self.stopping
    }

    fn configure_pin(&mut self, pin: u8, mode: PinMode) -> Result<(), HostError> {
        let level = match mode {
            PinMode::Output(level) => level,
            PinMode::Input(pico_board::Pull::Up) => Level::High,
            _ => Level::Low,
        };
        self.pins.insert(pin, (mode, level));
        Ok(())
    }

    fn read_pin(&mut self, pin: u8) -> Result<Level, HostError> {
        match self.pins.get(&pin) {
            Some((PinMode::Input(_) | PinMode::Output(_), level)) => Ok(*level),
            _ => Err(HostError::Invalid),
        }
    }

    fn write_pin(&mut self, pin: u8, level: Level) -> Result<(), HostError> {
        match self.pins.get_mut(&pin) {
            Some((PinMode::Output(_), at)) => *at = level,
            _ => return Err(HostError::Invalid),
        }
        Ok(())
    }

    fn watch_pin(&mut self, pin: u8, edges: EdgeSet) -> Result<(), HostError> {
        self.watched.insert(pin, edges);
        self.edges.remove(&pin);
        Ok(())
    }

    fn take_edges(&mut self, pin: u8) -> Result<EdgeSet, HostError> {
        Ok(self.edges.remove(&pin).unwrap_or_default())
    }

    fn set_led(&mut self, on: bool) -> Result<(), HostError> {
        self.led = on;
        Ok(())
    }

    fn set_pwm(&mut self, pin: u8, frequency_hz: u32, duty: u16) -> Result<(), HostError> {
        self.pwm.insert(pin, (frequency_hz, duty));
        Ok(())
    }

    fn read_adc(&mut self, channel: u8) -> Result<u16, HostError> {
        self.adc.get(&channel).copied().ok_or(HostError::NotFound)
    }

    fn temperature_millicelsius(&mut self) -> Result<i32, HostError> {
        Ok(self.millicelsius)
    }

    fn random(&mut self, buffer: &mut [u8]) -> Result<(), HostError> {
        for byte in buffer {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = self.random.to_le_bytes()[7];
        }
        Ok(())
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        self.log
            .push((level, String::from_utf8_lossy(line).into_owned()));
    }

    fn config(&mut self, key: &str, value: &mut [u8]) -> Result<usize, HostError> {
        self.config
            .get(key)
            .map(|from| copy(from.as_bytes(), value))
            .ok_or(HostError::NotFound)
    }

    fn load(&mut self, key: &[u8], value: &mut [u8]) -> Result<usize, HostError> {
        self.storage
            .get(key)
            .map(|from| copy(from, value))
            .ok_or(HostError::NotFound)
    }

    fn store(&mut self, key: &[u8], value: &[u8], limit_bytes: u32) -> Result<(), HostError> {
        let others = self
            .storage
            .iter()
            .filter(|(other, _)| other.as_slice() != key);
        let used: usize = others.map(|(key, value)| key.len() + value.len()).sum();
        if used + key.len() + value.len() > limit_bytes as usize {
            return Err(HostError::NoSpace);
        }
        self.storage.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), HostError> {
        self.storage
            .remove(key)
            .map(|_| ())
            .ok_or(HostError::NotFound)
    }

    fn next_request(&mut self, request: &mut [u8]) -> Result<Option<usize>, HostError> {
        Ok(self.requests.pop_front().map(|next| {
            self.answering = true;
            copy(next.as_bytes(), request)
        }))
    }

    fn respond(&mut self, status: u16, body: &[u8]) -> Result<(), HostError> {
        if !core::mem::take(&mut self.answering) {
            return Err(HostError::NotFound);
        }
        self.responses
            .push((status, String::from_utf8_lossy(body).into_owned()));
        Ok(())
    }
}
