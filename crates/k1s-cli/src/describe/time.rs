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
    Some(k1s_core::time::human_duration(end.duration_since(time)))
}
