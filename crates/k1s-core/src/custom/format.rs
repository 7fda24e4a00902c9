// SPDX-License-Identifier: Apache-2.0
//! The formats of strings that are checked. One that is not known here says nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use jiff::civil::Date;

use crate::name;

/// The formats that a definition may name without a warning.
const KNOWN: [&str; 32] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "date-time",
    "datetime",
    "double",
    "duration",
    "email",
    "float",
    "hexcolor",
    "hostname",
    "int32",
    "int64",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8s-long-name",
    "k8s-short-name",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "",
];

/// Whether a format is one that means something.
#[must_use]
pub fn is_known(format: &str) -> bool {
    KNOWN.contains(&format)
}

/// Whether a text has the form that a format names.
pub(super) fn is_valid(format: &str, text: &str) -> bool {
    match format {
        "byte" => base64::engine::general_purpose::STANDARD
            .decode(text)
            .is_ok(),
        "cidr" => is_cidr(text),
        "date" => text.parse::<Date>().is_ok() && text.len() == 10,
        "date-time" | "datetime" => is_date_time(text),
        "duration" => is_duration(text),
        "email" => is_email(text),
        "hexcolor" => is_hex_color(text),
        "hostname" => text.len() <= 255 && name::dns1123_subdomain_caseless(text).is_empty(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "isbn" => is_isbn(text, &[10, 13]),
        "isbn10" => is_isbn(text, &[10]),
        "isbn13" => is_isbn(text, &[13]),
        "k8s-long-name" => name::dns1123_subdomain(text).is_empty(),
        "k8s-short-name" => name::dns1123_label(text).is_empty(),
        "mac" => is_mac(text),
        "uri" => is_uri(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        "creditcard" => is_credit_card(text),
        "rgbcolor" => is_rgb_color(text),
        "ssn" => is_ssn(text),
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()),
        _ => true,
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|b| b <= most) && bits.bytes().all(|b| b.is_ascii_digit())
}

/// RFC 3339, where `T` and the zone must be there; seconds may have a fraction.
fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 20 && matches!(bytes.get(10), Some(b'T' | b't'));
    shaped && text.parse::<jiff::Timestamp>().is_ok()
}

/// A duration of Go (`1h30m`), or a number with a word (`3 days`).
fn is_duration(text: &str) -> bool {
    if crate::time::parse_duration(text).is_ok() {
        return true;
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_lowercase();
    let unit = unit.strip_suffix('s').unwrap_or(&unit);
    !number.is_empty()
        && [
            "ns", "nano", "us", "µs", "micro", "ms", "milli", "s", "sec", "second", "m", "min",
            "minute", "h", "hr", "hour", "d", "day", "w", "wk", "week",
        ]
        .contains(&unit)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    !local.is_empty()
        && !domain.is_empty()
        && !text.contains(char::is_whitespace)
        && !local.contains('@')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_isbn(text: &str, lengths: &[usize]) -> bool {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| {
            c.to_digit(10)
                .or((c == 'X' || c == 'x').then_some(10))
                .unwrap_or(99)
        })
        .collect();
    if !lengths.contains(&digits.len()) {
        return false;
    }
    let last = digits.len() - 1;
    if digits[..last].iter().any(|d| *d > 9) || digits[last] > 10 {
        return false;
    }
    match digits.len() {
        10 => {
            let sum: u32 = (1..).zip(&digits).map(|(i, d)| i * d).sum();
            sum.is_multiple_of(11)
        }
        _ => {
            let sum: u32 = digits
                .iter()
                .enumerate()
                .map(|(i, d)| if i % 2 == 0 { *d } else { 3 * d })
                .sum();
            digits[last] < 10 && sum.is_multiple_of(10)
        }
    }
}

fn is_mac(text: &str) -> bool {
    let hex = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_hexdigit());
    let parted = |by: char, n: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(by).collect();
        counts.contains(&parts.len()) && parts.iter().all(|p| hex(p, n))
    };
    parted(':', 2, &[6, 8, 20]) || parted('-', 2, &[6, 8, 20]) || parted('.', 4, &[3, 4, 10])
}

/// A URI or an absolute path, as a request line has it.
fn is_uri(text: &str) -> bool {
    if text.is_empty() || text.contains(|c: char| c.is_control() || c == ' ') {
        return false;
    }
    if text.starts_with('/') {
        return true;
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        && !rest.is_empty()
}

fn is_uuid(text: &str, version: Option<char>) -> bool {
    let packed: Vec<char> = text.chars().filter(|c| *c != '-').collect();
    packed.len() == 32
        && packed.iter().all(char::is_ascii_hexdigit)
        && version.is_none_or(|v| packed.get(12) == Some(&v))
}

fn is_credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| c.to_digit(10).unwrap_or(99))
        .collect();
    if !(13..=19).contains(&digits.len()) || digits.contains(&99) {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match (i % 2, d * 2) {
            (0, _) => *d,
            (_, twice) if twice > 9 => twice - 9,
            (_, twice) => twice,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_rgb_color(text: &str) -> bool {
    let inner = text.strip_prefix("rgb(").and_then(|t| t.strip_suffix(')'));
    inner.is_some_and(|inner| {
        let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
        parts.len() == 3 && parts.iter().all(|p| p.parse::<u8>().is_ok())
    })
}

fn is_ssn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', ' ']).collect();
    let digits =
        |part: &&str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.as_slice(), [a, b, c] if digits(a, 3) && digits(b, 2) && digits(c, 4))
}
