// SPDX-License-Identifier: Apache-2.0
//! TLS towards a BMC: authorities, pinned fingerprints, trust on first use.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

use crate::endpoint::{Endpoint, Fingerprint, Trust};
use crate::error::{Error, Result};

/// The settings of a connection.
pub(crate) fn client(endpoint: &Endpoint, trust: &Trust) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let untrusted = |why: String| Error::Untrusted {
        endpoint: endpoint.authority(),
        why,
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| untrusted(e.to_string()))?;
    let pinned = |accepts| {
        Arc::new(Pinned {
            accepts,
            endpoint: endpoint.authority(),
            provider,
        })
    };
    let config = match trust {
        Trust::System => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots)
        }
        Trust::Authority(pem) => {
            let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|e| untrusted(format!("the given authority is not PEM: {e}")))?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates.iter().cloned());
            let authority = rustls::client::WebPkiServerVerifier::builder_with_provider(
                Arc::new(roots),
                Arc::new(ring::default_provider()),
            )
            .build()
            .map_err(|e| untrusted(format!("the given authority cannot be used: {e}")))?;
            // a board's own certificate signs none, not even itself: it is compared
            let either = Either {
                certificates: certificates
                    .into_iter()
                    .map(CertificateDer::into_owned)
                    .collect(),
                authority,
            };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(either))
        }
        Trust::Fingerprint(fingerprint) => builder
            .dangerous()
            .with_custom_certificate_verifier(pinned(Accepts::One(*fingerprint))),
        Trust::FirstUse(file) => builder
            .dangerous()
            .with_custom_certificate_verifier(pinned(Accepts::FirstUse(file.clone()))),
        Trust::Insecure => builder
            .dangerous()
            .with_custom_certificate_verifier(pinned(Accepts::Any)),
    };
    Ok(config.with_no_client_auth())
}

/// The fingerprint of a certificate.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Fingerprint(Sha256::digest(certificate).into())
}

#[derive(Debug)]
enum Accepts {
    One(Fingerprint),
    FirstUse(std::path::PathBuf),
    Any,
}

/// Looks at the fingerprint alone; that the other side has the key is checked as ever.
#[derive(Debug)]
struct Pinned {
    accepts: Accepts,
    endpoint: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let shown = fingerprint(end_entity);
        let expected = match &self.accepts {
            Accepts::Any => shown,
            Accepts::One(expected) => *expected,
            Accepts::FirstUse(file) => {
                remembered(file, &self.endpoint, shown).map_err(rustls::Error::General)?
            }
        };
        if shown == expected {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General(format!(
                "its certificate has the fingerprint {shown}, expected was {expected}; \
                 if the board was installed anew, accept the new one"
            )))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Accepts these certificates themselves, and those that they have signed for the name.
#[derive(Debug)]
struct Either {
    certificates: Vec<CertificateDer<'static>>,
    authority: Arc<rustls::client::WebPkiServerVerifier>,
}

impl ServerCertVerifier for Either {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if self.certificates.iter().any(|c| c == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.authority
            .verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.authority.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.authority.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authority.supported_verify_schemes()
    }
}

/// The fingerprint that is remembered for an endpoint; the one that is shown is remembered where there is none. A line an endpoint:
/// `HOST:PORT FINGERPRINT`.
fn remembered(
    file: &Path,
    endpoint: &str,
    shown: Fingerprint,
) -> std::result::Result<Fingerprint, String> {
    let in_words = |e: std::io::Error| format!("{} cannot be used: {e}", file.display());
    let known = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(in_words(e)),
    };
    for (number, line) in known.lines().enumerate() {
        if let Some((host, fingerprint)) = line.split_once(' ')
            && host == endpoint
        {
            return fingerprint
                .parse()
                .map_err(|e| format!("{}:{}: {e}", file.display(), number + 1));
        }
    }
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).map_err(in_words)?;
    }
    let mut append = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)
        .map_err(in_words)?;
    writeln!(append, "{endpoint} {shown}").map_err(in_words)?;
    log::warn!("{endpoint} is trusted from now on, with the fingerprint {shown}");
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_first_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/known");
        let (one, two) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        assert_eq!(remembered(&file, "bmc", one), Ok(one));
        assert_eq!(remembered(&file, "bmc", two), Ok(one));
        assert_eq!(remembered(&file, "bmc:444", two), Ok(two));
        std::fs::write(&file, "bmc x\n").unwrap();
        assert!(remembered(&file, "bmc", one).unwrap_err().contains(":1:"));
    }
}
