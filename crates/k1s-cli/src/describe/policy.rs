// SPDX-License-Identifier: Apache-2.0
//! What limits other objects: quotas, limit ranges, disruption budgets, priority classes, autoscalers.

use serde_json::{Map, Value};

use super::field::{Fields, shown};
use super::page::{Page, labels_in_line, or, put, selector, sorted};
use super::time::full;
use super::{Related, event, quantity};

/// A ResourceQuota.
pub(crate) fn resource_quota(page: &mut Page, quota: &Value, _related: &Related) {
    put!(page, 0, "Name:\t{}", quota.text("metadata.name"));
    put!(page, 0, "Namespace:\t{}", quota.text("metadata.namespace"));
    scopes(page, quota, " * ");
    put!(page, 0, "Resource\tUsed\tHard");
    put!(page, 0, "--------\t----\t----");
    for (name, hard) in sorted(quota.map("status.hard")) {
        let (used, hard) = (used(quota, name), shown(hard));
        put!(
            page,
            0,
            "{name}\t{}\t{hard}",
            quantity::in_format_of(&used, &hard)
        );
    }
}

/// The quotas of a namespace.
pub(crate) fn quotas_of_namespace(page: &mut Page, quotas: &[Value]) {
    put!(page, 0, "");
    if quotas.is_empty() {
        put!(page, 0, "No resource quota.");
        return;
    }
    put!(page, 0, "Resource Quotas");
    let mut quotas: Vec<&Value> = quotas.iter().collect();
    quotas.sort_by_key(|quota| quota.text("metadata.name"));
    for quota in quotas {
        page.nested(1, |page| {
            put!(page, 0, "Name:\t{}", quota.text("metadata.name"));
            scopes(page, quota, "* ");
            put!(page, 0, "Resource\tUsed\tHard");
            put!(page, 0, "--------\t---\t---");
            for (name, hard) in sorted(quota.map("status.hard")) {
                put!(page, 0, "{name}\t{}\t{}", used(quota, name), shown(hard));
            }
        });
    }
}

/// A LimitRange.
pub(crate) fn limit_range(page: &mut Page, range: &Value, _related: &Related) {
    put!(page, 0, "Name:\t{}", range.text("metadata.name"));
    put!(page, 0, "Namespace:\t{}", range.text("metadata.namespace"));
    put!(
        page,
        0,
        "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"
    );
    put!(
        page,
        0,
        "----\t--------\t---\t---\t---------------\t-------------\t-----------------------"
    );
    limits(page, range, "");
}

/// The limit ranges of a namespace.
pub(crate) fn limit_ranges_of_namespace(page: &mut Page, ranges: &[Value]) {
    put!(page, 0, "");
    if ranges.is_empty() {
        put!(page, 0, "No LimitRange resource.");
        return;
    }
    put!(
        page,
        0,
        "Resource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"
    );
    put!(
        page,
        0,
        " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------"
    );
    for range in ranges {
        limits(page, range, " ");
    }
}

/// A PodDisruptionBudget.
pub(crate) fn disruption_budget(page: &mut Page, budget: &Value, related: &Related) {
    let (spec, status) = (budget.at("spec"), budget.at("status"));
    put!(page, 0, "Name:\t{}", budget.text("metadata.name"));
    put!(page, 0, "Namespace:\t{}", budget.text("metadata.namespace"));
    if spec.has("minAvailable") {
        put!(page, 0, "Min available:\t{}", spec.shown("minAvailable"));
    } else if spec.has("maxUnavailable") {
        put!(
            page,
            0,
            "Max unavailable:\t{}",
            spec.shown("maxUnavailable")
        );
    }
    let pods = if spec.has("selector") {
        selector(spec.at("selector"))
    } else {
        "<unset>".to_owned()
    };
    put!(page, 0, "Selector:\t{pods}");
    put!(page, 0, "Status:");
    for (title, field) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        put!(page, 2, "{title}:\t{}", status.int(field));
    }
    event::section(page, related);
}

