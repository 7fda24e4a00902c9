// SPDX-License-Identifier: Apache-2.0
//! Mutual TLS with one client: the certificate in the environment, byte for byte.
//!
//! Hosts show a self-signed certificate on the curve P-521, which ring does not verify; that one algorithm comes from the crate `p521`.
//! The socket lies in a directory that only its owner can enter, and still nobody but the host gets past the handshake.

use std::sync::Arc;

use p521::ecdsa::signature::Verifier as _;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, PrivateKeyDer, PrivatePkcs8KeyDer,
    SignatureVerificationAlgorithm, UnixTime, alg_id,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use crate::serve::ServeError;

/// ECDSA on P-521 with SHA-512.
#[derive(Debug)]
struct P521Sha512;

impl SignatureVerificationAlgorithm for P521Sha512 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key =
            p521::ecdsa::VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature =
            p521::ecdsa::Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA512
    }
}

static P521: &dyn SignatureVerificationAlgorithm = &P521Sha512;

/// Accepts one certificate, and only from who has its key.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    ring: WebPkiSupportedAlgorithms,
}

impl Pinned {
    /// How a signature of this scheme is verified.
    fn algorithms(&self, scheme: SignatureScheme) -> WebPkiSupportedAlgorithms {
        if scheme == SignatureScheme::ECDSA_NISTP521_SHA512 {
            static ALL: &[&dyn SignatureVerificationAlgorithm] = &[P521];
            static MAPPING: &[(SignatureScheme, &[&dyn SignatureVerificationAlgorithm])] =
                &[(SignatureScheme::ECDSA_NISTP521_SHA512, &[P521])];
            WebPkiSupportedAlgorithms {
                all: ALL,
                mapping: MAPPING,
            }
        } else {
            self.ring
        }
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if *end_entity == self.certificate {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms(dss.scheme))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms(dss.scheme))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = vec![SignatureScheme::ECDSA_NISTP521_SHA512];
        schemes.extend(self.ring.supported_schemes());
        schemes
    }
}

/// A fresh certificate, and TLS that takes only this client. The certificate comes in DER, as the host pins it.
pub(crate) fn server(client_pem: &str) -> Result<(Vec<u8>, Arc<ServerConfig>), ServeError> {
    let client = CertificateDer::from_pem_slice(client_pem.as_bytes())
        .map_err(|_| ServeError::ClientCertificate)?;
    let key = rcgen::KeyPair::generate().map_err(ServeError::Certificate)?;
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .map_err(ServeError::Certificate)?;
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "localhost");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        rcgen::KeyUsagePurpose::DigitalSignature,
        rcgen::KeyUsagePurpose::KeyCertSign,
    ];
    parameters.extended_key_usages = vec![
        rcgen::ExtendedKeyUsagePurpose::ServerAuth,
        rcgen::ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let certificate = parameters
        .self_signed(&key)
        .map_err(ServeError::Certificate)?;
    let der = certificate.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Pinned {
        certificate: client,
        ring: algorithms(&provider),
    });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![der.clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok((der.to_vec(), Arc::new(config)))
}

fn algorithms(provider: &CryptoProvider) -> WebPkiSupportedAlgorithms {
    provider.signature_verification_algorithms
}

#[cfg(test)]
mod tests;
