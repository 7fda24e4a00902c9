// SPDX-License-Identifier: Apache-2.0
//! What is given out to Services, and what is refused beyond the recorded cases.

use serde_json::{Value, json};

use super::allocate::{self, Refused, Taken};
use super::{RULES, default};
use crate::field::Errors;

/// What others hold.
struct Others(&'static [&'static str], &'static [u16]);

impl Taken for Others {
    fn cluster_ip(&self, ip: &str) -> bool {
        self.0.contains(&ip)
    }

    fn node_port(&self, port: u16) -> bool {
        self.1.contains(&port)
    }
}

const NOBODY: Others = Others(&[], &[]);

fn service(spec: Value) -> Value {
    let mut service = json!({"metadata": {"name": "s"}, "spec": spec});
    default(&mut service);
    service
}

fn refusal(result: Result<(), Refused>) -> String {
    match result {
        Ok(()) => String::new(),
        Err(Refused::Exhausted(words)) => words,
        Err(Refused::Invalid(errors)) => words(errors),
    }
}

fn words(errors: Errors) -> String {
    let all: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {}", error.field, error.message))
        .collect();
    all.join("\n")
}

#[test]
fn ports_of_one_number_share_a_node_port() {
    let mut made = service(json!({"type": "NodePort", "ports": [
        {"name": "t", "port": 53}, {"name": "u", "port": 53, "protocol": "UDP"}, {"name": "w", "port": 80}
    ]}));
    assert_eq!(refusal(allocate::create(&mut made, &NOBODY, 3)), "");
    let ports: Vec<_> = made["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["nodePort"].as_i64().unwrap())
        .collect();
    assert_eq!(ports[0], ports[1]);
    assert_ne!(ports[0], ports[2]);
    assert!(ports.iter().all(|port| (30_000..=32_767).contains(port)));
    assert!(allocate::is_cluster_ip(
        made["spec"]["clusterIP"].as_str().unwrap()
    ));
}

#[test]
fn what_cannot_be_had() {
    const TAKEN: Others = Others(&["10.0.0.9"], &[30_001]);
    for (spec, expected) in [
        (
            json!({"clusterIP": "10.0.0.9", "ports": [{"port": 1}]}),
            "spec.clusterIPs: Invalid value: [\"10.0.0.9\"]: failed to allocate IP 10.0.0.9: provided IP is already allocated",
        ),
        (
            json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 30001}]}),
            "spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated",
        ),
        (
            json!({"ipFamilies": ["IPv6"], "ports": [{"port": 1}]}),
            "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
        ),
        (
            json!({"clusterIP": "2001:db8::1", "ports": [{"port": 1}]}),
            "spec.clusterIPs[0]: Invalid value: [\"2001:db8::1\"]: IPv6 is not configured on this cluster",
        ),
        (
            json!({"ipFamilies": ["IPv4", "IPv6"], "ports": [{"port": 1}]}),
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
        ),
    ] {
        let mut made = service(spec);
        assert_eq!(refusal(allocate::create(&mut made, &TAKEN, 0)), expected);
    }
}

#[test]
fn an_update_keeps_what_was_given() {
    let mut old = service(json!({"type": "NodePort", "ports": [{"port": 80}]}));
    assert_eq!(refusal(allocate::create(&mut old, &NOBODY, 5)), "");
    let mut new = service(json!({"type": "NodePort", "ports": [{"port": 81}]}));
    assert_eq!(refusal(allocate::update(&mut new, &old, &NOBODY, 9)), "");
    assert_eq!(new["spec"]["clusterIP"], old["spec"]["clusterIP"]);
    assert_eq!(
        new["spec"]["ports"][0]["nodePort"],
        old["spec"]["ports"][0]["nodePort"]
    );
    let mut new = service(json!({"type": "ExternalName", "externalName": "example.com"}));
    assert_eq!(refusal(allocate::update(&mut new, &old, &NOBODY, 9)), "");
    assert_eq!(new["spec"].get("clusterIP"), None);
    let mut errors = Errors::new();
    (RULES.validate_update)(&new, &old, &mut errors);
    assert_eq!(words(errors), "");
}
