// SPDX-License-Identifier: Apache-2.0
//! What the node offers its containers. The node implements it once per container; the grant is checked before it.

use core::fmt;

use pico_board::{EdgeSet, Level, PinMode};

/// Why the host refused a call. Each has a number of its own at the guest's side ([`crate::Errno`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostError {
    /// The container does not hold this pin, channel or service.
    Denied,
    /// There is no such key, or no such device on this board.
    NotFound,
    /// A value is out of range, or the device is in another mode.
    Invalid,
    /// A storage or memory limit would be exceeded.
    NoSpace,
    /// The device or the flash failed.
    Failed,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "not granted to this container",
            Self::NotFound => "no such key or device",
            Self::Invalid => "value out of range or device in another mode",
            Self::NoSpace => "storage limit reached",
            Self::Failed => "the device failed",
        })
    }
}

impl core::error::Error for HostError {}

impl From<pico_board::Error> for HostError {
    fn from(error: pico_board::Error) -> Self {
        match error {
            pico_board::Error::NoSuchDevice => Self::NotFound,
            pico_board::Error::WrongMode | pico_board::Error::OutOfRange => Self::Invalid,
            pico_board::Error::NoResources => Self::NoSpace,
            _ => Self::Failed,
        }
    }
}

/// How serious a line of log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For whoever wrote the container.
    Debug,
    /// The usual.
    Info,
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

/// What a container can ask of its node.
///
/// Calls come with arguments that are already within the container's [`crate::Grant`] and bounded: keys of at most
/// [`crate::MAX_KEY`] bytes, values, lines, requests and answers of at most [`crate::MAX_VALUE`]. No call blocks.
pub trait Host {
    /// Milliseconds since the board started.
    fn monotonic_ms(&self) -> u64;

    /// Milliseconds since 1970, once the node knows the time.
    fn unix_ms(&self) -> Option<u64>;

    /// Whether the container has been asked to end. Waiting calls return at once when it has.
    fn stopping(&self) -> bool;

    /// Sets a pin up.
    ///
    /// # Errors
    /// When the board refuses.
    fn configure_pin(&mut self, pin: u8, mode: PinMode) -> Result<(), HostError>;

    /// Reads a pin.
    ///
    /// # Errors
    /// When the pin is disabled.
    fn read_pin(&mut self, pin: u8) -> Result<Level, HostError>;

    /// Drives a pin.
    ///
    /// # Errors
    /// When the pin is not an output.
    fn write_pin(&mut self, pin: u8, level: Level) -> Result<(), HostError>;

    /// Chooses the edges that are remembered.
    ///
    /// # Errors
    /// When the pin is not an input.
    fn watch_pin(&mut self, pin: u8, edges: EdgeSet) -> Result<(), HostError>;

    /// Takes the remembered edges.
    ///
    /// # Errors
    /// When the board refuses.
    fn take_edges(&mut self, pin: u8) -> Result<EdgeSet, HostError>;

    /// Switches the LED.
    ///
    /// # Errors
    /// When the board refuses.
    fn set_led(&mut self, on: bool) -> Result<(), HostError>;

    /// Drives a pin with PWM: frequency in hertz, duty in 1/65535.
    ///
    /// # Errors
    /// When the board refuses.
    fn set_pwm(&mut self, pin: u8, frequency_hz: u32, duty: u16) -> Result<(), HostError>;

    /// One conversion of an analogue channel, full scale 65535.
    ///
    /// # Errors
    /// When the board refuses.
    fn read_adc(&mut self, channel: u8) -> Result<u16, HostError>;

    /// The chip's temperature in thousandths of a degree Celsius.
    ///
    /// # Errors
    /// When the board refuses.
    fn temperature_millicelsius(&mut self) -> Result<i32, HostError>;

    /// Fills the buffer with random bytes.
    ///
    /// # Errors
    /// When the source fails.
    fn random(&mut self, buffer: &mut [u8]) -> Result<(), HostError>;

    /// A line for the container's log, without a line feed. It may not be UTF-8.
    fn log(&mut self, level: LogLevel, line: &[u8]);

    /// The value of an environment variable or configuration key. Copies what fits and returns the whole length.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when there is none.
    fn config(&mut self, key: &str, value: &mut [u8]) -> Result<usize, HostError>;

    /// The value of a key in the container's own storage. Copies what fits and returns the whole length.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when there is none.
    fn load(&mut self, key: &[u8], value: &mut [u8]) -> Result<usize, HostError>;

    /// Sets a key in the container's own storage; on return it survives a power cut.
    ///
    /// # Errors
    /// [`HostError::NoSpace`] when `limit_bytes`, the container's storage limit, or the flash does not hold it.
    fn store(&mut self, key: &[u8], value: &[u8], limit_bytes: u32) -> Result<(), HostError>;

    /// Removes a key from the container's own storage.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when there is none.
    fn remove(&mut self, key: &[u8]) -> Result<(), HostError>;

    /// The next HTTP request for the container, if one waits: `METHOD /path`, a line feed, the body. Copies what fits and
    /// returns the whole length. The container answers it with [`Host::respond`] before it takes another.
    ///
    /// # Errors
    /// When the container serves no port.
    fn next_request(&mut self, request: &mut [u8]) -> Result<Option<usize>, HostError>;

    /// Answers the request last taken.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when none was taken or its client has gone.
    fn respond(&mut self, status: u16, body: &[u8]) -> Result<(), HostError>;
}
