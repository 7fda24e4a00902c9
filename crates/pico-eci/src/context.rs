// SPDX-License-Identifier: Apache-2.0
//! The guard between a container and its host: the same for WebAssembly and native containers.

use pico_board::{EdgeSet, Level, PinMode};

use crate::{Grant, Host, HostError, LogLevel};

/// A host as one container sees it: every call is checked against the container's grant.
pub struct Context<'a> {
    host: &'a mut dyn Host,
    grant: &'a Grant,
    denied: u64,
}

type Result<T> = core::result::Result<T, HostError>;

impl<'a> Context<'a> {
    /// Guards a host with a grant.
    pub fn new(host: &'a mut dyn Host, grant: &'a Grant) -> Self {
        Self {
            host,
            grant,
            denied: 0,
        }
    }

    /// What the container holds.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        self.grant
    }

    /// How many calls were refused for lack of a grant.
    #[must_use]
    pub const fn denied(&self) -> u64 {
        self.denied
    }

    fn require(&mut self, granted: bool) -> Result<()> {
        if granted {
            return Ok(());
        }
        self.denied += 1;
        Err(HostError::Denied)
    }

    fn pin(&mut self, pin: u8) -> Result<()> {
        self.require(self.grant.pins.contains(pin))
    }

    /// Milliseconds since the board started.
    #[must_use]
    pub fn monotonic_ms(&self) -> u64 {
        self.host.monotonic_ms()
    }

    /// Milliseconds since 1970, once known.
    #[must_use]
    pub fn unix_ms(&self) -> Option<u64> {
        self.host.unix_ms()
    }

    /// Whether the container has been asked to end.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.host.stopping()
    }

    /// The container's `index`th pin in ascending order.
    #[must_use]
    pub fn granted_pin(&self, index: u32) -> Option<u8> {
        self.grant.pins.iter().nth(index as usize)
    }

    /// Sets a pin up.
    ///
    /// # Errors
    /// [`HostError::Denied`] for a pin of another container; what the board says.
    pub fn configure_pin(&mut self, pin: u8, mode: PinMode) -> Result<()> {
        self.pin(pin)?;
        self.host.configure_pin(pin, mode)
    }

    /// Reads a pin.
    ///
    /// # Errors
    /// As [`Context::configure_pin`].
    pub fn read_pin(&mut self, pin: u8) -> Result<Level> {
        self.pin(pin)?;
        self.host.read_pin(pin)
    }

    /// Drives a pin.
    ///
    /// # Errors
    /// As [`Context::configure_pin`].
    pub fn write_pin(&mut self, pin: u8, level: Level) -> Result<()> {
        self.pin(pin)?;
        self.host.write_pin(pin, level)
    }

    /// Chooses the edges that are remembered.
    ///
    /// # Errors
    /// As [`Context::configure_pin`].
    pub fn watch_pin(&mut self, pin: u8, edges: EdgeSet) -> Result<()> {
        self.pin(pin)?;
        self.host.watch_pin(pin, edges)
    }

    /// Takes the remembered edges.
    ///
    /// # Errors
    /// As [`Context::configure_pin`].
    pub fn take_edges(&mut self, pin: u8) -> Result<EdgeSet> {
        self.pin(pin)?;
        self.host.take_edges(pin)
    }

    /// Switches the LED.
    ///
    /// # Errors
    /// [`HostError::Denied`] without `pico.io/led`.
    pub fn set_led(&mut self, on: bool) -> Result<()> {
        self.require(self.grant.led)?;
        self.host.set_led(on)
    }

    /// Drives a pin with PWM: frequency in hertz, duty in 1/65535.
    ///
    /// # Errors
    /// [`HostError::Denied`] for a pin without `pico.io/pwm`.
    pub fn set_pwm(&mut self, pin: u8, frequency_hz: u32, duty: u16) -> Result<()> {
        self.require(self.grant.pwm.contains(pin))?;
        self.host.set_pwm(pin, frequency_hz, duty)
    }

    /// One conversion, full scale 65535.
    ///
    /// # Errors
    /// [`HostError::Denied`] for a channel of another container.
    pub fn read_adc(&mut self, channel: u8) -> Result<u16> {
        self.require(self.grant.adc.contains(channel))?;
        self.host.read_adc(channel)
    }

    /// The chip's temperature in thousandths of a degree Celsius.
    ///
    /// # Errors
    /// [`HostError::Denied`] without `pico.io/temp-sensor`.
    pub fn temperature_millicelsius(&mut self) -> Result<i32> {
        self.require(self.grant.temperature)?;
        self.host.temperature_millicelsius()
    }

    /// Fills the buffer with random bytes.
    ///
    /// # Errors
    /// When the source fails.
    pub fn random(&mut self, buffer: &mut [u8]) -> Result<()> {
        bounded(buffer.len(), MAX_VALUE)?;
        self.host.random(buffer)
    }

    /// A line for the container's log; what is longer than [`MAX_VALUE`] is cut.
    pub fn log(&mut self, level: LogLevel, line: &[u8]) {
        self.host.log(level, &line[..line.len().min(MAX_VALUE)]);
    }

    /// An environment variable or configuration key; copies what fits and returns the whole length.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when there is none.
    pub fn config(&mut self, key: &str, value: &mut [u8]) -> Result<usize> {
        bounded(key.len(), MAX_KEY)?;
        self.host.config(key, value)
    }

    /// A key of the container's storage; copies what fits and returns the whole length.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when there is none, [`HostError::Denied`] without storage.
    pub fn load(&mut self, key: &[u8], value: &mut [u8]) -> Result<usize> {
        self.storage(key)?;
        self.host.load(key, value)
    }

    /// Sets a key of the container's storage.
    ///
    /// # Errors
    /// [`HostError::NoSpace`] beyond the limit, [`HostError::Denied`] without storage.
    pub fn store(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.storage(key)?;
        bounded(value.len(), MAX_VALUE)?;
        self.host.store(key, value, self.grant.storage_bytes)
    }

    /// Removes a key of the container's storage.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when there is none, [`HostError::Denied`] without storage.
    pub fn remove(&mut self, key: &[u8]) -> Result<()> {
        self.storage(key)?;
        self.host.remove(key)
    }

    fn storage(&mut self, key: &[u8]) -> Result<()> {
        self.require(self.grant.storage_bytes > 0)?;
        if key.is_empty() {
            Err(HostError::Invalid)
        } else {
            bounded(key.len(), MAX_KEY)
        }
    }

    /// The next HTTP request, if one waits; copies what fits and returns the whole length.
    ///
    /// # Errors
    /// [`HostError::Denied`] when the container serves no port.
    pub fn next_request(&mut self, request: &mut [u8]) -> Result<Option<usize>> {
        self.require(self.grant.http)?;
        self.host.next_request(request)
    }

    /// Answers the request last taken.
    ///
    /// # Errors
    /// [`HostError::Invalid`] for a status outside of 200 to 599, [`HostError::Denied`] when the container serves no port.
    pub fn respond(&mut self, status: u16, body: &[u8]) -> Result<()> {
        self.require(self.grant.http)?;
        bounded(body.len(), MAX_VALUE)?;
        if !(200..600).contains(&status) {
            return Err(HostError::Invalid);
        }
        self.host.respond(status, body)
    }
}

/// The longest key in bytes.
pub const MAX_KEY: usize = 64;
/// The longest value, line, request or answer in bytes.
pub const MAX_VALUE: usize = 1024;

const fn bounded(len: usize, limit: usize) -> Result<()> {
    if len <= limit {
        Ok(())
    } else {
        Err(HostError::Invalid)
    }
}
