// SPDX-License-Identifier: Apache-2.0
//! Functions: pure, with no board.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tfplugin::{Function, FunctionError, Parameter, Signature, Type, Value};
use turingpi_bmc::Slot;

use crate::kubeconfig::Kubeconfig;

/// All functions, by name.
pub(crate) fn all() -> Vec<(&'static str, Arc<dyn Function>)> {
    vec![
        ("slot_index", Arc::new(SlotIndex)),
        ("slot_address", Arc::new(SlotAddress)),
        ("parse_kubeconfig", Arc::new(ParseKubeconfig)),
    ]
}

fn parameter(name: &'static str, of: Type, description: &'static str) -> Parameter {
    Parameter {
        name,
        of,
        nullable: false,
        description,
    }
}

fn slot(argument: &Value, index: i64) -> Result<Slot, FunctionError> {
    argument
        .as_i64()
        .and_then(|n| Slot::new(n).ok())
        .ok_or_else(|| FunctionError::argument(index, "a slot is a whole number from 1 to 4"))
}

/// The number by which the BMC knows a slot.
struct SlotIndex;

impl Function for SlotIndex {
    fn signature(&self) -> Signature {
        Signature {
            parameters: vec![parameter("node", Type::Number, "Slot, 1 to 4.")],
            variadic: None,
            returns: Type::Number,
            summary: "The index of a slot",
            description: "Gives the index, 0 to 3, by which the BMC and its tools count a slot, 1 to 4.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let index = slot(&arguments[0], 0)?.index();
        Ok(Value::from(i64::try_from(index).unwrap_or(0)))
    }
}

/// Addresses in a row.
struct SlotAddress;

impl Function for SlotAddress {
    fn signature(&self) -> Signature {
        Signature {
            parameters: vec![
                parameter(
                    "first",
                    Type::String,
                    "IPv4 address of the module in slot 1.",
                ),
                parameter("node", Type::Number, "Slot, 1 to 4."),
            ],
            variadic: None,
            returns: Type::String,
            summary: "The address of a module",
            description: "Gives the IPv4 address of a module, where the modules of a board have addresses in a row.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let first: Ipv4Addr = arguments[0]
            .as_str()
            .unwrap_or_default()
            .parse()
            .map_err(|_| FunctionError::argument(0, "this is no IPv4 address"))?;
        let index = u32::try_from(slot(&arguments[1], 1)?.index()).unwrap_or(0);
        let address = first
            .to_bits()
            .checked_add(index)
            .ok_or_else(|| FunctionError::argument(0, "there are no addresses after this one"))?;
        Ok(Value::from(Ipv4Addr::from_bits(address).to_string()))
    }
}

/// A kubeconfig in parts.
struct ParseKubeconfig;

/// The parts that configurations of other providers take.
const PARTS: [&str; 6] = [
    "host",
    "cluster_ca_certificate",
    "client_certificate",
    "client_key",
    "token",
    "context",
];

impl Function for ParseKubeconfig {
    fn signature(&self) -> Signature {
        Signature {
            parameters: vec![parameter(
                "kubeconfig",
                Type::String,
                "A kubeconfig in YAML.",
            )],
            variadic: None,
            returns: Type::object(PARTS.map(|p| (p, Type::String))),
            summary: "A kubeconfig in parts",
            description: "Takes a kubeconfig apart, as the kubernetes and helm providers want it: `host`, `cluster_ca_certificate`, \
                `client_certificate`, `client_key` (PEM), `token`, `context`. What it does not have is null. Its current context counts.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let wrong = |text: String| FunctionError::argument(0, text);
        let text = arguments[0].as_str().unwrap_or_default();
        let config = Kubeconfig::read(text).map_err(wrong)?;
        let others = [
            ("host", Value::from(config.server())),
            ("token", config.token()),
            ("context", Value::from(config.context())),
        ];
        let pems = config.pems().map_err(wrong)?;
        Ok(Value::object(others.into_iter().chain(pems)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots() {
        let call = |first: &str, node: i64| {
            SlotAddress
                .call(&[Value::from(first), Value::from(node)])
                .map(|v| v.as_str().unwrap_or_default().to_owned())
                .map_err(|e| e.argument)
        };
        assert_eq!(call("10.10.88.73", 1), Ok("10.10.88.73".into()));
        assert_eq!(call("10.10.88.254", 4), Ok("10.10.89.1".into()));
        assert_eq!(call("10.10.88.73", 5), Err(Some(1)));
        assert_eq!(call("fe80::1", 1), Err(Some(0)));
        assert_eq!(call("255.255.255.255", 2), Err(Some(0)));
        assert_eq!(SlotIndex.call(&[Value::from(4)]), Ok(Value::from(3)));
    }

    #[test]
    fn kubeconfigs() {
        let parse = |text: &str| {
            ParseKubeconfig
                .call(&[Value::from(text)])
                .map_err(|e| e.text)
        };
        let text = "current-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\nclusters:\n- name: k\n  \
                    cluster: {server: https://h:6443, certificate-authority-data: UEVN}\nusers:\n- name: u\n  user: {token: t}\n";
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.attribute("host").as_str(), Some("https://h:6443"));
        assert_eq!(
            parsed.attribute("cluster_ca_certificate").as_str(),
            Some("PEM")
        );
        assert_eq!(parsed.attribute("token").as_str(), Some("t"));
        assert!(parsed.attribute("client_key").is_null());
        let broken = "token: hunter2\n  x: [";
        assert!(!parse(broken).unwrap_err().contains("hunter2"));
        assert!(parse("{}").unwrap_err().contains("current-context"));
    }
}
