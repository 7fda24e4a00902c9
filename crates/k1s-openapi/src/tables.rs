// SPDX-License-Identifier: Apache-2.0
//! What `build.rs` makes: packed descriptions, documents and their hashes.

/// The descriptions of one package, such as `io.k8s.api.core.v1`.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

pub(crate) static DESCRIPTIONS: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/descriptions.bin"));

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
