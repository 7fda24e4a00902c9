// SPDX-License-Identifier: Apache-2.0
//! Times as descriptions show them.

use jiff::{Timestamp, tz::TimeZone};

/// A time of the API as `Mon, 02 Jan 2006 15:04:05 +0000`; no time is the first second of Go's calendar.
pub(crate) fn full(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time
            .to_zoned(TimeZone::UTC)
            .strftime("%a, %d %b %Y %H:%M:%S %z")
            .to_string(),
        Err(_) if time.is_empty() => "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(),
        Err(_) => time.to_owned(),
    }
}

/// A time of the API as `2006-01-02 15:04:05 +0000 UTC`.
pub(crate) fn plain(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time
            .to_zoned(TimeZone::UTC)
            .strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
            .to_string(),
        Err(_) => time.to_owned(),
    }
}

/// How long ago a time was, `<unknown>` for none.
pub(crate) fn since(time: &str, now: Timestamp) -> String {
    between(time, now).unwrap_or_else(|| "<unknown>".to_owned())
}

/// How long before `end` a time was.
pub(crate) fn between(time: &str, end: Timestamp) -> Option<String> {
    let time: Timestamp = time.parse().ok()?;
    Some(human(
        (end.as_millisecond() - time.as_millisecond()).div_euclid(1000),
    ))
}

/// A duration in seconds as people say it: two units while the larger one is small.
fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two =
        |large: i64, a: &str, small: i64, b: &str| match (seconds / large, seconds % large / small)
        {
            (whole, 0) => format!("{whole}{a}"),
            (whole, rest) => format!("{whole}{a}{rest}{b}"),
        };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(MINUTE, "m", 1, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(HOUR, "h", MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(DAY, "d", HOUR, "h"),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(YEAR, "y", DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}
