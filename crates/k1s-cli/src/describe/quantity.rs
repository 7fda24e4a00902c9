// SPDX-License-Identifier: Apache-2.0
//! Sums and shares of quantities.

use std::cmp::Ordering;
use std::fmt;

/// Billionths of the unit, with the way in which the quantity was written.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    nanos: i128,
    binary: bool,
}

impl Amount {
    /// The amount of a quantity; text that is none counts as nothing.
    pub(crate) fn parse(text: &str) -> Self {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-'))
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let scale: (i128, i128) = match unit {
            "n" => (1, 1),
            "u" => (1_000, 1),
            "m" => (1_000_000, 1),
            "" => (1_000_000_000, 1),
            "k" => (1_000_000_000, 1_000),
            "M" => (1_000_000_000, 1_000_000),
            "G" => (1_000_000_000, 1_000_000_000),
            "T" => (1_000_000_000, 1_000_000_000_000),
            "P" => (1_000_000_000, 1_000_000_000_000_000),
            "E" => (1_000_000_000, 1_000_000_000_000_000_000),
            "Ki" => (1_000_000_000, 1 << 10),
            "Mi" => (1_000_000_000, 1 << 20),
            "Gi" => (1_000_000_000, 1 << 30),
            "Ti" => (1_000_000_000, 1 << 40),
            "Pi" => (1_000_000_000, 1 << 50),
            "Ei" => (1_000_000_000, 1 << 60),
            _ => (0, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().unwrap_or_default();
        let nanos = digits * scale.0 * scale.1 / 10_i128.pow(fraction.len().min(18) as u32);
        Self {
            nanos,
            binary: unit.ends_with('i'),
        }
    }

    /// Adds another amount; nothing takes the other's way of writing.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.nanos == 0 {
            self.binary = other.binary;
        }
        self.nanos += other.nanos;
    }

    /// The part of another amount, in whole percent; CPUs are counted in thousandths.
    pub(crate) fn percent_of(&self, whole: &Self, cpu: bool) -> i64 {
        let of = |amount: &Self| {
            if cpu {
                amount.up(1_000_000)
            } else {
                amount.up(1_000_000_000)
            }
        };
        if of(whole) == 0 {
            0
        } else {
            (of(self) as f64 / of(whole) as f64 * 100.0) as i64
        }
    }

    fn up(&self, unit: i128) -> i128 {
        (self.nanos + unit - 1).div_euclid(unit)
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.nanos.cmp(&other.nanos))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNIT: i128 = 1_000_000_000;
        if self.binary && self.nanos % UNIT == 0 {
            let mut value = self.nanos / UNIT;
            let mut units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter();
            let mut unit = units.next();
            while value != 0 && value % 1024 == 0 && units.len() > 0 {
                value /= 1024;
                unit = units.next();
            }
            return write!(f, "{value}{}", unit.unwrap_or(&""));
        }
        let mut value = self.nanos;
        let mut units = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].iter();
        let mut unit = units.next();
        while value != 0 && value % 1000 == 0 && units.len() > 0 {
            value /= 1000;
            unit = units.next();
        }
        if value == 0 {
            write!(f, "0")
        } else {
            write!(f, "{value}{}", unit.unwrap_or(&""))
        }
    }
}

/// A quantity divided by a unit, rounded up.
pub(crate) fn divided(quantity: &str, divisor: &str, _cpu: bool) -> i128 {
    let divisor = Amount::parse(divisor).nanos;
    Amount::parse(quantity).up(if divisor == 0 { 1_000_000_000 } else { divisor })
}

/// A quantity, written with binary or decimal units as another is.
pub(crate) fn in_format_of(quantity: &str, other: &str) -> String {
    let (mut amount, other) = (Amount::parse(quantity), Amount::parse(other));
    if amount.binary == other.binary {
        return quantity.to_owned();
    }
    amount.binary = other.binary;
    amount.to_string()
}
