// SPDX-License-Identifier: Apache-2.0
//! HorizontalPodAutoscaler of `autoscaling/v1`: one number for the CPU, all else in annotations.

use serde_json::{Map, Value, json};

use crate::object::{self, at, list, map, map_mut, text};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const TARGET_CPU: &str = "targetCPUUtilizationPercentage";
const CURRENT_CPU: &str = "currentCPUUtilizationPercentage";

/// A field of a metric: its name in v1, its path in v2, and what is written when there is none.
type Field = (&'static str, &'static [&'static str], Option<&'static str>);

/// The kinds of metric: type, key, fields of the target, fields of the status.
const KINDS: [(&str, &str, &[Field], &[Field]); 5] = [
    (
        "Object",
        "object",
        &[
            ("target", &["describedObject"], None),
            ("metricName", &["metric", "name"], Some("")),
            ("targetValue", &["target", "value"], Some("0")),
            ("selector", &["metric", "selector"], None),
            ("averageValue", &["target", "averageValue"], None),
        ],
        &[
            ("target", &["describedObject"], None),
            ("metricName", &["metric", "name"], Some("")),
            ("currentValue", &["current", "value"], Some("0")),
            ("selector", &["metric", "selector"], None),
            ("averageValue", &["current", "averageValue"], None),
        ],
    ),
    (
        "Pods",
        "pods",
        &[
            ("metricName", &["metric", "name"], Some("")),
            ("targetAverageValue", &["target", "averageValue"], Some("0")),
            ("selector", &["metric", "selector"], None),
        ],
        &[
            ("metricName", &["metric", "name"], Some("")),
            (
                "currentAverageValue",
                &["current", "averageValue"],
                Some("0"),
            ),
            ("selector", &["metric", "selector"], None),
        ],
    ),
    (
        "Resource",
        "resource",
        &[
            ("name", &["name"], Some("")),
            (
                "targetAverageUtilization",
                &["target", "averageUtilization"],
                None,
            ),
            ("targetAverageValue", &["target", "averageValue"], None),
        ],
        &[
            ("name", &["name"], Some("")),
            (
                "currentAverageUtilization",
                &["current", "averageUtilization"],
                None,
            ),
            (
                "currentAverageValue",
                &["current", "averageValue"],
                Some("0"),
            ),
        ],
    ),
    (
        "ContainerResource",
        "containerResource",
        &[
            ("name", &["name"], Some("")),
            (
                "targetAverageUtilization",
                &["target", "averageUtilization"],
                None,
            ),
            ("targetAverageValue", &["target", "averageValue"], None),
            ("container", &["container"], Some("")),
        ],
        &[
            ("name", &["name"], Some("")),
            (
                "currentAverageUtilization",
                &["current", "averageUtilization"],
                None,
            ),
            (
                "currentAverageValue",
                &["current", "averageValue"],
                Some("0"),
            ),
            ("container", &["container"], Some("")),
        ],
    ),
    (
        "External",
        "external",
        &[
            ("metricName", &["metric", "name"], Some("")),
            ("metricSelector", &["metric", "selector"], None),
            ("targetValue", &["target", "value"], None),
            ("targetAverageValue", &["target", "averageValue"], None),
        ],
        &[
            ("metricName", &["metric", "name"], Some("")),
            ("metricSelector", &["metric", "selector"], None),
            ("currentValue", &["current", "value"], Some("0")),
            ("currentAverageValue", &["current", "averageValue"], None),
        ],
    ),
];

/// Turns a v1 autoscaler into a v2 one.
pub(crate) fn to_v2(object: &mut Value) {
    let mut metrics = Vec::new();
    if let Some(Value::Array(others)) = take_annotation(object, METRICS) {
        metrics.extend(others.iter().map(|metric| metric_to_v2(metric, false)));
    }
    if let Some(percent) = object::remove(object, &["spec", TARGET_CPU]) {
        metrics.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}));
    }
    if !metrics.is_empty() {
        object::set(object, &["spec", "metrics"], metrics);
    }
    if let Some(behavior) = take_annotation(object, BEHAVIOR) {
        object::set(object, &["spec", "behavior"], lower_keys(&behavior));
    }
    let current = take_annotation(object, CURRENT_METRICS);
    let cpu = object::remove(object, &["status", CURRENT_CPU]);
    if let Some(Value::Array(current)) = current {
        let current: Vec<Value> = current.iter().map(|m| metric_to_v2(m, true)).collect();
        object::set(object, &["status", "currentMetrics"], current);
    } else if let Some(percent) = cpu {
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}});
        object::set(object, &["status", "currentMetrics"], json!([metric]));
    }
    if let Some(conditions) = take_annotation(object, CONDITIONS) {
        object::set(object, &["status", "conditions"], conditions);
    }
    if map(object, &["metadata", "annotations"]).is_some_and(Map::is_empty) {
        object::remove(object, &["metadata", "annotations"]);
    }
}