/// A PriorityClass.
pub(crate) fn priority_class(page: &mut Page, class: &Value, related: &Related) {
    put!(page, 0, "Name:\t{}", class.text("metadata.name"));
    put!(page, 0, "Value:\t{}", class.int("value"));
    put!(page, 0, "GlobalDefault:\t{}", class.flag("globalDefault"));
    put!(
        page,
        0,
        "PreemptionPolicy:\t{}",
        class.text("preemptionPolicy")
    );
    put!(page, 0, "Description:\t{}", class.text("description"));
    put!(
        page,
        0,
        "Annotations:\t{}",
        labels_in_line(class.map("metadata.annotations"))
    );
    event::section(page, related);
}

/// A HorizontalPodAutoscaler of version 2.
pub(crate) fn autoscaler(page: &mut Page, scaler: &Value, related: &Related) {
    let (spec, status) = (scaler.at("spec"), scaler.at("status"));
    page.metadata(scaler);
    put!(
        page,
        0,
        "CreationTimestamp:\t{}",
        full(scaler.text("metadata.creationTimestamp"))
    );
    put!(
        page,
        0,
        "Reference:\t{}/{}",
        spec.text("scaleTargetRef.kind"),
        spec.text("scaleTargetRef.name")
    );
    put!(page, 0, "Metrics:\t( current / target )");
    for (number, wanted) in spec.list("metrics").iter().enumerate() {
        let current = status
            .list("currentMetrics")
            .get(number)
            .unwrap_or(&Value::Null);
        put!(page, 1, "{}", metric(wanted, current));
    }
    put!(
        page,
        0,
        "Min replicas:\t{}",
        or(spec.shown("minReplicas"), "<unset>")
    );
    put!(page, 0, "Max replicas:\t{}", spec.int("maxReplicas"));
    if spec.has("behavior") {
        put!(page, 0, "Behavior:");
        for (title, field) in [
            ("Scale Up", "behavior.scaleUp"),
            ("Scale Down", "behavior.scaleDown"),
        ] {
            behaviour(page, title, spec.at(field));
        }
    }
    let (current, desired) = (status.int("currentReplicas"), status.int("desiredReplicas"));
    put!(
        page,
        0,
        "{} pods:\t{current} current / {desired} desired",
        spec.text("scaleTargetRef.kind")
    );
    if !status.list("conditions").is_empty() {
        put!(page, 0, "Conditions:");
        put!(page, 1, "Type\tStatus\tReason\tMessage");
        put!(page, 1, "----\t------\t------\t-------");
        for condition in status.list("conditions") {
            let (reason, message) = (condition.text("reason"), condition.text("message"));
            put!(
                page,
                1,
                "{}\t{}\t{reason}\t{message}",
                condition.text("type"),
                condition.text("status")
            );
        }
    }
    event::section(page, related);
}

fn used(quota: &Value, resource: &str) -> String {
    or(
        quota
            .map("status.used")
            .get(resource)
            .map(shown)
            .unwrap_or_default(),
        "0",
    )
}

fn scopes(page: &mut Page, quota: &Value, bullet: &str) {
    let mut scopes = quota.strings("spec.scopes");
    if scopes.is_empty() {
        return;
    }
    scopes.sort_unstable();
    put!(page, 0, "Scopes:\t{}", scopes.join(", "));
    for scope in scopes {
        let about = match scope {
            "Terminating" => {
                "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system."
            }
            "NotTerminating" => {
                "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate."
            }
            "BestEffort" => {
                "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service."
            }
            "NotBestEffort" => {
                "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service."
            }
            _ => continue,
        };
        put!(page, 0, "{bullet}{about}");
    }
}

