// SPDX-License-Identifier: Apache-2.0
//! The table cell that shows what an autoscaler sees and wants.

use serde_json::Value;

use super::metric::{current, source_of};
use crate::object::{list, text};
use crate::rules::cells;

/// So many metrics are shown.
const SHOWN: usize = 2;

/// `cpu: 20%/80%, 1/10 + 1 more...`
pub(super) fn words(object: &Value) -> String {
    let metrics = list(object, &["spec", "metrics"]);
    if metrics.is_empty() {
        return cells::NONE.to_owned();
    }
    let shown: Vec<String> = metrics
        .iter()
        .take(SHOWN)
        .enumerate()
        .map(|(index, metric)| metric_words(object, index, metric))
        .collect();
    let shown = shown.join(", ");
    if metrics.len() > SHOWN {
        format!("{shown} + {} more...", metrics.len() - SHOWN)
    } else {
        shown
    }
}

fn metric_words(object: &Value, index: usize, metric: &Value) -> String {
    let kind = text(metric, &["type"]);
    let Some(key) = source_of(kind) else {
        return "<unknown type>".to_owned();
    };
    let source = &metric[key];
    let target = &source["target"];
    let current = current(object, index, key);
    let pair = |field: &str, unit: &str, absent: &str| {
        let shown = |value: Option<&Value>, absent: &str| match value {
            Some(Value::String(text)) => text.clone(),
            Some(value) => format!("{value}{unit}"),
            None => absent.to_owned(),
        };
        format!(
            "{}/{}",
            shown(current.and_then(|c| c.get(field)), cells::UNKNOWN),
            shown(target.get(field), absent)
        )
    };
    let averaged = target.get("averageValue").is_some();
    match key {
        "pods" => pair("averageValue", "", ""),
        "object" | "external" if averaged => format!("{} (avg)", pair("averageValue", "", "")),
        "object" | "external" => pair("value", "", ""),
        _ => {
            let name = text(source, &["name"]);
            if averaged {
                format!("{name}: {}", pair("averageValue", "", ""))
            } else {
                format!("{name}: {}", pair("averageUtilization", "%", "<auto>"))
            }
        }
    }
}
