// SPDX-License-Identifier: Apache-2.0
//! PWM, ADC, the LED and the chip's own temperature.

use crate::Error;

/// PWM outputs, by GPIO number.
pub trait Pwm {
    /// The duty value that is always on; the resolution.
    const MAX_DUTY: u16 = u16::MAX;

    /// Drives a pin with `duty / u16::MAX` of the time high, at a frequency in hertz.
    ///
    /// Pins that share a slice share the frequency; pins that share a channel share the duty as well.
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`] for a pin that is not on the header, [`Error::OutOfRange`] for a frequency that the
    /// chip's divider cannot make.
    fn set(&mut self, pin: u8, frequency_hz: u32, duty: u16) -> Result<(), Error>;

    /// Stops the output and leaves the pin disabled.
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`] for a pin that is not on the header.
    fn stop(&mut self, pin: u8) -> Result<(), Error>;
}

/// Analogue inputs, by channel.
pub trait Adc {
    /// One conversion, scaled to the full range of 16 bits whatever the converter's own width.
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`] for a channel that is not on the header.
    fn read(&mut self, channel: u8) -> Result<u16, Error>;
}

/// The LED on the board. On a Pico W it hangs on the radio, so it can fail when the radio does.
pub trait Led {
    /// Switches it.
    ///
    /// # Errors
    /// [`Error::Hardware`] when the chip that drives it does not answer.
    fn set(&mut self, on: bool) -> Result<(), Error>;

    /// Whether it is on.
    fn is_on(&self) -> bool;
}

/// The temperature sensor inside the chip.
pub trait TemperatureSensor {
    /// The chip's temperature in thousandths of a degree Celsius. Uncalibrated sensors are off by several degrees.
    ///
    /// # Errors
    /// [`Error::Hardware`] when the conversion fails.
    fn millicelsius(&mut self) -> Result<i32, Error>;
}

/// What a 12-bit reading of the RP2040's (and RP2350's) temperature input means, in thousandths of a degree Celsius.
///
/// T = 27 − (V − 0.706) / 0.001721, V = raw × 3.3 / 4096, in integers; an error of less than 0.01 °C.
#[must_use]
pub const fn chip_temperature_millicelsius(raw12: u16) -> i32 {
    // microvolts = raw * 3_300_000 / 4096
    let microvolts = (raw12 as i64 * 3_300_000) / 4096;
    (27_000 - ((microvolts - 706_000) * 1000) / 1721) as i32
}

#[cfg(test)]
mod tests {
    use super::chip_temperature_millicelsius;

    #[test]
    fn temperature_formula() {
        // 0.706 V is 27 degrees; one more step of the converter is about half a degree less
        for (raw, expected) in [
            (876, 27_144),
            (877, 26_675),
            (0, 437_226),
            (4095, -1_479_790),
        ] {
            assert!(
                (chip_temperature_millicelsius(raw) - expected).abs() < 300,
                "{raw}: {}",
                chip_temperature_millicelsius(raw)
            );
        }
        let step = chip_temperature_millicelsius(876) - chip_temperature_millicelsius(877);
        assert!((460..=475).contains(&step), "{step}");
    }
}
