// SPDX-License-Identifier: Apache-2.0
//! Fans.

use serde::Serialize;
use serde_json::Value;

use crate::answer::unknown;
use crate::error::Result;

/// A fan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cooling {
    /// Its name: `system fan`.
    pub device: String,
    /// Its present step.
    pub speed: u64,
    /// Its highest step.
    pub max_speed: u64,
}

impl Cooling {
    pub(crate) fn read(what: &str, value: &Value) -> Result<Vec<Self>> {
        let read = |entry: &Value| {
            Some(Self {
                device: entry.get("device")?.as_str()?.to_owned(),
                speed: entry.get("speed")?.as_u64()?,
                max_speed: entry.get("max_speed")?.as_u64()?,
            })
        };
        value
            .as_array()
            .and_then(|list| list.iter().map(read).collect())
            .ok_or_else(|| unknown(what, &value.to_string()))
    }
}
