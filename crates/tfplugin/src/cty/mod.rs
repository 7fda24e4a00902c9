// SPDX-License-Identifier: Apache-2.0
//! The host's type system: types, values that may be unknown, and their two encodings.

mod json;
mod msgpack;
mod number;
mod types;
mod value;

pub use number::Number;
pub use types::{Type, TypeError};
pub use value::Value;

/// A value that is not what its type says, with the way to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what}")]
pub struct ValueError {
    /// The way from the whole value: `nodes[0].slot`.
    pub path: String,
    /// What is wrong: `expected number, found string`.
    pub what: String,
}

impl ValueError {
    fn new(path: &str, what: impl Into<String>) -> Self {
        let path = if path.is_empty() { "value" } else { path };
        Self {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

/// The deepest nesting that is decoded.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests;
