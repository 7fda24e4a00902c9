// SPDX-License-Identifier: Apache-2.0
//! Spans of time for people: `45s`, `5m30s`, `3h`, `2d3h`, `400d`, `3y40d`.

use super::is_zero;
use jiff::{SignedDuration, Timestamp};

/// Two figures at most, as the AGE column shows them.
///
/// More than a second below zero is `<invalid>`; a little below zero is a clock that is a little off.
pub fn human_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let pair = |large: i64, large_unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit}{small}{small_unit}"),
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => pair(days, "d", hours % 24, "h"),
        _ if days < 2 * 365 => format!("{days}d"),
        _ if days < 8 * 365 => pair(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// One figure only, as in the columns of events.
pub fn short_human_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..31_536_000 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// The time since a moment, for people; `<unknown>` for a moment that is not set.
pub fn age(now: Timestamp, since: Option<Timestamp>) -> String {
    match since {
        Some(since) if !is_zero(since) => {
            // Go's durations end after 292 years.
            const LONGEST: SignedDuration = SignedDuration::from_nanos(i64::MAX);
            human_duration(now.duration_since(since).min(LONGEST))
        }
        _ => "<unknown>".to_owned(),
    }
}
