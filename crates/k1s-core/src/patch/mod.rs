// SPDX-License-Identifier: Apache-2.0
//! Patches: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and Kubernetes' strategic merge patch.
//!
//! [`JsonPatch`] is a list of operations; [`merge`] and [`strategic`] patch with an object of the
//! same shape, and can also compute such a patch from two or three states of an object.
//! All three bound depth and work, since patches come from outside.

mod json;
pub mod merge;
pub mod strategic;
#[cfg(test)]
mod tests;

pub use json::{JsonPatch, JsonPatchDecodeError, JsonPatchError};
