// SPDX-License-Identifier: Apache-2.0
//! Numbers of any size, as exact as they came.

use std::fmt;

/// A number: whole and in 64 bits, else a float that is exact, else decimal text.
#[derive(Clone, Debug)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A binary fraction.
    Float(f64),
    /// What fits neither, in decimal.
    Decimal(String),
}

impl Number {
    /// Reads decimal text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = match text.split_once('.') {
            Some((whole, fraction)) if !whole.is_empty() && fraction.bytes().all(|b| b == b'0') => {
                whole
            }
            _ => text,
        };
        if let Ok(whole) = text.parse::<i64>() {
            return Some(Self::Int(whole));
        }
        let float: f64 = text.parse().ok()?;
        if !float.is_finite() || !text.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        // exact only when the shortest text of the float is the text that came
        if float.to_string() == text {
            Some(Self::Float(float))
        } else {
            Some(Self::Decimal(text.to_owned()))
        }
    }

    /// The whole number, if it is one that 64 bits hold.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            Self::Float(f) => {
                let whole = f.trunc();
                (whole == *f && whole.abs() < 9_007_199_254_740_992.0)
                    .then(|| format!("{whole:.0}").parse().ok())
                    .flatten()
            }
            Self::Decimal(_) => None,
        }
    }

    /// The nearest float.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "the nearest float is what is asked for"
            )]
            Self::Int(n) => *n as f64,
            Self::Float(f) => *f,
            Self::Decimal(text) => text.parse().unwrap_or(f64::NAN),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_i64(), other.as_i64()) {
            (Some(a), Some(b)) => a == b,
            (None, None) => self.to_string() == other.to_string(),
            _ => false,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Float(x) => x.fmt(f),
            Self::Decimal(text) => f.write_str(text),
        }
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<f64> for Number {
    fn from(x: f64) -> Self {
        Self::Float(x)
    }
}
