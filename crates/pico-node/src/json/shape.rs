// SPDX-License-Identifier: Apache-2.0
//! Which parts of a document are worth keeping.

/// A part of a document that is kept, and what of it. An array has the shape of its elements.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Everything below.
    All,
    /// Everything below, but no text of more than 256 bytes.
    Short,
    /// Only these keys of an object.
    Keys(&'static [(&'static str, Shape)]),
}

/// Bytes of a text that is still a short one.
pub(super) const SHORT_BYTES: usize = 256;

impl Shape {
    /// The shape of what stands under a key; `None` if it is skipped.
    #[must_use]
    pub fn under(&self, key: &str) -> Option<Self> {
        match self {
            Self::All => Some(Self::All),
            Self::Short => Some(Self::Short),
            Self::Keys(keys) => keys.iter().find(|(k, _)| *k == key).map(|(_, s)| *s),
        }
    }
}
