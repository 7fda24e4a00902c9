// SPDX-License-Identifier: Apache-2.0
//! Embedded container images (ECIs): what they are, how they are checked, and what they may do.
//!
//! An ECI is an OCI artifact: an image manifest (v1.1) with a small JSON config and one WebAssembly layer. It is named by
//! the digest of its manifest and signed with Ed25519. [`Bundle`] is the form in which it lies in flash, [`Verifier`]
//! turns a bundle into an [`Image`] (the only thing an [`Engine`] starts), and a [`Container`] is a running one. What a
//! container can reach is [`Host`], guarded by its [`Grant`].
//!
//! This crate has no engine and no board: `pico-wasm` is the WebAssembly engine, [`BuiltIns`] the one for containers
//! that are compiled into a firmware.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod blob;
#[cfg(feature = "std")]
pub mod build;
mod builtin;
mod bundle;
mod calls;
mod capability;
mod config;
mod container;
mod context;
mod cpu;
mod digest;
#[cfg(feature = "examples")]
pub mod examples;
mod host;
mod image;
mod manifest;
#[cfg(feature = "std")]
pub mod scripted;
mod signature;

pub use blob::{Blob, BlobError, Part};
pub use builtin::{BuiltIn, BuiltInImage, BuiltIns, Step};
pub use bundle::{Bundle, BundleError, MAX_CONFIG_BYTES, MAX_LAYER_BYTES, MAX_MANIFEST_BYTES};
pub use calls::{
    CALLS, Call, Errno, GuestMemory, HostCall, Outcome, Signature, ValueType, dispatch,
};
pub use capability::{Capabilities, Grant, Shortage};
pub use config::{Config, ConfigError};
pub use container::{Container, Engine, Limits, Progress, Slice, StartError, Trap, Usage, Wake};
pub use context::{Context, MAX_KEY, MAX_VALUE};
pub use cpu::CpuQuota;
pub use digest::{Digest, DigestError, Hasher};
pub use host::{Host, HostError, LogLevel};
pub use image::{Image, Verifier, VerifyError};
pub use manifest::{
    ARTIFACT_TYPE, CONFIG_MEDIA_TYPE, LAYER_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest,
    ManifestError, SIGNATURE_ANNOTATION,
};
pub use signature::{PublicKey, SignatureError, statement};
