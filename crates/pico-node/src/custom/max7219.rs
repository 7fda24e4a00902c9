// SPDX-License-Identifier: Apache-2.0
//! A chain of MAX7219 modules of 8 by 8 LEDs on the board's SPI device, and letters of 3 by 5.
//!
//! Each transfer has two bytes a module, register and value; the first pair goes to the module at the far end.

use alloc::vec::Vec;

use pico_eci::HostError;

use crate::runtime::Devices;

/// Registers of the chip; the rows are 1 to 8.
const DECODE: u8 = 0x9;
const INTENSITY: u8 = 0xa;
const SCAN_LIMIT: u8 = 0xb;
const SHUTDOWN: u8 = 0xc;
const TEST: u8 = 0xf;

/// Columns of a letter, the gap behind it included.
const ADVANCE: u32 = 4;
/// The row of a letter's top.
const TOP: u8 = 1;
/// Letters are this high.
const HEIGHT: u8 = 5;

/// Each digit of five is a row of three LEDs, the top one first.
const GLYPHS: &[(char, u16)] = &[
    (' ', 0o00000),
    ('!', 0o22202),
    ('%', 0o51245),
    ('\'', 0o22000),
    ('(', 0o12221),
    (')', 0o42224),
    ('*', 0o05250),
    ('+', 0o02720),
    (',', 0o00024),
    ('-', 0o00700),
    ('.', 0o00002),
    ('/', 0o11244),
    ('0', 0o75557),
    ('1', 0o26227),
    ('2', 0o71747),
    ('3', 0o71717),
    ('4', 0o55711),
    ('5', 0o74717),
    ('6', 0o74757),
    ('7', 0o71122),
    ('8', 0o75757),
    ('9', 0o75717),
    (':', 0o02020),
    ('=', 0o07070),
    ('?', 0o71202),
    ('A', 0o25755),
    ('B', 0o65656),
    ('C', 0o34443),
    ('D', 0o65556),
    ('E', 0o74647),
    ('F', 0o74644),
    ('G', 0o34553),
    ('H', 0o55755),
    ('I', 0o72227),
    ('J', 0o11152),
    ('K', 0o55655),
    ('L', 0o44447),
    ('M', 0o57755),
    ('N', 0o65555),
    ('O', 0o25552),
    ('P', 0o65644),
    ('Q', 0o25563),
    ('R', 0o65655),
    ('S', 0o34216),
    ('T', 0o72222),
    ('U', 0o55557),
    ('V', 0o55552),
    ('W', 0o55775),
    ('X', 0o55255),
    ('Y', 0o55222),
    ('Z', 0o71247),
    ('_', 0o00007),
    ('°', 0o25200),
];
/// A character that has no glyph.
const UNKNOWN: u16 = 0o77777;

fn glyph(c: char) -> u16 {
    let c = c.to_ascii_uppercase();
    let found = GLYPHS.binary_search_by_key(&c, |(known, _)| *known);
    found.map_or(UNKNOWN, |n| GLYPHS[n].1)
}

/// Whether the LED in this column and row of a text is on.
fn is_lit(letters: &[u16], column: u32, row: u8) -> bool {
    let place = usize::try_from(column / ADVANCE).unwrap_or(usize::MAX);
    let x = column % ADVANCE;
    let Some(y) = row.checked_sub(TOP).filter(|y| *y < HEIGHT) else {
        return false;
    };
    let Some(letter) = letters.get(place).filter(|_| x < ADVANCE - 1) else {
        return false;
    };
    let line = letter >> (3 * (HEIGHT - 1 - y)) & 0o7;
    line >> (ADVANCE - 2 - x) & 1 == 1
}

/// The modules.
pub(super) struct Display<'a> {
    modules: u8,
    devices: &'a mut dyn Devices,
}

impl<'a> Display<'a> {
    pub(super) fn new(modules: u8, devices: &'a mut dyn Devices) -> Self {
        Self { modules, devices }
    }

    pub(super) fn modules(&self) -> u8 {
        self.modules
    }

    fn columns(&self) -> u32 {
        u32::from(self.modules) * 8
    }

    /// Whether a text needs no running.
    pub(super) fn fits(&self, text: &str) -> bool {
        let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        // The gap behind the last letter may stand outside.
        letters.saturating_mul(ADVANCE) <= self.columns() + 1
    }

    fn all(&mut self, register: u8, value: u8) -> Result<(), HostError> {
        let pairs = [register, value].repeat(self.modules.into());
        self.devices.write_spi(&pairs)
    }

    /// Switches the modules on, so bright of 255.
    pub(super) fn start(&mut self, brightness: u8) -> Result<(), HostError> {
        for (register, value) in [
            (TEST, 0),
            (DECODE, 0),
            (SCAN_LIMIT, 7),
            (INTENSITY, brightness >> 4),
            (SHUTDOWN, 1),
        ] {
            self.all(register, value)?;
        }
        Ok(())
    }

    /// Switches the modules off.
    pub(super) fn stop(&mut self) -> Result<(), HostError> {
        self.all(SHUTDOWN, 0)
    }

    /// Shows a text that has moved so many columns to the left; behind its end a gap as wide as the display follows,
    /// and then the text again.
    pub(super) fn show(&mut self, text: &str, moved: u32) -> Result<(), HostError> {
        let letters: Vec<u16> = text.chars().map(glyph).collect();
        let length = u32::try_from(letters.len()).unwrap_or(0) * ADVANCE;
        let period = length + self.columns();
        let from = if self.fits(text) {
            0
        } else {
            moved % period.max(1)
        };
        let mut pairs = Vec::with_capacity(usize::from(self.modules) * 2);
        for row in 0..8 {
            pairs.clear();
            for module in (0..self.modules).rev() {
                let first = from + u32::from(module) * 8;
                let bits = (0..8).fold(0, |bits, x| {
                    let column = (first + x) % period.max(1);
                    bits << 1 | u8::from(is_lit(&letters, column, row))
                });
                pairs.extend([row + 1, bits]);
            }
            self.devices.write_spi(&pairs)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_are_sorted() {
        assert!(GLYPHS.is_sorted_by_key(|(c, _)| *c));
        assert_eq!(glyph('a'), glyph('A'));
        assert_eq!(glyph('~'), UNKNOWN);
    }

    #[test]
    fn letters_have_rows_and_a_gap() {
        let letters = [glyph('L'), glyph('1')];
        let row = |row| {
            let lit = (0..8).map(|column| {
                if is_lit(&letters, column, row) {
                    '#'
                } else {
                    '.'
                }
            });
            lit.collect::<alloc::string::String>()
        };
        assert_eq!(row(0), "........");
        assert_eq!(row(1), "#....#..");
        assert_eq!(row(2), "#...##..");
        assert_eq!(row(5), "###.###.");
        assert_eq!(row(6), "........");
    }
}
