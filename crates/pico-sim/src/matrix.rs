// SPDX-License-Identifier: Apache-2.0
//! Four MAX7219 modules of 8 by 8 LEDs in a chain on the SPI device of a simulated board.

use std::convert::Infallible;

use embedded_hal::spi;

/// How many modules there are.
pub(crate) const MODULES: u8 = 4;

/// A module: the registers that matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Module {
    rows: [u8; 8],
    intensity: u8,
    is_on: bool,
    /// What is in its shift register.
    shifted: u16,
}

/// The chain; the first module is the one at the left, next to the board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedMatrix {
    modules: [Module; MODULES as usize],
}

impl LedMatrix {
    /// The rows as they are seen, `#` for an LED that is on.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        (0..8)
            .map(|row| {
                let module = |m: &Module| if m.is_on { m.rows[row] } else { 0 };
                let bits = self.modules.iter().map(module);
                bits.map(|bits| format!("{bits:08b}").replace('0', ".").replace('1', "#"))
                    .collect()
            })
            .collect()
    }

    /// How bright the modules are, 0 to 15; nothing while they are off.
    #[must_use]
    pub fn intensity(&self) -> Option<u8> {
        let module = &self.modules[0];
        module.is_on.then_some(module.intensity)
    }

    fn shift(&mut self, byte: u8) {
        let mut carry = byte;
        for module in &mut self.modules {
            let [out, _] = module.shifted.to_be_bytes();
            module.shifted = module.shifted << 8 | u16::from(carry);
            carry = out;
        }
    }

    /// The end of a transfer: each module takes what is in its shift register.
    fn latch(&mut self) {
        for module in &mut self.modules {
            let [register, value] = module.shifted.to_be_bytes();
            match register & 0xf {
                row @ 1..=8 => module.rows[usize::from(row) - 1] = value,
                0xa => module.intensity = value & 0xf,
                0xc => module.is_on = value & 1 == 1,
                _ => {}
            }
        }
    }
}

impl spi::ErrorType for LedMatrix {
    type Error = Infallible;
}

impl spi::SpiDevice for LedMatrix {
    fn transaction(
        &mut self,
        operations: &mut [spi::Operation<'_, u8>],
    ) -> Result<(), Self::Error> {
        for operation in operations {
            match operation {
                spi::Operation::Write(bytes) => bytes.iter().for_each(|byte| self.shift(*byte)),
                spi::Operation::Transfer(read, bytes) => {
                    bytes.iter().for_each(|byte| self.shift(*byte));
                    // Nothing is wired to the board's input: it reads as ones.
                    read.fill(0xff);
                }
                spi::Operation::TransferInPlace(bytes) => {
                    bytes.iter().for_each(|byte| self.shift(*byte));
                    bytes.fill(0xff);
                }
                spi::Operation::Read(bytes) => bytes.fill(0xff),
                spi::Operation::DelayNs(_) => {}
            }
        }
        self.latch();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal::spi::SpiDevice as _;

    use super::*;

    #[test]
    fn the_first_pair_of_a_transfer_goes_to_the_far_end() {
        let mut matrix = LedMatrix::default();
        let Ok(()) = matrix.write(&[0xc, 1].repeat(4));
        let Ok(()) = matrix.write(&[0xa, 8].repeat(4));
        let Ok(()) = matrix.write(&[1, 0x01, 1, 0x02, 1, 0x04, 1, 0x80]);
        assert_eq!(matrix.rows()[0], "#............#........#........#");
        assert_eq!(matrix.intensity(), Some(8));
        let Ok(()) = matrix.write(&[0xc, 0].repeat(4));
        assert_eq!(matrix.rows()[0], ".".repeat(32));
        assert_eq!(matrix.intensity(), None);
    }
}
