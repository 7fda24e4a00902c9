// SPDX-License-Identifier: Apache-2.0
//! What a plain word means in YAML 1.1, as Go's YAML package sees it.

use jiff::civil::Date;

/// The meaning of a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// Read as text, but written with quotes.
    Timestamp,
    /// The key `<<`.
    Merge,
    Text,
}

/// Resolves a plain scalar.
pub(super) fn resolve(text: &str) -> Scalar {
    let Some(first) = text.bytes().next() else {
        return Scalar::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'.' => match text {
            ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
            _ => text
                .parse()
                .ok()
                .filter(|float: &f64| float.is_finite())
                .map_or(Scalar::Text, Scalar::Float),
        },
        b'0'..=b'9' | b'+' | b'-' => number(text),
        b'<' if text == "<<" => Scalar::Merge,
        _ => Scalar::Text,
    }
}

fn word(text: &str) -> Scalar {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => Scalar::Text,
    }
}

fn number(text: &str) -> Scalar {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let plain: String = text.chars().filter(|character| *character != '_').collect();
    let (negative, digits) = match plain.as_bytes().first() {
        Some(b'-') => (true, plain.get(1..).unwrap_or_default()),
        Some(b'+') => (false, plain.get(1..).unwrap_or_default()),
        _ => (false, plain.as_str()),
    };
    let signed = plain.len() > digits.len();
    if let Some(magnitude) = integer(digits) {
        let value = if negative { -magnitude } else { magnitude };
        if let Ok(value) = i64::try_from(value) {
            return Scalar::Int(value);
        }
        if let (Ok(value), false) = (u64::try_from(value), signed) {
            return Scalar::Uint(value);
        }
    }
    if looks_like_float(digits)
        && let Some(float) = plain.parse().ok().filter(|float: &f64| float.is_finite())
    {
        return Scalar::Float(float);
    }
    Scalar::Text
}

/// An integer with Go's prefixes: `0x`, `0o`, `0b`, and a leading zero for octal.
fn integer(digits: &str) -> Option<i128> {
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    i128::from_str_radix(digits, radix).ok()
}

/// `1`, `1.`, `1.5`, `.5`, with an exponent or without; the sign is already off.
fn looks_like_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// One or two digits below `limit` at the front, and what follows.
fn small(text: &str, limit: i8) -> Option<(i8, &str)> {
    let count = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let value: i8 = text.get(..count)?.parse().ok()?;
    (value < limit).then_some((value, text.get(count..)?))
}

/// A date, or a date and a time, in the forms that Go's YAML package takes for a time.
fn is_timestamp(text: &str) -> bool {
    timestamp(text).is_some()
}

fn timestamp(text: &str) -> Option<()> {
    let (year, rest) = text.split_at_checked(4)?;
    if !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (month, rest) = small(rest.strip_prefix('-')?, 13)?;
    let (day, rest) = small(rest.strip_prefix('-')?, 32)?;
    Date::new(year.parse().ok()?, month, day).ok()?;
    if rest.is_empty() {
        return Some(());
    }
    let zoned = !rest.starts_with(' ');
    // Spaces in a layout match any number of them.
    let time = if zoned {
        rest.strip_prefix(['T', 't'])?
    } else {
        rest.trim_start_matches(' ')
    };
    let (_, rest) = small(time, 24)?;
    let (_, rest) = small(rest.strip_prefix(':')?, 60)?;
    let (_, rest) = small(rest.strip_prefix(':')?, 60)?;
    let rest = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let digits = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
            if digits.len() == fraction.len() {
                return None;
            }
            digits
        }
        None => rest,
    };
    if !zoned || rest == "Z" {
        return (zoned || rest.is_empty()).then_some(());
    }
    let (hours, minutes) = rest.strip_prefix(['+', '-'])?.split_once(':')?;
    let two = |text: &str, limit: i8| {
        text.len() == 2 && small(text, limit).is_some_and(|(_, rest)| rest.is_empty())
    };
    (two(hours, 25) && two(minutes, 61)).then_some(())
}

/// Sexagesimal numbers: text to every current reader, but older ones see a number, so it is quoted.
pub(super) fn is_sexagesimal(text: &str) -> bool {
    let mut parts = text.strip_prefix(['+', '-']).unwrap_or(text).split(':');
    let Some(first) = parts.next() else {
        return false;
    };
    let rest: Vec<&str> = parts.collect();
    let whole = first.starts_with(|first: char| first.is_ascii_digit())
        && first
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_');
    let sixty = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    let Some((last, middle)) = rest.split_last() else {
        return false;
    };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    whole
        && middle.iter().all(|part| sixty(part))
        && sixty(last)
        && fraction
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
}
