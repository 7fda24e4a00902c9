// SPDX-License-Identifier: Apache-2.0
//! Power of the slots.

use serde::Serialize;
use serde_json::Value;

use crate::answer::{object, unknown};
use crate::error::Result;
use crate::slot::Slot;

/// Which slots are switched on: what the daemon remembers, not what it measures. An empty slot can be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Power([Option<bool>; 4]);

impl Power {
    /// Whether a slot is on; `None` when the daemon could not tell.
    #[must_use]
    pub fn of(&self, slot: Slot) -> Option<bool> {
        self.0[slot.index()]
    }

    pub(crate) fn read(what: &str, value: &Value) -> Result<Self> {
        let power = object(what, value)?;
        let mut slots = [None; 4];
        for slot in Slot::ALL {
            slots[slot.index()] = match power.get(slot.key()) {
                Some(Value::String(text)) => match text.as_str() {
                    "1" => Some(true),
                    "0" => Some(false),
                    "Unknown" => None,
                    _ => return Err(unknown(what, &value.to_string())),
                },
                Some(Value::Number(n)) if n.as_u64() == Some(1) => Some(true),
                Some(Value::Number(n)) if n.as_u64() == Some(0) => Some(false),
                _ => return Err(unknown(what, &value.to_string())),
            };
        }
        Ok(Self(slots))
    }
}
