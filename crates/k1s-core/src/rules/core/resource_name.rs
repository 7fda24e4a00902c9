// SPDX-License-Identifier: Apache-2.0
//! Names of resources (`cpu`, `hugepages-2Mi`, `example.com/gpu`) and the amounts that each may have.

use serde_json::{Map, Value};

use super::pod_template::check::complain;
use crate::field::{Errors, Path};
use crate::name;
use crate::quantity::Quantity;

const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];
const CONTAINER: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
const INTEGER: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const HUGE_PAGES: &str = "hugepages-";
const HUGE_PAGES_REQUESTS: &str = "requests.hugepages-";
const OWN_DOMAIN: &str = "kubernetes.io/";

/// Pages of one size: `hugepages-2Mi`.
pub(in crate::rules) fn is_huge_pages(resource: &str) -> bool {
    resource.starts_with(HUGE_PAGES)
}

fn is_quota_huge_pages(resource: &str) -> bool {
    is_huge_pages(resource) || resource.starts_with(HUGE_PAGES_REQUESTS)
}

/// Kubernetes' own resources have no domain, or `kubernetes.io`.
pub(in crate::rules) fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains(OWN_DOMAIN)
}

/// Whether more of it may be promised than there is.
pub(in crate::rules) fn allows_overcommit(resource: &str) -> bool {
    is_native(resource) && !is_huge_pages(resource)
}

/// A resource of someone else's, as nodes announce them.
pub(in crate::rules) fn is_extended(resource: &str) -> bool {
    !is_native(resource)
        && !resource.starts_with("requests.")
        && name::label_key(&format!("requests.{resource}")).is_empty()
}

/// Whether it is counted in whole numbers.
pub(in crate::rules) fn is_integer(resource: &str) -> bool {
    INTEGER.contains(&resource) || is_extended(resource)
}

/// Whether it is one that quotas count by this name.
pub(in crate::rules) fn is_standard_for_quota(resource: &str) -> bool {
    resource != "storage" && (STANDARD.contains(&resource) || is_quota_huge_pages(resource))
}

/// A resource name of any sort.
pub(in crate::rules) fn validate(resource: &str, path: &Path<'_>, errors: &mut Errors) {
    let complaints = name::label_key(resource);
    if !complaints.is_empty() {
        complain(complaints, resource, path, errors);
    } else if !resource.contains('/')
        && !STANDARD.contains(&resource)
        && !is_quota_huge_pages(resource)
    {
        errors.invalid_text(
            path,
            resource,
            "must be a standard resource type or fully qualified",
        );
    }
}

/// A resource that a container may ask for.
pub(in crate::rules) fn validate_for_container(
    resource: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    validate(resource, path, errors);
    if !resource.contains('/') {
        if !CONTAINER.contains(&resource) && !is_huge_pages(resource) {
            errors.invalid_text(path, resource, "must be a standard resource for containers");
        }
    } else if !is_native(resource) && !is_extended(resource) {
        errors.invalid_text(
            path,
            resource,
            "doesn't follow extended resource name standard",
        );
    }
}

/// A resource that a pod as a whole may ask for.
pub(in crate::rules) fn is_for_pods(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || is_huge_pages(resource)
}

/// The amount of a resource: not negative, and whole where it is counted.
pub(in crate::rules) fn validate_amount(
    resource: &str,
    amount: &Quantity,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    not_negative(amount, path, errors);
    if is_integer(resource) && amount.milli_value() % 1000 != 0 {
        errors.invalid_text(path, &amount.to_string(), "must be an integer");
    }
}

/// An amount of at least zero.
pub(in crate::rules) fn not_negative(amount: &Quantity, path: &Path<'_>, errors: &mut Errors) {
    if amount.sign() < 0 {
        errors.invalid_text(
            path,
            &amount.to_string(),
            "must be greater than or equal to 0",
        );
    }
}

/// Whether an amount of huge pages is some number of whole pages.
pub(in crate::rules) fn is_whole_pages(resource: &str, amount: &Quantity) -> bool {
    resource
        .strip_prefix(HUGE_PAGES)
        .and_then(|size| Quantity::parse(size).ok())
        .is_some_and(|size| {
            let whole = size.sign() > 0 && size.milli_value() % 1000 == 0;
            whole && amount.value() % size.value() == 0
        })
}

/// The resources of a list and their amounts; the object was decoded, so every amount can be read.
pub(in crate::rules) fn amounts(list: Option<&Value>) -> impl Iterator<Item = (&str, Quantity)> {
    list.and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter)
        .filter_map(|(key, value)| Quantity::from_json(value).ok().map(|q| (key.as_str(), q)))
}

/// The amount of one resource in a list.
pub(in crate::rules) fn amount(list: Option<&Value>, resource: &str) -> Option<Quantity> {
    list.and_then(|l| l.get(resource))
        .and_then(|v| Quantity::from_json(v).ok())
}

/// Rounds the amounts of a list up to thousandths.
pub(in crate::rules) fn round_up(list: &mut Value) {
    for value in list.as_object_mut().into_iter().flat_map(Map::values_mut) {
        let Ok(amount) = Quantity::from_json(value) else {
            continue;
        };
        let milli = amount.milli_value();
        let rounded = Quantity::from_milli(milli, amount.format());
        if milli.unsigned_abs() < i64::MAX.unsigned_abs() && rounded != amount {
            *value = rounded.to_string().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_are_rounded_up() {
        let mut list = json!({"cpu": "100u", "memory": "1Gi", "x": "1.0005", "big": "1E"});
        round_up(&mut list);
        assert_eq!(
            list,
            json!({"cpu": "1m", "memory": "1Gi", "x": "1001m", "big": "1E"})
        );
    }

    #[test]
    fn sorts_of_names() {
        for (name, extended, overcommit, integer) in [
            ("cpu", false, true, false),
            ("hugepages-2Mi", false, false, false),
            ("example.com/gpu", true, false, true),
            ("requests.example.com/gpu", false, false, false),
            ("x.kubernetes.io/a", false, true, false),
            ("pods", false, true, true),
        ] {
            assert_eq!(is_extended(name), extended, "{name}");
            assert_eq!(allows_overcommit(name), overcommit, "{name}");
            assert_eq!(is_integer(name), integer, "{name}");
        }
        assert!(is_whole_pages(
            "hugepages-2Mi",
            &Quantity::parse("4Mi").unwrap()
        ));
        assert!(!is_whole_pages(
            "hugepages-2Mi",
            &Quantity::parse("3Mi").unwrap()
        ));
    }
}
