// SPDX-License-Identifier: Apache-2.0
//! Cells that many kinds share: ages, containers and images, labels, selectors.

use serde_json::Value;

use super::Clock;
use crate::object::{self, list, text};
use crate::selector::format_label_selector;

/// What stands in a cell that has nothing to say.
pub(in crate::rules) const NONE: &str = "<none>";
/// What stands in a cell whose value cannot be known.
pub(in crate::rules) const UNKNOWN: &str = "<unknown>";
/// What stands in a cell of a field that is not set.
pub(in crate::rules) const UNSET: &str = "<unset>";

/// `metadata.name`
pub(in crate::rules) fn name(object: &Value) -> Value {
    object::name(object).into()
}

/// Time since `metadata.creationTimestamp`.
pub(in crate::rules) fn age(object: &Value, clock: &Clock) -> Value {
    since(text(object, &["metadata", "creationTimestamp"]), clock).into()
}

/// Time since a time stamp, `<unknown>` where there is none.
pub(in crate::rules) fn since(time: &str, clock: &Clock) -> String {
    seconds(time).map_or(UNKNOWN.to_owned(), |then| {
        duration(clock.now_seconds - then)
    })
}

/// Seconds since the epoch of a time stamp.
pub(in crate::rules) fn seconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_second)
}

/// A number of seconds as people read it: two units at most, `65s`, `4m5s`, `3d2h`.
pub(in crate::rules) fn duration(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let pair = |big: i64, unit: &str, rest: i64, small: &str| {
        if rest == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{rest}{small}")
        }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => pair(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => pair(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => pair(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => pair(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// Names and images of the containers of a pod spec: two cells.
pub(in crate::rules) fn containers(pod_spec: Option<&Value>) -> [Value; 2] {
    let all = pod_spec.map_or(&[][..], |spec| list(spec, &["containers"]));
    ["name", "image"].map(|key| {
        let words: Vec<&str> = all.iter().map(|c| text(c, &[key])).collect();
        words.join(",").into()
    })
}

/// Labels as `a=b,c=d`.
pub(in crate::rules) fn labels(labels: Option<&Value>) -> Value {
    let words: Vec<String> = labels
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none(words.join(","))
}

/// A label selector as `app=x,tier in (a,b)`.
pub(in crate::rules) fn selector(selector: Option<&Value>) -> Value {
    format_label_selector(selector).into()
}

/// The text, `<none>` where it is empty.
pub(in crate::rules) fn or_none(text: impl Into<String>) -> Value {
    let text = text.into();
    if text.is_empty() {
        NONE.into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_written_for_people() {
        for (seconds, expected) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_860, "3h1m"),
            (28_800, "8h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (63_158_400, "2y1d"),
            (252_288_000, "8y"),
        ] {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }
}
