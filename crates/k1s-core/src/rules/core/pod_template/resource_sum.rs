// SPDX-License-Identifier: Apache-2.0
//! What the containers of a pod need together: the running ones at once, init containers one after another beside the
//! restartable ones started before them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::{list, text};
use crate::quantity::Quantity;
use crate::rules::core::resource_name::amounts;

/// Amounts by resource.
pub(in crate::rules) type Sum = BTreeMap<String, Quantity>;

/// The `requests` or `limits` of all containers together.
pub(in crate::rules) fn of_containers(spec: &Value, what: &str) -> Sum {
    let mut total = Sum::new();
    for container in list(spec, &["containers"]) {
        add(&mut total, container, what);
    }
    let mut restartable = Sum::new();
    let mut starting = Sum::new();
    for container in list(spec, &["initContainers"]) {
        let mut now = restartable.clone();
        add(&mut now, container, what);
        if text(container, &["restartPolicy"]) == "Always" {
            add(&mut total, container, what);
            restartable.clone_from(&now);
        }
        raise(&mut starting, now);
    }
    raise(&mut total, starting);
    total
}

fn add(sum: &mut Sum, container: &Value, what: &str) {
    for (resource, amount) in amounts(container.get("resources").and_then(|r| r.get(what))) {
        let entry = sum
            .entry(resource.to_owned())
            .or_insert_with(Quantity::zero);
        if let Ok(more) = entry.add(&amount) {
            *entry = more;
        }
    }
}

/// Raises each amount to the other's, where that is more.
fn raise(sum: &mut Sum, other: Sum) {
    for (resource, amount) in other {
        match sum.get(&resource) {
            Some(own) if *own >= amount => {}
            _ => {
                sum.insert(resource, amount);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sums() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let side =
            |cpu: &str| json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
        let check = |init: Value, containers: Value, expected: &str| {
            let spec = json!({"initContainers": init, "containers": containers});
            assert_eq!(
                of_containers(&spec, "requests")["cpu"].to_string(),
                expected,
                "{spec}"
            );
        };
        check(
            json!([]),
            json!([container("1"), container("500m")]),
            "1500m",
        );
        check(json!([container("3")]), json!([container("1")]), "3");
        check(
            json!([side("1"), container("3")]),
            json!([container("1")]),
            "4",
        );
        check(json!([side("1"), side("1")]), json!([container("1")]), "3");
    }
}
