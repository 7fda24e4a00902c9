// SPDX-License-Identifier: Apache-2.0
//! Verification: the only way from bytes to something that an engine starts.

use core::fmt;

use crate::{
    Blob, BlobError, Bundle, BundleError, Config, ConfigError, Digest, Manifest, ManifestError,
    Part, PublicKey, SignatureError, signature,
};

/// Why an image is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// The bundle is not well formed.
    Bundle(BundleError),
    /// The manifest is not that of an ECI.
    Manifest(ManifestError),
    /// The config is not valid.
    Config(ConfigError),
    /// The config's bytes are not the ones that the manifest names.
    ConfigDigest,
    /// The module's bytes are not the ones that the manifest names.
    LayerDigest,
    /// The manifest is not the one that was asked for.
    ManifestDigest,
    /// The signature does not count.
    Signature(SignatureError),
    /// The bytes could not be read.
    Read(BlobError),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bundle(_) => "the image's bundle is refused",
            Self::Manifest(_) => "the image's manifest is refused",
            Self::Config(_) => "the image's config is refused",
            Self::ConfigDigest => {
                "the image's config does not have the digest that its manifest names"
            }
            Self::LayerDigest => {
                "the image's module does not have the digest that its manifest names"
            }
            Self::ManifestDigest => "the image does not have the digest that was asked for",
            Self::Signature(_) => "the image's signature is refused",
            Self::Read(_) => "the image could not be read",
        })
    }
}

impl core::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Bundle(error) => Some(error),
            Self::Manifest(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Signature(error) => Some(error),
            Self::Read(error) => Some(error),
            Self::ConfigDigest | Self::LayerDigest | Self::ManifestDigest => None,
        }
    }
}

/// An image whose signature is from a trusted key and whose bytes have the digests that were signed.
#[derive(Debug)]
pub struct Image<B> {
    bundle: Bundle<B>,
    config: Config,
    digest: Digest,
    layer_digest: Digest,
    signer: PublicKey,
}

/// Checks images against the keys that a node trusts.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    trusted: &'a [PublicKey],
}

impl<'a> Verifier<'a> {
    /// A verifier that trusts these keys and no others; with none it refuses everything.
    #[must_use]
    pub const fn new(trusted: &'a [PublicKey]) -> Self {
        Self { trusted }
    }

    /// Checks a bundle: form, digests, signature. Reads every byte of it.
    ///
    /// # Errors
    /// See [`VerifyError`]; only [`VerifyError::Read`] is worth a retry.
    pub fn verify<B: Blob>(&self, blob: B) -> Result<Image<B>, VerifyError> {
        let mut bundle = Bundle::open(blob).map_err(VerifyError::Bundle)?;
        let json = bundle.manifest().map_err(VerifyError::Read)?;
        let digest = Digest::of(&json);
        let manifest = Manifest::parse(&json).map_err(VerifyError::Manifest)?;
        drop(json);
        let signer = signature::verify(
            manifest.signature.as_deref(),
            &manifest.config,
            &manifest.layer,
            self.trusted,
        )
        .map_err(VerifyError::Signature)?;
        let json = bundle.config().map_err(VerifyError::Read)?;
        if json.len() != manifest.config_bytes as usize || Digest::of(&json) != manifest.config {
            return Err(VerifyError::ConfigDigest);
        }
        let config = Config::parse(&json).map_err(VerifyError::Config)?;
        let mut layer = bundle.layer().map_err(VerifyError::Read)?;
        if layer.len() != manifest.layer_bytes
            || Digest::of_blob(&mut layer).map_err(VerifyError::Read)? != manifest.layer
        {
            return Err(VerifyError::LayerDigest);
        }
        Ok(Image {
            bundle,
            config,
            digest,
            layer_digest: manifest.layer,
            signer,
        })
    }

    /// Checks a bundle that was asked for by digest.
    ///
    /// # Errors
    /// As [`Verifier::verify`], and [`VerifyError::ManifestDigest`] when it is another image.
    pub fn verify_digest<B: Blob>(&self, blob: B, digest: Digest) -> Result<Image<B>, VerifyError> {
        let image = self.verify(blob)?;
        if image.digest == digest {
            Ok(image)
        } else {
            Err(VerifyError::ManifestDigest)
        }
    }
}

impl<B: Blob> Image<B> {
    /// The image's config.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The digest of the manifest, by which registries and `imageID` name the image.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of the module, which an engine compares while it reads the module once more.
    #[must_use]
    pub const fn layer_digest(&self) -> Digest {
        self.layer_digest
    }

    /// The key that signed it.
    #[must_use]
    pub const fn signer(&self) -> PublicKey {
        self.signer
    }

    /// The module, to be read in pieces.
    ///
    /// # Errors
    /// When the medium fails.
    pub fn module(&mut self) -> Result<Part<&mut B>, BlobError> {
        self.bundle.layer()
    }
}
