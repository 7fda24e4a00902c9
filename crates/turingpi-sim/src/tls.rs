// SPDX-License-Identifier: Apache-2.0
//! The certificate of a board: signed by itself, made once, the same at each start where it is kept.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::board::StartError;

/// A certificate, PEM, and what speaks TLS with it.
pub(crate) fn tls(identity: Option<&Path>) -> Result<(String, TlsAcceptor), StartError> {
    let (certificate, key) = match identity {
        Some(file) => kept(file).map_err(|e| StartError::Identity(file.to_owned(), e))?,
        None => made().map_err(StartError::Certificate)?,
    };
    let failed = |e: rustls::pki_types::pem::Error| match identity {
        Some(file) => StartError::Identity(file.to_owned(), e.into()),
        None => StartError::Tls(rustls::Error::General(e.to_string())),
    };
    let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(failed)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(failed)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(StartError::Tls)?
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .map_err(StartError::Tls)?;
    Ok((certificate, TlsAcceptor::from(Arc::new(config))))
}

/// A new certificate and its key, PEM.
fn made() -> Result<(String, String), rcgen::Error> {
    let key = rcgen::KeyPair::generate()?;
    let names = ["turingpi.local", "localhost", "127.0.0.1"].map(str::to_owned);
    let mut parameters = rcgen::CertificateParams::new(names)?;
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "turingpi.local");
    let certificate = parameters.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// The certificate and the key of a file; made where there is none.
fn kept(file: &Path) -> Result<(String, String), Box<dyn std::error::Error + Send + Sync>> {
    const KEY: &str = "-----BEGIN PRIVATE KEY-----";
    let found = match private_file::read(file) {
        Err(e @ private_file::Error::TooOpen { .. }) => return Err(e.into()),
        // where it cannot be read it cannot be kept, which is said below
        found => found.ok().flatten(),
    };
    if let Some(bytes) = found {
        let text = String::from_utf8(bytes)?;
        let at = text.find(KEY).ok_or("it has no private key")?;
        let (certificate, key) = text.split_at(at);
        return Ok((certificate.to_owned(), key.to_owned()));
    }
    let (certificate, key) = made()?;
    let kept = file.parent().map_or(Ok(()), private_file::directory);
    let kept =
        kept.and_then(|()| private_file::write(file, format!("{certificate}{key}").as_bytes()));
    // a board without a place for it is another one at its next start, and a board all the same
    if let Err(e) = kept {
        log::warn!("the certificate is not kept: {e}");
    }
    Ok((certificate, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_what_is_none_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/bmc.pem");
        let (first, _) = tls(Some(&file)).unwrap();
        let (second, _) = tls(Some(&file)).unwrap();
        assert_eq!(first, second);
        assert!(!first.contains("PRIVATE"), "{first}");
        assert_ne!(tls(None).unwrap().0, first);
        // below a file there is no place
        assert!(tls(Some(&file.join("b/bmc.pem"))).is_ok());
        for wrong in ["", "no PEM", "-----BEGIN PRIVATE KEY-----\nno base64\n"] {
            private_file::write(&file, wrong.as_bytes()).unwrap();
            assert!(tls(Some(&file)).is_err(), "{wrong:?}");
        }
    }
}
