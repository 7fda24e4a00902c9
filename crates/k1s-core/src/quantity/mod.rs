// SPDX-License-Identifier: Apache-2.0
//! Resource quantities: `500m`, `1.5Gi`, `1e3`, as Kubernetes reads, compares, adds and prints them.
//!
//! A [`Quantity`] is an exact decimal number with the family of suffix it was written with.
//! What is finer than a billionth is rounded away from zero, and binary quantities are capped at
//! 2^63 - 1, as in Kubernetes. Some spellings that are canonical already are kept as they are
//! (`1.500`, `+5`), because clients see them come back.
//!
//! Not the same as in Kubernetes: more than 38 significant digits are refused, and 10^21 and above
//! prints with its suffix (`1000E`), where Kubernetes loses it.

mod amount;
mod parse;
mod print;
#[cfg(test)]
mod tests;

use amount::Amount;
use serde_json::Value;
use std::cmp::Ordering;
use std::str::FromStr;

/// Why a text is no quantity; `Display` is the message that Kubernetes gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not of the form number and suffix.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The number is missing or has more digits than can be kept.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// A sum has more digits than can be kept.
    #[error("the result has too many digits")]
    TooManyDigits,
}

/// Which family of suffix a quantity is printed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantityFormat {
    /// Powers of 1000: `n u m k M G T P E`.
    DecimalSi,
    /// Powers of 1024: `Ki Mi Gi Ti Pi Ei`.
    BinarySi,
    /// `e3`.
    DecimalExponent,
}

/// An exact amount of something, with the way to print it. Equality and order are those of the amount.
///
/// # Examples
/// ```
/// use k1s_core::quantity::Quantity;
/// let half: Quantity = "0.5".parse().unwrap();
/// assert_eq!(half.to_string(), "500m");
/// assert_eq!(half.add(&half).unwrap().to_string(), "1");
/// ```
#[derive(Clone, Debug)]
pub struct Quantity {
    amount: Amount,
    format: QuantityFormat,
    /// The text to print when it is not the canonical one.
    text: Option<Box<str>>,
}

impl Quantity {
    /// Nothing, printed as `0`.
    pub fn zero() -> Self {
        Self::new(0, QuantityFormat::DecimalSi)
    }

    /// A whole number.
    pub fn new(value: i64, format: QuantityFormat) -> Self {
        Self {
            amount: Amount::new(i128::from(value), 0),
            format,
            text: None,
        }
    }

    /// A number of thousandths.
    pub fn from_milli(value: i64, format: QuantityFormat) -> Self {
        Self {
            amount: Amount::new(i128::from(value), -3),
            format,
            text: None,
        }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// When the text is not a number with a known suffix.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse::parse(text)
    }

    /// Reads a JSON value: a string, around which space is ignored, a number, or null for zero.
    ///
    /// # Errors
    /// When it is none of these, or the text is no quantity.
    pub fn from_json(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::String(text) => Self::parse(text.trim()),
            Value::Null => Ok(Self::zero()),
            Value::Number(number) => {
                let text = number.to_string();
                Self::parse(text.strip_suffix(".0").unwrap_or(&text))
            }
            _ => Err(QuantityError::Format),
        }
    }

    /// The family of suffix.
    pub fn format(&self) -> QuantityFormat {
        self.format
    }

    /// The sum, printed like `self` unless that is zero.
    ///
    /// # Errors
    /// When the sum has more than 38 significant digits.
    pub fn add(&self, other: &Self) -> Result<Self, QuantityError> {
        let amount = self
            .amount
            .checked_add(other.amount)
            .ok_or(QuantityError::TooManyDigits)?;
        let format = if self.is_zero() {
            other.format
        } else {
            self.format
        };
        Ok(Self {
            amount,
            format,
            text: None,
        })
    }

    /// The difference, printed like `self` unless that is zero.
    ///
    /// # Errors
    /// When the difference has more than 38 significant digits.
    pub fn sub(&self, other: &Self) -> Result<Self, QuantityError> {
        self.add(&other.neg())
    }

    /// The amount with the other sign.
    pub fn neg(&self) -> Self {
        Self {
            amount: self.amount.neg(),
            format: self.format,
            text: None,
        }
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.amount.sign() == 0
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        self.amount.sign()
    }

    /// Whether the amount is a whole number.
    pub fn is_integer(&self) -> bool {
        self.amount.rounded_away(0) == self.amount
    }

    /// The amount in whole units, rounded away from zero, at most what an `i64` holds.
    pub fn value(&self) -> i64 {
        self.amount.scaled(0)
    }

    /// The amount in thousandths, rounded away from zero, at most what an `i64` holds.
    pub fn milli_value(&self) -> i64 {
        self.amount.scaled(-3)
    }

    /// The amount in whole units, if it is a whole number that an `i64` holds.
    pub fn to_i64(&self) -> Option<i64> {
        self.is_integer().then(|| self.amount.exact(0)).flatten()
    }

    /// The amount as a floating point number, as near as that can be.
    pub fn to_f64(&self) -> f64 {
        self.amount.to_f64()
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.amount.compare(other.amount)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}
