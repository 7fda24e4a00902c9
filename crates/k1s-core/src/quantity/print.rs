// SPDX-License-Identifier: Apache-2.0
//! The canonical text of a quantity.

use super::amount::Amount;
use super::{Quantity, QuantityFormat};
use std::fmt::{self, Display};

impl Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return out.write_str(text);
        }
        if self.is_zero() {
            return out.write_str("0");
        }
        let below_kibi = self.amount.compare(Amount::new(1024, 0)).is_lt()
            && self.amount.compare(Amount::new(-1024, 0)).is_gt();
        match self.format {
            QuantityFormat::BinarySi if !below_kibi && self.is_integer() => self.binary(out),
            QuantityFormat::DecimalExponent => self.decimal(out, false),
            QuantityFormat::BinarySi | QuantityFormat::DecimalSi => self.decimal(out, true),
        }
    }
}

impl Quantity {
    fn binary(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        let Some(mut value) = whole(self.amount) else {
            return self.decimal(out, true);
        };
        let mut suffixes = SUFFIXES.into_iter();
        let mut suffix = suffixes.next();
        while value % 1024 == 0 && suffixes.len() > 0 {
            value /= 1024;
            suffix = suffixes.next();
        }
        write!(out, "{value}{}", suffix.unwrap_or_default())
    }

    fn decimal(&self, out: &mut fmt::Formatter<'_>, with_suffix: bool) -> fmt::Result {
        let (mantissa, mut exponent) = (self.amount.mantissa, self.amount.exponent);
        let mut zeros = usize::try_from(exponent.rem_euclid(3)).unwrap_or(0);
        exponent -= exponent.rem_euclid(3);
        if with_suffix && exponent > 18 {
            zeros += usize::try_from(exponent - 18).unwrap_or(0);
            exponent = 18;
        }
        write!(out, "{mantissa}{:0<zeros$}", "")?;
        match (with_suffix, exponent) {
            (_, 0) => Ok(()),
            (false, _) => write!(out, "e{exponent}"),
            (true, -9) => out.write_str("n"),
            (true, -6) => out.write_str("u"),
            (true, -3) => out.write_str("m"),
            (true, 3) => out.write_str("k"),
            (true, 6) => out.write_str("M"),
            (true, 9) => out.write_str("G"),
            (true, 12) => out.write_str("T"),
            (true, 15) => out.write_str("P"),
            (true, _) => out.write_str("E"),
        }
    }
}

/// A whole amount as one number, if it has at most 38 digits.
fn whole(amount: Amount) -> Option<i128> {
    let power = 10_i128.checked_pow(u32::try_from(amount.exponent).ok()?)?;
    amount.mantissa.checked_mul(power)
}
