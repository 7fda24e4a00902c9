// SPDX-License-Identifier: Apache-2.0
//! Whether a node has the labels that a pod wants, and whether a pod bears a node's taints.

use k8s_openapi::api::core::v1::{
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration,
};

use super::node::NodeInfo;
use super::pod::{Map, PodInfo};

/// Whether a node meets the pod's `nodeSelector` and required node affinity.
pub(super) fn wanted(pod: &PodInfo, node: &NodeInfo) -> bool {
    let spec = pod.pod.spec.as_ref();
    spec.is_none_or(|spec| wants(spec, node.name(), node.labels()))
}

/// Whether `nodeSelector` and required node affinity accept a node of that name and labels.
pub(crate) fn wants(spec: &PodSpec, name: &str, labels: Option<&Map>) -> bool {
    let has = |key: &String| labels.and_then(|labels| labels.get(key));
    let affinity = spec
        .affinity
        .as_ref()
        .and_then(|a| a.node_affinity.as_ref());
    let required = affinity.and_then(|a| {
        a.required_during_scheduling_ignored_during_execution
            .as_ref()
    });
    spec.node_selector
        .iter()
        .flatten()
        .all(|(key, value)| has(key) == Some(value))
        && required.is_none_or(|selector| selects(selector, name, labels))
}

/// Whether a node selector selects a node of that name and labels: any term, and all of the term.
pub(crate) fn selects(selector: &NodeSelector, name: &str, labels: Option<&Map>) -> bool {
    selector
        .node_selector_terms
        .iter()
        .any(|term| term_selects(term, name, labels))
}

/// Whether all of a term holds; an empty one holds of no node.
pub(super) fn term_selects(term: &NodeSelectorTerm, name: &str, labels: Option<&Map>) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    expressions.iter().all(|r| {
        let value = labels.and_then(|labels| labels.get(&r.key));
        holds(r, value.map(String::as_str))
    }) && fields
        .iter()
        .all(|r| r.key == "metadata.name" && holds(r, Some(name)))
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let among = |value: &str| values.iter().any(|v| v == value);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = values.first().and_then(|v| number(v));
    match requirement.operator.as_str() {
        "In" => value.is_some_and(among),
        "NotIn" => !value.is_some_and(among),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => value
            .and_then(number)
            .zip(bound)
            .is_some_and(|(v, b)| v > b),
        "Lt" => value
            .and_then(number)
            .zip(bound)
            .is_some_and(|(v, b)| v < b),
        _ => false,
    }
}

/// Whether a toleration bears a taint.
pub(crate) fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let (effect, key) = (word(&toleration.effect), word(&toleration.key));
    if !effect.is_empty() && effect != taint.effect || !key.is_empty() && key != taint.key {
        return false;
    }
    match toleration.operator.as_deref() {
        None | Some("" | "Equal") => word(&toleration.value) == word(&taint.value),
        Some("Exists") => true,
        Some(compare @ ("Gt" | "Lt")) => {
            let number = |text: &Option<String>| word(text).parse::<i64>().ok();
            match (number(&taint.value), number(&toleration.value)) {
                (Some(taint), Some(bound)) if compare == "Gt" => taint > bound,
                (Some(taint), Some(bound)) => taint < bound,
                _ => false,
            }
        }
        Some(_) => false,
    }
}

/// Whether any of the tolerations bears a taint.
pub(crate) fn any_tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|t| tolerates(t, taint))
}

/// Whether a pod may be put on a node in spite of its taints.
pub(super) fn bears(pod: &PodInfo, node: &NodeInfo) -> bool {
    !keep_off(
        node.taints(),
        &["NoSchedule", "NoExecute"],
        pod.tolerations(),
    )
}

/// Whether a taint of one of the effects is not tolerated.
pub(crate) fn keep_off(taints: &[Taint], effects: &[&str], tolerations: &[Toleration]) -> bool {
    let mut taints = taints
        .iter()
        .filter(|taint| effects.contains(&taint.effect.as_str()));
    taints.any(|taint| !any_tolerates(tolerations, taint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn node_selectors() {
        let labels: Map = [("tier", "b"), ("size", "10")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        let check = |terms: Value, expected: bool| {
            let selector: NodeSelector =
                serde_json::from_value(json!({"nodeSelectorTerms": terms})).unwrap();
            assert_eq!(selects(&selector, "n", Some(&labels)), expected, "{terms}");
        };
        let one = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        check(json!([one("tier", "In", json!(["a", "b"]))]), true);
        check(json!([one("tier", "In", json!(["c"]))]), false);
        check(json!([one("tier", "NotIn", json!(["c"]))]), true);
        check(json!([one("rank", "NotIn", json!(["c"]))]), true);
        check(json!([one("rank", "Exists", json!([]))]), false);
        check(json!([one("rank", "DoesNotExist", json!([]))]), true);
        check(json!([one("size", "Gt", json!(["9"]))]), true);
        check(json!([one("size", "Gt", json!(["10"]))]), false);
        check(json!([one("size", "Lt", json!(["11"]))]), true);
        check(json!([{}]), false);
        check(json!([{}, one("tier", "In", json!(["b"]))]), true);
        check(
            json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]),
            true,
        );
    }

    #[test]
    fn tolerations() {
        let check = |toleration: Value, expected: bool| {
            let toleration: Toleration = serde_json::from_value(toleration).unwrap();
            let taint: Taint = serde_json::from_value(
                json!({"key": "only", "value": "x", "effect": "NoSchedule"}),
            )
            .unwrap();
            assert_eq!(tolerates(&toleration, &taint), expected, "{toleration:?}");
        };
        check(json!({"operator": "Exists"}), true);
        check(json!({"key": "only", "operator": "Exists"}), true);
        check(json!({"key": "only", "value": "x"}), true);
        check(json!({"key": "only", "value": "y"}), false);
        check(
            json!({"key": "only", "operator": "Exists", "effect": "NoExecute"}),
            false,
        );
        check(json!({"key": "other", "operator": "Exists"}), false);
    }
}
