// SPDX-License-Identifier: Apache-2.0
//! Which firmware a board runs, as far as its answers differ.

use serde_json::Value;

/// A generation of firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// 1.x: plain HTTP, no login, answers without `result`.
    V1,
    /// Daemon 2.0.0 and 2.0.1: HTTPS and login, no `about`.
    V2_0_0,
    /// Daemon 2.0.2 to 2.0.5, firmware 2.0.x.
    V2_0,
    /// Daemon 2.3.0 to 2.3.4, firmware 2.1.0.
    V2_1,
    /// Daemon 2.3.5 and later.
    V2_3_5,
}

impl Generation {
    /// What `about` shows.
    pub(crate) fn of_about(about: &serde_json::Map<String, Value>) -> Self {
        let text = |name: &str| about.get(name).and_then(Value::as_str).unwrap_or_default();
        if about.contains_key("bmcd_version") {
            Self::V2_3_5
        } else if about.contains_key("board_model") || at_least_2_3(text("version")) {
            Self::V2_1
        } else {
            Self::V2_0
        }
    }

    /// What to call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "1.x",
            Self::V2_0_0 => "2.0.0",
            Self::V2_0 => "2.0",
            Self::V2_1 => "2.1.0",
            Self::V2_3_5 => "2.1.0 with bmcd 2.3.5 or newer",
        }
    }
}

fn at_least_2_3(daemon: &str) -> bool {
    let mut parts = daemon.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    (parts.next(), parts.next()) >= (Some(2), Some(3))
}
