// SPDX-License-Identifier: Apache-2.0
//! Why something with an image failed.

use std::path::PathBuf;

/// Why an image could not be made, moved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than anything of its kind.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A secret key may be read by others.
    #[error("{} may be read by others: chmod 600 it", .0.display())]
    ExposedKey(PathBuf),
    /// A file does not hold a key.
    #[error("{} does not hold a key of the form {form}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// `ed25519:…` or `ed25519-secret:…`.
        form: &'static str,
    },
    /// The image could not be built or signed.
    #[error(transparent)]
    Build(#[from] pico_eci::build::BuildError),
    /// The bundle is not well formed.
    #[error("not an embedded container image")]
    Bundle(#[from] pico_eci::BundleError),
    /// The image is refused.
    #[error(transparent)]
    Verify(#[from] pico_eci::VerifyError),
    /// The manifest is not that of an ECI.
    #[error("the registry's manifest of {reference} is refused")]
    Manifest {
        /// The image.
        reference: String,
        /// Why.
        #[source]
        source: pico_eci::ManifestError,
    },
    /// The text is not a reference.
    #[error("{0:?} is not an image reference: REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST")]
    Reference(String),
    /// What should hold credentials for registries does not; what is in it is not told.
    #[error("{origin} is no file of credentials for registries: {why}")]
    Credentials {
        /// Where it comes from.
        origin: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The registry could not be reached or did not answer as one.
    #[error("cannot {what} {url}")]
    Registry {
        /// What was tried.
        what: &'static str,
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The registry refused.
    #[error("cannot {what} {url}: the registry says {status}{}", if detail.is_empty() { String::new() } else { format!(": {detail}") })]
    Refused {
        /// What was tried.
        what: &'static str,
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The registry's own words.
        detail: String,
    },
    /// The registry sent other bytes than the digest that it was asked for.
    #[error("{url}: the registry sent bytes with another digest")]
    Digest {
        /// Where.
        url: String,
    },
    /// The board's flash refused.
    #[error("cannot load the image into {}", path.display())]
    Flash {
        /// The file that is the board's flash.
        path: PathBuf,
        /// Why.
        #[source]
        source: pico_flash::Error,
    },
    /// There was no randomness for a new key.
    #[error("the system has no random bytes for a new key")]
    Random,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;
