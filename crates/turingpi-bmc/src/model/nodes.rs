// SPDX-License-Identifier: Apache-2.0
//! What the BMC knows of the modules.

use serde::Serialize;
use serde_json::Value;

use crate::answer::unknown;
use crate::error::Result;

/// What is known of a module. The daemon guesses `power_on_time`; it is no sign of a reboot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeInfo {
    /// The name that a user gave it.
    pub name: Option<String>,
    /// The kind of module that a user says it is.
    pub module_name: Option<String>,
    /// Seconds since it was switched on.
    pub power_on_time: Option<u64>,
    /// The stored baud rate; ports run at 115 200 all the same.
    pub uart_baud: Option<u64>,
}

impl NodeInfo {
    pub(crate) fn read(what: &str, value: &Value) -> Result<[Self; 4]> {
        let shape = || unknown(what, &value.to_string());
        let read = |entry: &Value| {
            let text = |name: &str| match entry.get(name) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.clone())),
                Some(_) => Err(shape()),
            };
            let number = |name: &str| match entry.get(name) {
                None | Some(Value::Null) => Ok(None),
                Some(number) => number.as_u64().map(Some).ok_or_else(shape),
            };
            if !entry.is_object() {
                return Err(shape());
            }
            Ok(Self {
                name: text("name")?,
                module_name: text("module_name")?,
                power_on_time: number("power_on_time")?,
                uart_baud: number("uart_baud")?,
            })
        };
        let list = value.as_array().ok_or_else(shape)?;
        let nodes = list.iter().map(read).collect::<Result<Vec<_>>>()?;
        nodes.try_into().map_err(|_| shape())
    }
}

/// What a user says of a module. What is `None` stays as it is: the daemon cannot forget a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeSettings {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind of module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_name: Option<String>,
    /// The baud rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uart_baud: Option<u64>,
}