fn limits(page: &mut Page, range: &Value, prefix: &str) {
    const KINDS: [&str; 5] = [
        "min",
        "max",
        "defaultRequest",
        "default",
        "maxLimitRequestRatio",
    ];
    for limit in range.list("spec.limits") {
        let mut resources: Map<String, Value> = Map::new();
        for kind in KINDS {
            resources.extend(
                limit
                    .map(kind)
                    .iter()
                    .map(|(name, _)| (name.clone(), Value::Null)),
            );
        }
        for (resource, _) in sorted(&resources) {
            let values = KINDS.map(|kind| {
                or(
                    limit.map(kind).get(resource).map(shown).unwrap_or_default(),
                    "-",
                )
            });
            put!(
                page,
                0,
                "{prefix}{}\t{resource}\t{}",
                limit.text("type"),
                values.join("\t")
            );
        }
    }
}

/// What a metric is, with its present and its wanted value.
fn metric(wanted: &Value, current: &Value) -> String {
    let now = |path: &str| or(current.shown(path), "<unknown>");
    match wanted.text("type") {
        "External" => {
            let name = wanted.text("external.metric.name");
            if wanted.has("external.target.averageValue") {
                format!(
                    "{name:?} (target average value):\t{} / {}",
                    now("external.current.averageValue"),
                    wanted.shown("external.target.averageValue")
                )
            } else {
                format!(
                    "{name:?} (target value):\t{} / {}",
                    now("external.current.value"),
                    wanted.shown("external.target.value")
                )
            }
        }
        "Pods" => format!(
            "{:?} on pods:\t{} / {}",
            wanted.text("pods.metric.name"),
            now("pods.current.averageValue"),
            wanted.shown("pods.target.averageValue")
        ),
        "Object" => {
            let object = wanted.at("object");
            let about = format!(
                "\"{}\" on {}/{} ",
                object.text("metric.name"),
                object.text("describedObject.kind"),
                object.text("describedObject.name")
            );
            if object.text("target.type") == "AverageValue" {
                format!(
                    "{about}(target average value):\t{} / {}",
                    now("object.current.averageValue"),
                    object.shown("target.averageValue")
                )
            } else {
                format!(
                    "{about}(target value):\t{} / {}",
                    now("object.current.value"),
                    object.shown("target.value")
                )
            }
        }
        "Resource" => {
            let about = format!("resource {} on pods", wanted.text("resource.name"));
            resource_metric(
                &about,
                wanted.at("resource.target"),
                current.at("resource.current"),
            )
        }
        "ContainerResource" => {
            let resource = wanted.at("containerResource");
            let about = format!(
                "resource {} of container \"{}\" on pods",
                resource.text("name"),
                resource.text("container")
            );
            resource_metric(
                &about,
                resource.at("target"),
                current.at("containerResource.current"),
            )
        }
        other => format!("<unknown metric type {other:?}>"),
    }
}

fn resource_metric(about: &str, target: &Value, current: &Value) -> String {
    if target.has("averageValue") {
        return format!(
            "{about}:\t{} / {}",
            or(current.shown("averageValue"), "<unknown>"),
            target.shown("averageValue")
        );
    }
    let now = match current.has("averageUtilization") {
        true => format!(
            "{}% ({})",
            current.int("averageUtilization"),
            current.shown("averageValue")
        ),
        false => "<unknown>".to_owned(),
    };
    let wanted = if target.has("averageUtilization") {
        format!("{}%", target.int("averageUtilization"))
    } else {
        "<auto>".to_owned()
    };
    format!("{about}  (as a percentage of request):\t{now} / {wanted}")
}

fn behaviour(page: &mut Page, title: &str, rules: &Value) {
    if rules.is_null() {
        return;
    }
    put!(page, 1, "{title}:");
    if rules.has("stabilizationWindowSeconds") {
        put!(
            page,
            2,
            "Stabilization Window: {} seconds",
            rules.int("stabilizationWindowSeconds")
        );
    }
    if rules.list("policies").is_empty() {
        return;
    }
    put!(
        page,
        2,
        "Select Policy: {}",
        or(rules.text("selectPolicy"), "Max")
    );
    put!(page, 2, "Policies:");
    for policy in rules.list("policies") {
        let (value, period) = (policy.int("value"), policy.int("periodSeconds"));
        put!(
            page,
            3,
            "- Type: {}\tValue: {value}\tPeriod: {period} seconds",
            policy.text("type")
        );
    }
}
