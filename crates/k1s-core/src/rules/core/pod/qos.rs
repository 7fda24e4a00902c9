// SPDX-License-Identifier: Apache-2.0
//! The quality of service class of a pod, which follows from what its containers ask for and may use.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::{at, list};
use crate::quantity::Quantity;
use crate::rules::core::resource_name::amounts;

const COUNTED: [&str; 2] = ["cpu", "memory"];

type Amounts<'a> = BTreeMap<&'a str, Quantity>;

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub(in crate::rules) fn class(pod: &Value) -> &'static str {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let mut requests = Amounts::new();
    let mut limits = Amounts::new();
    let mut limited = true;
    // Resources of the pod as a whole count instead of those of its containers.
    let holders: Vec<&Value> = match at(spec, &["resources"]).filter(|r| r.is_object()) {
        Some(_) => vec![spec],
        None => ["containers", "initContainers"]
            .iter()
            .flat_map(|kind| list(spec, &[kind]))
            .collect(),
    };
    for holder in holders {
        add(&mut requests, at(holder, &["resources", "requests"]));
        let own = at(holder, &["resources", "limits"]);
        limited &= COUNTED
            .iter()
            .all(|name| positive(own).any(|(key, _)| key == *name));
        add(&mut limits, own);
    }
    if requests.is_empty() && limits.is_empty() {
        "BestEffort"
    } else if limited && requests == limits {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn positive(list: Option<&Value>) -> impl Iterator<Item = (&str, Quantity)> {
    amounts(list).filter(|(name, amount)| COUNTED.contains(name) && amount.sign() > 0)
}

fn add<'a>(sum: &mut Amounts<'a>, list: Option<&'a Value>) {
    for (name, amount) in positive(list) {
        let entry = sum.entry(name).or_insert_with(Quantity::zero);
        if let Ok(more) = entry.add(&amount) {
            *entry = more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::class;
    use serde_json::{Value, json};

    #[test]
    fn classes() {
        let check = |resources: Value, expected: &str| {
            let pod = json!({"spec": {"containers": [{"resources": resources}]}});
            assert_eq!(class(&pod), expected, "{pod}");
        };
        let both = json!({"cpu": "1", "memory": "1Gi"});
        check(json!({}), "BestEffort");
        check(json!({"requests": {"example.com/a": "1"}}), "BestEffort");
        check(json!({"requests": {"cpu": "0"}}), "BestEffort");
        check(json!({"requests": {"cpu": "1"}}), "Burstable");
        check(json!({"requests": both, "limits": both}), "Guaranteed");
        check(
            json!({"requests": {"cpu": "1000m", "memory": "1Gi"}, "limits": both}),
            "Guaranteed",
        );
        check(
            json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}),
            "Burstable",
        );
    }
}
