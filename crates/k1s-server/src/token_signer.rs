// SPDX-License-Identifier: Apache-2.0
//! The key that signs service account tokens: ES256 over a P-256 key, with the library that TLS uses already.
//!
//! Entry point: [`TokenSigner`]. The key is parsed when a token is first signed or verified, so that a command which
//! does neither pays nothing for it.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};

/// Signs and verifies with one P-256 key.
pub struct TokenSigner {
    pkcs8_der: Vec<u8>,
    parsed: OnceLock<Option<Parsed>>,
}

struct Parsed {
    pair: EcdsaKeyPair,
    key_id: String,
}

impl TokenSigner {
    /// A signer with a P-256 private key in DER (PKCS #8).
    #[must_use]
    pub fn new(pkcs8_der: Vec<u8>) -> Self {
        Self {
            pkcs8_der,
            parsed: OnceLock::new(),
        }
    }

    fn parsed(&self) -> Option<&Parsed> {
        let parse = || {
            let random = SystemRandom::new();
            let pair = EcdsaKeyPair::from_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &self.pkcs8_der,
                &random,
            )
            .ok()?;
            let key_id = URL_SAFE_NO_PAD.encode(digest(&SHA256, pair.public_key().as_ref()));
            Some(Parsed { pair, key_id })
        };
        self.parsed.get_or_init(parse).as_ref()
    }
}

impl k1s_api::Signer for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let parsed = self
            .parsed()
            .ok_or("the service account key is not a P-256 key")?;
        match parsed.pair.sign(&SystemRandom::new(), message) {
            Ok(signature) => Ok(signature.as_ref().to_vec()),
            Err(_) => Err("the system has no randomness".into()),
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed().is_some_and(|parsed| {
            let key =
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, parsed.pair.public_key().as_ref());
            key.verify(message, signature).is_ok()
        })
    }

    fn key_id(&self) -> &str {
        self.parsed().map_or("", |parsed| &parsed.key_id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use k1s_api::Signer;

    use super::*;
    use crate::pki::Pki;

    #[test]
    fn what_is_signed_is_verified_and_nothing_else() {
        let key = || {
            Pki::in_memory(SystemTime::now())
                .unwrap()
                .service_account_key_der()
        };
        let (one, other) = (TokenSigner::new(key()), TokenSigner::new(key()));
        let signature = one.sign(b"header.claims").unwrap();
        assert_eq!(signature.len(), 64, "r and s, as JWS wants them");
        assert!(one.verify(b"header.claims", &signature));
        assert!(!one.verify(b"header.claimz", &signature));
        assert!(!one.verify(b"header.claims", &signature[1..]));
        assert!(!other.verify(b"header.claims", &signature));
        assert!(!one.key_id().is_empty());
        assert_ne!(one.key_id(), other.key_id());
    }

    #[test]
    fn a_key_that_is_none_signs_nothing() {
        let signer = TokenSigner::new(b"nonsense".to_vec());
        assert!(signer.sign(b"m").unwrap_err().contains("P-256"));
        assert!(!signer.verify(b"m", &[0; 64]));
    }
}
