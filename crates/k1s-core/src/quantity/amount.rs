// SPDX-License-Identifier: Apache-2.0
//! Exact decimal numbers: a mantissa of at most 38 digits times a power of ten.

use std::cmp::Ordering;

/// The first number with 39 digits; every mantissa is nearer to zero.
const LIMIT: u128 = 10_u128.pow(38);

/// `mantissa * 10^exponent`, without factors of ten in the mantissa; zero has exponent zero.
/// So equal numbers are equal in both fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) mantissa: i128,
    pub(super) exponent: i32,
}

impl Amount {
    /// A mantissa that an `i64` could hold, or that is known to be below the limit.
    pub(super) fn new(mantissa: i128, exponent: i32) -> Self {
        let mut amount = Self { mantissa, exponent };
        if mantissa == 0 {
            amount.exponent = 0;
        }
        while amount.mantissa != 0 && amount.mantissa % 10 == 0 {
            amount.mantissa /= 10;
            amount.exponent = amount.exponent.saturating_add(1);
        }
        amount
    }

    /// The same, unless it has too many digits.
    pub(super) fn checked(mantissa: i128, exponent: i32) -> Option<Self> {
        let amount = Self::new(mantissa, exponent);
        (amount.mantissa.unsigned_abs() < LIMIT).then_some(amount)
    }

    pub(super) fn sign(self) -> i32 {
        match self.mantissa.cmp(&0) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }
    }

    /// Whether it lies between -1 and 1 without being one of -1, 0 and 1.
    pub(super) fn is_fraction(self) -> bool {
        self.mantissa != 0 && self.magnitude() <= 0
    }

    pub(super) fn neg(self) -> Self {
        Self {
            mantissa: -self.mantissa,
            exponent: self.exponent,
        }
    }

    /// The mantissa at a smaller exponent, when that fits.
    fn mantissa_at(self, exponent: i32) -> Option<i128> {
        let digits = u32::try_from(self.exponent.checked_sub(exponent)?).ok()?;
        self.mantissa.checked_mul(10_i128.checked_pow(digits)?)
    }

    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        if self.mantissa == 0 {
            return Some(other);
        }
        if other.mantissa == 0 {
            return Some(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let sum = self
            .mantissa_at(exponent)?
            .checked_add(other.mantissa_at(exponent)?)?;
        Self::checked(sum, exponent)
    }

    /// Decimal digits before the point if there were only digits: orders magnitudes.
    fn magnitude(self) -> i64 {
        let digits = self
            .mantissa
            .unsigned_abs()
            .checked_ilog10()
            .map_or(0, |log| i64::from(log) + 1);
        digits + i64::from(self.exponent)
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        let by_sign = self.sign().cmp(&other.sign());
        if by_sign != Ordering::Equal || self.mantissa == 0 {
            return by_sign;
        }
        let by_magnitude = self.magnitude().cmp(&other.magnitude());
        if by_magnitude != Ordering::Equal {
            return if self.mantissa > 0 {
                by_magnitude
            } else {
                by_magnitude.reverse()
            };
        }
        // Of the same magnitude, both have at most 38 digits at the smaller exponent.
        let exponent = self.exponent.min(other.exponent);
        self.mantissa_at(exponent).cmp(&other.mantissa_at(exponent))
    }

    /// Rounded away from zero to a multiple of `10^exponent`.
    pub(super) fn rounded_away(self, exponent: i32) -> Self {
        if self.exponent >= exponent {
            return self;
        }
        let digits = exponent.saturating_sub(self.exponent);
        let power = u32::try_from(digits)
            .ok()
            .and_then(|digits| 10_i128.checked_pow(digits));
        let mantissa = match power {
            Some(power) => {
                self.mantissa / power
                    + if self.mantissa % power == 0 {
                        0
                    } else {
                        self.mantissa.signum()
                    }
            }
            None => self.mantissa.signum(),
        };
        Self::new(mantissa, exponent)
    }

    /// The number of `10^exponent` in the amount, if it is a whole one that fits.
    pub(super) fn exact(self, exponent: i32) -> Option<i64> {
        if self.mantissa == 0 {
            return Some(0);
        }
        i64::try_from(self.mantissa_at(exponent)?).ok()
    }

    /// The number of `10^exponent` in the amount, rounded away from zero, as far as it fits.
    pub(super) fn scaled(self, exponent: i32) -> i64 {
        let bound = if self.mantissa < 0 {
            i64::MIN
        } else {
            i64::MAX
        };
        self.rounded_away(exponent).exact(exponent).unwrap_or(bound)
    }

    pub(super) fn to_f64(self) -> f64 {
        format!("{}e{}", self.mantissa, self.exponent)
            .parse()
            .unwrap_or(f64::NAN)
    }
}
