// SPDX-License-Identifier: Apache-2.0
//! Making images on a host: assemble, build, sign, inspect. What `k1s pico eci` does.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::signature::statement;
use crate::{
    Blob, Bundle, BundleError, Config, ConfigError, Digest, Manifest, ManifestError, PublicKey,
};

/// Why an image could not be made.
#[derive(Debug, PartialEq, Eq)]
pub enum BuildError {
    /// The text of the module is wrong: where and what.
    Text(String),
    /// The config is not valid.
    Config(ConfigError),
    /// The module is empty or too long.
    Bundle(BundleError),
    /// The manifest of the image to be signed is not that of an ECI.
    Manifest(ManifestError),
    /// The image to be signed does not have the digests that its manifest names.
    Digest,
    /// The signing key is not 32 bytes in hexadecimal.
    Key,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(error) => f.write_str(error),
            Self::Config(_) => f.write_str("the image's config is refused"),
            Self::Bundle(_) => f.write_str("the image's bundle is refused"),
            Self::Manifest(_) => f.write_str("the image's manifest is refused"),
            Self::Digest => f.write_str(
                "the image is damaged: its parts do not have the digests that its manifest names",
            ),
            Self::Key => {
                f.write_str("a signing key is ed25519-secret: and 64 lower-case hexadecimal digits")
            }
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Bundle(error) => Some(error),
            Self::Manifest(error) => Some(error),
            Self::Text(_) | Self::Digest | Self::Key => None,
        }
    }
}

impl From<BundleError> for BuildError {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}

/// A module from its text form.
///
/// # Errors
/// [`BuildError::Text`], with line and column.
pub fn assemble(text: &str) -> Result<Vec<u8>, BuildError> {
    wat::parse_str(text).map_err(|error| BuildError::Text(error.to_string()))
}

/// A module without its custom sections (names, debugging, producers), which no engine on a chip reads.
///
/// Bytes that do not have the form of a module come back as they are: the engine will say what is wrong with them.
#[must_use]
pub fn strip(module: &[u8]) -> Vec<u8> {
    let Some(header) = module.get(..8) else {
        return module.to_vec();
    };
    let mut stripped = header.to_vec();
    let mut rest = &module[8..];
    while let [section, after @ ..] = rest {
        let mut length = 0_u64;
        let mut digits = 0;
        loop {
            let Some(byte) = after.get(digits).filter(|_| digits < 5) else {
                return module.to_vec();
            };
            length |= u64::from(byte & 0x7f) << (7 * digits);
            digits += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| (1 + digits).checked_add(length));
        let Some((whole, next)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return module.to_vec();
        };
        if *section != 0 {
            stripped.extend_from_slice(whole);
        }
        rest = next;
    }
    stripped
}

/// An unsigned bundle of a config (JSON) and a module; the module's custom sections are left out.
///
/// # Errors
/// When the config is not valid or the module is empty or too long.
pub fn build(config: &[u8], module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let module = strip(module);
    let config = Config::parse(config).map_err(BuildError::Config)?;
    let config = serde_json::to_vec(&config)
        .map_err(|error| BuildError::Config(ConfigError::Json(error.to_string())))?;
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| BundleError::PartLength);
    let manifest = Manifest {
        config: Digest::of(&config),
        config_bytes: length(&config)?,
        layer: Digest::of(&module),
        layer_bytes: length(&module)?,
        signature: None,
    };
    Ok(Bundle::assemble(&manifest.to_json(), &config, &module)?)
}

/// The parts of a bundle: what a registry stores as manifest and two blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// The config's bytes.
    pub config: Vec<u8>,
    /// The module's bytes.
    pub module: Vec<u8>,
}

impl Parts {
    /// Takes a bundle apart; nothing but its form is checked.
    ///
    /// # Errors
    /// When it is not a bundle.
    pub fn of(bundle: &[u8]) -> Result<Self, BundleError> {
        let mut bundle = Bundle::open(bundle)?;
        let (manifest, config) = (bundle.manifest()?, bundle.config()?);
        let mut layer = bundle.layer()?;
        let mut module = alloc::vec![0; layer.len() as usize];
        layer.read(0, &mut module)?;
        Ok(Self {
            manifest,
            config,
            module,
        })
    }

