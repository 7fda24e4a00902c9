// SPDX-License-Identifier: Apache-2.0
//! The events at the end of a description.

use serde_json::Value;

use super::Related;
use super::field::Fields;
use super::page::{Page, put};
use super::time::since;

/// The events of an object, or nothing at all where events were not asked for.
pub(crate) fn section(page: &mut Page, related: &Related) {
    let Some(events) = &related.events else {
        return;
    };
    if events.is_empty() {
        put!(page, 0, "Events:\t<none>");
        return;
    }
    put!(page, 0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
    put!(page, 1, "----\t------\t----\t----\t-------");
    let mut events: Vec<&Value> = events.iter().collect();
    events.sort_by_key(|event| event.text("lastTimestamp"));
    for event in events {
        let source = [
            event.text("source.component"),
            event.text("reportingComponent"),
        ]
        .into_iter()
        .find(|name| !name.is_empty());
        let message = event.text("message").trim();
        let message = match event.text("involvedObject.fieldPath") {
            "" => message.to_owned(),
            path => format!("{path}: {message}"),
        };
        put!(
            page,
            1,
            "{}\t{}\t{}\t{}\t{message}",
            event.text("type"),
            event.text("reason"),
            age(event, related),
            source.unwrap_or_default()
        );
    }
}

/// How long ago an event was seen, and how often: `2m (x4 over 3h)`.
pub(crate) fn age(event: &Value, related: &Related) -> String {
    let first = match event.text("eventTime") {
        "" => since(event.text("firstTimestamp"), related.now),
        time => since(time, related.now),
    };
    if event.has("series") {
        return format!(
            "{} (x{} over {first})",
            since(event.text("series.lastObservedTime"), related.now),
            event.int("series.count")
        );
    }
    if event.int("count") > 1 {
        return format!(
            "{} (x{} over {first})",
            since(event.text("lastTimestamp"), related.now),
            event.int("count")
        );
    }
    first
}
