// SPDX-License-Identifier: Apache-2.0
//! Generations of firmware, as far as a client sees them differ.

use std::fmt;
use std::str::FromStr;

/// A firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// 1.1.0: plain HTTP, no login.
    V1,
    /// 2.0.5 (bmcd 2.0.5).
    V2_0_5,
    /// 2.1.0 (bmcd 2.3.4).
    V2_1_0,
    /// 2.1.0 with bmcd 2.3.7.
    V2_3_7,
}

/// What is no firmware.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no firmware: 1.1, 2.0.5, 2.1.0 and 2.3.7 are")]
pub struct ProfileError(String);

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::V1, Self::V2_0_5, Self::V2_1_0, Self::V2_3_7];

    /// Whether it speaks TLS and asks for a login.
    #[must_use]
    pub fn secure(self) -> bool {
        self > Self::V1
    }

    /// Whether it has what came with bmcd 2.3: fans, node info, checked sums, the WebSocket.
    #[must_use]
    pub fn modern(self) -> bool {
        self >= Self::V2_1_0
    }

    /// How many pieces of an upload wait to be written.
    pub(crate) fn channel_depth(self) -> usize {
        if self.modern() { 16 } else { 256 }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "1.1",
            Self::V2_0_5 => "2.0.5",
            Self::V2_1_0 => "2.1.0",
            Self::V2_3_7 => "2.3.7",
        })
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        Self::ALL
            .into_iter()
            .find(|p| p.to_string() == text)
            .ok_or_else(|| ProfileError(text.to_owned()))
    }
}
