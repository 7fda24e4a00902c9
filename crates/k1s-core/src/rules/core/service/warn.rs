// SPDX-License-Identifier: Apache-2.0
//! What a Service's author is warned of.

use serde_json::Value;

use super::{cluster_ips, is_headless, kind};
use crate::name;
use crate::object::{annotation, list, text};

const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const MODE: &str = "service.kubernetes.io/topology-mode";

pub(super) fn warn(service: &Value, warnings: &mut Vec<String>) {
    if annotation(service, HINTS).is_some() {
        warnings.push(format!(
            "annotation {HINTS} is deprecated, please use {MODE} instead"
        ));
    }
    if is_headless(service) {
        warn_headless(service, warnings);
    } else {
        for (index, ip) in cluster_ips(service).into_iter().enumerate() {
            warnings.extend(name::ip_warnings(&format!("spec.clusterIPs[{index}]"), ip));
        }
    }
    let external = list(service, &["spec", "externalIPs"]);
    for (index, ip) in external.iter().filter_map(Value::as_str).enumerate() {
        warnings.extend(name::ip_warnings(&format!("spec.externalIPs[{index}]"), ip));
    }
    let balancer = text(service, &["spec", "loadBalancerIP"]);
    if !balancer.is_empty() {
        warnings.extend(name::ip_warnings("spec.loadBalancerIP", balancer));
    }
    let ranges = list(service, &["spec", "loadBalancerSourceRanges"]);
    for (index, cidr) in ranges.iter().filter_map(Value::as_str).enumerate() {
        let field = format!("spec.loadBalancerSourceRanges[{index}]");
        warnings.extend(name::cidr_warnings(&field, cidr));
    }
    if kind(service) == "ExternalName" {
        if !external.is_empty() {
            warnings
                .push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
        }
    } else if !text(service, &["spec", "externalName"]).is_empty() {
        warnings
            .push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if text(service, &["spec", "trafficDistribution"]) == "PreferClose" {
        warnings.push(
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\""
                .to_owned(),
        );
    }
}

fn warn_headless(service: &Value, warnings: &mut Vec<String>) {
    let mut ignored = |field: &str| {
        warnings.push(format!("spec.{field} is ignored for headless services"));
    };
    if !text(service, &["spec", "loadBalancerIP"]).is_empty() {
        ignored("loadBalancerIP");
    }
    if !list(service, &["spec", "externalIPs"]).is_empty() {
        ignored("externalIPs");
    }
    if text(service, &["spec", "sessionAffinity"]) != "None" {
        ignored("SessionAffinity");
    }
}
