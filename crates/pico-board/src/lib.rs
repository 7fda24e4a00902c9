// SPDX-License-Identifier: Apache-2.0
//! What a board has, as traits, and the boards themselves as data.
//!
//! A new board implements [`Board`]; nothing else of the node has to change. Where the embedded-hal and embedded-storage
//! traits fit they are used as they are; the rest is small, synchronous and never blocks: a call that would have to wait
//! says [`Error::WouldBlock`]. This crate does not know Kubernetes, containers or any particular chip.
#![no_std]

mod board;
mod error;
mod flash;
mod network;
mod pins;
mod profile;
mod signal;
mod system;

pub use board::Board;
pub use embedded_hal::i2c::I2c;
pub use embedded_hal::spi::SpiDevice;
pub use embedded_storage::nor_flash;
pub use error::Error;
pub use flash::{FlashGeometry, GeometryError};
pub use network::{Link, LinkState, Network, SocketId};
pub use pins::{Direction, Edge, EdgeSet, Level, PinMode, Pins, Pull};
pub use profile::{Chip, PICO_W, PICO_W_2G, PICO2_W, PROFILES, PinSet, Profile};
pub use signal::{Adc, Led, Pwm, TemperatureSensor, chip_temperature_millicelsius};
pub use system::{Clock, Entropy, Reset, ResetReason, SecondCore, Watchdog};