/// Turns a v2 autoscaler into a v1 one.
pub(crate) fn to_v1(object: &mut Value) {
    let metrics = list(object, &["spec", "metrics"]).to_vec();
    let (cpu, others): (Vec<&Value>, Vec<&Value>) = metrics.iter().partition(|m| is_cpu(m));
    annotate(object, METRICS, metric_list(&others, false));
    let current = list(object, &["status", "currentMetrics"]).to_vec();
    let all: Vec<&Value> = current.iter().collect();
    annotate(object, CURRENT_METRICS, metric_list(&all, true));
    let behavior = at(object, &["spec", "behavior"]).map(behavior_words);
    annotate(object, BEHAVIOR, behavior);
    let conditions = list(object, &["status", "conditions"]);
    let conditions = (!conditions.is_empty()).then(|| {
        let all: Vec<String> = conditions.iter().map(condition_words).collect();
        format!("[{}]", all.join(","))
    });
    annotate(object, CONDITIONS, conditions);
    for path in [["spec", "metrics"], ["spec", "behavior"]] {
        object::remove(object, &path);
    }
    for path in [["status", "currentMetrics"], ["status", "conditions"]] {
        object::remove(object, &path);
    }
    const UTILIZATION: [&str; 3] = ["resource", "target", "averageUtilization"];
    if let Some(percent) = cpu.first().and_then(|metric| at(metric, &UTILIZATION)) {
        object::set(object, &["spec", TARGET_CPU], percent.clone());
    }
    let percent = current
        .iter()
        .filter(|metric| text(metric, &["resource", "name"]) == "cpu")
        .find_map(|metric| at(metric, &["resource", "current", "averageUtilization"]));
    if let Some(percent) = percent {
        object::set(object, &["status", CURRENT_CPU], percent.clone());
    }
    let status = map_mut(object, &["status"]);
    for key in ["currentReplicas", "desiredReplicas"] {
        status.entry(key).or_insert(json!(0));
    }
}

/// Whether v1 has a field for the metric.
fn is_cpu(metric: &Value) -> bool {
    text(metric, &["type"]) == "Resource"
        && text(metric, &["resource", "name"]) == "cpu"
        && at(metric, &["resource", "target", "averageUtilization"]).is_some()
}

fn take_annotation(object: &mut Value, key: &str) -> Option<Value> {
    let text = object::remove(object, &["metadata", "annotations", key])?;
    serde_json::from_str(text.as_str()?).ok()
}

fn annotate(object: &mut Value, key: &str, value: Option<String>) {
    if let Some(value) = value {
        object::set(object, &["metadata", "annotations", key], value);
    }
}

fn fields(
    kind: &(&str, &str, &'static [Field], &'static [Field]),
    is_status: bool,
) -> &'static [Field] {
    if is_status { kind.3 } else { kind.2 }
}

fn metric_to_v2(metric: &Value, is_status: bool) -> Value {
    let mut out = json!({"type": text(metric, &["type"])});
    for kind in &KINDS {
        let Some(source) = metric.get(kind.1) else {
            continue;
        };
        let averaged = source.get("averageValue").is_some() && kind.1 == "object";
        for (v1, v2, _) in fields(kind, is_status) {
            if let Some(value) = source
                .get(v1)
                .filter(|_| !(averaged && *v1 == "targetValue"))
            {
                let path: Vec<&str> = [kind.1].iter().chain(*v2).copied().collect();
                object::set(&mut out, &path, value.clone());
            }
        }
        if !is_status {
            let target = map_mut(&mut out, &[kind.1, "target"]);
            let of = if target.contains_key("averageUtilization") {
                "Utilization"
            } else if target.contains_key("averageValue") {
                "AverageValue"
            } else {
                "Value"
            };
            target.insert("type".to_owned(), of.into());
        }
    }
    out
}

fn metric_list(metrics: &[&Value], is_status: bool) -> Option<String> {
    let all: Vec<String> = metrics.iter().map(|m| metric_words(m, is_status)).collect();
    (!all.is_empty()).then(|| format!("[{}]", all.join(",")))
}

