// SPDX-License-Identifier: Apache-2.0
//! `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` of a Service: what must hold among them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::{cluster_ips, is_headless, kind};
use crate::field::{Errors, Path};
use crate::name::parse_ip;
use crate::object::{at, list, text};
use crate::rules::address;

/// The families that there are.
pub(super) const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];
const POLICIES: [&str; 3] = ["PreferDualStack", "RequireDualStack", "SingleStack"];

/// Checks the four fields together.
pub(super) fn validate(service: &Value, errors: &mut Errors) {
    // there all of them are refused already
    if kind(service) == "ExternalName" {
        return;
    }
    let path = Path::new("spec");
    let ips_path = path.child("clusterIPs");
    let ips = cluster_ips(service);
    validate_pair(
        text(service, &["spec", "clusterIP"]),
        &ips,
        &ips_path,
        errors,
    );
    validate_families(service, &path.child("ipFamilies"), errors);
    let policy = at(service, &["spec", "ipFamilyPolicy"]);
    if let Some(policy) = policy
        && !policy.as_str().is_some_and(|p| POLICIES.contains(&p))
    {
        errors.not_supported(path.child("ipFamilyPolicy"), policy, &POLICIES);
    }
    if !validate_each(&ips, &ips_path, errors) {
        return;
    }
    if ips.len() > 1 && families_of(&ips).len() < 2 {
        errors.invalid(
            ips_path,
            &json!(ips),
            "may specify no more than one IP for each IP family",
        );
    }
    if !is_headless(service) {
        validate_match(service, &ips, &ips_path, errors);
    }
}

/// The single field is the first of the plural one.
fn validate_pair(ip: &str, ips: &[&str], path: &Path<'_>, errors: &mut Errors) {
    match (ip, ips.first()) {
        ("", Some(_)) => errors.invalid(
            path,
            &json!(ips),
            "must be empty when `clusterIP` is not specified",
        ),
        ("", None) => {}
        (_, None) => errors.required(path, ""),
        (ip, Some(first)) if ip != *first => {
            errors.invalid(path, &json!(ips), "first value must match `clusterIP`")
        }
        _ => {}
    }
}

fn validate_families(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, family) in list(service, &["spec", "ipFamilies"]).iter().enumerate() {
        let name = family.as_str().unwrap_or_default();
        if !FAMILIES.contains(&name) {
            errors.not_supported(path.index(index), family, &FAMILIES);
        }
        if !seen.insert(name) {
            errors.duplicate(path.index(index), family);
        }
    }
}

/// Each is an address, or the only one is `None`; whether that is so.
fn validate_each(ips: &[&str], path: &Path<'_>, errors: &mut Errors) -> bool {
    let mut good = true;
    for (index, ip) in ips.iter().enumerate() {
        if index == 0 && *ip == "None" {
            if ips.len() > 1 {
                good = false;
                errors.invalid(path, &json!(ips), "'None' must be the first and only value");
            }
            continue;
        }
        good &= address::validate_ip(ip, &path.index(index), errors);
    }
    if ips.len() > 2 {
        errors.invalid(path, &json!(ips), "may only hold up to 2 values");
    }
    good
}

/// The family of an address.
pub(super) fn family_of(ip: &str) -> &'static str {
    match parse_ip(ip) {
        Some(IpAddr::V6(_)) => "IPv6",
        _ => "IPv4",
    }
}

fn families_of(ips: &[&str]) -> BTreeSet<&'static str> {
    ips.iter().map(|ip| family_of(ip)).collect()
}

fn validate_match(service: &Value, ips: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let families = list(service, &["spec", "ipFamilies"]);
    for (index, (ip, family)) in ips.iter().zip(families).enumerate() {
        let family = family.as_str().unwrap_or_default();
        if FAMILIES.contains(&family) && family_of(ip) != family {
            errors.invalid_text(
                path.index(index),
                ip,
                format!("expected an {family} value as indicated by `ipFamilies[{index}]`"),
            );
        }
    }
}
