// SPDX-License-Identifier: Apache-2.0
//! What an image is, without trusting it.

use pico_eci::build::Parts;
use pico_eci::{Config, Digest, Manifest, PublicKey, VerifyError};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// What is known of an image from its bytes alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its digest.
    pub digest: Digest,
    /// Its config.
    pub config: Config,
    /// The digest of its module.
    pub module: Digest,
    /// The module's length in bytes.
    pub module_bytes: u32,
    /// The key it says it is signed with; whether that is so only verification tells.
    pub signer: Option<PublicKey>,
    /// `module.name` of every host call that the module imports.
    pub imports: Vec<String>,
    /// Bytes of linear memory that the module has when it starts.
    pub memory_at_start: u64,
}

/// Looks at an image.
///
/// # Errors
/// When it is not an ECI or does not have the digests that its manifest names.
pub fn inspect(bundle: &[u8]) -> Result<Inspection> {
    let parts = Parts::of(bundle)?;
    let manifest = Manifest::parse(&parts.manifest)
        .map_err(|error| Error::Verify(VerifyError::Manifest(error)))?;
    if Digest::of(&parts.config) != manifest.config {
        return Err(Error::Verify(VerifyError::ConfigDigest));
    }
    if Digest::of(&parts.module) != manifest.layer {
        return Err(Error::Verify(VerifyError::LayerDigest));
    }
    let config =
        Config::parse(&parts.config).map_err(|error| Error::Verify(VerifyError::Config(error)))?;
    let signer = manifest
        .signature
        .as_deref()
        .and_then(|text| text.rsplit_once(':')?.0.parse().ok());
    let digest = Digest::of(&parts.manifest);
    let imports = imports(&parts.module).unwrap_or_default();
    let memory_at_start = memory_at_start(&parts.module).unwrap_or_default();
    Ok(Inspection {
        digest,
        config,
        module: manifest.layer,
        module_bytes: manifest.layer_bytes,
        signer,
        imports,
        memory_at_start,
    })
}

impl Inspection {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "digest": self.digest.to_string(),
            "reference": self.config.reference(),
            "config": self.config,
            "module": { "digest": self.module.to_string(), "size": self.module_bytes, "memory": self.memory_at_start },
            "signedBy": self.signer.map(|key| key.to_string()),
            "imports": self.imports,
        })
    }

    /// As lines of text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let asked = serde_json::to_value(self.config.capabilities).unwrap_or_default();
        let asked: Vec<String> = asked
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let signer = self.signer.map_or("nobody".into(), |key| key.to_string());
        let none = |items: &[String]| {
            if items.is_empty() {
                "none".into()
            } else {
                items.join(", ")
            }
        };
        format!(
            "Reference:     {}\nDigest:        {}\nModule:        {} bytes, {}\nMemory:        {} bytes at the start{}\nCapabilities:  {}\nHost calls:    {}\nSigned by:     {signer}\n",
            self.config.reference(),
            self.digest,
            self.module_bytes,
            self.module,
            self.memory_at_start,
            match self.config.memory {
                0 => String::new(),
                needed => format!(", {needed} needed by its own account"),
            },
            none(&asked),
            none(&self.imports),
        )
    }
}

/// The number of things in a section of a module, and what follows it there.
fn section(module: &[u8], wanted: u8) -> Option<(usize, &[u8])> {
    let mut rest = module.get(8..)?;
    while let Some((section, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (body, next) = after.split_at_checked(length)?;
        rest = next;
        if *section == wanted {
            return number(body);
        }
    }
    None
}

/// The functions that a module imports, by a look at its import section.
fn imports(module: &[u8]) -> Option<Vec<String>> {
    let (count, mut body) = section(module, 2)?;
    let mut names = Vec::new();
    for _ in 0..count.min(1_000) {
        let (module, after) = name(body)?;
        let (function, after) = name(after)?;
        let (0, after) = after.split_first().map(|(kind, after)| (*kind, after))? else {
            return None;
        };
        body = number(after)?.1;
        names.push(format!("{module}.{function}"));
    }
    Some(names)
}

/// The linear memory of a module, by a look at its memory section: pages of 64 KiB, or of the size that the proposal
/// custom-page-sizes lets it say.
fn memory_at_start(module: &[u8]) -> Option<u64> {
    const HAS_MAXIMUM: u8 = 1;
    const HAS_PAGE_SIZE: u8 = 8;
    let (count, body) = section(module, 5)?;
    if count == 0 {
        return None;
    }
    let (flags, rest) = body.split_first()?;
    let (pages, mut rest) = number(rest)?;
    if flags & HAS_MAXIMUM != 0 {
        rest = number(rest)?.1;
    }
    let shift = if flags & HAS_PAGE_SIZE != 0 {
        number(rest)?.0
    } else {
        16
    };
    (pages as u64).checked_mul(1_u64.checked_shl(u32::try_from(shift).ok()?)?)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

fn name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = number(bytes)?;
    let (name, rest) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_a_module_starts_with() {
        for (memory, expected) in [
            ("(memory 17)", Some(1_114_112)),
            ("(memory 1 2)", Some(65_536)),
            ("(memory 4096 (pagesize 1))", Some(4096)),
            ("(memory 300 500 (pagesize 1))", Some(300)),
            ("", None),
        ] {
            let text = format!(r#"(module (func (export "run")) {memory})"#);
            let module = pico_eci::build::assemble(&text).unwrap();
            assert_eq!(memory_at_start(&module), expected, "{memory}");
        }
    }

    #[test]
    fn examples() {
        let blink = inspect(pico_eci::examples::EXAMPLES[0].bundle).unwrap();
        assert_eq!(
            blink.imports,
            [
                "pico:system.sleep-ms",
                "pico:log.write",
                "pico:config.get",
                "pico:led.set"
            ]
        );
        assert_eq!(blink.signer, pico_eci::examples::key());
        let text = blink.to_text();
        for expected in [
            "Reference:     pico/blink:v1\n",
            "Capabilities:  led=true\n",
            "Signed by:     ed25519:",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        assert_eq!(
            blink.to_json()["config"]["capabilities"],
            json!({"led": true})
        );
    }
}
