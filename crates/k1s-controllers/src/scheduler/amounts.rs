// SPDX-License-Identifier: Apache-2.0
//! Amounts of resources as whole numbers: thousandths of CPUs, units of everything else.

use std::collections::BTreeMap;

use k1s_core::quantity::Quantity;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

pub(super) const CPU: &str = "cpu";
pub(super) const MEMORY: &str = "memory";
/// What a container without a request counts for when nodes are compared.
const ASSUMED_CPU: i64 = 100;
const ASSUMED_MEMORY: i64 = 200 * 1024 * 1024;

type List = BTreeMap<String, Written>;

/// Amounts by resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts(BTreeMap<String, i64>);

impl Amounts {
    /// The amounts of a list in an object; what cannot be read is left out.
    pub(super) fn read(list: Option<&List>) -> Self {
        let entries = list.into_iter().flatten().filter_map(|(name, amount)| {
            let amount = Quantity::parse(&amount.0).ok()?;
            let number = if name == CPU {
                amount.milli_value()
            } else {
                amount.value()
            };
            Some((name.clone(), number))
        });
        Self(entries.collect())
    }

    /// The amount of one resource.
    pub(super) fn get(&self, resource: &str) -> i64 {
        self.0.get(resource).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, resource: &str, amount: i64) {
        self.0.insert(resource.to_owned(), amount);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            match self.0.get_mut(name) {
                Some(own) => *own = own.saturating_add(*amount),
                None => self.set(name, *amount),
            }
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            if let Some(own) = self.0.get_mut(name) {
                *own = own.saturating_sub(*amount);
            }
        }
    }

    /// Raises each amount to the other's where that is more.
    fn raise(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let more = self.0.get(name).is_none_or(|own| own < amount);
            if more {
                self.set(name, *amount);
            }
        }
    }
}

/// What a pod asks of its node: its containers at once, or its init containers one after another beside the restartable
/// ones started before; what the pod says as a whole comes first, the overhead of its runtime on top.
pub(super) fn requests(spec: &PodSpec) -> Amounts {
    together(spec, |container| {
        Amounts::read(
            container
                .resources
                .as_ref()
                .and_then(|r| r.requests.as_ref()),
        )
    })
}

/// CPU and memory that a pod counts for when nodes are compared: containers without a request count for a little.
pub(super) fn assumed(spec: &PodSpec) -> (i64, i64) {
    let all = together(spec, |container| {
        let mut amounts = Amounts::read(
            container
                .resources
                .as_ref()
                .and_then(|r| r.requests.as_ref()),
        );
        for (name, amount) in [(CPU, ASSUMED_CPU), (MEMORY, ASSUMED_MEMORY)] {
            if !amounts.0.contains_key(name) {
                amounts.set(name, amount);
            }
        }
        amounts
    });
    (all.get(CPU), all.get(MEMORY))
}

fn together(spec: &PodSpec, of: impl Fn(&Container) -> Amounts) -> Amounts {
    let mut total = Amounts::default();
    for container in &spec.containers {
        total.add(&of(container));
    }
    let (mut restartable, mut starting) = (Amounts::default(), Amounts::default());
    for container in spec.init_containers.iter().flatten() {
        let own = of(container);
        let mut now = restartable.clone();
        now.add(&own);
        if container.restart_policy.as_deref() == Some("Always") {
            total.add(&own);
            restartable = now.clone();
        }
        starting.raise(&now);
    }
    total.raise(&starting);
    let whole = spec.resources.as_ref().and_then(|r| r.requests.as_ref());
    for (name, amount) in Amounts::read(whole).iter() {
        total.set(name, amount);
    }
    total.add(&Amounts::read(spec.overhead.as_ref()));
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods() {
        let check = |spec: serde_json::Value, cpu: i64, assumed_cpu: i64| {
            let spec: PodSpec = serde_json::from_value(spec).unwrap();
            assert_eq!(requests(&spec).get(CPU), cpu, "{spec:?}");
            assert_eq!(assumed(&spec).0, assumed_cpu, "{spec:?}");
        };
        let c = |cpu: &str| json!({"name": "c", "resources": {"requests": {"cpu": cpu}}});
        let side = |cpu: &str| json!({"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
        check(json!({"containers": [c("1"), c("500m")]}), 1500, 1500);
        check(json!({"containers": [{"name": "c"}]}), 0, 100);
        check(
            json!({"containers": [c("1")], "initContainers": [c("3")]}),
            3000,
            3000,
        );
        check(
            json!({"containers": [c("1")], "initContainers": [side("1"), c("3")]}),
            4000,
            4000,
        );
        check(
            json!({"containers": [c("1")], "resources": {"requests": {"cpu": "2"}}, "overhead": {"cpu": "50m"}}),
            2050,
            2050,
        );
    }
}
