// SPDX-License-Identifier: Apache-2.0
//! The OCI image manifest (v1.1) of an ECI: one config, one layer, the signature as an annotation.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The manifest's own media type, that of any OCI image.
pub const MANIFEST_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// What tells an ECI from a Linux image.
pub const ARTIFACT_TYPE: &str = "application/vnd.pico.eci.v1";
/// The config's media type.
pub const CONFIG_MEDIA_TYPE: &str = "application/vnd.pico.eci.config.v1+json";
/// The layer's media type: a WebAssembly module.
pub const LAYER_MEDIA_TYPE: &str = "application/wasm";
/// The annotation with the signature: `ed25519:`, the public key and the signature in hexadecimal.
pub const SIGNATURE_ANNOTATION: &str = "io.pico.eci.signature";

/// A manifest that has the shape of an ECI's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Digest of the config.
    pub config: Digest,
    /// Size of the config in bytes.
    pub config_bytes: u32,
    /// Digest of the module.
    pub layer: Digest,
    /// Size of the module in bytes.
    pub layer_bytes: u32,
    /// The signature annotation, not yet checked.
    pub signature: Option<String>,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// Not JSON of this shape: what and where.
    Json(String),
    /// It is an image of another kind, such as a Linux container: its type.
    NotAnEci(String),
    /// An ECI has one layer; this has another number.
    Layers(usize),
    /// A digest is not SHA-256.
    Digest,
    /// It says what an ECI's manifest says, but not in the same bytes.
    NotCanonical,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the image's manifest is not valid: {error}"),
            Self::NotAnEci(kind) => write!(
                f,
                "not an embedded container image but {kind}: it needs {ARTIFACT_TYPE} with one {LAYER_MEDIA_TYPE} layer"
            ),
            Self::Layers(count) => write!(
                f,
                "an embedded container image has one layer, this one has {count}"
            ),
            Self::Digest => f.write_str("a digest in the image's manifest is not SHA-256"),
            Self::NotCanonical => {
                f.write_str("the image's manifest was changed or not written by `k1s pico eci`")
            }
        }
    }
}

impl core::error::Error for ManifestError {}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u32,
}

/// Whether JSON is nested less than eight deep: a parser's stack is then bounded whatever the text.
pub(crate) fn shallow(json: &[u8]) -> bool {
    let (mut depth, mut string, mut escaped) = (0_u32, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' => string = !string,
            b'[' | b'{' if !string => depth += 1,
            b']' | b'}' if !string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 8 {
            return false;
        }
    }
    true
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it is not JSON, not the manifest of an ECI, or written in any other way than [`Manifest::to_json`] does.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if !shallow(bytes) {
            return Err(ManifestError::Json("nested too deep".into()));
        }
        let mut json: Json = serde_json::from_slice(bytes)
            .map_err(|error| ManifestError::Json(format!("{error}")))?;
        if json.schema_version != 2 || json.artifact_type != ARTIFACT_TYPE {
            let kind = if json.artifact_type.is_empty() {
                &json.config.media_type
            } else {
                &json.artifact_type
            };
            return Err(ManifestError::NotAnEci(kind.chars().take(80).collect()));
        }
        if json.config.media_type != CONFIG_MEDIA_TYPE {
            return Err(ManifestError::NotAnEci(
                json.config.media_type.chars().take(80).collect(),
            ));
        }
        let [layer] = json.layers.as_slice() else {
            return Err(ManifestError::Layers(json.layers.len()));
        };
        if layer.media_type != LAYER_MEDIA_TYPE {
            return Err(ManifestError::NotAnEci(
                layer.media_type.chars().take(80).collect(),
            ));
        }
        let manifest = Self {
            config: json
                .config
                .digest
                .parse()
                .map_err(|_| ManifestError::Digest)?,
            config_bytes: json.config.size,
            layer: layer.digest.parse().map_err(|_| ManifestError::Digest)?,
            layer_bytes: layer.size,
            signature: json.annotations.remove(SIGNATURE_ANNOTATION),
        };
        // the signature covers the digests in it; that nothing else can be changed makes the manifest's own digest firm
        if manifest.to_json() == bytes {
            Ok(manifest)
        } else {
            Err(ManifestError::NotCanonical)
        }
    }

    /// The manifest as JSON, the same bytes for the same manifest.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let descriptor = |media_type: &str, digest: &Digest, size| Descriptor {
            media_type: media_type.into(),
            digest: digest.to_string(),
            size,
        };
        let json = Json {
            schema_version: 2,
            media_type: MANIFEST_MEDIA_TYPE.into(),
            artifact_type: ARTIFACT_TYPE.into(),
            config: descriptor(CONFIG_MEDIA_TYPE, &self.config, self.config_bytes),
            layers: [descriptor(LAYER_MEDIA_TYPE, &self.layer, self.layer_bytes)].into(),
            annotations: self
                .signature
                .iter()
                .map(|text| (SIGNATURE_ANNOTATION.into(), text.clone()))
                .collect(),
        };
        serde_json::to_vec(&json).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let signature = Some("ed25519:".into());
        Manifest {
            config: Digest([1; 32]),
            config_bytes: 7,
            layer: Digest([2; 32]),
            layer_bytes: 9,
            signature,
        }
    }

    #[test]
    fn round_trip() {
        for manifest in [
            example(),
            Manifest {
                signature: None,
                ..example()
            },
        ] {
            assert_eq!(Manifest::parse(&manifest.to_json()), Ok(manifest));
        }
    }

    #[test]
    fn refusals() {
        let good = String::from_utf8(example().to_json()).unwrap();
        let two = good.replace(
            r#""layers":["#,
            r#""layers":[{"mediaType":"application/wasm","digest":"","size":1},"#,
        );
        for (json, expected) in [
            (
                good.replace(ARTIFACT_TYPE, "application/vnd.oci.empty.v1+json"),
                "not an embedded container image but application/vnd.oci.empty",
            ),
            (
                good.replace(
                    CONFIG_MEDIA_TYPE,
                    "application/vnd.oci.image.config.v1+json",
                ),
                "but application/vnd.oci.image.config",
            ),
            (
                good.replace(
                    "application/wasm",
                    "application/vnd.oci.image.layer.v1.tar+gzip",
                ),
                "tar+gzip",
            ),
            (good.replace("sha256:01", "sha512:01"), "SHA-256"),
            (
                good.replace(r#""schemaVersion":2"#, r#""schemaVersion":1"#),
                "not an embedded",
            ),
            (good.replace(r#""size":7"#, r#""size":-7"#), "invalid value"),
            (two, "has 2"),
            (
                good.replace(r#""annotations":{"#, r#""annotations":{"created":"today","#),
                "was changed",
            ),
            (
                good.replace(MANIFEST_MEDIA_TYPE, "application/json"),
                "was changed",
            ),
            (format!("{good}\n"), "was changed"),
            ("[".repeat(1000), "too deep"),
            (String::new(), "EOF"),
        ] {
            let error = format!("{}", Manifest::parse(json.as_bytes()).expect_err(&json));
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        assert!(shallow(br#"{"a":"[[[[[[[[[[[[","b":"\"[[[[[[[[[[["}"#));
        assert!(shallow(b"[][][][][][][][][][][][][]"));
        assert!(!shallow(b"[[[[[[[[["));
    }
}
