// SPDX-License-Identifier: Apache-2.0
//! Ingress.

use serde_json::{Value, json};

use super::typed_reference;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{annotation, at, list, text};
use crate::rules::address::{
    balancer_words, report, validate_balancer_ingress, validate_port_number,
};
use crate::rules::keep::{drop_status, keep_spec, keep_status};
use crate::rules::number::number;
use crate::rules::{Clock, Generation, Rules, cells};

pub(super) static RULES: Rules = Rules {
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: |object, errors| {
        validate_spec(&object["spec"], errors);
        validate_class_annotation(object, errors);
    },
    validate_update: |new, _, errors| validate_spec(&new["spec"], errors),
    validate_status: |new, _, errors| validate_status(new, errors),
    warnings: |new, old, warnings| {
        if old.is_none() && annotation(new, CLASS).is_some() {
            warnings.push(format!(
                "annotation \"{CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"
            ));
        }
    },
    generation: Generation::Spec,
    cells: Some(row),
    ..Rules::NONE
};

const CLASS: &str = "kubernetes.io/ingress.class";
const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];
const NOT_IN_PATH: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const NOT_AT_END: [&str; 2] = ["/..", "/."];
/// So many hosts are shown in a table.
const SHOWN: usize = 3;

fn validate_class_annotation(object: &Value, errors: &mut Errors) {
    let class = at(object, &["spec", "ingressClassName"]).and_then(Value::as_str);
    if let (Some(old), Some(class)) = (annotation(object, CLASS), class)
        && old != class
    {
        errors.invalid_text(
            Path::new("annotations").child(CLASS),
            old,
            "must match `ingressClassName` when both are specified",
        );
    }
}

fn validate_spec(spec: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let rules = list(spec, &["rules"]);
    let backend = spec.get("defaultBackend");
    if rules.is_empty() && backend.is_none() {
        errors.invalid(
            path,
            &Value::Null,
            "either `defaultBackend` or `rules` must be specified",
        );
    }
    if let Some(backend) = backend {
        validate_backend(backend, &path.child("defaultBackend"), errors);
    }
    let rules_path = path.child("rules");
    for (index, rule) in rules.iter().enumerate() {
        let host = text(rule, &["host"]);
        validate_host(host, &rules_path.index(index).child("host"), errors);
        if let Some(http) = rule.get("http") {
            validate_http(http, &rules_path.index(index).child("http"), errors);
        }
    }
    let tls_path = path.child("tls");
    for (index, tls) in list(spec, &["tls"]).iter().enumerate() {
        validate_tls(tls, &tls_path.index(index), errors);
    }
    if let Some(class) = spec.get("ingressClassName").and_then(Value::as_str) {
        let path = path.child("ingressClassName");
        report(name::dns1123_subdomain(class), class, &path, errors);
    }
}

fn validate_host(host: &str, path: &Path<'_>, errors: &mut Errors) {
    if host.is_empty() {
        return;
    }
    if name::parse_ip(host).is_some() {
        errors.invalid_text(path, host, "must be a DNS name, not an IP address");
    }
    report(host_complaints(host), host, path, errors);
}

fn host_complaints(host: &str) -> Vec<String> {
    if host.contains('*') {
        name::wildcard_dns1123_subdomain(host)
    } else {
        name::dns1123_subdomain(host)
    }
}

fn validate_tls(tls: &Value, path: &Path<'_>, errors: &mut Errors) {
    let hosts = path.child("hosts");
    let all = list(tls, &["hosts"]).iter().filter_map(Value::as_str);
    for (index, host) in all.enumerate() {
        report(host_complaints(host), host, &hosts.index(index), errors);
    }
    let secret = text(tls, &["secretName"]);
    if !secret.is_empty() {
        let path = path.child("secretName");
        report(name::dns1123_subdomain(secret), secret, &path, errors);
    }
}

