// SPDX-License-Identifier: Apache-2.0
//! Ed25519 signatures over an image's two digests.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::Digest;
use crate::digest::decode_hex;

/// An Ed25519 public key; as text `ed25519:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// There is none.
    Unsigned,
    /// The text is not a signature or a key.
    Malformed,
    /// Made with a key that is not trusted.
    UnknownKey(PublicKey),
    /// Not a signature of this image.
    Wrong,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => {
                f.write_str("the image is not signed: sign it with `k1s pico eci sign`")
            }
            Self::Malformed => f.write_str("not of the form ed25519:KEY:SIGNATURE in hexadecimal"),
            Self::UnknownKey(key) => write!(f, "signed with {key}, which this node does not trust"),
            Self::Wrong => f.write_str("the signature does not belong to this image"),
        }
    }
}

impl core::error::Error for SignatureError {}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ed25519:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        text.trim()
            .strip_prefix("ed25519:")
            .and_then(decode_hex)
            .map(Self)
            .ok_or(SignatureError::Malformed)
    }
}

/// What is signed: both digests, under a name that no other protocol uses.
#[must_use]
pub fn statement(config: &Digest, layer: &Digest) -> String {
    alloc::format!("pico-eci/v1\n{config}\n{layer}\n")
}

/// Checks a signature annotation against the trusted keys; returns the key that signed.
pub(crate) fn verify(
    text: Option<&str>,
    config: &Digest,
    layer: &Digest,
    trusted: &[PublicKey],
) -> Result<PublicKey, SignatureError> {
    let text = text.ok_or(SignatureError::Unsigned)?;
    let (key, signature) = text.rsplit_once(':').ok_or(SignatureError::Malformed)?;
    let key: PublicKey = key.parse()?;
    let signature: [u8; 64] = decode_hex(signature).ok_or(SignatureError::Malformed)?;
    if !trusted.contains(&key) {
        return Err(SignatureError::UnknownKey(key));
    }
    ed25519_compact::PublicKey::new(key.0)
        .verify(
            statement(config, layer),
            &ed25519_compact::Signature::new(signature),
        )
        .map_err(|_| SignatureError::Wrong)?;
    Ok(key)
}
