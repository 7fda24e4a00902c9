// SPDX-License-Identifier: Apache-2.0
//! Cells that many kinds share: ages, containers and images, labels, selectors.

use serde_json::Value;

use super::Clock;
use crate::object::{self, list, text};
use crate::selector::format_label_selector;
use crate::time;

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
pub(in crate::rules) fn since(text: &str, clock: &Clock) -> String {
    seconds(text).map_or(UNKNOWN.to_owned(), |then| {
        duration(clock.now_seconds - then)
    })
}

/// Seconds since the epoch of a time stamp.
pub(in crate::rules) fn seconds(text: &str) -> Option<i64> {
    time::parse_time(text)
        .ok()
        .filter(|moment| !time::is_zero(*moment))
        .map(jiff::Timestamp::as_second)
}

/// A number of seconds as people read it.
pub(in crate::rules) fn duration(seconds: i64) -> String {
    time::human_duration(jiff::SignedDuration::from_secs(seconds))
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