fn validate_http(http: &Value, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("paths");
    let paths = list(http, &["paths"]);
    if paths.is_empty() {
        errors.required(path, "");
    }
    for (index, item) in paths.iter().enumerate() {
        validate_path(item, &path.index(index), errors);
    }
}

fn validate_path(item: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(kind) = item.get("pathType").and_then(Value::as_str) else {
        errors.required(path.child("pathType"), "pathType must be specified");
        return;
    };
    let value = text(item, &["path"]);
    let value_path = path.child("path");
    match kind {
        "Exact" | "Prefix" => validate_plain_path(value, &value_path, errors),
        "ImplementationSpecific" => {
            if !value.is_empty() && !value.starts_with('/') {
                errors.invalid_text(value_path, value, "must be an absolute path");
            }
        }
        _ => errors.not_supported(path.child("pathType"), &json!(kind), &PATH_TYPES),
    }
    validate_backend(&item["backend"], &path.child("backend"), errors);
}

fn validate_plain_path(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if !value.starts_with('/') {
        errors.invalid_text(path, value, "must be an absolute path");
    }
    for part in NOT_IN_PATH.iter().filter(|part| value.contains(**part)) {
        errors.invalid_text(path, value, format!("must not contain '{part}'"));
    }
    for end in NOT_AT_END.iter().filter(|end| value.ends_with(**end)) {
        errors.invalid_text(path, value, format!("cannot end with '{end}'"));
    }
}

fn validate_backend(backend: &Value, path: &Path<'_>, errors: &mut Errors) {
    match (backend.get("resource"), backend.get("service")) {
        (Some(_), Some(_)) => {
            errors.invalid_text(path, "", "cannot set both resource and service backends");
        }
        (Some(resource), None) => {
            typed_reference::validate(resource, &path.child("resource"), errors);
        }
        (None, Some(service)) => validate_service(service, path, errors),
        (None, None) => {
            errors.invalid_text(path, "", "resource or service backend is required");
        }
    }
}

fn validate_service(service: &Value, backend: &Path<'_>, errors: &mut Errors) {
    let path = backend.child("service");
    let service_name = text(service, &["name"]);
    let name_path = path.child("name");
    if service_name.is_empty() {
        errors.required(name_path, "");
    } else {
        let complaints = name::dns1035_label(service_name);
        report(complaints, service_name, &name_path, errors);
    }
    let port_name = text(service, &["port", "name"]);
    let port_number = number(&service["port"], "number");
    let path = path.child("port");
    match (port_name, port_number) {
        ("", 0) => errors.required(backend, "port name or number is required"),
        ("", number) => validate_port_number(number, &path.child("number"), errors),
        (port, 0) => report(name::port_name(port), port, &path.child("name"), errors),
        _ => errors.invalid_text(backend, "", "cannot set both port name & port number"),
    }
}

fn validate_status(object: &Value, errors: &mut Errors) {
    let path = Path::new("status");
    let path = path.child("loadBalancer");
    let path = path.child("ingress");
    let all = list(object, &["status", "loadBalancer", "ingress"]);
    for (index, ingress) in all.iter().enumerate() {
        validate_balancer_ingress(ingress, &path.index(index), errors);
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let ports = if list(object, &["spec", "tls"]).is_empty() {
        "80"
    } else {
        "80, 443"
    };
    vec![
        cells::name(object),
        cells::or_none(text(object, &["spec", "ingressClassName"])),
        hosts(object).into(),
        balancer_words(object).into(),
        ports.into(),
        cells::age(object, clock),
    ]
}

fn hosts(object: &Value) -> String {
    let rules = list(object, &["spec", "rules"]);
    let mut shown = Vec::new();
    let mut more = false;
    for rule in rules {
        more |= shown.len() == SHOWN;
        let host = text(rule, &["host"]);
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    match shown.join(",") {
        none if none.is_empty() => "*".to_owned(),
        words if more => format!("{words} + {} more...", rules.len() - SHOWN),
        words => words,
    }
}
