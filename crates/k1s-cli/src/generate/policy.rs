// SPDX-License-Identifier: Apache-2.0
//! Namespaces and what limits their content: quotas, disruption budgets, priority classes, autoscalers.

use k1s_core::quantity::Quantity;
use serde_json::{Map, Value, json};

use super::{Identity, Mistake, label_selector, number_or_text, object};

/// A Namespace.
pub fn namespace(name: &str) -> Value {
    let mut namespace = object("v1", "Namespace", json!({ "name": name }));
    namespace["spec"] = json!({});
    namespace["status"] = json!({});
    namespace
}

/// A ResourceQuota with limits as `resource=quantity,…` and scopes as `a,b`.
pub fn resource_quota(identity: Identity<'_>, hard: &str, scopes: &str) -> Result<Value, Mistake> {
    let mut quota = object("v1", "ResourceQuota", identity.metadata());
    quota["spec"] = json!({});
    if !hard.is_empty() {
        let mut limits = Map::new();
        for statement in hard.split(',') {
            let parts: Vec<&str> = statement.split('=').collect();
            let [resource, quantity] = parts[..] else {
                return Err(Mistake(format!(
                    "Invalid argument syntax {statement}, expected <resource>=<value>"
                )));
            };
            let quantity = Quantity::parse(quantity).map_err(|error| Mistake(error.to_string()))?;
            limits.insert(resource.to_owned(), quantity.to_string().into());
        }
        quota["spec"]["hard"] = limits.into();
    }
    if !scopes.is_empty() {
        let scopes: Vec<&str> = scopes.split(',').collect();
        if scopes.contains(&"") {
            return Err(Mistake::new("invalid resource quota scope \"\""));
        }
        quota["spec"]["scopes"] = scopes.into();
    }
    quota["status"] = json!({});
    Ok(quota)
}

/// What a PodDisruptionBudget is made of.
#[derive(Debug, Default)]
pub struct Budget<'a> {
    /// Label selector of the command line.
    pub selector: &'a str,
    /// A number or a percentage, empty for none.
    pub min_available: &'a str,
    /// A number or a percentage, empty for none.
    pub max_unavailable: &'a str,
}

/// A PodDisruptionBudget.
pub fn disruption_budget(identity: Identity<'_>, budget: &Budget<'_>) -> Result<Value, Mistake> {
    let (least, most) = (budget.min_available, budget.max_unavailable);
    let well_formed = |text: &str| {
        let digits = text.strip_suffix('%').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mistake = match (budget.selector, least, most) {
        ("", ..) => "a selector must be specified",
        (_, "", "") => "one of min-available or max-unavailable must be specified",
        (_, "", most) if well_formed(most) => "",
        (_, "", _) => "invalid format specified for max-unavailable",
        (_, least, "") if well_formed(least) => "",
        (_, _, "") => "invalid format specified for min-available",
        _ => "min-available and max-unavailable cannot be both specified",
    };
    if !mistake.is_empty() {
        return Err(Mistake::new(mistake));
    }
    let mut object = object("policy/v1", "PodDisruptionBudget", identity.metadata());
    object["spec"] = json!({ "selector": label_selector(budget.selector)? });
    let (field, value) = if least.is_empty() {
        ("maxUnavailable", most)
    } else {
        ("minAvailable", least)
    };
    object["spec"][field] = number_or_text(value);
    object["status"] = json!({ "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0 });
    Ok(object)
}

/// What a PriorityClass is made of.
#[derive(Debug, Default)]
pub struct PriorityClass<'a> {
    /// The priority.
    pub value: i32,
    /// Whether pods without a class get this one.
    pub global_default: bool,
    /// For people.
    pub description: &'a str,
    /// `PreemptLowerPriority` or `Never`.
    pub preemption_policy: &'a str,
}

/// A PriorityClass.
pub fn priority_class(name: &str, class: &PriorityClass<'_>) -> Value {
    let mut object = object(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        json!({ "name": name }),
    );
    object["value"] = class.value.into();
    object["preemptionPolicy"] = class.preemption_policy.into();
    if class.global_default {
        object["globalDefault"] = true.into();
    }
    if !class.description.is_empty() {
        object["description"] = class.description.into();
    }
    object
}

/// What a HorizontalPodAutoscaler is made of.
#[derive(Debug, Default)]
pub struct Autoscaler<'a> {
    /// Version of the target's API.
    pub target_api_version: &'a str,
    /// Kind of the target.
    pub target_kind: &'a str,
    /// Name of the target.
    pub target_name: &'a str,
    /// Fewest pods, none for the server's default.
    pub min: Option<i32>,
    /// Most pods.
    pub max: i32,
    /// Wanted CPU use, in percent of the request or as an average quantity; empty for the server's default.
    pub cpu: &'a str,
    /// Wanted memory use, in the same way.
    pub memory: &'a str,
}

/// A HorizontalPodAutoscaler.
pub fn autoscaler(identity: Identity<'_>, scaler: &Autoscaler<'_>) -> Result<Value, Mistake> {
    let mut object = object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        identity.metadata(),
    );
    let target = json!({ "apiVersion": scaler.target_api_version, "kind": scaler.target_kind, "name": scaler.target_name });
    object["spec"] = json!({ "scaleTargetRef": target, "maxReplicas": scaler.max });
    if let Some(min) = scaler.min {
        object["spec"]["minReplicas"] = min.into();
    }
    let mut metrics = Vec::new();
    for (resource, wanted) in [("cpu", scaler.cpu), ("memory", scaler.memory)] {
        let target = match (wanted, wanted.strip_suffix('%')) {
            ("", _) => continue,
            (_, Some(percent)) => {
                let invalid = || Mistake(format!("invalid {resource} utilization: {wanted}"));
                json!({ "type": "Utilization", "averageUtilization": percent.parse::<i32>().map_err(|_| invalid())? })
            }
            (quantity, None) => {
                // A bare number is in the unit that people think in.
                let unit = match quantity.parse::<f64>() {
                    Ok(_) if resource == "cpu" => "m",
                    Ok(_) => "Mi",
                    Err(_) => "",
                };
                let quantity = Quantity::parse(&format!("{quantity}{unit}"))
                    .map_err(|_| Mistake(format!("invalid resource {resource} value: {wanted}")))?;
                json!({ "type": "AverageValue", "averageValue": quantity.to_string() })
            }
        };
        metrics.push(
            json!({ "type": "Resource", "resource": { "name": resource, "target": target } }),
        );
    }
    if !metrics.is_empty() {
        object["spec"]["metrics"] = metrics.into();
    }
    object["status"] = json!({ "currentMetrics": null, "desiredReplicas": 0 });
    Ok(object)
}
