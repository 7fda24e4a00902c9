// SPDX-License-Identifier: Apache-2.0
//! TLS towards a BMC: authorities, pinned fingerprints, trust on first use.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
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
    let accepts = match trust {
        Trust::System => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let config = builder.with_root_certificates(roots);
            return Ok(config.with_no_client_auth());
        }
        Trust::Authority(pem) => authority(pem).map_err(untrusted)?,
        Trust::Fingerprint(fingerprint) => Accepts::One(*fingerprint),
        Trust::FirstUse(file) => Accepts::FirstUse(file.clone()),
        Trust::Insecure => Accepts::Any,
    };
    let verifier = Verifier {
        accepts,
        endpoint: endpoint.authority(),
        provider,
    };
    let config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(config.with_no_client_auth())
}

/// The fingerprint of a certificate.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Fingerprint(Sha256::digest(certificate).into())
}

/// What a PEM file accepts.
fn authority(pem: &str) -> std::result::Result<Accepts, String> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|e| format!("the given authority is not PEM: {e}"))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    let signed_by = rustls::client::WebPkiServerVerifier::builder_with_provider(
        Arc::new(roots),
        Arc::new(ring::default_provider()),
    )
    .build()
    .map_err(|e| format!("the given authority cannot be used: {e}"))?;
    Ok(Accepts::Authority {
        certificates: certificates
            .into_iter()
            .map(CertificateDer::into_owned)
            .collect(),
        signed_by,
    })
}

#[derive(Debug)]
enum Accepts {
    One(Fingerprint),
    FirstUse(std::path::PathBuf),
    /// These certificates themselves, for a board's own signs none, not even itself; and those that they have signed for the name.
    Authority {
        certificates: Vec<CertificateDer<'static>>,
        signed_by: Arc<rustls::client::WebPkiServerVerifier>,
    },
    Any,
}

/// Decides by what is accepted; that the other side has the key is checked as ever.
#[derive(Debug)]
struct Verifier {
    accepts: Accepts,
    endpoint: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let shown = fingerprint(end_entity);
        let expected = match &self.accepts {
            Accepts::Any => shown,
            Accepts::One(expected) => *expected,
            Accepts::FirstUse(file) => {
                remembered(file, &self.endpoint, shown).map_err(rustls::Error::General)?
            }
            Accepts::Authority { certificates, .. } if certificates.contains(end_entity) => shown,
            Accepts::Authority { signed_by, .. } => {
                return signed_by.verify_server_cert(end_entity, intermediates, name, ocsp, now);
            }
        };
        if shown == expected {
            Ok(ServerCertVerified::assertion())
        } else {
            let accept = match &self.accepts {
                Accepts::FirstUse(file) => {
                    format!(
                        "take the line of {} out of {}",
                        self.endpoint,
                        file.display()
                    )
                }
                _ => "accept the new one".to_owned(),
            };
            Err(rustls::Error::General(format!(
                "its certificate has the fingerprint {shown}, expected was {expected}; \
                 if the board was installed anew, {accept}"
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

/// The fingerprint that is remembered for an endpoint; the one that is shown is remembered where there is none. A line an endpoint:
/// `HOST:PORT FINGERPRINT`. Read and written under a lock on the file, for other processes meet the same board for the first time, too.
fn remembered(
    file: &Path,
    endpoint: &str,
    shown: Fingerprint,
) -> std::result::Result<Fingerprint, String> {
    let in_words = |e: std::io::Error| format!("{} cannot be used: {e}", file.display());
    match File::open(file) {
        Ok(mut open) => {
            flock(&open, FlockOperation::LockShared).map_err(|e| in_words(e.into()))?;
            let (known, _) = known_in(&mut open, file, endpoint)?;
            if let Some(fingerprint) = known {
                return Ok(fingerprint);
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if let Some(dir) = file.parent() {
                std::fs::create_dir_all(dir).map_err(in_words)?;
            }
        }
        Err(e) => return Err(in_words(e)),
    }
    let mut open = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)
        .map_err(in_words)?;
    flock(&open, FlockOperation::LockExclusive).map_err(|e| in_words(e.into()))?;
    let (known, whole) = known_in(&mut open, file, endpoint)?;
    if let Some(fingerprint) = known {
        return Ok(fingerprint);
    }
    // what a power cut left of a line is no line
    open.set_len(whole).map_err(in_words)?;
    open.write_all(format!("{endpoint} {shown}\n").as_bytes())
        .and_then(|()| open.sync_all())
        .map_err(in_words)?;
    log::warn!("{endpoint} is trusted from now on, with the fingerprint {shown}");
    Ok(shown)
}

/// The fingerprint of an endpoint in an open file, and how many bytes of the file are whole lines.
fn known_in(
    open: &mut File,
    file: &Path,
    endpoint: &str,
) -> std::result::Result<(Option<Fingerprint>, u64), String> {
    let mut text = String::new();
    open.read_to_string(&mut text)
        .map_err(|e| format!("{} cannot be used: {e}", file.display()))?;
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    for (number, line) in text[..whole].lines().enumerate() {
        if let Some((host, fingerprint)) = line.split_once(' ')
            && host == endpoint
        {
            let fingerprint = fingerprint
                .parse()
                .map_err(|e| format!("{}:{}: {e}", file.display(), number + 1))?;
            return Ok((Some(fingerprint), whole as u64));
        }
    }
    Ok((None, whole as u64))
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
    /// Found by two commands that met a new board at once: one read the half of the line that the other wrote.
    #[test]
    fn several_meet_a_board_for_the_first_time() {
        for _ in 0..50 {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("known");
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        assert_eq!(
                            remembered(&file, "bmc", Fingerprint([1; 32])),
                            Ok(Fingerprint([1; 32]))
                        );
                    });
                }
            });
            let text = std::fs::read_to_string(&file).unwrap();
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn half_a_line_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known");
        std::fs::write(&file, "bmc 1A:30").unwrap();
        let one = Fingerprint([1; 32]);
        assert_eq!(remembered(&file, "bmc", one), Ok(one));
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            format!("bmc {one}\n")
        );
    }
}
