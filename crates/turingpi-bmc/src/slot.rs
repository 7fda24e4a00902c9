// SPDX-License-Identifier: Apache-2.0
//! The slots of a board.

use std::fmt;
use std::str::FromStr;

/// One of the four slots, counted from 1 as they are printed on the board.
///
/// The BMC counts from 0 in most calls and by name in one; the conversion is here and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u8);

/// What is no slot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no slot: slots are 1, 2, 3 and 4")]
pub struct SlotError(String);

impl Slot {
    /// All four.
    pub const ALL: [Self; 4] = [Self(1), Self(2), Self(3), Self(4)];

    /// The slot of this number, 1 to 4.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(number: i64) -> Result<Self, SlotError> {
        match u8::try_from(number) {
            Ok(n @ 1..=4) => Ok(Self(n)),
            _ => Err(SlotError(number.to_string())),
        }
    }

    /// 1 to 4.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// 0 to 3, as most calls count.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0) - 1
    }

    /// The slot of an index, 0 to 3.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// `node1` to `node4`, as power calls it.
    #[must_use]
    pub fn key(self) -> &'static str {
        ["node1", "node2", "node3", "node4"][self.index()]
    }

    /// `Node1` to `Node4`, as the settings of nodes call it.
    #[must_use]
    pub fn settings_key(self) -> &'static str {
        ["Node1", "Node2", "Node3", "Node4"][self.index()]
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Slot {
    type Err = SlotError;

    fn from_str(text: &str) -> Result<Self, SlotError> {
        text.trim()
            .parse()
            .ok()
            .and_then(|n| Self::new(n).ok())
            .ok_or_else(|| SlotError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_converts() {
        let check = |text: &str, expected: Option<(usize, &str)>| {
            let slot: Option<Slot> = text.parse().ok();
            assert_eq!(slot.map(|s| (s.index(), s.key())), expected, "{text}");
        };
        check("1", Some((0, "node1")));
        check("4", Some((3, "node4")));
        for text in ["0", "5", "-1", "256", "", "node1", "1.0"] {
            check(text, None);
        }
    }
}
