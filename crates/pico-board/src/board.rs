// SPDX-License-Identifier: Apache-2.0
//! The board: one value that owns every device.

use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;
use embedded_storage::nor_flash::NorFlash;

use crate::{
    Adc, Clock, Entropy, Led, Network, Pins, Profile, Pwm, Reset, SecondCore, TemperatureSensor,
    Watchdog,
};

/// A board: what the node needs of the hardware, and all that a new board has to write.
///
/// A device that a board lacks is an implementation that says [`crate::Error::NoSuchDevice`]; the profile says so too,
/// so that nothing is scheduled onto it.
pub trait Board {
    /// Digital pins.
    type Pins: Pins;
    /// PWM outputs.
    type Pwm: Pwm;
    /// Analogue inputs.
    type Adc: Adc;
    /// The LED.
    type Led: Led;
    /// The chip's temperature.
    type Temperature: TemperatureSensor;
    /// The I²C bus.
    type I2c: I2c;
    /// The SPI device.
    type Spi: SpiDevice;
    /// The flash.
    type Flash: NorFlash;
    /// The TCP stack.
    type Network: Network;
    /// Monotonic time.
    type Clock: Clock;
    /// Randomness.
    type Entropy: Entropy;
    /// The watchdog.
    type Watchdog: Watchdog;
    /// The reset line.
    type Reset: Reset;
    /// The second core.
    type SecondCore: SecondCore;

    /// What the board is.
    fn profile(&self) -> &'static Profile;

    /// A number that no other board has, the same after every start: the flash chip's 64-bit id on a Pico.
    fn unique_id(&self) -> u64;

    /// Digital pins.
    fn pins(&mut self) -> &mut Self::Pins;
    /// PWM outputs.
    fn pwm(&mut self) -> &mut Self::Pwm;
    /// Analogue inputs.
    fn adc(&mut self) -> &mut Self::Adc;
    /// The LED.
    fn led(&mut self) -> &mut Self::Led;
    /// The chip's temperature.
    fn temperature(&mut self) -> &mut Self::Temperature;
    /// The I²C bus.
    fn i2c(&mut self) -> &mut Self::I2c;
    /// The SPI device.
    fn spi(&mut self) -> &mut Self::Spi;
    /// The flash.
    fn flash(&mut self) -> &mut Self::Flash;
    /// The TCP stack.
    fn network(&mut self) -> &mut Self::Network;
    /// Monotonic time.
    fn clock(&self) -> &Self::Clock;
    /// Randomness.
    fn entropy(&mut self) -> &mut Self::Entropy;
    /// The watchdog.
    fn watchdog(&mut self) -> &mut Self::Watchdog;
    /// The reset line.
    fn reset(&mut self) -> &mut Self::Reset;
    /// The second core.
    fn second_core(&mut self) -> &mut Self::SecondCore;
}
