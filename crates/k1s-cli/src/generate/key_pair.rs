// SPDX-License-Identifier: Apache-2.0
//! Whether a certificate and a key, as PEM, may belong together; the words are those of Go's `crypto/tls`.

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::Mistake;

/// Checks that there is a certificate, a key, and that the key is the certificate's.
///
/// # Errors
/// When one of them is missing, is in the other's place, or they do not match.
pub fn key_pair(certificate: &[u8], key: &[u8]) -> Result<(), Mistake> {
    find(
        certificate,
        "certificate",
        |label| label == "CERTIFICATE",
        "\"CERTIFICATE\" PEM block",
    )?;
    let is_key = |label: &str| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY");
    find(
        key,
        "key",
        is_key,
        "PEM block with type ending in \"PRIVATE KEY\"",
    )?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
        .filter_map(Result::ok)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| Mistake::new("tls: failed to parse private key"))?;
    match CertifiedKey::from_der(chain, key, &default_provider()) {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(Mistake::new("tls: private key does not match public key"))
        }
        Err(rustls::Error::InvalidCertificate(_)) => {
            Err(Mistake::new("x509: malformed certificate"))
        }
        // A key that this program cannot read may be fine for others.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn find(pem: &[u8], what: &str, wanted: impl Fn(&str) -> bool, block: &str) -> Result<(), Mistake> {
    let text = String::from_utf8_lossy(pem);
    let labels: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("-----BEGIN ")?
                .strip_suffix("-----")
        })
        .collect();
    if labels.iter().any(|label| wanted(label)) {
        return Ok(());
    }
    let message = match (what, labels.as_slice()) {
        (_, []) => format!("tls: failed to find any PEM data in {what} input"),
        ("certificate", [only]) if only.ends_with("PRIVATE KEY") => {
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".to_owned()
        }
        ("key", [only]) if *only == "CERTIFICATE" => "tls: found a certificate rather than a key in the PEM for the private key".to_owned(),
        (_, labels) => format!("tls: failed to find {block} in {what} input after skipping PEM blocks of the following types: [{}]", labels.join(" ")),
    };
    Err(Mistake(message))
}
