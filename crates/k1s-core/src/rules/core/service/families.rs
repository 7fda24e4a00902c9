// SPDX-License-Identifier: Apache-2.0
//! Which IP families a Service gets. The cluster has IPv4 only.

use serde_json::{Value, json};

use super::cluster_ips::{FAMILIES, family_of};
use super::{cluster_ips, kind};
use crate::field::{Errors, Path};
use crate::object::{self, at, list, text};

const FAMILY: &str = "IPv4";
const POLICY: [&str; 2] = ["spec", "ipFamilyPolicy"];
const FAMILIES_PATH: [&str; 2] = ["spec", "ipFamilies"];

/// Fills in the policy and the families.
///
/// # Errors
/// When what is asked for cannot be had here.
pub(super) fn fill_in(service: &mut Value, old: Option<&Value>) -> Result<(), Errors> {
    if kind(service) == "ExternalName" || prefers_dual_stack_as_before(service, old) {
        return Ok(());
    }
    let selectorless = text(service, &["spec", "clusterIP"]) == "None"
        && object::map(service, &["spec", "selector"]).is_none_or(|s| s.is_empty());
    if at(service, &POLICY).is_none() {
        let before = old.and_then(|old| at(old, &POLICY)).cloned();
        let policy = before.unwrap_or_else(|| {
            if selectorless {
                json!("RequireDualStack")
            } else {
                json!("SingleStack")
            }
        });
        object::set(service, &POLICY, policy);
    }
    let mut errors = Errors::new();
    super::cluster_ips::validate(service, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    if let Some(old) = old {
        release(service, old, &mut errors);
    }
    validate_single(service, &mut errors);
    infer_from_ips(service, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    if selectorless {
        fill_in_selectorless(service);
        return Ok(());
    }
    validate_configured(service, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    if families(service).is_empty() {
        object::set(service, &FAMILIES_PATH, json!([FAMILY]));
    }
    Ok(())
}

fn policy(service: &Value) -> &str {
    text(service, &POLICY)
}

fn families(service: &Value) -> &[Value] {
    list(service, &FAMILIES_PATH)
}

/// A service that prefers two stacks is left as it was while nothing of it changes.
fn prefers_dual_stack_as_before(service: &Value, old: Option<&Value>) -> bool {
    old.is_some_and(|old| {
        policy(service) == "PreferDualStack"
            && policy(old) == "PreferDualStack"
            && text(service, &["spec", "type"]) == text(old, &["spec", "type"])
            && at(service, &["spec", "clusterIPs"]) == at(old, &["spec", "clusterIPs"])
            && at(service, &FAMILIES_PATH) == at(old, &FAMILIES_PATH)
    })
}

fn release(service: &mut Value, old: &Value, errors: &mut Errors) {
    for (path, of) in [
        (["spec", "clusterIPs"], "cluster IP"),
        (FAMILIES_PATH, "IP family"),
    ] {
        let (before, after) = (list(old, &path).to_vec(), list(service, &path).to_vec());
        if policy(service) == "SingleStack" {
            if before == after && after.len() > 1 {
                object::set(service, &path, json!([after[0]]));
            }
        } else if !after.is_empty() && after.len() < before.len() {
            let detail = format!("must be 'SingleStack' to release the secondary {of}");
            errors.invalid_text("spec.ipFamilyPolicy", policy(service), detail);
        }
    }
}

fn validate_single(service: &Value, errors: &mut Errors) {
    if policy(service) != "SingleStack" {
        return;
    }
    for (count, of) in [
        (cluster_ips(service).len(), "cluster IPs"),
        (families(service).len(), "IP families"),
    ] {
        if count == 2 {
            let detail = format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {of} are specified"
            );
            errors.invalid_text("spec.ipFamilyPolicy", policy(service), detail);
        }
    }
}

fn infer_from_ips(service: &mut Value, errors: &mut Errors) {
    let ips: Vec<String> = cluster_ips(service)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut all = families(service).to_vec();
    let known = all.len();
    for (index, ip) in ips.iter().enumerate().filter(|(_, ip)| *ip != "None") {
        let family = family_of(ip);
        if index < known {
            continue;
        }
        if family == FAMILY {
            all.push(json!(family));
        } else {
            errors.invalid(
                Path::new("spec").child("clusterIPs").index(index),
                &json!(ips),
                format!("{family} is not configured on this cluster"),
            );
        }
    }
    if all.len() > known {
        object::set(service, &FAMILIES_PATH, all);
    }
}

/// Without a selector someone else makes the endpoints, so any family may be asked for.
fn fill_in_selectorless(service: &mut Value) {
    let mut all = families(service).to_vec();
    if all.is_empty() {
        all.push(json!(FAMILY));
    }
    if all.len() < 2 && policy(service) != "SingleStack" {
        let other = FAMILIES.iter().find(|family| all[0] != **family);
        all.extend(other.map(|family| json!(family)));
    }
    object::set(service, &FAMILIES_PATH, all);
}

fn validate_configured(service: &Value, errors: &mut Errors) {
    if policy(service) == "RequireDualStack" {
        errors.invalid_text(
            "spec.ipFamilyPolicy",
            policy(service),
            "this cluster is not configured for dual-stack services",
        );
    }
    for (index, family) in families(service).iter().enumerate() {
        if *family != FAMILY {
            errors.invalid(
                Path::new("spec").child("ipFamilies").index(index),
                family,
                "not configured on this cluster",
            );
        }
    }
}
