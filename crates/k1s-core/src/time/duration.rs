// SPDX-License-Identifier: Apache-2.0
//! Durations in Go's notation: `1h30m`, `1.5s`, `-2ms`.

use super::quoted;
use jiff::SignedDuration;
use std::fmt::Write;

/// Why a text is no duration; `Display` is the message that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form number, unit, number, unit …, or more than 292 years.
    #[error("time: invalid duration {}", quoted(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", quoted(.0))]
    MissingUnit(String),
    /// A unit other than `ns`, `us`, `ms`, `s`, `m`, `h`.
    #[error("time: unknown unit {} in duration {}", quoted(.unit), quoted(.text))]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// One more than the nanoseconds that a Go duration can hold.
const LIMIT: u64 = 1 << 63;

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Reads a `metav1.Duration`.
///
/// # Errors
/// When a number has no known unit, or the whole does not fit 64 bits of nanoseconds.
pub fn parse_duration(text: &str) -> Result<SignedDuration, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let length = after
            .bytes()
            .position(|byte| byte == b'.' || byte.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let number: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| invalid())?
        };
        let nanoseconds = match unit {
            "" => return Err(DurationError::MissingUnit(text.to_owned())),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => {
                return Err(DurationError::UnknownUnit {
                    unit: unit.to_owned(),
                    text: text.to_owned(),
                });
            }
        };
        let part = number
            .checked_mul(nanoseconds)
            .and_then(|part| part.checked_add(share(fraction, nanoseconds)));
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= LIMIT)
            .ok_or_else(invalid)?;
        rest = after;
    }
    let signed = i128::from(total) * if negative { -1 } else { 1 };
    i64::try_from(signed)
        .map(SignedDuration::from_nanos)
        .map_err(|_| invalid())
}

/// The nanoseconds in a decimal fraction of a unit; what is finer is cut off.
fn share(fraction: &str, nanoseconds: u64) -> u64 {
    let mut value = 0_u64;
    let mut scale = 1_u64;
    for digit in fraction.bytes().take(18) {
        value = value * 10 + u64::from(digit - b'0');
        scale *= 10;
    }
    let product = u128::from(value) * u128::from(nanoseconds) / u128::from(scale);
    u64::try_from(product).unwrap_or(u64::MAX)
}

/// Writes a duration as Go does: `1h30m0s`, `1.5s`, `2ms`, `0s`.
pub fn print_duration(duration: SignedDuration) -> String {
    let nanoseconds = duration.as_nanos();
    let mut out = String::new();
    if nanoseconds < 0 {
        out.push('-');
    }
    let total = nanoseconds.unsigned_abs();
    let (unit, digits, name) = match total {
        0 => return "0s".to_owned(),
        1..1_000 => (1, 0, "ns"),
        1_000..1_000_000 => (1_000, 3, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, 6, "ms"),
        _ => (1_000_000_000, 9, "s"),
    };
    let mut whole = total / unit;
    let fraction = format!("{:0digits$}", total % unit);
    if name == "s" {
        let minutes = whole / 60;
        whole %= 60;
        // Writing to a string cannot fail.
        if minutes >= 60 {
            _ = write!(out, "{}h", minutes / 60);
        }
        if minutes > 0 {
            _ = write!(out, "{}m", minutes % 60);
        }
    }
    _ = write!(out, "{whole}");
    let fraction = if digits == 0 {
        ""
    } else {
        fraction.trim_end_matches('0')
    };
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out.push_str(name);
    out
}
