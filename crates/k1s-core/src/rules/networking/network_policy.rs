// SPDX-License-Identifier: Apache-2.0
//! NetworkPolicy.

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, at, int, list, map_mut, text};
use crate::rules::address::{report, validate_cidr, validate_port_number};
use crate::rules::{Clock, Generation, Rules, cells, label_selector};

pub(super) static RULES: Rules = Rules {
    default,
    validate: |object, errors| validate(object, errors),
    validate_update: |new, _, errors| validate(new, errors),
    generation: Generation::Spec,
    cells: Some(row),
    ..Rules::NONE
};

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const TYPES: [&str; 2] = ["Ingress", "Egress"];
/// The two directions, and where each names its peers.
const DIRECTIONS: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

fn default(object: &mut Value) {
    let has_egress = !list(object, &["spec", "egress"]).is_empty();
    let spec = map_mut(object, &["spec"]);
    let types = if has_egress {
        json!(["Ingress", "Egress"])
    } else {
        json!(["Ingress"])
    };
    object::default(spec, "policyTypes", types);
    for (direction, _) in DIRECTIONS {
        let rules = spec.get_mut(direction).and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten() {
            let ports = rule.get_mut("ports").and_then(Value::as_array_mut);
            for port in ports.into_iter().flatten() {
                object::default_absent(object::make_map(port), "protocol", "TCP");
            }
        }
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    let selector = spec.get("podSelector");
    label_selector::validate(selector, &path.child("podSelector"), errors);
    for (direction, peers) in DIRECTIONS {
        let path = path.child(direction);
        for (index, rule) in list(spec, &[direction]).iter().enumerate() {
            let path = path.index(index);
            for (index, port) in list(rule, &["ports"]).iter().enumerate() {
                validate_port(port, &path.child("ports").index(index), errors);
            }
            for (index, peer) in list(rule, &[peers]).iter().enumerate() {
                validate_peer(peer, &path.child(peers).index(index), errors);
            }
        }
    }
    validate_types(spec, &path.child("policyTypes"), errors);
}

fn validate_types(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let types = list(spec, &["policyTypes"]);
    if types.len() > TYPES.len() {
        let detail = "may not specify more than two policyTypes";
        errors.invalid(path, &json!(types), detail);
        return;
    }
    for (index, kind) in types.iter().enumerate() {
        if !kind.as_str().is_some_and(|kind| TYPES.contains(&kind)) {
            errors.not_supported(path.index(index), kind, &TYPES);
        }
    }
}

fn validate_port(port: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(protocol) = port.get("protocol").and_then(Value::as_str)
        && !PROTOCOLS.contains(&protocol)
    {
        errors.not_supported(path.child("protocol"), &json!(protocol), &PROTOCOLS);
    }
    let end = int(port, &["endPort"]);
    let end_path = path.child("endPort");
    let port_path = path.child("port");
    match (port.get("port"), end) {
        (None, None) => {}
        (None, Some(end)) => errors.invalid(
            end_path,
            &json!(end),
            "may not be specified when `port` is not specified",
        ),
        (Some(Value::String(name)), end) => {
            if let Some(end) = end {
                errors.invalid(
                    end_path,
                    &json!(end),
                    "may not be specified when `port` is non-numeric",
                );
            }
            report(name::port_name(name), name, &port_path, errors);
        }
        (Some(number), end) => {
            let number = number.as_i64().unwrap_or_default();
            validate_port_number(number, &port_path, errors);
            let Some(end) = end else { return };
            if end < number {
                errors.invalid(
                    end_path,
                    &json!(number),
                    "must be greater than or equal to `port`",
                );
            }
            validate_port_number(end, &end_path, errors);
        }
    }
}

fn validate_peer(peer: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut peers = 0;
    for key in ["podSelector", "namespaceSelector"] {
        peers += usize::from(peer.get(key).is_some());
        label_selector::validate(peer.get(key), &path.child(key), errors);
    }
    let block = peer.get("ipBlock");
    if let Some(block) = block {
        validate_block(block, &path.child("ipBlock"), errors);
    }
    match (peers, block) {
        (0, None) => errors.required(path, "must specify a peer"),
        (1.., Some(_)) => {
            errors.forbidden(path, "may not specify both ipBlock and another peer");
        }
        _ => {}
    }
}

fn validate_block(block: &Value, path: &Path<'_>, errors: &mut Errors) {
    let cidr = text(block, &["cidr"]);
    if cidr.is_empty() {
        errors.required(path.child("cidr"), "");
        return;
    }
    if !validate_cidr(cidr, &path.child("cidr"), errors) {
        return;
    }
    let path = path.child("except");
    let except = list(block, &["except"]).iter().filter_map(Value::as_str);
    for (index, inner) in except.enumerate() {
        let path = path.index(index);
        if validate_cidr(inner, &path, errors) && !is_strictly_within(inner, cidr) {
            errors.invalid_text(path, inner, "must be a strict subset of `cidr`");
        }
    }
}

fn is_strictly_within(inner: &str, outer: &str) -> bool {
    match (name::parse_cidr(inner), name::parse_cidr(outer)) {
        (Some(inner), Some(outer)) => outer.contains(inner.address) && outer.prefix < inner.prefix,
        _ => false,
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        cells::name(object),
        cells::selector(at(object, &["spec", "podSelector"])),
        cells::age(object, clock),
    ]
}