    /// The bundle again.
    ///
    /// # Errors
    /// When a part is empty or too long.
    pub fn bundle(&self) -> Result<Vec<u8>, BundleError> {
        Bundle::assemble(&self.manifest, &self.config, &self.module)
    }
}

/// An Ed25519 signing key. Neither its `Debug` nor its errors show it.
pub struct SigningKey(ed25519_compact::KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey of {}", self.public())
    }
}

impl SigningKey {
    /// The key that these 32 random bytes make.
    ///
    /// # Errors
    /// [`BuildError::Key`] when all of them are zero, which no source of randomness gives.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, BuildError> {
        if seed == [0; 32] {
            return Err(BuildError::Key);
        }
        Ok(Self(ed25519_compact::KeyPair::from_seed(
            ed25519_compact::Seed::new(seed),
        )))
    }

    /// The key in a file: `ed25519-secret:` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`BuildError::Key`].
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        let seed = text
            .trim()
            .strip_prefix("ed25519-secret:")
            .and_then(crate::digest::decode_hex);
        Self::from_seed(seed.ok_or(BuildError::Key)?)
    }

    /// The text for a file that only its owner may read.
    #[must_use]
    pub fn secret_text(&self) -> String {
        format!("ed25519-secret:{}\n", hex(&*self.0.sk.seed()))
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.pk)
    }
}

/// The bundle with a signature by this key; one that was there is replaced.
///
/// # Errors
/// When the bundle is not an ECI or is damaged.
pub fn sign(bundle: &[u8], key: &SigningKey) -> Result<Vec<u8>, BuildError> {
    let mut parts = Parts::of(bundle)?;
    let mut manifest = Manifest::parse(&parts.manifest).map_err(BuildError::Manifest)?;
    if Digest::of(&parts.config) != manifest.config || Digest::of(&parts.module) != manifest.layer {
        return Err(BuildError::Digest);
    }
    let signature = key
        .0
        .sk
        .sign(statement(&manifest.config, &manifest.layer), None);
    manifest.signature = Some(format!("{}:{}", key.public(), hex(&*signature)));
    parts.manifest = manifest.to_json();
    Ok(parts.bundle()?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_sections_go_and_nothing_else() {
        let named = assemble("(module (func $name (export \"run\") (local $x i32)))").unwrap();
        let plain = assemble("(module (func (export \"run\") (local i32)))").unwrap();
        assert!(named.len() > plain.len());
        assert_eq!(
            (strip(&named), strip(&plain)),
            (plain.clone(), plain.clone())
        );
        for cut in 0..named.len() {
            assert!(strip(&named[..cut]).len() <= cut);
        }
        assert_eq!(
            strip(b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff"),
            b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff"
        );
    }

    #[test]
    fn keys_and_signatures() {
        let key = SigningKey::from_seed([7; 32]).unwrap();
        assert_eq!(
            SigningKey::parse(&key.secret_text()).unwrap().public(),
            key.public()
        );
        for bad in [
            "ed25519-secret:00".into(),
            format!("ed25519-secret:{}", "00".repeat(32)),
        ] {
            assert_eq!(SigningKey::parse(&bad).unwrap_err(), BuildError::Key);
        }
        assert!(!alloc::format!("{key:?}").contains("0707"));
        let bundle = build(
            br#"{"name":"a","version":"v1"}"#,
            &assemble("(module)").unwrap(),
        )
        .unwrap();
        let signed = sign(&bundle, &key).unwrap();
        let mut damaged = signed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(sign(&damaged, &key), Err(BuildError::Digest));
        assert_eq!(
            sign(&signed, &key),
            Ok(signed),
            "signing is the same each time"
        );
    }
}
