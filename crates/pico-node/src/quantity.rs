// SPDX-License-Identifier: Apache-2.0
//! Kubernetes quantities in whole thousandths: `500m`, `64Ki`, `1.5G`.

/// A quantity in thousandths, rounded up; `None` if it is no quantity, or negative, or beyond 2^63.
///
/// ```
/// assert_eq!(pico_node::quantity::milli("500m"), Some(500));
/// assert_eq!(pico_node::quantity::milli("1.5Ki"), Some(1_536_000));
/// assert_eq!(pico_node::quantity::milli("1e3"), Some(1_000_000));
/// ```
#[must_use]
pub fn milli(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '+')
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
        return None;
    }
    let (factor, divisor): (u128, u128) = match suffix {
        "n" => (1, 1_000_000),
        "u" => (1, 1000),
        "m" => (1, 1),
        "" => (1000, 1),
        "k" => (1_000_000, 1),
        "M" => (1_000_000_000, 1),
        "G" => (1_000_000_000_000, 1),
        "T" => (1_000_000_000_000_000, 1),
        "Ki" => (1000 << 10, 1),
        "Mi" => (1000 << 20, 1),
        "Gi" => (1000 << 30, 1),
        "Ti" => (1000 << 40, 1),
        _ => {
            let exponent: u32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            (10u128.checked_pow(exponent)?.checked_mul(1000)?, 1)
        }
    };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let number = |text: &str| text.parse::<u128>().ok().or(text.is_empty().then_some(0));
    let value = number(whole)?
        .checked_mul(scale)?
        .checked_add(number(fraction)?)?
        .checked_mul(factor)?;
    u64::try_from(value.div_ceil(scale * divisor))
        .ok()
        .filter(|v| i64::try_from(*v).is_ok())
}

/// A quantity in whole units (bytes, pins), rounded up.
#[must_use]
pub fn whole(text: &str) -> Option<u64> {
    milli(text).map(|m| m.div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1", Some(1000)),
            ("0.1", Some(100)),
            ("100m", Some(100)),
            ("64Ki", Some(65_536_000)),
            ("200M", Some(200_000_000_000)),
            (".5", Some(500)),
            ("1n", Some(1)),
            ("1e2", Some(100_000)),
            ("+3", Some(3000)),
            ("", None),
            ("-1", None),
            ("1 Ki", None),
            ("1x", None),
            ("1e99", None),
            ("..1", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(milli(text), expected, "{text}");
        }
        assert_eq!(whole("100m"), Some(1));
    }

    proptest::proptest! {
        #[test]
        fn anything_may_come(text in ".{0,30}") {
            let _ = milli(&text);
        }
    }
}
