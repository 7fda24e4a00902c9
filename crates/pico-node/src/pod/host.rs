// SPDX-License-Identifier: Apache-2.0
//! What a container sees of the node: the board's devices, its settings, its storage, its log and its HTTP requests.

use alloc::vec::Vec;

use pico_board::{EdgeSet, Level, PinMode};
use pico_eci::{Host, HostError, LogLevel};

use super::log::{Line, Log};
use super::source::Settings;
use crate::runtime::Runtime;
use crate::time::{Ms, Wall};

/// An HTTP request for a container and what became of it.
#[derive(Debug)]
pub(crate) struct Request {
    /// `METHOD /path`, a line feed, the body.
    pub(crate) text: Vec<u8>,
    pub(crate) is_taken: bool,
    pub(crate) answer: Option<(u16, Vec<u8>)>,
    /// The connection that it came on; `None` for a probe.
    pub(crate) visitor: Option<u32>,
}

pub(crate) struct ContainerHost<'a> {
    pub(crate) runtime: &'a mut dyn Runtime,
    pub(crate) now: Ms,
    pub(crate) wall: Option<Wall>,
    pub(crate) stopping: bool,
    pub(crate) settings: &'a Settings,
    pub(crate) log: &'a mut Log,
    pub(crate) owner: &'a str,
    pub(crate) request: &'a mut Option<Request>,
}

impl Host for ContainerHost<'_> {
    fn monotonic_ms(&self) -> u64 {
        self.now
    }

    fn unix_ms(&self) -> Option<u64> {
        self.wall.map(Wall::unix_ms)
    }

    fn stopping(&self) -> bool {
        self.stopping
    }

    fn configure_pin(&mut self, pin: u8, mode: PinMode) -> Result<(), HostError> {
        self.runtime.devices().configure_pin(pin, mode)
    }

    fn read_pin(&mut self, pin: u8) -> Result<Level, HostError> {
        self.runtime.devices().read_pin(pin)
    }

    fn write_pin(&mut self, pin: u8, level: Level) -> Result<(), HostError> {
        self.runtime.devices().write_pin(pin, level)
    }

    fn watch_pin(&mut self, pin: u8, edges: EdgeSet) -> Result<(), HostError> {
        self.runtime.devices().watch_pin(pin, edges)
    }

    fn take_edges(&mut self, pin: u8) -> Result<EdgeSet, HostError> {
        self.runtime.devices().take_edges(pin)
    }

    fn set_led(&mut self, on: bool) -> Result<(), HostError> {
        self.runtime.devices().set_led(on)
    }

    fn set_pwm(&mut self, pin: u8, frequency_hz: u32, duty: u16) -> Result<(), HostError> {
        self.runtime.devices().set_pwm(pin, frequency_hz, duty)
    }

    fn read_adc(&mut self, channel: u8) -> Result<u16, HostError> {
        self.runtime.devices().read_adc(channel)
    }

    fn temperature_millicelsius(&mut self) -> Result<i32, HostError> {
        self.runtime.devices().temperature_millicelsius()
    }

    fn random(&mut self, buffer: &mut [u8]) -> Result<(), HostError> {
        self.runtime.devices().random(buffer)
    }

    fn log(&mut self, _level: LogLevel, line: &[u8]) {
        self.log.push(Line {
            at: self.now,
            wall: self.wall,
            text: line.to_vec(),
        });
    }

    fn config(&mut self, key: &str, value: &mut [u8]) -> Result<usize, HostError> {
        let found = self.settings.get(key).ok_or(HostError::NotFound)?;
        let n = found.len().min(value.len());
        value[..n].copy_from_slice(&found[..n]);
        Ok(found.len())
    }

    fn load(&mut self, key: &[u8], value: &mut [u8]) -> Result<usize, HostError> {
        self.runtime.load(self.owner, key, value)
    }

    fn store(&mut self, key: &[u8], value: &[u8], limit_bytes: u32) -> Result<(), HostError> {
        self.runtime.store(self.owner, key, value, limit_bytes)
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), HostError> {
        self.runtime.remove(self.owner, key)
    }

    fn next_request(&mut self, request: &mut [u8]) -> Result<Option<usize>, HostError> {
        match self.request {
            Some(waiting) if !waiting.is_taken => {
                waiting.is_taken = true;
                let n = waiting.text.len().min(request.len());
                request[..n].copy_from_slice(&waiting.text[..n]);
                Ok(Some(waiting.text.len()))
            }
            _ => Ok(None),
        }
    }

    fn respond(&mut self, status: u16, body: &[u8]) -> Result<(), HostError> {
        match self.request {
            Some(taken) if taken.is_taken && taken.answer.is_none() => {
                taken.answer = Some((status, body.to_vec()));
                Ok(())
            }
            _ => Err(HostError::NotFound),
        }
    }
}
