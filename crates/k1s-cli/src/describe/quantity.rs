// SPDX-License-Identifier: Apache-2.0
//! Sums and shares of quantities; text that is no quantity counts as nothing.

use k1s_core::quantity::{Quantity, QuantityFormat};

/// The quantity of a text.
pub(crate) fn parse(text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_else(|_| Quantity::zero())
}

/// The part of a whole, in whole percent; CPUs are counted in thousandths.
pub(crate) fn percent(part: &Quantity, whole: &Quantity, cpu: bool) -> i64 {
    let of = |quantity: &Quantity| {
        if cpu {
            quantity.milli_value()
        } else {
            quantity.value()
        }
    };
    if of(whole) == 0 {
        0
    } else {
        (of(part) as f64 / of(whole) as f64 * 100.0) as i64
    }
}

/// A quantity divided by a unit, rounded up; CPUs are counted in thousandths.
pub(crate) fn divided(quantity: &str, divisor: &str, cpu: bool) -> i64 {
    let of = |quantity: &Quantity| {
        if cpu {
            quantity.milli_value()
        } else {
            quantity.value()
        }
    };
    let divisor = match of(&parse(divisor)) {
        0 if cpu => 1000,
        0 => 1,
        divisor => divisor,
    };
    of(&parse(quantity))
        .saturating_add(divisor - 1)
        .div_euclid(divisor)
}

/// A quantity, written with binary or decimal units as another is.
pub(crate) fn in_format_of(quantity: &str, other: &str) -> String {
    let (quantity, other) = (parse(quantity), parse(other));
    let same = (quantity.format() == QuantityFormat::BinarySi)
        == (other.format() == QuantityFormat::BinarySi);
    if same {
        quantity.to_string()
    } else {
        Quantity::new(quantity.value(), other.format()).to_string()
    }
}
