// SPDX-License-Identifier: Apache-2.0
//! TLS as a client of an API server needs it: its own authority, a client certificate, and words for what fails.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::error::{Error, Result};
use crate::kubeconfig::Access;

/// Where machines keep the authorities that they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// The name that a server's certificate is checked for.
///
/// # Errors
/// When no certificate can have it.
pub fn server_name(name: String) -> Result<ServerName<'static>> {
    ServerName::try_from(name).map_err(|e| {
        Error::message(format!(
            "the server's address has no host that a certificate can name: {e}"
        ))
    })
}

/// The settings of a connection with a kubeconfig's authority and client certificate.
///
/// # Errors
/// When one of them is not PEM or cannot be used.
pub fn client(access: &Access) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::message(format!("TLS cannot be set up: {e}")))?;
    let builder = if access.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
    } else {
        builder.with_root_certificates(roots(&access.authority)?)
    };
    if access.certificate.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let chain = CertificateDer::pem_slice_iter(&access.certificate)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|e| Error::message(format!("the client certificate is not PEM: {e}")))?;
    let key = PrivateKeyDer::from_pem_slice(&access.key).map_err(|e| {
        Error::message(format!("the key of the client certificate is not PEM: {e}"))
    })?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|e| Error::message(format!("the client certificate cannot be used: {e}")))
}

fn roots(authority: &[u8]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    if !authority.is_empty() {
        for certificate in CertificateDer::pem_slice_iter(authority) {
            let certificate = certificate
                .map_err(|e| Error::message(format!("certificate-authority is not PEM: {e}")))?;
            store.add(certificate).map_err(|e| {
                Error::message(format!("certificate-authority cannot be used: {e}"))
            })?;
        }
        return Ok(store);
    }
    let named = std::env::var("SSL_CERT_FILE").ok();
    for path in named.as_deref().into_iter().chain(BUNDLES) {
        if let Ok(pem) = std::fs::read(path) {
            store.add_parsable_certificates(
                CertificateDer::pem_slice_iter(&pem).filter_map(std::result::Result::ok),
            );
            break;
        }
    }
    Ok(store)
}

/// Why a handshake failed.
pub(crate) fn in_words(error: &std::io::Error) -> String {
    let Some(tls) = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>())
    else {
        return error.to_string();
    };
    let why = match tls {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "x509: certificate signed by unknown authority".to_owned()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "x509: certificate has expired or is not yet valid".to_owned(),
        rustls::Error::InvalidCertificate(e) => format!("x509: {e}"),
        other => return format!("tls: {other}"),
    };
    format!("tls: failed to verify certificate: {why}")
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        out.push_str(": ");
        out.push_str(&e.to_string());
        cause = e.source();
    }
    out
}

/// Takes any certificate; signatures are checked all the same.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
