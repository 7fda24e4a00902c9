// SPDX-License-Identifier: Apache-2.0
//! Which nodes a DaemonSet wants a pod on: node name, selector and affinity of its template, and taints.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{
    Affinity, Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod,
    PodSpec, Toleration,
};
use kube::ResourceExt as _;

use crate::scheduler::matching;

/// The field of a node that its pods are bound by.
const NODE_NAME: &str = "metadata.name";

/// What a node is to a DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// It is to have a pod.
    pub(super) should_run: bool,
    /// A pod that it has may stay.
    pub(super) may_stay: bool,
}

/// What the node is to the DaemonSet.
pub(super) fn placement(set: &DaemonSet, node: &Node) -> Placement {
    const NOWHERE: Placement = Placement {
        should_run: false,
        may_stay: false,
    };
    let template = set
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let Some(template) = template else {
        return NOWHERE;
    };
    let named = template.node_name.as_deref().unwrap_or("");
    if !named.is_empty() && named != node.name_any()
        || !matching::wants(template, &node.name_any(), node.metadata.labels.as_ref())
    {
        return NOWHERE;
    }
    let mut spec = template.clone();
    tolerate(&mut spec);
    let tolerations = spec.tolerations.unwrap_or_default();
    let taints = node
        .spec
        .as_ref()
        .and_then(|spec| spec.taints.as_deref())
        .unwrap_or_default();
    let keep_off = |effects: &[&str]| matching::keep_off(taints, effects, &tolerations);
    Placement {
        should_run: !keep_off(&["NoSchedule", "NoExecute"]),
        may_stay: !keep_off(&["NoExecute"]),
    }
}

/// Adds what every pod of a DaemonSet tolerates.
pub(super) fn tolerate(spec: &mut PodSpec) {
    const ALL: [(&str, &str); 6] = [
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ];
    const ON_HOST_NETWORK: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");
    let host_network = spec.host_network == Some(true);
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in ALL
        .into_iter()
        .chain(host_network.then_some(ON_HOST_NETWORK))
    {
        let new = Toleration {
            key: Some(key.into()),
            operator: Some("Exists".into()),
            effect: Some(effect.into()),
            ..Toleration::default()
        };
        let same = |old: &Toleration| {
            (&old.key, &old.operator, &old.effect) == (&new.key, &new.operator, &new.effect)
                && old.value.as_deref().unwrap_or("").is_empty()
        };
        match tolerations.iter_mut().find(|old| same(old)) {
            Some(old) => *old = new,
            None => tolerations.push(new),
        }
    }
}

/// Binds a pod to a node by an affinity that the scheduler follows.
pub(super) fn bind(spec: &mut PodSpec, node: &str) {
    let affinity: &mut Affinity = spec.affinity.get_or_insert_default();
    let affinity: &mut NodeAffinity = affinity.node_affinity.get_or_insert_default();
    affinity.required_during_scheduling_ignored_during_execution = Some(NodeSelector {
        node_selector_terms: vec![NodeSelectorTerm {
            match_fields: Some(vec![NodeSelectorRequirement {
                key: NODE_NAME.into(),
                operator: "In".into(),
                values: Some(vec![node.to_owned()]),
            }]),
            match_expressions: None,
        }],
    });
}

/// The node that a pod is on or, before the scheduler has bound it, meant for.
pub(super) fn node_of(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    if let Some(name) = spec.node_name.as_deref().filter(|name| !name.is_empty()) {
        return Some(name);
    }
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    let fields = required
        .node_selector_terms
        .iter()
        .flat_map(|t| t.match_fields.iter().flatten());
    fields
        .filter(|field| field.key == NODE_NAME && field.operator == "In")
        .find_map(|field| field.values.as_ref()?.first())
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(template: Value, labels: Value, taints: Value, should_run: bool, may_stay: bool) {
        let set: DaemonSet = serde_json::from_value(
            json!({"spec": {"selector": {}, "template": {"spec": template}}}),
        )
        .expect("a DaemonSet");
        let node: Node = serde_json::from_value(
            json!({"metadata": {"name": "n", "labels": labels}, "spec": {"taints": taints}}),
        )
        .expect("a node");
        assert_eq!(
            placement(&set, &node),
            Placement {
                should_run,
                may_stay
            },
            "{set:?}"
        );
    }

    #[test]
    fn nodes_with_and_without_a_pod() {
        let spec = |extra: Value| {
            let mut spec = json!({"containers": []});
            if let (Value::Object(spec), Value::Object(extra)) = (&mut spec, extra) {
                spec.extend(extra);
            }
            spec
        };
        let plain = || spec(json!({}));
        let taint = |key: &str, effect: &str| json!([{"key": key, "effect": effect}]);
        check(plain(), json!({}), json!([]), true, true);
        check(
            spec(json!({"nodeName": "n"})),
            json!({}),
            json!([]),
            true,
            true,
        );
        check(
            spec(json!({"nodeName": "m"})),
            json!({}),
            json!([]),
            false,
            false,
        );
        check(
            spec(json!({"nodeSelector": {"a": "1"}})),
            json!({"a": "1"}),
            json!([]),
            true,
            true,
        );
        check(
            spec(json!({"nodeSelector": {"a": "1"}})),
            json!({"a": "2"}),
            json!([]),
            false,
            false,
        );
        check(plain(), json!({}), taint("x", "NoSchedule"), false, true);
        check(plain(), json!({}), taint("x", "NoExecute"), false, false);
        check(
            plain(),
            json!({}),
            taint("x", "PreferNoSchedule"),
            true,
            true,
        );
        check(
            plain(),
            json!({}),
            taint("node.kubernetes.io/unschedulable", "NoSchedule"),
            true,
            true,
        );
        check(
            plain(),
            json!({}),
            taint("node.kubernetes.io/unreachable", "NoExecute"),
            true,
            true,
        );
        check(
            plain(),
            json!({}),
            taint("node.kubernetes.io/network-unavailable", "NoSchedule"),
            false,
            true,
        );
        check(
            spec(json!({"hostNetwork": true})),
            json!({}),
            taint("node.kubernetes.io/network-unavailable", "NoSchedule"),
            true,
            true,
        );
        check(
            spec(json!({"tolerations": [{"operator": "Exists"}]})),
            json!({}),
            taint("x", "NoExecute"),
            true,
            true,
        );
        let affinity = |terms: Value| {
            let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
            spec(json!({"affinity": {"nodeAffinity": required}}))
        };
        for (operator, values, matches) in [
            ("In", json!(["5", "6"]), true),
            ("NotIn", json!(["5"]), false),
            ("Exists", json!([]), true),
            ("DoesNotExist", json!([]), false),
            ("Gt", json!(["4"]), true),
            ("Lt", json!(["5"]), false),
        ] {
            let terms = json!([{"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}]);
            check(
                affinity(terms),
                json!({"a": "5"}),
                json!([]),
                matches,
                matches,
            );
        }
        check(affinity(json!([{}])), json!({}), json!([]), false, false);
        let by_name =
            json!([{}, {"matchFields": [{"key": NODE_NAME, "operator": "In", "values": ["n"]}]}]);
        check(affinity(by_name), json!({}), json!([]), true, true);
    }
}