/// A metric as v1 writes it, in the order of its fields.
fn metric_words(metric: &Value, is_status: bool) -> String {
    let mut parts = vec![format!("\"type\":{}", json!(text(metric, &["type"])))];
    for kind in &KINDS {
        let Some(source) = metric.get(kind.1) else {
            continue;
        };
        let all: Vec<String> = fields(kind, is_status)
            .iter()
            .filter_map(|(v1, v2, absent)| {
                let value = match at(source, v2) {
                    Some(value) if *v1 == "target" => reference_words(value),
                    Some(value) => value.to_string(),
                    None => json!((*absent)?).to_string(),
                };
                Some(format!("\"{v1}\":{value}"))
            })
            .collect();
        parts.push(format!("\"{}\":{{{}}}", kind.1, all.join(",")));
    }
    format!("{{{}}}", parts.join(","))
}

fn reference_words(reference: &Value) -> String {
    ordered(reference, &["kind", "name", "apiVersion"])
}

fn condition_words(condition: &Value) -> String {
    ordered(
        condition,
        &["type", "status", "lastTransitionTime", "reason", "message"],
    )
}

/// The fields that are there, in this order.
fn ordered(value: &Value, keys: &[&str]) -> String {
    let all: Vec<String> = keys
        .iter()
        .filter_map(|key| Some(format!("\"{key}\":{}", value.get(key)?)))
        .collect();
    format!("{{{}}}", all.join(","))
}

/// The behaviour with the names that the server has for its fields inside.
fn behavior_words(behavior: &Value) -> String {
    let rules = |key: &str| match behavior.get(key) {
        None => "null".to_owned(),
        Some(rules) => {
            let policies: Vec<String> = list(rules, &["policies"])
                .iter()
                .map(|policy| capitals(policy, &["type", "value", "periodSeconds"]))
                .collect();
            let window = capitals(rules, &["stabilizationWindowSeconds", "selectPolicy"]);
            let tolerance = rules.get("tolerance").unwrap_or(&Value::Null);
            format!(
                "{},\"Policies\":[{}],\"Tolerance\":{tolerance}}}",
                window.trim_end_matches('}'),
                policies.join(",")
            )
        }
    };
    format!(
        "{{\"ScaleUp\":{},\"ScaleDown\":{}}}",
        rules("scaleUp"),
        rules("scaleDown")
    )
}

fn capitals(value: &Value, keys: &[&str]) -> String {
    let all: Vec<String> = keys
        .iter()
        .map(|key| {
            let (first, rest) = key.split_at(1);
            let value = value.get(key).unwrap_or(&Value::Null);
            format!("\"{}{rest}\":{value}", first.to_ascii_uppercase())
        })
        .collect();
    format!("{{{}}}", all.join(","))
}

/// The same value with the first letter of each key small; null fields are left out.
fn lower_keys(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| {
                let (first, rest) = key.split_at(key.chars().next().map_or(0, char::len_utf8));
                (format!("{}{rest}", first.to_lowercase()), lower_keys(value))
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => items.iter().map(lower_keys).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_v1_cannot_say_is_in_annotations_and_comes_back() {
        let v2 = json!({
            "spec": {
                "maxReplicas": 3,
                "behavior": {"scaleDown": {"policies": [{"periodSeconds": 60, "type": "Percent", "value": 10}], "selectPolicy": "Max",
                    "stabilizationWindowSeconds": 60}},
                "metrics": [
                    {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"averageValue": "1k", "type": "AverageValue"}}},
                    {"type": "Object", "object": {"describedObject": {"kind": "Service", "name": "s"}, "metric": {"name": "o"},
                        "target": {"type": "Value", "value": "10"}}},
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50, "type": "Utilization"}}}
                ]
            },
            "status": {"currentReplicas": 1, "desiredReplicas": 2}
        });
        let mut v1 = v2.clone();
        to_v1(&mut v1);
        assert_eq!(
            v1["spec"],
            json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 50})
        );
        assert_eq!(
            v1["metadata"]["annotations"][METRICS],
            r#"[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"1k"}},{"type":"Object","object":{"target":{"kind":"Service","name":"s"},"metricName":"o","targetValue":"10"}}]"#
        );
        assert_eq!(
            v1["metadata"]["annotations"][BEHAVIOR],
            r#"{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":60,"SelectPolicy":"Max","Policies":[{"Type":"Percent","Value":10,"PeriodSeconds":60}],"Tolerance":null}}"#
        );
        to_v2(&mut v1);
        object::remove(&mut v1, &["metadata"]);
        assert_eq!(v1, v2);
    }
}
