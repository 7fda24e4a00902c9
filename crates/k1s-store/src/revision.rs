// SPDX-License-Identifier: Apache-2.0
//! [`Revision`]: the one counter behind every `resourceVersion` of a store.

use std::fmt;
use std::str::FromStr;

/// A point in the history of a store.
///
/// One counter serves all keys of all tenants of a store, so revisions of different kinds can be
/// compared. Each object change takes the next revision; none is ever skipped or used twice. A new
/// store is at revision 1, so 0 never names a state and is free for "any" in the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a store that was never written to.
    pub const FIRST: Self = Self(1);

    /// The revision that the next change takes.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Revision {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<u64> for Revision {
    fn from(number: u64) -> Self {
        Self(number)
    }
}
