// SPDX-License-Identifier: Apache-2.0
//! From text to quantity.

use super::amount::Amount;
use super::{Quantity, QuantityError, QuantityFormat};

/// Finest exponent that is kept: billionths.
const NANO: i32 = -9;
/// No binary quantity is larger.
const LARGEST_BINARY: Amount = Amount {
    mantissa: i64::MAX as i128,
    exponent: 0,
};
/// Digits that Kubernetes handles without big numbers: only such quantities keep their spelling.
const QUICK_DIGITS: usize = 18;

/// The parts of a quantity as written.
struct Parts<'a> {
    negative: bool,
    /// Digits before the point, without leading zeros.
    whole: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    /// Whether there is any digit at all.
    has_digits: bool,
    suffix: &'a str,
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (integer, rest) = digits(unsigned);
    let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), digits);
    let after_letters =
        suffix.trim_start_matches(['e', 'E', 'i', 'n', 'u', 'm', 'k', 'K', 'M', 'G', 'T', 'P']);
    let exponent = after_letters
        .strip_prefix(['-', '+'])
        .unwrap_or(after_letters);
    if !digits(exponent).1.is_empty() {
        return Err(QuantityError::Format);
    }
    let has_digits = !(integer.is_empty() && fraction.is_empty());
    Ok(Parts {
        negative,
        whole: integer.trim_start_matches('0'),
        fraction,
        has_digits,
        suffix,
    })
}

/// The power that a suffix stands for, of two for binary ones and of ten else.
fn power(suffix: &str) -> Option<(i32, QuantityFormat)> {
    use QuantityFormat::{BinarySi, DecimalExponent, DecimalSi};
    Some(match suffix {
        "n" => (-9, DecimalSi),
        "u" => (-6, DecimalSi),
        "m" => (-3, DecimalSi),
        "" => (0, DecimalSi),
        "k" => (3, DecimalSi),
        "M" => (6, DecimalSi),
        "G" => (9, DecimalSi),
        "T" => (12, DecimalSi),
        "P" => (15, DecimalSi),
        "E" => (18, DecimalSi),
        "Ki" => (10, BinarySi),
        "Mi" => (20, BinarySi),
        "Gi" => (30, BinarySi),
        "Ti" => (40, BinarySi),
        "Pi" => (50, BinarySi),
        "Ei" => (60, BinarySi),
        _ => (
            suffix.strip_prefix(['e', 'E'])?.parse().ok()?,
            DecimalExponent,
        ),
    })
}

pub(super) fn parse(text: &str) -> Result<Quantity, QuantityError> {
    if text.is_empty() {
        return Err(QuantityError::Format);
    }
    let parts = split(text)?;
    let (power, mut format) = power(parts.suffix).ok_or(QuantityError::Suffix)?;
    // Without any digit Kubernetes takes zero, but only where it needs no big numbers.
    if !parts.has_digits && (power > 40 && format == QuantityFormat::BinarySi || power < NANO) {
        return Err(QuantityError::Numeric);
    }
    let amount = amount(&parts, power, format)?;
    if format == QuantityFormat::BinarySi && amount.is_fraction() {
        format = QuantityFormat::DecimalSi;
    }
    let text = (amount.sign() != 0 && keeps_spelling(&parts, power, format)).then(|| text.into());
    Ok(Quantity {
        amount,
        format,
        text,
    })
}

fn amount(parts: &Parts<'_>, power: i32, format: QuantityFormat) -> Result<Amount, QuantityError> {
    let binary = format == QuantityFormat::BinarySi;
    let decimal_power = if binary { 0 } else { power };
    // Digits beyond the billionth only decide whether to round; those of binary numbers count on.
    let fraction = parts.fraction.trim_end_matches('0');
    let too_fine = if binary {
        0
    } else {
        let finest = i64::try_from(fraction.len()).unwrap_or(i64::MAX) - i64::from(decimal_power);
        usize::try_from(finest + i64::from(NANO)).unwrap_or(0)
    };
    let (kept, dropped) = cut(parts.whole, fraction, too_fine);
    let mut mantissa = 0_i128;
    let mut trailing_zeros = 0_u32;
    for digit in kept {
        if digit == b'0' {
            trailing_zeros += 1;
            continue;
        }
        let shift = 10_i128
            .checked_pow(trailing_zeros + 1)
            .ok_or(QuantityError::Numeric)?;
        mantissa = mantissa
            .checked_mul(shift)
            .and_then(|mantissa| mantissa.checked_add(i128::from(digit - b'0')))
            .ok_or(QuantityError::Numeric)?;
        trailing_zeros = 0;
    }
    let written = i64::from(trailing_zeros) + i64::from(decimal_power)
        - i64::try_from(fraction.len()).unwrap_or(i64::MAX)
        + i64::try_from(too_fine).unwrap_or(i64::MAX);
    let mut exponent = i32::try_from(written).map_err(|_| QuantityError::Numeric)?;
    if binary {
        // Long before the multiplication overflows, the number is above the cap.
        if Amount::new(mantissa, exponent)
            .compare(LARGEST_BINARY)
            .is_gt()
        {
            mantissa = LARGEST_BINARY.mantissa;
            exponent = 0;
        } else {
            let product = mantissa.checked_mul(1_i128 << power);
            mantissa = product.ok_or(QuantityError::Numeric)?;
        }
    }
    if dropped {
        let shift = 10_i128
            .checked_pow(trailing_zeros)
            .ok_or(QuantityError::Numeric)?;
        mantissa = mantissa.checked_mul(shift).ok_or(QuantityError::Numeric)? + 1;
        exponent -= i32::try_from(trailing_zeros).unwrap_or(0);
    }
    let amount = Amount::checked(mantissa, exponent)
        .ok_or(QuantityError::Numeric)?
        .rounded_away(NANO);
    let amount = if binary && amount.compare(LARGEST_BINARY).is_gt() {
        LARGEST_BINARY
    } else {
        amount
    };
    Ok(if parts.negative { amount.neg() } else { amount })
}

/// All digits but the last `count`, and whether one of those is not zero.
fn cut<'a>(
    whole: &'a str,
    fraction: &'a str,
    count: usize,
) -> (impl Iterator<Item = u8> + 'a, bool) {
    let digits = whole.bytes().chain(fraction.bytes());
    let kept = (whole.len() + fraction.len()).saturating_sub(count);
    let dropped = digits.clone().skip(kept).any(|digit| digit != b'0');
    (digits.take(kept), dropped)
}

/// Kubernetes keeps a spelling when it looks canonical at first sight: few digits, no zeros to
/// take away, and a power that has a suffix.
fn keeps_spelling(parts: &Parts<'_>, power: i32, format: QuantityFormat) -> bool {
    let whole = if parts.whole.is_empty() {
        "0"
    } else {
        parts.whole
    };
    match format {
        QuantityFormat::BinarySi => {
            let quick = parts.fraction.is_empty()
                && whole.len() + usize::try_from(power * 3 / 10).unwrap_or(0) <= 14;
            quick && whole.parse::<u64>().is_ok_and(|value| value & 7 != 0)
        }
        QuantityFormat::DecimalSi | QuantityFormat::DecimalExponent => {
            let digits = whole.len() + parts.fraction.len();
            let Some(scale) = i32::try_from(parts.fraction.len())
                .ok()
                .and_then(|length| power.checked_sub(length))
            else {
                return false;
            };
            let ends_with_thousand = format!("{whole}{}", parts.fraction).ends_with("000");
            digits <= QUICK_DIGITS
                && scale >= NANO
                && scale % 3 == 0
                && !ends_with_thousand
                && !whole.starts_with('0')
        }
    }
}
