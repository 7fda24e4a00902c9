// SPDX-License-Identifier: Apache-2.0
//! A pod as the scheduler sees it: what it asks for, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k1s_core::selector::{LabelSelector, Operator, Requirement};
use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, Pod, PodAffinityTerm, PodSpec, Toleration, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as WrittenSelector;

use super::amounts::{self, Amounts};

pub(super) type Map = BTreeMap<String, String>;

/// A pod and what follows from its specification.
#[derive(Clone, Debug)]
pub(super) struct PodInfo {
    pub(super) pod: Arc<Pod>,
    pub(super) requests: Amounts,
    /// CPU and memory for comparing nodes.
    pub(super) assumed: (i64, i64),
    pub(super) ports: Vec<HostPort>,
    pub(super) affinity: Vec<Term>,
    pub(super) anti_affinity: Vec<Term>,
    pub(super) preferred: Vec<(i32, Term)>,
    pub(super) spread: Vec<Spread>,
}

/// A port of the node that a pod takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPort {
    pub(super) ip: String,
    pub(super) protocol: String,
    pub(super) port: i32,
}

impl HostPort {
    /// Whether two pods cannot have both on one node.
    pub(super) fn collides(&self, other: &Self) -> bool {
        let any = |ip: &str| ip == "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || any(&self.ip) || any(&other.ip))
    }
}

/// A wish about the neighbourhood of other pods.
#[derive(Clone, Debug)]
pub(super) struct Term {
    selector: LabelSelector,
    namespaces: BTreeSet<String>,
    namespace_selector: LabelSelector,
    pub(super) topology_key: String,
}

impl Term {
    fn new(term: &PodAffinityTerm, pod: &Pod) -> Self {
        let labels = pod.metadata.labels.as_ref();
        let mut selector = selector(term.label_selector.as_ref());
        for (keys, operator) in [
            (&term.match_label_keys, Operator::In),
            (&term.mismatch_label_keys, Operator::NotIn),
        ] {
            selector = with_keys(selector, keys.as_deref(), operator, labels);
        }
        let mut namespaces: BTreeSet<String> = term.namespaces.iter().flatten().cloned().collect();
        if namespaces.is_empty() && term.namespace_selector.is_none() {
            namespaces.extend(pod.metadata.namespace.clone());
        }
        Self {
            selector,
            namespaces,
            namespace_selector: self::selector(term.namespace_selector.as_ref()),
            topology_key: term.topology_key.clone(),
        }
    }

    /// Whether the term speaks of a pod; `namespaces` has the labels of all namespaces.
    pub(super) fn speaks_of(&self, pod: &Pod, namespaces: &BTreeMap<String, Map>) -> bool {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        (self.namespaces.contains(namespace)
            || !self.namespace_selector.is_nothing()
                && self.namespace_selector.matches(&namespaces.get(namespace)))
            && self.selector.matches(&pod.metadata.labels.as_ref())
    }
}

/// How evenly pods are to be spread over domains.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    pub(super) topology_key: String,
    pub(super) max_skew: i64,
    pub(super) min_domains: i64,
    /// Whether a node that breaks it is refused, or only liked less.
    pub(super) required: bool,
    selector: LabelSelector,
    pub(super) honors_affinity: bool,
    pub(super) honors_taints: bool,
}

impl Spread {
    fn new(constraint: &TopologySpreadConstraint, pod: &Pod) -> Self {
        let selector = with_keys(
            selector(constraint.label_selector.as_ref()),
            constraint.match_label_keys.as_deref(),
            Operator::In,
            pod.metadata.labels.as_ref(),
        );
        Self {
            topology_key: constraint.topology_key.clone(),
            max_skew: constraint.max_skew.into(),
            min_domains: constraint.min_domains.unwrap_or(1).into(),
            required: constraint.when_unsatisfiable == "DoNotSchedule",
            selector,
            honors_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
        }
    }

    /// A wish that the cluster has for pods that say nothing themselves.
    pub(super) fn of_cluster(topology_key: &str, max_skew: i64, selector: LabelSelector) -> Self {
        Self {
            topology_key: topology_key.to_owned(),
            max_skew,
            min_domains: 1,
            required: false,
            selector,
            honors_affinity: true,
            honors_taints: false,
        }
    }

    /// Whether a pod is one of those that are to be spread.
    pub(super) fn selects(&self, pod: &Pod) -> bool {
        self.selector.matches(&pod.metadata.labels.as_ref())
    }
}

