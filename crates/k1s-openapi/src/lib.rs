// SPDX-License-Identifier: Apache-2.0
//! OpenAPI v2 and v3 documents of the built-in kinds and of own ones, in JSON and in protobuf.
//!
//! A document is made from the tables of `k1s-core` each time that it is asked for; nothing of it is kept. What clients keep it
//! by, a hash per document, is a constant of the build, so [`index`] and [`hash`] cost nothing.
//!
//! # Examples
//! ```
//! use k1s_openapi::{Format, document_v3, hash};
//!
//! assert!(hash("apis/apps/v1").is_some());
//! let document = document_v3("apis/apps/v1", Format::Json).expect("apps/v1 is built in");
//! assert!(document.starts_with(br#"{"openapi":"3.0.0""#));
//! ```

mod descriptions;
mod discovery;
mod document;
mod gnostic;
mod operation;
mod own;
mod parameter;
pub mod protobuf;
mod render;
mod resource;
mod schema;
mod tables;

pub use document::Format;

use bytes::Bytes;
use k1s_core::kinds::Kind;

/// The index of the documents of version 3: JSON with `paths`, each with the address of its document.
#[must_use]
pub const fn index() -> &'static str {
    tables::INDEX
}

/// The hash of a document of version 3 by its name: `api/v1`, `apis/apps`, `apis/apps/v1`, `version`.
#[must_use]
pub fn hash(name: &str) -> Option<&'static str> {
    if name.is_empty() { None } else { hash_of(name) }
}

/// The hash of the document of version 2.
#[must_use]
pub fn hash_v2() -> &'static str {
    hash_of("").unwrap_or_default()
}

fn hash_of(name: &str) -> Option<&'static str> {
    tables::DOCUMENTS
        .binary_search_by(|(n, _)| (*n).cmp(name))
        .ok()
        .map(|at| tables::DOCUMENTS[at].1)
}

/// A document of version 3 by its name; `None` when there is none of this name.
#[must_use]
pub fn document_v3(name: &str, format: Format) -> Option<Bytes> {
    let paths = document::paths_of(name);
    if paths.is_empty() {
        return None;
    }
    Some(document::v3(&paths, &[], format).into())
}

/// A document of version 3 about kinds that are not built in: of `apis/GROUP`, or of `apis/GROUP/VERSION`; `None` when none of the
/// kinds is of that group and version.
#[must_use]
pub fn document_v3_of(kinds: &[&'static Kind], name: &str, format: Format) -> Option<Bytes> {
    let (paths, kinds) = document::own_paths(kinds, name)?;
    Some(document::v3(&paths, &kinds, format).into())
}

/// The document of version 2, which has all paths: those of the built-in kinds, and those of `own`.
#[must_use]
pub fn document_v2(own: &[&'static Kind], format: Format) -> Bytes {
    let names = tables::DOCUMENTS.iter().map(|(name, _)| *name);
    let mut paths: Vec<operation::Path> = names.flat_map(document::paths_of).collect();
    paths.extend(document::all_own_paths(own));
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    document::v2(&paths, own, format).into()
}
