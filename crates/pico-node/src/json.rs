// SPDX-License-Identifier: Apache-2.0
//! JSON in pieces: what arrives is read byte by byte and only what is asked for is kept; what is sent is written in place.
//!
//! Entry points: [`Reader`] (any segmentation, bounded memory), [`Value`], [`object`].

mod reader;
mod shape;
mod value;
mod writer;

pub use reader::{Error, Limits, Reader, Taken};
pub use shape::Shape;
pub use value::Value;
pub use writer::{Array, Object, object};
