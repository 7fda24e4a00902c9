// SPDX-License-Identifier: Apache-2.0
//! SHA-256 digests as OCI writes them: `sha256:` and 64 hexadecimal digits.

use core::fmt;
use core::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::{Blob, BlobError};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// The text is not `sha256:` with 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestError;

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest is sha256: and 64 lower-case hexadecimal digits")
    }
}

impl core::error::Error for DigestError {}

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a blob, read in pieces of 256 bytes.
    ///
    /// # Errors
    /// When the blob cannot be read.
    pub fn of_blob(blob: &mut dyn Blob) -> Result<Self, BlobError> {
        let mut hash = Hasher::new();
        let mut buffer = [0; 256];
        let mut offset = 0;
        while offset < blob.len() {
            let piece = (blob.len() - offset).min(buffer.len() as u32);
            let bytes = &mut buffer[..piece as usize];
            blob.read(offset, bytes)?;
            hash.update(bytes);
            offset += piece;
        }
        Ok(hash.finish())
    }
}

/// A digest in the making, for whoever reads an image in pieces for another reason.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// The digest of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Two hexadecimal digits a byte, lower case only, as both digests and signatures are written.
pub(crate) fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.strip_prefix("sha256:")
            .and_then(decode_hex)
            .map(Self)
            .ok_or(DigestError)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    #[test]
    fn text_form() {
        let digest = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        for bad in [
            "",
            "sha256:",
            &text[..70],
            &text.to_uppercase(),
            &text.replace("sha256", "sha512"),
            &text.replace('e', "g"),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad}");
        }
    }

    #[test]
    fn in_pieces_as_at_once() {
        for len in [0, 1, 255, 256, 257, 1000] {
            let bytes = vec![7; len];
            assert_eq!(
                Digest::of_blob(&mut bytes.as_slice()),
                Ok(Digest::of(&bytes))
            );
        }
    }
}