fn with_keys(
    selector: LabelSelector,
    keys: Option<&[String]>,
    operator: Operator,
    labels: Option<&Map>,
) -> LabelSelector {
    let Some(keys) = keys.filter(|_| !selector.is_nothing()) else {
        return selector;
    };
    let mut requirements = selector.requirements().to_vec();
    requirements.extend(keys.iter().filter_map(|key| {
        let value = labels?.get(key)?;
        Requirement::new(key, operator, vec![value.clone()]).ok()
    }));
    LabelSelector::new(requirements)
}

/// A selector as objects have it; an absent one selects nothing, and so does one that cannot be read.
pub(crate) fn selector(written: Option<&WrittenSelector>) -> LabelSelector {
    let value = written.and_then(|selector| serde_json::to_value(selector).ok());
    LabelSelector::from_object(value.as_ref()).unwrap_or_else(|_| LabelSelector::nothing())
}

impl PodInfo {
    pub(super) fn new(pod: Arc<Pod>) -> Self {
        let none = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&none);
        let affinity = spec.affinity.as_ref();
        let pod_affinity = affinity.and_then(|a| a.pod_affinity.as_ref());
        let anti_affinity = affinity.and_then(|a| a.pod_anti_affinity.as_ref());
        let terms = |terms: Option<&Vec<PodAffinityTerm>>| -> Vec<Term> {
            terms
                .into_iter()
                .flatten()
                .map(|term| Term::new(term, &pod))
                .collect()
        };
        let liked = pod_affinity.and_then(|a| {
            a.preferred_during_scheduling_ignored_during_execution
                .as_ref()
        });
        let disliked = anti_affinity.and_then(|a| {
            a.preferred_during_scheduling_ignored_during_execution
                .as_ref()
        });
        let preferred = liked
            .into_iter()
            .flatten()
            .map(|w| (w.weight, Term::new(&w.pod_affinity_term, &pod)))
            .chain(
                disliked
                    .into_iter()
                    .flatten()
                    .map(|w| (-w.weight, Term::new(&w.pod_affinity_term, &pod))),
            )
            .collect();
        Self {
            requests: amounts::requests(spec),
            assumed: amounts::assumed(spec),
            ports: host_ports(spec),
            affinity: terms(pod_affinity.and_then(|a| {
                a.required_during_scheduling_ignored_during_execution
                    .as_ref()
            })),
            anti_affinity: terms(anti_affinity.and_then(|a| {
                a.required_during_scheduling_ignored_during_execution
                    .as_ref()
            })),
            preferred,
            spread: spec
                .topology_spread_constraints
                .iter()
                .flatten()
                .map(|constraint| Spread::new(constraint, &pod))
                .collect(),
            pod,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.pod.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(super) fn priority(&self) -> i32 {
        self.pod.spec.as_ref().and_then(|s| s.priority).unwrap_or(0)
    }

    pub(super) fn tolerations(&self) -> &[Toleration] {
        let spec = self.pod.spec.as_ref();
        spec.and_then(|s| s.tolerations.as_deref())
            .unwrap_or_default()
    }

    pub(super) fn node_affinity(&self) -> Option<&NodeAffinity> {
        let affinity: &Affinity = self.pod.spec.as_ref()?.affinity.as_ref()?;
        affinity.node_affinity.as_ref()
    }

    /// The node that the pod names itself, or was put on.
    pub(super) fn node_name(&self) -> Option<&str> {
        let name = self.pod.spec.as_ref()?.node_name.as_deref()?;
        (!name.is_empty()).then_some(name)
    }

    pub(super) fn nominated(&self) -> Option<&str> {
        let name = self.pod.status.as_ref()?.nominated_node_name.as_deref()?;
        (!name.is_empty()).then_some(name)
    }

    pub(super) fn is_deleting(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }
}

fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let init = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|c| c.restart_policy.as_deref() == Some("Always"));
    spec.containers
        .iter()
        .chain(init)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            let number = port.host_port.filter(|number| *number > 0)?;
            let ip = port.host_ip.clone().filter(|ip| !ip.is_empty());
            let protocol = port.protocol.clone().filter(|p| !p.is_empty());
            Some(HostPort {
                ip: ip.unwrap_or_else(|| "0.0.0.0".into()),
                protocol: protocol.unwrap_or_else(|| "TCP".into()),
                port: number,
            })
        })
        .collect()
}
