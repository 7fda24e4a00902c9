// SPDX-License-Identifier: Apache-2.0
//! The WebAssembly engine of embedded container images: [`Wasm`] starts an image, and what runs is a
//! [`pico_eci::Container`].
//!
//! The interpreter is spacewasm; nothing outside of this crate knows. It runs WebAssembly 1.0 with mutable globals and
//! custom page sizes (a container may have 4 KiB of memory); modules that use later instructions (sign extension, bulk
//! memory, saturating conversions) are refused when they start. A guest ends by itself, by a trap or by its memory limit,
//! and never takes anything else with it.
#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

mod container;
mod imports;
mod load;
mod memory;

pub use load::Wasm;
