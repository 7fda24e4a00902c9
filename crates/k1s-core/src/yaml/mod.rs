// SPDX-License-Identifier: Apache-2.0
//! YAML text to values and back, as Kubernetes reads it and `kubectl -o yaml` writes it.
//!
//! [`read`] takes the first document, [`split`] cuts a text at its `---` lines. Plain words mean what
//! YAML 1.1 says: `yes` and `off` are booleans, `010` is eight; times stay text. Size, depth and
//! the copies made by aliases are bounded. [`print()`] writes in the style of Go's YAML package.
//!
//! The events come from `granit-parser`; what they mean and how errors are worded is decided here.

mod document;
mod emit;
mod error;
mod go_float;
mod key_order;
mod print;
mod read;
mod scalar;
#[cfg(test)]
mod tests;

pub use document::{Chunk, SeparatorError, split};
pub use error::{DuplicateKey, YamlError};
pub use print::print;
pub use read::{Document, read, read_document};
