// SPDX-License-Identifier: Apache-2.0
//! What the agent needs of the board it runs on: devices, images and storage. [`BoardRuntime`](crate::BoardRuntime) is
//! the one of any [`pico_board::Board`].

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use pico_board::{EdgeSet, Level, PinMode};
use pico_eci::{Capabilities, Container, Grant, HostError, Limits, StartError};

use crate::facts::Usage;

/// The devices of a board, without their types.
pub trait Devices {
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
    /// Ends PWM on a pin and leaves it disabled.
    ///
    /// # Errors
    /// When the board refuses.
    fn stop_pwm(&mut self, pin: u8) -> Result<(), HostError>;
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
    /// Sends bytes to the SPI device, as one transfer.
    ///
    /// # Errors
    /// When the bus fails.
    fn write_spi(&mut self, data: &[u8]) -> Result<(), HostError>;
    /// Fills the buffer with random bytes.
    ///
    /// # Errors
    /// When the source fails.
    fn random(&mut self, buffer: &mut [u8]) -> Result<(), HostError>;
}

/// A verified image in flash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// The digest by which it is known, `sha256:…`.
    pub digest: String,
    /// What it asks for.
    pub asks: Capabilities,
}

/// Why an image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageError {
    /// It is not in flash.
    NotFound,
    /// It is there, but its signature or its digest is wrong; why, in words.
    Refused(String),
    /// It could not be had from its registry, or the flash has no room for it; why, in words.
    Unavailable(String),
}

/// What the agent needs of the board it runs on.
pub trait Runtime {
    /// The board's devices.
    fn devices(&mut self) -> &mut dyn Devices;

    /// Looks an image up and verifies it.
    ///
    /// # Errors
    /// See [`ImageError`].
    fn image(&mut self, name: &str) -> Result<ImageFacts, ImageError>;

    /// Has an image brought from its registry into flash, under this name, and verified. Called again and again until it
    /// does not say `false` any more. Where room is needed, images that were pulled go, those of these digests excepted.
    /// `secrets` are documents with credentials for registries, as a Secret's `.dockerconfigjson` or `.dockercfg` has them.
    ///
    /// # Errors
    /// [`ImageError::Unavailable`], or [`ImageError::Refused`] for what came and is not to be trusted.
    fn pull(
        &mut self,
        name: &str,
        in_use: &[String],
        secrets: &[&[u8]],
    ) -> Result<bool, ImageError>;

    /// The names of the images in flash; empty when the flash fails.
    fn image_names(&mut self) -> Vec<String>;

    /// Starts a container of an image.
    ///
    /// # Errors
    /// See [`StartError`].
    fn start(
        &mut self,
        image: &str,
        grant: Grant,
        limits: Limits,
    ) -> Result<Box<dyn Container>, StartError>;

    /// What is in use now, containers left out.
    fn usage(&self) -> Usage;

    /// How many instructions a container is given for a second of one core.
    fn fuel_per_second(&self) -> u32;

    /// The value of a key in the storage of `owner`. Copies what fits and returns the whole length.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when there is none.
    fn load(&mut self, owner: &str, key: &[u8], value: &mut [u8]) -> Result<usize, HostError>;

    /// Sets a key in the storage of `owner`, which may hold `limit_bytes`.
    ///
    /// # Errors
    /// [`HostError::NoSpace`] when the limit or the flash does not hold it.
    fn store(
        &mut self,
        owner: &str,
        key: &[u8],
        value: &[u8],
        limit_bytes: u32,
    ) -> Result<(), HostError>;

    /// Removes a key from the storage of `owner`.
    ///
    /// # Errors
    /// [`HostError::NotFound`] when there is none.
    fn remove(&mut self, owner: &str, key: &[u8]) -> Result<(), HostError>;

    /// The keys in the storage of `owner`, in no order.
    ///
    /// # Errors
    /// [`HostError::Failed`] when the flash fails.
    fn keys(&mut self, owner: &str) -> Result<Vec<Vec<u8>>, HostError>;

    /// The storage of `owner` is needed no longer: it is freed.
    ///
    /// # Errors
    /// [`HostError::Failed`] when the flash fails; what is left is freed by the next [`Runtime::keep`].
    fn forget(&mut self, owner: &str) -> Result<(), HostError>;

    /// These are the pods of the node, by uid. Storage whose owner is the uid of another one is freed.
    ///
    /// # Errors
    /// [`HostError::Failed`] when the flash fails.
    fn keep(&mut self, uids: Vec<String>) -> Result<(), HostError>;

    /// The node has run for ten minutes with its pods: what it counted of earlier crashes is forgotten.
    fn stable(&mut self);

    /// Within how many milliseconds [`Runtime::feed`] must be called again; `None` while no watchdog runs.
    fn watchdog_ms(&self) -> Option<u32>;

    /// The node has made progress: the watchdog's time begins anew.
    fn feed(&mut self);

    /// What has gone wrong with the board since this was last asked, in words, for an event on the Node.
    fn take_failure(&mut self) -> Option<String>;
}
