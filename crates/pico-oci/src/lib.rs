// SPDX-License-Identifier: Apache-2.0
//! Embedded container images on a host: what `k1s pico eci` does, as functions.
//!
//! [`files`] reads and writes keys, modules and bundles; [`Registry`] pulls and pushes; [`load`] puts an image into the
//! flash of a board that is a file. The format itself and its verification are [`pico_eci`]'s, the same code as on a chip.

mod credentials;
mod error;
pub mod files;
mod inspect;
mod load;
mod reference;
mod registry;

pub use credentials::Credentials;
pub use error::Error;
pub use inspect::{Inspection, inspect};
pub use load::load;
pub use reference::{Name, Reference};
pub use registry::Registry;
